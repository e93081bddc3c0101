{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['spend_date', 'eval_set_id', 'user_name', 'model'],
    on_schema_change='fail',
    indexes=[
        {'columns': ['eval_set_id', 'eval_id']},
    ],
) }}

with stale as (

    {{ stale_spend() }}

),

calls as (

    select * from {{ ref('stg_ops__model_call') }}

),

eval_sets as (

    select * from {{ ref('stg_ops__eval_set') }}

),

summed as (

    select
        stale.spend_date,
        stale.eval_set_id,
        calls.eval_id,
        stale.user_name,
        stale.model,
        count(*) as call_count,
        count(*) filter (where calls.state = 'open') as open_count,
        count(*) filter (
            where
            calls.state not in ('open', 'complete')
            or calls.http_status >= 400
        ) as failed_count,
        count(*) filter (
            where calls.usage_state = 'missing'
        ) as missing_count,
        sum(calls.retry_count)::bigint as retry_count,
        coalesce(sum(calls.input_tokens), 0)::bigint as input_tokens,
        coalesce(sum(calls.output_tokens), 0)::bigint as output_tokens,
        coalesce(
            sum(calls.input_tokens_cache_read), 0
        )::bigint as input_tokens_cache_read,
        coalesce(
            sum(calls.input_tokens_cache_write), 0
        )::bigint as input_tokens_cache_write,
        coalesce(sum(calls.reasoning_tokens), 0)::bigint as reasoning_tokens,
        coalesce(sum(calls.cost_usd), 0)::float8 as cost_usd,
        sum(calls.charged_usd)::float8 as charged_usd,
        sum(calls.waited_seconds) as waited_seconds,
        coalesce(sum(calls.total_seconds), 0) as total_seconds
    from stale
    inner join calls
        on
            stale.eval_set_id = calls.eval_set_id
            and stale.user_name = calls.user_name
            and stale.model = calls.model
            and calls.started_at
            >= stale.spend_date::timestamp at time zone 'UTC'
            and calls.started_at
            < (stale.spend_date + 1)::timestamp at time zone 'UTC'
    group by
        stale.spend_date,
        stale.eval_set_id,
        calls.eval_id,
        stale.user_name,
        stale.model

),

final as (

    select
        summed.spend_date,
        summed.eval_set_id,
        summed.eval_id,
        summed.user_name,
        summed.model,
        -- Those who may see the set and the model that was called.
        array_remove(
            array[
                eval_sets.access_set_id,
                ops.access_set_of(array[summed.model], '{}')
            ],
            null
        ) as access_set_ids,
        summed.call_count,
        summed.open_count,
        summed.failed_count,
        summed.missing_count,
        summed.retry_count,
        summed.input_tokens,
        summed.output_tokens,
        summed.input_tokens
        + summed.output_tokens
        + summed.input_tokens_cache_read
        + summed.input_tokens_cache_write as total_tokens,
        summed.input_tokens_cache_read,
        summed.input_tokens_cache_write,
        summed.reasoning_tokens,
        summed.cost_usd,
        summed.charged_usd,
        summed.waited_seconds,
        summed.total_seconds
    from summed
    left join eval_sets on summed.eval_set_id = eval_sets.eval_set_id

)

select * from final
