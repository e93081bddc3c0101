{# A view: edits are few, and fct_score marks the scores that have some. #}
{{ config(materialized='view') }}

with scores as (

    select * from {{ ref('fct_score') }}
    where is_edited

),

logged_scores as (

    select * from {{ ref('stg_raw__score') }}

),

-- The first entry without provenance is the score as the scorer gave it. An
-- entry says UNCHANGED of what it leaves as it was.
entries as (

    select
        scores.eval_id,
        scores.sample_uuid,
        scores.scorer,
        scores.score_index,
        scores.eval_set_id,
        scores.access_set_id,
        scores.task_name,
        scores.model,
        scores.is_canonical,
        history.place,
        history.entry,
        nullif(history.entry -> 'value', '"UNCHANGED"') as set_value,
        nullif(history.entry ->> 'answer', 'UNCHANGED') as set_answer
    from scores
    inner join logged_scores
        on
            scores.import_id = logged_scores.import_id
            and scores.sample_uuid = logged_scores.sample_uuid
            and scores.scorer = logged_scores.scorer
            and scores.score_index = logged_scores.score_index
    cross join
        lateral jsonb_array_elements(logged_scores.history)
        with ordinality as history (entry, place)

),

-- A value counts until the next one is set.
epochs_of_values as (

    select
        *,
        count(set_value) over history as value_epoch,
        count(set_answer) over history as answer_epoch
    from entries
    window
        history as (
            partition by eval_id, sample_uuid, scorer, score_index
            order by place
        )

),

states as (

    select
        *,
        first_value(set_value) over (
            partition by eval_id, sample_uuid, scorer, score_index, value_epoch
            order by place
        ) as value,
        first_value(set_answer) over (
            partition by eval_id, sample_uuid, scorer, score_index, answer_epoch
            order by place
        ) as answer
    from epochs_of_values

),

changes as (

    select
        *,
        lag(value) over history as value_before,
        lag(answer) over history as answer_before
    from states
    window
        history as (
            partition by eval_id, sample_uuid, scorer, score_index
            order by place
        )

),

final as (

    select
        eval_id,
        sample_uuid,
        scorer,
        score_index,
        row_number() over (
            partition by eval_id, sample_uuid, scorer, score_index
            order by place
        )::integer as edit_number,
        eval_set_id,
        access_set_id,
        task_name,
        model,
        is_canonical,
        value_before,
        value as value_after,
        answer_before,
        answer as answer_after,
        entry -> 'provenance' ->> 'author' as author,
        entry -> 'provenance' ->> 'reason' as reason,
        -- A moment that is none is none here: logs are edited by hand, too.
        case
            when
                pg_input_is_valid(
                    entry -> 'provenance' ->> 'timestamp', 'timestamptz'
                )
                then (entry -> 'provenance' ->> 'timestamp')::timestamptz
        end as edited_at
    from changes
    where jsonb_typeof(entry -> 'provenance') = 'object'

)

select * from final
