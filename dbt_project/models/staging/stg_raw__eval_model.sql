with source as (

    select * from {{ source('raw', 'eval_model') }}

),

final as (

    select
        import_id,
        model,
        model_name
    from source

)

select * from final
