{# A view: an attempt is an attempt of fct_sample or an error that it has. #}
{{ config(materialized='view') }}

with samples as (

    select * from {{ ref('fct_sample') }}

),

failed_tries as (

    select
        retries.import_id,
        retries.sample_uuid,
        tries.place as try_number,
        tries.error ->> 'message' as error_message,
        tries.error ->> 'traceback' as error_traceback
    from {{ ref('stg_raw__sample') }} as retries
    cross join lateral jsonb_array_elements(
        case jsonb_typeof(retries.error_retries)
            when 'array' then retries.error_retries
            else '[]'
        end
    ) with ordinality as tries (error, place)

),

last_errors as (

    select
        import_id,
        sample_uuid,
        error_traceback
    from {{ ref('stg_raw__sample') }}

),

tries as (

    select
        samples.eval_id,
        samples.sample_uuid,
        failed_tries.try_number::integer as try_number,
        false as is_last_try,
        'error' as status,
        failed_tries.error_message,
        {{ error_class('failed_tries.error_message',
            'failed_tries.error_traceback') }} as error_class
    from samples
    inner join failed_tries
        on
            samples.import_id = failed_tries.import_id
            and samples.sample_uuid = failed_tries.sample_uuid
    where samples.retry_count > 0
    union all
    select
        samples.eval_id,
        samples.sample_uuid,
        samples.retry_count + 1 as try_number,
        true as is_last_try,
        samples.status,
        samples.error_message,
        case
            when samples.status = 'error'
                then
                    {{ error_class('samples.error_message',
                        'last_errors.error_traceback') }}
        end as error_class
    from samples
    left join last_errors
        on
            samples.status = 'error'
            and samples.import_id = last_errors.import_id
            and samples.sample_uuid = last_errors.sample_uuid

),

final as (

    select
        tries.eval_id,
        tries.sample_uuid,
        tries.try_number,
        samples.eval_set_id,
        samples.access_set_id,
        samples.task_id,
        samples.task_name,
        samples.model,
        samples.sample_id,
        samples.epoch,
        samples.attempt_number,
        tries.is_last_try,
        exists(
            select 1
            from samples as earlier
            where
                earlier.sample_uuid = samples.sample_uuid
                and earlier.eval_set_id = samples.eval_set_id
                and earlier.task_id = samples.task_id
                and earlier.sample_id = samples.sample_id
                and earlier.epoch = samples.epoch
                and earlier.attempt_number < samples.attempt_number
        ) as is_copy,
        samples.is_canonical and tries.is_last_try as is_canonical,
        tries.status,
        tries.error_message,
        tries.error_class
    from tries
    inner join samples
        on
            tries.eval_id = samples.eval_id
            and tries.sample_uuid = samples.sample_uuid

)

select * from final
