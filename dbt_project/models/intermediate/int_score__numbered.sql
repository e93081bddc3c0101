with scores as (

    select * from {{ ref('stg_raw__score') }}

),

final as (

    select
        scores.import_id,
        scores.sample_uuid,
        scores.scorer,
        scores.score_index,
        scores.value,
        scores.value_number as number,
        case
            when jsonb_typeof(scores.value) in ('string', 'boolean')
                then scores.value #>> '{}'
        end as label,
        scores.answer,
        scores.explanation,
        scores.is_intermediate,
        coalesce(
            jsonb_typeof(scores.history) = 'array'
            and jsonb_array_length(scores.history) > 0,
            false
        ) as is_edited
    from scores

)

select * from final
