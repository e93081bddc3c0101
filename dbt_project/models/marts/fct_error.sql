{# A view, so that a change of a rule is a change of all errors. #}
{{ config(materialized='view') }}

with evals as (

    select * from {{ ref('fct_eval') }}

),

attempts as (

    select * from {{ ref('fct_attempt') }}

),

errors as (

    select
        eval_id,
        eval_set_id,
        access_set_id,
        task_name,
        model,
        sample_uuid,
        try_number,
        error_class,
        error_message,
        is_last_try as is_final,
        is_copy,
        is_canonical
    from attempts
    where status = 'error'
    union all
    select
        eval_id,
        eval_set_id,
        access_set_id,
        task_name,
        model,
        null as sample_uuid,
        null as try_number,
        {{ error_class('error_message', 'null') }} as error_class,
        error_message,
        true as is_final,
        false as is_copy,
        true as is_canonical
    from evals
    where error_message is not null

),

final as (

    select * from errors

)

select * from final
