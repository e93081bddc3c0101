with source as (

    select * from {{ source('raw', 'eval_import') }}

),

final as (

    select
        import_id,
        eval_id,
        eval_set_id,
        access_set_id,
        location,
        etag,
        size_bytes,
        last_modified,
        log_status,
        sample_count,
        message_count,
        event_count,
        seconds,
        first_imported_at,
        imported_at
    from source

)

select * from final
