with source as (

    select * from {{ source('ops', 'log_inbox') }}

),

final as (

    select
        log_inbox_id,
        eval_set_id,
        's3://' || bucket || '/' || key as location,
        etag,
        state,
        reason,
        import_id,
        size_bytes,
        last_modified,
        discovered_at,
        state_changed_at
    from source

)

select * from final
