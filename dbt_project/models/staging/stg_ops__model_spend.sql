with source as (

    select * from {{ source('ops', 'model_spend') }}

),

final as (

    select
        day as spend_date,
        eval_set_id,
        user_name,
        model_name as model,
        call_count,
        missing_count,
        input_tokens,
        output_tokens,
        input_tokens_cache_read,
        input_tokens_cache_write,
        reasoning_tokens
    from source

)

select * from final
