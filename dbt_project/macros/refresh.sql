{#-
    The distinct values of a column, read by jumping along its index from one
    to the next: as quick as there are values, however many rows have each.
-#}
{% macro distinct_values(relation, column) -%}
    (
        with recursive jumps as (

            (select min({{ column }}) as {{ column }} from {{ relation }})
            union all
            select (
                select min(further.{{ column }})
                from {{ relation }} as further
                where further.{{ column }} > jumps.{{ column }}
            )
            from jumps
            where jumps.{{ column }} is not null

        )

        select {{ column }} from jumps where {{ column }} is not null
    )
{%- endmacro %}


{#- Imports that a relation has rows of and that stand no more. -#}
{% macro gone_imports(relation, standing='stg_raw__eval_import') -%}
    select present.import_id
    from {{ distinct_values(relation, 'import_id') }} as present
    where not exists (
        select 1
        from {{ ref(standing) }} as standing
        where standing.import_id = present.import_id
    )
{%- endmacro %}


{% macro delete_gone_imports(standing='stg_raw__eval_import') -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where import_id in ({{ gone_imports(this, standing) }})
    {%- endif -%}
{%- endmacro %}


{#-
    fct_sample says of each eval when its rows were last computed. A model that
    carries the same `refreshed_at` compares itself with that, so an interrupted
    build is made good by the next one, and rows of evals that were imported
    again or deleted go.
-#}
{% macro eval_refreshes(relation) -%}
    select
        evals.eval_id,
        newest.refreshed_at
    from {{ distinct_values(relation, 'eval_id') }} as evals
    cross join lateral (
        select max(refreshed_at) as refreshed_at
        from {{ relation }} as stamped
        where stamped.eval_id = evals.eval_id
    ) as newest
{%- endmacro %}


{#- Evals of which the import has rows in `rows` and the mart has not these. -#}
{% macro stale_evals(rows) -%}
    select
        stale.eval_id,
        stale.refreshed_at
    from (
        {{ eval_refreshes(ref('fct_sample')) }}
    {% if is_incremental() %}
            except
            {{ eval_refreshes(this) }}
    {% endif %}
    ) as stale
    where exists (
        select 1
        from {{ rows }} as imported
        where imported.import_id = (
            select samples.import_id
            from {{ ref('fct_sample') }} as samples
            where samples.eval_id = stale.eval_id
            limit 1
        )
    )
{%- endmacro %}


{% macro delete_stale_rows() -%}
    {%- if is_incremental() -%}
        delete from {{ this }} as present
        where eval_id in (
            select eval_id
            from (
                {{ eval_refreshes(this) }}
                except
                {{ eval_refreshes(ref('fct_sample')) }}
            ) as stale
        )
    {%- endif -%}
{%- endmacro %}
