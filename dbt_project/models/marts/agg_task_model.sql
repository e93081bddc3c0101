with samples as (

    select * from {{ ref('fct_sample') }}

),

scores as (

    select * from {{ ref('fct_score') }}

),

tasks as (

    select * from {{ ref('dim_task') }}

),

counted as (

    select
        task_name,
        model,
        count(*) as attempt_count,
        count(*) filter (where is_canonical) as canonical_count,
        count(distinct sample_id) as sample_count,
        count(distinct eval_set_id) as eval_set_count,
        count(distinct eval_id) as eval_count,
        count(*) filter (
            where is_canonical and status = 'success'
        ) as success_count,
        count(*) filter (
            where is_canonical and status = 'error'
        ) as error_count,
        count(*) filter (
            where is_canonical and limit_type is not null
        ) as limit_count,
        count(*) filter (
            where is_canonical and status = 'cancelled'
        ) as cancelled_count,
        sum(total_tokens)::bigint as total_tokens,
        sum(total_cost_usd) as total_cost_usd,
        avg(total_tokens) filter (where is_canonical)::float8 as mean_tokens,
        avg(working_seconds) filter (
            where is_canonical
        ) as mean_working_seconds,
        sum(working_seconds) as working_seconds,
        max(completed_at) as last_completed_at,
        array_agg(distinct access_set_id) as access_set_ids
    from samples
    group by task_name, model

),

-- Epochs and repeated runs of one sample first, then samples: the unit of
-- the standard error is the sample, which is clustering by sample.
-- https://inspect.aisi.org.uk/scorers.html#reducing-epochs
-- https://arxiv.org/abs/2411.00640
reduced_samples as (

    select
        scores.task_name,
        scores.model,
        scores.scorer,
        scores.sample_id,
        avg(scores.number) as score,
        count(*) as scored_epochs
    from scores
    inner join tasks
        on
            scores.task_name = tasks.task_name
            and scores.scorer = tasks.headline_scorer
    where
        scores.is_canonical
        and not scores.is_invalidated
        and not scores.is_intermediate
        and scores.number is not null
    group by
        scores.task_name, scores.model, scores.scorer, scores.sample_id

),

mean_scores as (

    select
        task_name,
        model,
        count(*) as scored_sample_count,
        sum(scored_epochs)::bigint as scored_count,
        avg(score) as mean_score,
        stddev_samp(score) / sqrt(count(*)) as standard_error
    from reduced_samples
    group by task_name, model

),

final as (

    select
        counted.task_name,
        counted.model,
        counted.access_set_ids,
        tasks.headline_scorer as scorer,
        counted.eval_set_count,
        counted.eval_count,
        counted.sample_count,
        counted.attempt_count,
        counted.canonical_count,
        coalesce(
            mean_scores.scored_sample_count, 0
        ) as scored_sample_count,
        coalesce(mean_scores.scored_count, 0) as scored_count,
        mean_scores.mean_score,
        mean_scores.standard_error,
        counted.success_count,
        counted.error_count,
        counted.limit_count,
        counted.cancelled_count,
        counted.total_tokens,
        counted.total_cost_usd,
        counted.mean_tokens,
        counted.working_seconds,
        counted.mean_working_seconds,
        counted.last_completed_at
    from counted
    inner join tasks on counted.task_name = tasks.task_name
    left join mean_scores
        on
            counted.task_name = mean_scores.task_name
            and counted.model = mean_scores.model

)

select * from final
