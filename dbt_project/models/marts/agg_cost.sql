{# A view, so that it counts in the prices of today. #}
{{ config(materialized='view') }}

with task_models as (

    select * from {{ ref('agg_task_model') }}

),

usages as (

    select * from {{ ref('agg_usage') }}

),

prices as (

    select * from {{ ref('dim_model_price') }}
    where
        from_input_tokens = 0
        and effective_at <= now()
        and (effective_until is null or effective_until > now())

),

-- Without a price of its own a cache is read and written at that of input.
listed as (

    select
        usages.task_name,
        usages.model,
        count(*) as called_model_count,
        count(prices.model) as priced_model_count,
        sum(usages.total_tokens)::float8 as total_tokens,
        sum(usages.canonical_tokens)::float8 as canonical_tokens,
        sum(
            coalesce(usages.input_tokens, 0) * prices.input_usd_per_million
            + coalesce(usages.output_tokens, 0) * prices.output_usd_per_million
            + coalesce(usages.input_tokens_cache_read, 0) * coalesce(
                prices.cache_read_usd_per_million, prices.input_usd_per_million
            )
            + coalesce(usages.input_tokens_cache_write, 0) * coalesce(
                prices.cache_write_usd_per_million, prices.input_usd_per_million
            )
        ) / 1000000 as list_cost_usd
    from usages
    left join prices on usages.called_model = prices.model
    group by usages.task_name, usages.model

),

final as (

    select
        task_models.task_name,
        task_models.model,
        task_models.access_set_ids,
        task_models.canonical_count,
        task_models.attempt_count,
        task_models.total_tokens,
        task_models.total_cost_usd,
        task_models.mean_cost_usd,
        case
            when listed.called_model_count = listed.priced_model_count
                then listed.list_cost_usd
        end as list_cost_usd,
        case
            when listed.called_model_count = listed.priced_model_count
                then
                    listed.list_cost_usd / nullif(task_models.attempt_count, 0)
        end as list_cost_usd_per_attempt,
        1 - listed.canonical_tokens / nullif(listed.total_tokens, 0)
            as fraction_of_tokens_replaced,
        task_models.mean_score
    from task_models
    left join listed
        on
            task_models.task_name = listed.task_name
            and task_models.model = listed.model

)

select * from final
