-- What the proxy counted for an eval set is what its logs say, to one percent.
-- Sets are summed, because calls that may be answered from a cache do not name
-- their eval; those with evals that have not ended are left for later. Returns
-- the sets and models that differ.
with compared as (

    select * from {{ ref('rec_spend') }}

),

summed as (

    select
        eval_set_id,
        {{ model_as_logged('model') }} as model,
        sum(ledger_tokens) as ledger_tokens,
        sum(logged_tokens) as logged_tokens,
        sum(missing_count) as missing_count
    from compared
    where
        eval_set_id not in (
            select eval_set_id from compared
            where presence in ('in_progress', 'not_imported')
        )
    group by eval_set_id, {{ model_as_logged('model') }}

)

select *
from summed
where
    abs(ledger_tokens - logged_tokens)
    > 0.01 * greatest(ledger_tokens, logged_tokens)
