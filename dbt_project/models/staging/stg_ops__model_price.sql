with source as (

    select * from {{ source('ops', 'model_price') }}

),

final as (

    select
        model_name as model,
        effective_at,
        from_input_tokens,
        input_usd::float8 as input_usd_per_million,
        output_usd::float8 as output_usd_per_million,
        cache_read_usd::float8 as cache_read_usd_per_million,
        cache_write_usd::float8 as cache_write_usd_per_million,
        cache_write_1h_usd::float8 as cache_write_1h_usd_per_million,
        source as price_source
    from source

)

select * from final
