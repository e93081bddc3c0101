{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['eval_id', 'sample_uuid'],
    on_schema_change='fail',
    post_hook="{{ delete_gone_imports() }}",
    indexes=[
        {'columns': ['sample_uuid']},
        {'columns': ['import_id']},
        {'columns': ['eval_set_id', 'task_id', 'sample_id', 'epoch']},
        {'columns': ['completed_at desc nulls last', 'eval_id', 'sample_uuid']},
        {'columns': ['access_set_id', 'completed_at desc nulls last']},
        {'columns': ['task_name', 'model', 'completed_at desc nulls last']},
        {'columns': ['eval_id', 'refreshed_at', 'access_set_id']},
        {'columns': ['status', 'completed_at desc nulls last']},
        {'columns': ['limit_type']},
        {'columns': ['retry_count']},
        {'columns': ['completed_at asc nulls last', 'eval_id', 'sample_uuid']},
        {'columns': ['score desc nulls last', 'eval_id', 'sample_uuid']},
        {'columns': ['score asc nulls last', 'eval_id', 'sample_uuid']},
        {'columns': ['total_tokens desc nulls last', 'eval_id', 'sample_uuid']},
        {'columns': ['total_seconds desc nulls last', 'eval_id', 'sample_uuid']},
        {'columns': ['message_count desc', 'eval_id', 'sample_uuid']},
        {'columns': [
            'task_name', 'model', 'sample_id', 'epoch', 'eval_id', 'sample_uuid'
        ]},
    ],
) }}

-- The unit of work is a slot, that is an epoch of a sample of a task in an
-- eval set, with all its attempts: one more or less changes the number and
-- rank of the others. A retry of the eval copies samples that succeeded, uuid
-- and all, and runs the others again under another uuid.
with judged as (

    select * from {{ ref('int_sample__judged') }}

),

scores as (

    select * from {{ ref('int_score__numbered') }}

),

model_usages as (

    select * from {{ ref('stg_raw__sample_model_usage') }}

),

imports as (

    select
        import_id,
        access_set_id
    from {{ ref('stg_raw__eval_import') }}

),

{% if is_incremental() %}

    new_attempts as (

        select
            import_id,
            sample_uuid,
            eval_set_id,
            task_id,
            sample_id,
            epoch
        from {{ ref('int_sample__judged') }}
        where import_id in (
            select imports.import_id
            from imports
            where not exists (
                select 1
                from {{ this }} as present
                where present.import_id = imports.import_id
            )
        )

    ),

    changed_attempts as (

        select * from new_attempts
        union
        select
            gone.import_id,
            gone.sample_uuid,
            gone.eval_set_id,
            gone.task_id,
            gone.sample_id,
            gone.epoch
        from {{ this }} as gone
        where gone.import_id in ({{ gone_imports(this) }})

    ),

    -- A uuid that a log brings or takes may change its owner in a slot of
    -- another eval set too.
    touched_slots as (

        select
            eval_set_id,
            task_id,
            sample_id,
            epoch
        from changed_attempts
        union
        select
            present.eval_set_id,
            present.task_id,
            present.sample_id,
            present.epoch
        from changed_attempts
        inner join {{ this }} as present
            on changed_attempts.sample_uuid = present.sample_uuid

    ),

    touched_attempts as (

        select
            import_id,
            sample_uuid
        from new_attempts
        union
        select
            present.import_id,
            present.sample_uuid
        from touched_slots
        inner join {{ this }} as present
            on
                touched_slots.eval_set_id = present.eval_set_id
                and touched_slots.task_id = present.task_id
                and touched_slots.sample_id = present.sample_id
                and touched_slots.epoch = present.epoch

    ),

    samples as (

        select judged.*
        from touched_attempts
        inner join judged
            on
                touched_attempts.import_id = judged.import_id
                and touched_attempts.sample_uuid = judged.sample_uuid

    ),

{% else %}

    samples as (

        select * from judged

    ),

{% endif %}

headlines as materialized (

    select
        import_id,
        headline_scorer
    from {{ ref('int_eval__headlined') }}
    {% if is_incremental() -%}
        where import_id in (
            select touched_attempts.import_id from touched_attempts
        )
    {%- endif %}

),

costs as (

    select
        samples.import_id,
        samples.sample_uuid,
        sum(model_usages.total_cost_usd) as total_cost_usd
    from samples
    inner join model_usages
        on
            samples.import_id = model_usages.import_id
            and samples.sample_uuid = model_usages.sample_uuid
    group by samples.import_id, samples.sample_uuid

),

headline_scores as (

    select
        samples.import_id,
        samples.sample_uuid,
        scores.number,
        scores.label,
        row_number() over (
            partition by samples.import_id, samples.sample_uuid
            order by scores.score_index
        ) as place
    from samples
    inner join headlines on samples.import_id = headlines.import_id
    inner join scores
        on
            samples.import_id = scores.import_id
            and samples.sample_uuid = scores.sample_uuid
            and headlines.headline_scorer = scores.scorer
    where not scores.is_intermediate

),

final as (

    select
        samples.sample_uuid,
        samples.eval_id,
        samples.import_id,
        samples.eval_set_id,
        imports.access_set_id,
        samples.task_id,
        samples.task_name,
        samples.task_version,
        samples.model,
        samples.sample_id,
        samples.epoch,
        row_number() over attempts as attempt_number,
        count(*) over slot as attempt_count,
        samples.owns_uuid
        and row_number() over owners = 1 as is_canonical,
        samples.is_invalidated
        or samples.is_eval_invalidated as is_invalidated,
        samples.is_complete,
        samples.status,
        samples.error_message,
        samples.retry_count,
        samples.limit_type,
        samples.limit_value,
        samples.input_text,
        samples.target_text,
        samples.output_text,
        headlines.headline_scorer,
        headline_scores.number as score,
        headline_scores.label as score_label,
        samples.message_count,
        samples.event_count,
        samples.model_call_count,
        samples.tool_call_count,
        samples.input_tokens,
        samples.output_tokens,
        samples.total_tokens,
        samples.reasoning_tokens,
        samples.input_tokens_cache_read,
        samples.input_tokens_cache_write,
        costs.total_cost_usd,
        samples.total_seconds,
        samples.working_seconds,
        samples.started_at,
        samples.completed_at,
        now() as refreshed_at
    from samples
    inner join imports on samples.import_id = imports.import_id
    inner join headlines on samples.import_id = headlines.import_id
    left join headline_scores
        on
            samples.import_id = headline_scores.import_id
            and samples.sample_uuid = headline_scores.sample_uuid
            and headline_scores.place = 1
    left join costs
        on
            samples.import_id = costs.import_id
            and samples.sample_uuid = costs.sample_uuid
    window
        slot as (
            partition by
                samples.eval_set_id,
                samples.task_id,
                samples.sample_id,
                samples.epoch
        ),
        attempts as (
            slot
            order by
                samples.eval_created_at nulls first,
                samples.eval_completed_at nulls first,
                samples.eval_id,
                samples.sample_uuid
        ),
        owners as (
            partition by
                samples.eval_set_id,
                samples.task_id,
                samples.sample_id,
                samples.epoch,
                samples.owns_uuid
            order by
                samples.eval_created_at desc nulls last,
                samples.eval_completed_at desc nulls last,
                samples.eval_id desc,
                samples.sample_uuid desc
        )
)

select * from final
