with source as (

    select * from {{ source('raw', 'event') }}

),

final as (

    select
        import_id,
        sample_uuid,
        event_index,
        kind,
        started_at,
        completed_at,
        working_seconds,
        model,
        model_role,
        tool_name,
        input_tokens,
        output_tokens,
        total_tokens,
        retries,
        error
    from source

)

select * from final
