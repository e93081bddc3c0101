{{ config(
    indexes=[
        {'columns': ['eval_set_id', 'eval_id']},
    ],
) }}

with own_usages as (

    select * from {{ ref('int_eval_usage__own') }}

),

spend as (

    select * from {{ ref('fct_spend') }}

),

evals as (

    select * from {{ ref('fct_eval') }}

),

eval_sets as (

    select * from {{ ref('stg_ops__eval_set') }}

),

in_ledger as (

    select
        eval_set_id,
        eval_id,
        {{ model_as_logged('model') }} as model_key,
        min(model) as model,
        sum(call_count)::bigint as call_count,
        sum(open_count)::bigint as open_count,
        sum(missing_count)::bigint as missing_count,
        sum(total_tokens)::bigint as total_tokens,
        sum(cost_usd) as cost_usd,
        sum(charged_usd) as charged_usd
    from spend
    where eval_set_id != ''
    group by eval_set_id, eval_id, model_key

),

-- Sets whose models were to be called through the proxy. What a set imported
-- from elsewhere used was never in the ledger; a mock model is called nowhere.
proxied_sets as (

    select eval_set_id
    from eval_sets
    where origin in ('api', 'launchpad')
    union
    select eval_set_id
    from in_ledger

),

in_logs as (

    select
        own_usages.eval_set_id,
        own_usages.eval_id,
        {{ model_as_logged('own_usages.model') }} as model_key,
        own_usages.model,
        own_usages.total_tokens
    from own_usages
    inner join proxied_sets
        on own_usages.eval_set_id = proxied_sets.eval_set_id
    where own_usages.model !~ '^(mockllm/|none)'

),

matched as (

    select
        coalesce(in_logs.eval_set_id, in_ledger.eval_set_id) as eval_set_id,
        coalesce(in_logs.eval_id, in_ledger.eval_id) as eval_id,
        coalesce(in_logs.model, in_ledger.model) as model,
        in_ledger.call_count is not null as is_in_ledger,
        in_logs.model is not null as is_in_log,
        coalesce(in_ledger.call_count, 0) as call_count,
        coalesce(in_ledger.open_count, 0) as open_count,
        coalesce(in_ledger.missing_count, 0) as missing_count,
        coalesce(in_ledger.total_tokens, 0) as ledger_tokens,
        coalesce(in_logs.total_tokens, 0) as logged_tokens,
        coalesce(in_ledger.cost_usd, 0) as cost_usd,
        coalesce(in_ledger.charged_usd, 0) as charged_usd
    from in_ledger
    full outer join in_logs
        on
            in_ledger.eval_set_id = in_logs.eval_set_id
            and in_ledger.eval_id = in_logs.eval_id
            and in_ledger.model_key = in_logs.model_key

),

compared as (

    select
        matched.*,
        evals.access_set_id as access_set_id_of_eval,
        matched.ledger_tokens - matched.logged_tokens as difference_tokens,
        abs(matched.ledger_tokens - matched.logged_tokens)
        / nullif(greatest(matched.ledger_tokens, matched.logged_tokens), 0)
        ::float8 as difference_fraction,
        case
            when matched.eval_id = '' then 'without_eval'
            when evals.eval_id is null then 'not_imported'
            when
                matched.open_count > 0 or evals.status = 'started'
                then 'in_progress'
            when not matched.is_in_ledger then 'not_in_ledger'
            when not matched.is_in_log and matched.ledger_tokens > 0
                then 'not_in_log'
            else 'in_both'
        end as presence
    from matched
    left join evals on matched.eval_id = evals.eval_id

),

final as (

    select
        compared.eval_set_id,
        compared.eval_id,
        compared.model,
        array_remove(
            array[
                eval_sets.access_set_id,
                compared.access_set_id_of_eval,
                ops.access_set_of(array[compared.model], '{}')
            ],
            null
        ) as access_set_ids,
        compared.presence,
        compared.call_count,
        compared.missing_count,
        compared.ledger_tokens,
        compared.logged_tokens,
        compared.difference_tokens,
        compared.difference_fraction,
        case
            when compared.presence in ('in_both', 'not_in_log', 'not_in_ledger')
                then coalesce(compared.difference_fraction, 0) <= 0.01
        end as is_within_one_percent,
        compared.cost_usd,
        compared.charged_usd
    from compared
    left join eval_sets on compared.eval_set_id = eval_sets.eval_set_id

)

select * from final
