{# A view: a sample is stopped by one limit at most, which fct_sample has. #}
{{ config(materialized='view') }}

with samples as (

    select * from {{ ref('fct_sample') }}

),

final as (

    select
        eval_id,
        sample_uuid,
        eval_set_id,
        access_set_id,
        task_name,
        model,
        sample_id,
        epoch,
        is_canonical,
        limit_type,
        limit_value,
        case limit_type
            when 'message' then message_count
            when 'token' then total_tokens
            when 'time' then total_seconds
            when 'working' then working_seconds
            when 'cost' then total_cost_usd
        end::float8 as used_value,
        score,
        completed_at
    from samples
    where limit_type is not null

)

select * from final
