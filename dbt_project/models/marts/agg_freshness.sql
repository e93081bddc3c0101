{# A view, so that it is of now. #}
{{ config(materialized='view') }}

with versions as (

    select * from {{ ref('stg_ops__log_inbox') }}

),

imports as (

    select * from {{ ref('stg_raw__eval_import') }}

),

evals as (

    select * from {{ ref('fct_eval') }}

),

newest as (

    select distinct on (location) *
    from versions
    order by location asc, last_modified desc, log_inbox_id desc

),

final as (

    select
        newest.location,
        newest.eval_set_id,
        evals.eval_id,
        newest.state,
        newest.reason,
        newest.last_modified as landed_at,
        newest.discovered_at,
        imports.imported_at,
        evals.refreshed_at as in_marts_at,
        evals.refreshed_at is not null as is_in_marts,
        extract(
            epoch from imports.imported_at - newest.last_modified
        )::float8 as import_lag_seconds,
        extract(
            epoch from coalesce(evals.refreshed_at, now())
            - newest.last_modified
        )::float8 as lag_seconds
    from newest
    left join imports on newest.import_id = imports.import_id
    left join evals on imports.import_id = evals.import_id

)

select * from final
