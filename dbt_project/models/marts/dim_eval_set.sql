{{ config(
    indexes=[
        {'columns': ['last_activity_at desc', 'eval_set_id']},
    ],
) }}

with eval_sets as (

    select * from {{ ref('stg_ops__eval_set') }}

),

evals as (

    select * from {{ ref('fct_eval') }}

),

logged as (

    select
        eval_set_id,
        min(created_by) as created_by,
        array_agg(distinct model order by model) as models,
        array_agg(distinct task_name order by task_name) as tasks,
        array_agg(distinct access_set_id) as access_set_ids,
        count(*) as eval_count,
        count(*) filter (where status = 'success') as success_eval_count,
        count(*) filter (where status = 'started') as started_eval_count,
        sum(canonical_count)::bigint as sample_count,
        sum(sample_count)::bigint as attempt_count,
        sum(canonical_error_count)::bigint as error_count,
        sum(canonical_limit_count)::bigint as limit_count,
        sum(total_tokens)::bigint as total_tokens,
        sum(total_cost_usd) as total_cost_usd,
        min(coalesce(created_at, started_at)) as created_at,
        max(completed_at) as completed_at,
        max(imported_at) as imported_at
    from evals
    group by eval_set_id

),

final as (

    select
        coalesce(eval_sets.eval_set_id, logged.eval_set_id) as eval_set_id,
        coalesce(eval_sets.name, logged.eval_set_id) as name,
        coalesce(eval_sets.status, 'imported') as status,
        coalesce(eval_sets.status_reason, '') as status_reason,
        coalesce(eval_sets.origin, 'listing') as origin,
        coalesce(eval_sets.created_by, logged.created_by) as created_by,
        eval_sets.email,
        eval_sets.priority,
        coalesce(eval_sets.model_groups, '{}') as model_groups,
        array_remove(
            array_append(logged.access_set_ids, eval_sets.access_set_id), null
        ) as access_set_ids,
        coalesce(logged.models, eval_sets.model_names) as models,
        coalesce(logged.tasks, '{}') as tasks,
        coalesce(logged.eval_count, 0) as eval_count,
        coalesce(logged.success_eval_count, 0) as success_eval_count,
        coalesce(logged.started_eval_count, 0) as started_eval_count,
        coalesce(logged.sample_count, 0) as sample_count,
        coalesce(logged.attempt_count, 0) as attempt_count,
        coalesce(logged.error_count, 0) as error_count,
        coalesce(logged.limit_count, 0) as limit_count,
        logged.total_tokens,
        logged.total_cost_usd,
        coalesce(eval_sets.created_at, logged.created_at) as created_at,
        logged.completed_at,
        logged.imported_at,
        greatest(
            eval_sets.status_changed_at,
            logged.completed_at,
            logged.imported_at
        ) as last_activity_at
    from eval_sets
    full outer join logged on eval_sets.eval_set_id = logged.eval_set_id

)

select * from final
