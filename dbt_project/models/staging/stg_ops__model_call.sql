with source as (

    select * from {{ source('ops', 'model_call') }}

),

final as (

    select
        call_id,
        state,
        started_at,
        model_name as model,
        user_name,
        eval_set_id,
        eval_id,
        usage_state,
        http_status,
        input_tokens,
        output_tokens,
        input_tokens_cache_read,
        input_tokens_cache_write,
        reasoning_tokens,
        cost_usd,
        charged_usd,
        retry_count,
        waited_seconds,
        total_seconds
    from source

)

select * from final
