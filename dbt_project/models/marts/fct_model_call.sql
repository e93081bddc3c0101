{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ delete_gone_imports('fct_eval') }}",
    indexes=[
        {'columns': ['import_id']},
        {'columns': ['called_model', 'started_at']},
    ],
) }}

-- What a log says of a call never changes, so an import's calls are copied
-- once, and stay when retention has dropped its events.
with evals as (

    select stored.*
    from {{ ref('fct_eval') }} as stored
    where
        stored.model_call_count > 0
        {% if is_incremental() -%}
            and not exists (
                select 1
                from {{ this }} as present
                where present.import_id = stored.import_id
            )
        {%- endif %}

),

events as (

    select * from {{ ref('stg_raw__event') }}

),

final as (

    select
        evals.eval_id,
        events.sample_uuid,
        events.event_index,
        evals.import_id,
        evals.eval_set_id,
        evals.access_set_id,
        evals.task_name,
        evals.model,
        events.model as called_model,
        events.model_role,
        events.started_at,
        events.completed_at,
        events.working_seconds,
        events.input_tokens,
        events.output_tokens,
        events.total_tokens,
        events.retries,
        events.error as error_message
    from evals
    inner join events on evals.import_id = events.import_id
    where events.kind = 'model'

)

select * from final
