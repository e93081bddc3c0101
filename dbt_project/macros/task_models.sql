{#-
    What the aggregates of a task and model depend on: which evals, as last
    computed, whose access sets, and the scorer that speaks for the task. An
    aggregate carries these, and is computed again where they are others.
-#}
{% macro task_model_stamps() -%}
    select
        evals.task_name,
        evals.model,
        tasks.headline_scorer as scorer,
        count(*) as eval_count,
        array_agg(
            distinct evals.access_set_id order by evals.access_set_id
        ) as access_set_ids,
        max(evals.refreshed_at) as refreshed_at
    from {{ ref('fct_eval') }} as evals
    inner join {{ ref('dim_task') }} as tasks
        on evals.task_name = tasks.task_name
    group by evals.task_name, evals.model, tasks.headline_scorer
{%- endmacro %}


{#- The same as a relation has them, by jumping from group to group. -#}
{% macro present_task_model_stamps() -%}
    select
        task_name,
        model,
        scorer,
        eval_count,
        access_set_ids,
        refreshed_at
    from (
        with recursive jumps as (

            (
                select *
                from {{ this }}
                order by task_name, model
                limit 1
            )
            union all
            select further.*
            from jumps
            cross join lateral (
                select *
                from {{ this }} as later
                where
                    (later.task_name, later.model)
                    > (jumps.task_name, jumps.model)
                order by later.task_name, later.model
                limit 1
            ) as further

        )

        select * from jumps
    ) as present
{%- endmacro %}


{% macro stale_task_models() -%}
    {{ task_model_stamps() }}
    {% if is_incremental() -%}
        except
        {{ present_task_model_stamps() }}
    {%- endif %}
{%- endmacro %}


{% macro delete_stale_task_models() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where (task_name, model) in (
            select
                task_name,
                model
            from (
                {{ present_task_model_stamps() }}
                except
                {{ task_model_stamps() }}
            ) as stale
        )
    {%- endif -%}
{%- endmacro %}
