-- A log names its headline where its task declares one; else the first
-- score of its results is taken, as Inspect does. A log without results (it
-- broke before) has at most scores of single samples: the first by name.
-- Scorers are looked up eval by eval, so that a few evals cost little.
with evals as (

    select
        import_id,
        eval_id,
        coalesce(
            results -> 'headline' ->> 'scorer',
            results -> 'scores' -> 0 ->> 'scorer'
        ) as named_scorer
    from {{ ref('stg_raw__eval') }}

),

final as (

    select
        evals.import_id,
        evals.eval_id,
        case
            when evals.named_scorer = any(scorers.scorers)
                then evals.named_scorer
            else scorers.scorers[1]
        end as headline_scorer
    from evals
    cross join lateral (
        select
            array_agg(distinct scores.scorer order by scores.scorer)
                as scorers
        from {{ ref('stg_raw__score') }} as scores
        where scores.import_id = evals.import_id
    ) as scorers

)

select * from final
