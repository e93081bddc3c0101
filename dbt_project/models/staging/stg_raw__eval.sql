with source as (

    select * from {{ source('raw', 'eval') }}

),

final as (

    select
        import_id,
        eval_id,
        eval_set_id,
        run_id,
        task_id,
        task_name,
        task_version,
        task_args,
        solver,
        agent,
        model,
        dataset_name,
        dataset_sample_count,
        epochs,
        tags,
        sandbox_type,
        created_by,
        status,
        is_invalidated,
        error_message,
        total_samples,
        completed_samples,
        results,
        metadata,
        location,
        created_at,
        started_at,
        completed_at
    from source

)

select * from final
