{# A view, so that it counts only what its reader may see. #}
{{ config(materialized='view') }}

with eval_sets as (

    select * from {{ ref('dim_eval_set') }}

),

final as (

    select
        created_by as user_name,
        (
            array_agg(email order by created_at desc nulls last)
            filter (where email is not null)
        )[1] as email,
        count(*) as eval_set_count,
        sum(eval_count)::bigint as eval_count,
        sum(sample_count)::bigint as sample_count,
        sum(total_tokens)::bigint as total_tokens,
        sum(total_cost_usd) as total_cost_usd,
        min(created_at) as first_eval_set_at,
        max(created_at) as last_eval_set_at
    from eval_sets
    where created_by is not null
    group by created_by

)

select * from final
