{# A view, so that it counts only what its reader may see. #}
{{ config(materialized='view') }}

with evals as (

    select * from {{ ref('fct_eval') }}

),

staged_evals as (

    select
        eval_id,
        dataset_sample_count,
        metadata
    from {{ ref('stg_raw__eval') }}

),

ranked as (

    select
        evals.*,
        staged_evals.dataset_sample_count,
        staged_evals.metadata ->> 'family' as family,
        case
            when
                jsonb_typeof(staged_evals.metadata -> 'human_minutes')
                = 'number'
                then (staged_evals.metadata ->> 'human_minutes')::float8
        end as human_minutes,
        row_number() over (
            partition by evals.task_name
            order by
                (evals.headline_scorer is not null) desc,
                evals.created_at desc nulls last,
                evals.eval_id asc
        ) as recency
    from evals
    inner join staged_evals on evals.eval_id = staged_evals.eval_id

),

counted as (

    select
        task_name,
        count(*) as eval_count,
        count(distinct eval_set_id) as eval_set_count,
        count(distinct model) as model_count,
        count(distinct task_version) as version_count,
        min(created_at) as first_eval_at,
        max(created_at) as last_eval_at
    from evals
    group by task_name

),

final as (

    select
        ranked.task_name,
        ranked.task_version as latest_version,
        ranked.dataset_name,
        ranked.dataset_sample_count,
        ranked.headline_scorer,
        coalesce(ranked.family, ranked.task_name) as cluster_key,
        ranked.human_minutes,
        counted.version_count,
        counted.eval_count,
        counted.eval_set_count,
        counted.model_count,
        counted.first_eval_at,
        counted.last_eval_at
    from ranked
    inner join counted on ranked.task_name = counted.task_name
    where ranked.recency = 1

)

select * from final
