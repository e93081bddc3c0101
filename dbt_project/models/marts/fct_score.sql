{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='eval_id',
    on_schema_change='fail',
    post_hook="{{ delete_stale_rows() }}",
    indexes=[
        {'columns': ['sample_uuid']},
        {'columns': ['eval_id', 'refreshed_at']},
        {'columns': ['task_name', 'model', 'scorer']},
        {'columns': ['import_id']},
        {'columns': ['is_edited']},
    ],
) }}

with stale as (

    {{ stale_evals(ref('int_score__numbered')) }}

),

samples as (

    select * from {{ ref('fct_sample') }}

),

scores as (

    select * from {{ ref('int_score__numbered') }}

),

final as (

    select
        samples.eval_id,
        samples.sample_uuid,
        scores.scorer,
        scores.score_index,
        samples.import_id,
        samples.eval_set_id,
        samples.access_set_id,
        samples.task_name,
        samples.model,
        samples.sample_id,
        samples.epoch,
        samples.is_canonical,
        samples.is_invalidated,
        coalesce(
            not scores.is_intermediate
            and scores.scorer = samples.headline_scorer,
            false
        ) as is_headline,
        scores.is_intermediate,
        scores.is_edited,
        scores.value,
        scores.number,
        scores.label,
        scores.answer,
        scores.explanation,
        stale.refreshed_at
    from stale
    inner join samples on stale.eval_id = samples.eval_id
    inner join scores
        on
            samples.import_id = scores.import_id
            and samples.sample_uuid = scores.sample_uuid

)

select * from final
