{# A view, so that ranks tell nothing of models that its reader may not see. #}
{{ config(materialized='view') }}

with task_models as (

    select * from {{ ref('agg_task_model') }}
    where mean_score is not null

),

intervals as (

    select
        task_name,
        model,
        access_set_ids,
        scorer,
        scored_sample_count,
        mean_score,
        standard_error,
        mean_score - 1.96 * standard_error as lower_score,
        mean_score + 1.96 * standard_error as upper_score
    from task_models

),

-- The difference of two independent means has the error of both together.
-- https://arxiv.org/abs/2411.00640, section 4.1
compared as (

    select
        intervals.task_name,
        intervals.model,
        count(others.model) as better_count
    from intervals
    left join intervals as others
        on
            intervals.task_name = others.task_name
            and others.mean_score - intervals.mean_score > 1.96 * sqrt(
                power(others.standard_error, 2)
                + power(intervals.standard_error, 2)
            )
    group by intervals.task_name, intervals.model

),

final as (

    select
        intervals.task_name,
        intervals.model,
        intervals.access_set_ids,
        rank() over (
            partition by intervals.task_name
            order by intervals.mean_score desc
        ) as place,
        compared.better_count + 1 as rank_group,
        intervals.scorer,
        intervals.scored_sample_count,
        intervals.mean_score,
        intervals.standard_error,
        intervals.lower_score,
        intervals.upper_score
    from intervals
    inner join compared
        on
            intervals.task_name = compared.task_name
            and intervals.model = compared.model

)

select * from final
