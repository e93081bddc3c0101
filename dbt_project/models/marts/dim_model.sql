{# A view, so that it counts only what its reader may see. #}
{{ config(materialized='view') }}

with evals as (

    select * from {{ ref('fct_eval') }}

),

model_usages as (

    select * from {{ ref('stg_raw__eval_model_usage') }}

),

model_roles as (

    select * from {{ ref('stg_raw__eval_model_role') }}

),

model_groups as (

    select * from {{ ref('stg_ops__model_group') }}

),

canonical_names as (

    select distinct on (model)
        model,
        model_name
    from {{ ref('stg_raw__eval_model') }}
    order by model asc, import_id desc

),

prices as (

    select * from {{ ref('dim_model_price') }}
    where
        from_input_tokens = 0
        and effective_at <= now()
        and (effective_until is null or effective_until > now())

),

-- A model may be evaluated, or only play a role, or only be called.
named_models as (

    select model from evals
    union
    select model from model_usages
    union
    select model from model_roles

),

evaluated as (

    select
        model,
        count(*) as eval_count,
        count(distinct task_name) as task_count,
        min(created_at) as first_eval_at,
        max(created_at) as last_eval_at
    from evals
    group by model

),

split_names as (

    select
        model,
        split_part(model, '/', 1) as provider,
        substr(model, strpos(model, '/') + 1) as model_name,
        split_part(model, '/', -1) as last_part
    from named_models

),

final as (

    select
        split_names.model,
        case
            when strpos(split_names.model, '/') > 0
                then split_names.provider
            else 'none'
        end as provider,
        coalesce(canonical_names.model_name, split_names.model_name)
            as model_name,
        -- One model under several names: with its date, or `latest`.
        regexp_replace(
            split_names.last_part,
            '[-@](20[0-9]{2}-?[0-9]{2}-?[0-9]{2}|latest|preview)$',
            ''
        ) as family,
        model_groups.model_group,
        coalesce(evaluated.eval_count, 0) as eval_count,
        coalesce(evaluated.task_count, 0) as task_count,
        evaluated.first_eval_at,
        evaluated.last_eval_at,
        prices.input_usd_per_million,
        prices.output_usd_per_million
    from split_names
    left join model_groups on split_names.model = model_groups.model
    left join canonical_names
        on split_names.model = canonical_names.model
    left join prices on split_names.model = prices.model
    left join evaluated on split_names.model = evaluated.model

)

select * from final
