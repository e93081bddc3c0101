-- Inspect carries the tokens of an interrupted eval over into the log of the
-- eval that takes up its task, so that the last log has the sum of all
-- attempts. An eval's own use is what it added.
-- inspect_ai/_eval/loader.py: resolve_previous_task
with evals as (

    select * from {{ ref('stg_raw__eval') }}

),

model_usages as (

    select * from {{ ref('stg_raw__eval_model_usage') }}

),

attempts as (

    select
        import_id,
        eval_id,
        eval_set_id,
        status,
        lag(import_id) over (
            partition by
                eval_set_id,
                coalesce(nullif(task_id, ''), eval_id)
            order by created_at, eval_id
        ) as earlier_import_id
    from evals

),

final as (

    select
        attempts.import_id,
        attempts.eval_id,
        attempts.eval_set_id,
        attempts.status,
        later.model,
        later.input_tokens - coalesce(earlier.input_tokens, 0)
            as input_tokens,
        later.output_tokens - coalesce(earlier.output_tokens, 0)
            as output_tokens,
        later.total_tokens - coalesce(earlier.total_tokens, 0)
            as total_tokens
    from attempts
    inner join model_usages as later on attempts.import_id = later.import_id
    -- A log with fewer tokens than the one before has none of them.
    left join model_usages as earlier
        on
            attempts.earlier_import_id = earlier.import_id
            and later.model = earlier.model
            and later.total_tokens >= earlier.total_tokens

)

select * from final
