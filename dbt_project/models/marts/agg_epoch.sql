{# A view: agg_sample has each sample's epochs as one row already. #}
{{ config(materialized='view') }}

with samples as (

    select * from {{ ref('agg_sample') }}
    where scored_count > 1

),

final as (

    select
        task_name,
        model,
        access_set_ids,
        scorer,
        count(*) as repeated_sample_count,
        sum(scored_count)::bigint as scored_count,
        min(scored_count) as least_epochs,
        max(scored_count) as most_epochs,
        avg(mean_score) as mean_score,
        (
            count(*) filter (where highest_score > lowest_score)
        )::float8 / count(*) as fraction_unstable,
        -- Pooled over samples, each by its degrees of freedom.
        sum(score_variance * (scored_count - 1))
        / sum(scored_count - 1)::float8 as variance_within_samples,
        var_samp(mean_score) as variance_of_sample_means,
        avg(pass_count::float8 / scored_count) as pass_at_1,
        -- Chance that one of two passes, and that both do.
        -- https://arxiv.org/abs/2107.03374, https://arxiv.org/abs/2406.12045
        avg(
            1 - (scored_count - pass_count) * (scored_count - pass_count - 1)
            / (scored_count * (scored_count - 1))::float8
        ) as pass_at_2,
        avg(
            pass_count * (pass_count - 1)
            / (scored_count * (scored_count - 1))::float8
        ) as pass_power_2
    from samples
    group by task_name, model, access_set_ids, scorer

)

select * from final
