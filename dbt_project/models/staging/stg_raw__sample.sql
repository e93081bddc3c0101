with source as (

    select * from {{ source('raw', 'sample') }}

),

final as (

    select
        import_id,
        sample_uuid,
        eval_id,
        sample_id,
        epoch,
        input_text,
        target,
        output_text,
        error_message,
        error_traceback,
        error_retries,
        limit_type,
        limit_value,
        is_invalidated,
        is_complete,
        total_seconds,
        working_seconds,
        message_count,
        event_count,
        model_call_count,
        tool_call_count,
        input_tokens,
        output_tokens,
        total_tokens,
        reasoning_tokens,
        input_tokens_cache_read,
        input_tokens_cache_write,
        started_at,
        completed_at
    from source

)

select * from final
