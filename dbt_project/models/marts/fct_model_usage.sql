{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='eval_id',
    on_schema_change='fail',
    post_hook="{{ delete_stale_rows() }}",
    indexes=[
        {'columns': ['sample_uuid']},
        {'columns': ['eval_id', 'refreshed_at']},
        {'columns': ['model']},
    ],
) }}

with stale as (

    {{ stale_evals(ref('stg_raw__sample_model_usage')) }}

),

samples as (

    select * from {{ ref('fct_sample') }}

),

model_usages as (

    select * from {{ ref('stg_raw__sample_model_usage') }}

),

final as (

    select
        samples.eval_id,
        samples.sample_uuid,
        model_usages.model,
        samples.import_id,
        samples.eval_set_id,
        samples.access_set_id,
        samples.task_name,
        samples.is_canonical,
        model_usages.input_tokens,
        model_usages.output_tokens,
        model_usages.total_tokens,
        model_usages.reasoning_tokens,
        model_usages.input_tokens_cache_read,
        model_usages.input_tokens_cache_write,
        model_usages.total_cost_usd,
        stale.refreshed_at
    from stale
    inner join samples on stale.eval_id = samples.eval_id
    inner join model_usages
        on
            samples.import_id = model_usages.import_id
            and samples.sample_uuid = model_usages.sample_uuid

)

select * from final
