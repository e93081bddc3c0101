{#-
    The ledger's sums are kept as it is written, so a group of calls whose sums
    in the mart are others has changed, and no other has; calls that were open
    may have ended without a token.
-#}
{% macro stale_spend() -%}
    {%- set keys = 'spend_date, eval_set_id, user_name, model' -%}
    select {{ keys }}
    from ({{ changed_spend(keys) }}) as changed
{%- endmacro %}


{% macro changed_spend(keys) -%}
    {{ ledger_spend(keys) }}
    {% if is_incremental() %}
        except
        {{ known_spend(keys) }}
    {% endif %}
{%- endmacro %}


{% macro ledger_spend(keys) -%}
    select
        {{ keys }},
        call_count,
        missing_count,
        input_tokens,
        output_tokens,
        input_tokens_cache_read,
        input_tokens_cache_write,
        reasoning_tokens
    from {{ ref('stg_ops__model_spend') }}
{%- endmacro %}


{% macro known_spend(keys) -%}
    select
        {{ keys }},
        sum(call_count),
        sum(missing_count),
        sum(input_tokens),
        sum(output_tokens),
        sum(input_tokens_cache_read),
        sum(input_tokens_cache_write),
        sum(reasoning_tokens)
    from {{ this }}
    group by {{ keys }}
    having sum(open_count) = 0
{%- endmacro %}


{#-
    A model's name as Inspect's logs have it: the registry may know those of a
    provider that speaks as OpenAI does, of Vertex and of Azure by a shorter one.
-#}
{% macro model_as_logged(model) -%}
    regexp_replace(
        regexp_replace(
            regexp_replace({{ model }}, '^openai-api/', ''),
            '^vertex/', 'google/vertex/'
        ),
        '^azureai/', 'openai/azure/'
    )
{%- endmacro %}
