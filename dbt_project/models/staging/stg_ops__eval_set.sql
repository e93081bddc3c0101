with source as (

    select * from {{ source('ops', 'eval_set') }}

),

final as (

    select
        eval_set_id,
        name,
        origin,
        created_by,
        email,
        model_names,
        model_groups,
        access_set_id,
        priority,
        status,
        status_reason,
        created_at,
        status_changed_at
    from source

)

select * from final
