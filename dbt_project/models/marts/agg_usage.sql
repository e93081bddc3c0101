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

model_usages as (

    select * from {{ ref('fct_model_usage') }}

),

final as (

    select
        stale.task_name,
        stale.model,
        model_usages.model as called_model,
        stale.access_set_ids,
        stale.scorer,
        stale.eval_count,
        count(*) as attempt_count,
        count(*) filter (where model_usages.is_canonical) as canonical_count,
        sum(model_usages.input_tokens)::bigint as input_tokens,
        sum(model_usages.output_tokens)::bigint as output_tokens,
        sum(
            model_usages.input_tokens_cache_read
        )::bigint as input_tokens_cache_read,
        sum(
            model_usages.input_tokens_cache_write
        )::bigint as input_tokens_cache_write,
        sum(model_usages.total_tokens)::bigint as total_tokens,
        sum(model_usages.total_tokens) filter (
            where model_usages.is_canonical
        )::bigint as canonical_tokens,
        sum(model_usages.total_cost_usd) as total_cost_usd,
        stale.refreshed_at
    from stale
    inner join evals
        on stale.task_name = evals.task_name and stale.model = evals.model
    inner join model_usages on evals.eval_id = model_usages.eval_id
    group by
        stale.task_name,
        stale.model,
        model_usages.model,
        stale.access_set_ids,
        stale.scorer,
        stale.eval_count,
        stale.refreshed_at

)

select * from final
