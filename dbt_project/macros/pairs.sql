{#-
    Pairs are computed task by task: where one model's evals of a task change,
    so do the samples that it shares with each other. What they depend on is
    one print, because it is also of models that a pair's reader may not see.
-#}
{% macro task_stamps() -%}
    select
        task_name,
        scorer,
        md5(string_agg(
            concat_ws(' ', model, eval_count, access_set_ids, refreshed_at),
            ';' order by model
        )) as task_print
    from ({{ task_model_stamps() }}) as task_models
    group by task_name, scorer
    having count(*) > 1
{%- endmacro %}


{% macro present_task_stamps() -%}
    select distinct
        task_name,
        scorer,
        task_print
    from {{ this }}
{%- endmacro %}


{% macro stale_pairs() -%}
    {{ task_stamps() }}
    {% if is_incremental() %}
        except
        {{ present_task_stamps() }}
    {% endif %}
{%- endmacro %}


{% macro delete_stale_pairs() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where task_name in (
            select task_name
            from (
                {{ present_task_stamps() }}
                except
                {{ task_stamps() }}
            ) as stale
        )
    {%- endif -%}
{%- endmacro %}
