{#-
    The ledger's sums are kept as it is written, so a group of calls whose sums
    in the mart are others has changed, and no other has; calls that were open
    may have ended without a token.
-#}
{% macro stale_spend() -%}
    {%- set keys = 'spend_date, eval_set_id, user_name, model' -%}
    {%- set sums = [
        'call_count', 'missing_count', 'input_tokens', 'output_tokens',
        'input_tokens_cache_read', 'input_tokens_cache_write',
        'reasoning_tokens',
    ] -%}
    select {{ keys }}
    from (
        select
            {{ keys }},
            {{ sums | join(', ') }}
        from {{ ref('stg_ops__model_spend') }}
        {% if is_incremental() -%}
            except
            select
                {{ keys }},
                {% for sum in sums -%}
                    sum({{ sum }}){{ ',' if not loop.last }}
                {% endfor -%}
            from {{ this }}
            group by {{ keys }}
            having sum(open_count) = 0
        {%- endif %}
    ) as changed
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
