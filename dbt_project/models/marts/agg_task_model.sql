{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['task_name', 'model'],
    on_schema_change='fail',
    post_hook="{{ delete_stale_task_models() }}",
) }}

with stale as materialized (

    {{ stale_task_models() }}

),

evals as (

    select * from {{ ref('fct_eval') }}

),

samples as (

    select * from {{ ref('agg_sample') }}

),

eval_sets as (

    select
        task_name,
        model,
        count(distinct eval_set_id) as eval_set_count
    from evals
    group by task_name, model

),

-- Epochs and repeated runs of one sample are one number already: the unit of
-- the standard error is the sample, which is clustering by sample.
-- https://inspect.aisi.org.uk/scorers.html#reducing-epochs
-- https://arxiv.org/abs/2411.00640
summed as (

    select
        samples.task_name,
        samples.model,
        count(*) as sample_count,
        sum(samples.attempt_count)::bigint as attempt_count,
        sum(samples.canonical_count)::bigint as canonical_count,
        count(samples.mean_score) as scored_sample_count,
        sum(samples.scored_count)::bigint as scored_count,
        avg(samples.mean_score) as mean_score,
        stddev_samp(samples.mean_score)
        / sqrt(count(samples.mean_score)) as standard_error,
        sum(samples.success_count)::bigint as success_count,
        sum(samples.error_count)::bigint as error_count,
        sum(samples.limit_count)::bigint as limit_count,
        sum(samples.cancelled_count)::bigint as cancelled_count,
        sum(samples.total_tokens)::bigint as total_tokens,
        sum(samples.total_cost_usd) as total_cost_usd,
        (
            sum(samples.canonical_tokens)
            / nullif(sum(samples.with_tokens_count), 0)
        )::float8 as mean_tokens,
        case
            when sum(samples.with_cost_count) = sum(samples.canonical_count)
                then
                    sum(samples.canonical_cost_usd)
                    / nullif(sum(samples.canonical_count), 0)
        end::float8 as mean_cost_usd,
        sum(samples.working_seconds) as working_seconds,
        sum(samples.canonical_working_seconds) / nullif(
            sum(samples.with_working_seconds_count), 0
        )::float8 as mean_working_seconds,
        max(samples.last_completed_at) as last_completed_at
    from stale
    inner join samples
        on
            stale.task_name = samples.task_name
            and stale.model = samples.model
    group by samples.task_name, samples.model

),

final as (

    select
        stale.task_name,
        stale.model,
        stale.access_set_ids,
        stale.scorer,
        eval_sets.eval_set_count,
        stale.eval_count,
        summed.sample_count,
        summed.attempt_count,
        summed.canonical_count,
        summed.scored_sample_count,
        summed.scored_count,
        summed.mean_score,
        summed.standard_error,
        summed.success_count,
        summed.error_count,
        summed.limit_count,
        summed.cancelled_count,
        summed.total_tokens,
        summed.total_cost_usd,
        summed.mean_tokens,
        summed.mean_cost_usd,
        summed.working_seconds,
        summed.mean_working_seconds,
        summed.last_completed_at,
        stale.refreshed_at
    from stale
    inner join eval_sets
        on
            stale.task_name = eval_sets.task_name
            and stale.model = eval_sets.model
    inner join summed
        on
            stale.task_name = summed.task_name
            and stale.model = summed.model

)

select * from final
