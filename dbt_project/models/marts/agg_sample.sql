{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['task_name', 'model'],
    on_schema_change='fail',
    post_hook="{{ delete_stale_task_models() }}",
) }}

with stale as materialized (

    {{ stale_task_models() }}

),

samples as (

    select * from {{ ref('fct_sample') }}

),

scores as (

    select * from {{ ref('fct_score') }}

),

attempts as (

    select
        samples.task_name,
        samples.model,
        samples.sample_id,
        count(*) as attempt_count,
        count(*) filter (where samples.is_canonical) as canonical_count,
        count(*) filter (
            where samples.is_canonical and samples.status = 'success'
        ) as success_count,
        count(*) filter (
            where samples.is_canonical and samples.status = 'error'
        ) as error_count,
        count(*) filter (
            where samples.is_canonical and samples.limit_type is not null
        ) as limit_count,
        count(*) filter (
            where samples.is_canonical and samples.status = 'cancelled'
        ) as cancelled_count,
        sum(samples.total_tokens)::bigint as total_tokens,
        sum(samples.total_tokens) filter (
            where samples.is_canonical
        )::bigint as canonical_tokens,
        count(samples.total_tokens) filter (
            where samples.is_canonical
        ) as with_tokens_count,
        sum(samples.total_cost_usd) as total_cost_usd,
        sum(samples.total_cost_usd) filter (
            where samples.is_canonical
        ) as canonical_cost_usd,
        count(samples.total_cost_usd) filter (
            where samples.is_canonical
        ) as with_cost_count,
        sum(samples.working_seconds) as working_seconds,
        sum(samples.working_seconds) filter (
            where samples.is_canonical
        ) as canonical_working_seconds,
        count(samples.working_seconds) filter (
            where samples.is_canonical
        ) as with_working_seconds_count,
        max(samples.completed_at) as last_completed_at
    from stale
    inner join samples
        on
            stale.task_name = samples.task_name
            and stale.model = samples.model
    group by samples.task_name, samples.model, samples.sample_id

),

-- Only the scorer that speaks for the task, the same for every model.
scored as (

    select
        scores.task_name,
        scores.model,
        scores.sample_id,
        count(*) as scored_count,
        avg(scores.number) as mean_score,
        coalesce(var_samp(scores.number), 0) as score_variance,
        min(scores.number) as lowest_score,
        max(scores.number) as highest_score,
        count(*) filter (where scores.number >= 1) as pass_count
    from stale
    inner join scores
        on
            stale.task_name = scores.task_name
            and stale.model = scores.model
            and stale.scorer = scores.scorer
    where
        scores.is_canonical
        and not scores.is_invalidated
        and not scores.is_intermediate
        and scores.number is not null
    group by scores.task_name, scores.model, scores.sample_id

),

final as (

    select
        stale.task_name,
        stale.model,
        attempts.sample_id,
        stale.scorer,
        stale.access_set_ids,
        stale.eval_count,
        attempts.attempt_count,
        attempts.canonical_count,
        attempts.success_count,
        attempts.error_count,
        attempts.limit_count,
        attempts.cancelled_count,
        coalesce(scored.scored_count, 0) as scored_count,
        scored.mean_score,
        scored.score_variance,
        scored.lowest_score,
        scored.highest_score,
        coalesce(scored.pass_count, 0) as pass_count,
        attempts.total_tokens,
        attempts.canonical_tokens,
        attempts.with_tokens_count,
        attempts.total_cost_usd,
        attempts.canonical_cost_usd,
        attempts.with_cost_count,
        attempts.working_seconds,
        attempts.canonical_working_seconds,
        attempts.with_working_seconds_count,
        attempts.last_completed_at,
        stale.refreshed_at
    from stale
    inner join attempts
        on
            stale.task_name = attempts.task_name
            and stale.model = attempts.model
    left join scored
        on
            attempts.task_name = scored.task_name
            and attempts.model = scored.model
            and attempts.sample_id = scored.sample_id

)

select * from final
