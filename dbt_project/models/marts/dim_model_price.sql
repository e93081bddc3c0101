{# A table, since readers cannot read the registry; row security asks it. #}

with prices as (

    select * from {{ ref('stg_ops__model_price') }}

),

final as (

    select
        model,
        effective_at,
        from_input_tokens,
        lead(effective_at) over (
            partition by model, from_input_tokens
            order by effective_at
        ) as effective_until,
        input_usd_per_million,
        output_usd_per_million,
        cache_read_usd_per_million,
        cache_write_usd_per_million,
        cache_write_1h_usd_per_million,
        price_source
    from prices

)

select * from final
