{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='task_name',
    on_schema_change='fail',
    post_hook="{{ delete_stale_pairs() }}",
) }}

with stale as materialized (

    {{ stale_pairs() }}

),

samples as (

    select samples.*
    from stale
    inner join {{ ref('agg_sample') }} as samples
        on stale.task_name = samples.task_name
    where samples.mean_score is not null

),

-- https://arxiv.org/abs/2411.00640, section 4.2
compared as (

    select
        firsts.task_name,
        firsts.model as first_model,
        seconds.model as second_model,
        count(*) as shared_sample_count,
        avg(firsts.mean_score) as first_mean_score,
        avg(seconds.mean_score) as second_mean_score,
        avg(firsts.mean_score - seconds.mean_score) as difference,
        stddev_samp(firsts.mean_score - seconds.mean_score)
        / sqrt(count(*)) as standard_error,
        corr(firsts.mean_score, seconds.mean_score) as correlation,
        count(*) filter (
            where firsts.mean_score > seconds.mean_score
        ) as win_count,
        count(*) filter (
            where firsts.mean_score < seconds.mean_score
        ) as loss_count,
        count(*) filter (
            where firsts.mean_score = seconds.mean_score
        ) as tie_count
    from samples as firsts
    inner join samples as seconds
        on
            firsts.task_name = seconds.task_name
            and firsts.sample_id = seconds.sample_id
            and firsts.model < seconds.model
    group by firsts.task_name, firsts.model, seconds.model

),

access as (

    select
        samples.task_name,
        samples.model,
        samples.access_set_ids
    from samples
    group by samples.task_name, samples.model, samples.access_set_ids

),

final as (

    select
        compared.task_name,
        compared.first_model,
        compared.second_model,
        firsts.access_set_ids || seconds.access_set_ids as access_set_ids,
        stale.scorer,
        compared.shared_sample_count,
        compared.first_mean_score,
        compared.second_mean_score,
        compared.difference,
        compared.standard_error,
        compared.correlation,
        compared.win_count,
        compared.loss_count,
        compared.tie_count,
        stale.task_print
    from compared
    inner join stale on compared.task_name = stale.task_name
    inner join access as firsts
        on
            compared.task_name = firsts.task_name
            and compared.first_model = firsts.model
    inner join access as seconds
        on
            compared.task_name = seconds.task_name
            and compared.second_model = seconds.model

)

select * from final
