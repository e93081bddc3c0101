{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='eval_id',
    on_schema_change='fail',
    post_hook="{{ delete_gone_imports() }}",
    indexes=[
        {'columns': ['import_id']},
        {'columns': ['eval_set_id']},
        {'columns': ['task_name', 'model']},
        {'columns': ['created_at desc nulls last', 'eval_id']},
    ],
) }}

-- Stale is an eval whose import, or whose samples, are others than those that
-- its row was computed from.
with refreshes as (

    {{ eval_refreshes(ref('fct_sample')) }}

),

stale as (

    select
        imports.eval_id,
        imports.import_id,
        refreshes.refreshed_at as samples_refreshed_at
    from {{ ref('stg_raw__eval_import') }} as imports
    left join refreshes on imports.eval_id = refreshes.eval_id
    {% if is_incremental() -%}
        except
        select
            eval_id,
            import_id,
            samples_refreshed_at
        from {{ this }}
    {%- endif %}

),

evals as (

    select * from {{ ref('stg_raw__eval') }}

),

imports as (

    select * from {{ ref('stg_raw__eval_import') }}

),

headlines as materialized (

    select
        import_id,
        headline_scorer
    from {{ ref('int_eval__headlined') }}
    {% if is_incremental() -%}
        where import_id in (select stale.import_id from stale)
    {%- endif %}

),

model_usages as (

    select * from {{ ref('stg_raw__eval_model_usage') }}

),

samples as (

    select samples.*
    from stale
    inner join {{ ref('fct_sample') }} as samples
        on stale.import_id = samples.import_id

),

sample_counts as (

    select
        import_id,
        count(*) as sample_count,
        count(*) filter (where is_canonical) as canonical_count,
        count(*) filter (where status = 'success') as success_count,
        count(*) filter (where status = 'error') as error_count,
        count(*) filter (where limit_type is not null) as limit_count,
        count(*) filter (
            where is_canonical and status = 'error'
        ) as canonical_error_count,
        count(*) filter (
            where is_canonical and limit_type is not null
        ) as canonical_limit_count,
        sum(model_call_count) as model_call_count,
        sum(tool_call_count) as tool_call_count,
        sum(working_seconds) as working_seconds
    from samples
    group by import_id

),

-- Epochs first, then samples: the unit of the standard error is the sample.
-- https://inspect.aisi.org.uk/scorers.html#reducing-epochs
reduced_samples as (

    select
        import_id,
        sample_id,
        avg(score) as score
    from samples
    where score is not null and not is_invalidated
    group by import_id, sample_id

),

mean_scores as (

    select
        import_id,
        count(*) as scored_count,
        avg(score) as mean_score,
        stddev_samp(score) / sqrt(count(*)) as standard_error
    from reduced_samples
    group by import_id

),

tokens as (

    select
        import_id,
        sum(input_tokens)::bigint as input_tokens,
        sum(output_tokens)::bigint as output_tokens,
        sum(total_tokens)::bigint as total_tokens,
        sum(total_cost_usd) as total_cost_usd
    from model_usages
    group by import_id

),

final as (

    select
        evals.eval_id,
        evals.import_id,
        evals.eval_set_id,
        imports.access_set_id,
        evals.run_id,
        evals.task_id,
        evals.task_name,
        evals.task_version,
        evals.task_args,
        evals.model,
        evals.solver,
        evals.agent,
        evals.dataset_name,
        evals.epochs,
        evals.tags,
        evals.sandbox_type,
        evals.created_by,
        evals.status,
        evals.is_invalidated,
        evals.error_message,
        evals.total_samples,
        evals.completed_samples,
        coalesce(sample_counts.sample_count, 0) as sample_count,
        coalesce(sample_counts.canonical_count, 0) as canonical_count,
        coalesce(sample_counts.success_count, 0) as success_count,
        coalesce(sample_counts.error_count, 0) as error_count,
        coalesce(sample_counts.limit_count, 0) as limit_count,
        coalesce(
            sample_counts.canonical_error_count, 0
        ) as canonical_error_count,
        coalesce(
            sample_counts.canonical_limit_count, 0
        ) as canonical_limit_count,
        coalesce(sample_counts.model_call_count, 0) as model_call_count,
        coalesce(sample_counts.tool_call_count, 0) as tool_call_count,
        headlines.headline_scorer,
        coalesce(mean_scores.scored_count, 0) as scored_count,
        mean_scores.mean_score,
        mean_scores.standard_error,
        tokens.input_tokens,
        tokens.output_tokens,
        tokens.total_tokens,
        tokens.total_cost_usd,
        extract(
            epoch from evals.completed_at - evals.started_at
        )::float8 as total_seconds,
        sample_counts.working_seconds,
        evals.location,
        imports.size_bytes,
        evals.created_at,
        evals.started_at,
        evals.completed_at,
        imports.imported_at,
        stale.samples_refreshed_at,
        now() as refreshed_at
    from stale
    inner join evals on stale.import_id = evals.import_id
    inner join imports on evals.import_id = imports.import_id
    inner join headlines on evals.import_id = headlines.import_id
    left join sample_counts on evals.import_id = sample_counts.import_id
    left join mean_scores on evals.import_id = mean_scores.import_id
    left join tokens on evals.import_id = tokens.import_id

)

select * from final
