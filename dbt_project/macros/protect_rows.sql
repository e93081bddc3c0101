{#-
    Shows the rows of a relation to those who may see them and to nobody else:
    by its column access_set_id, or access_set_ids where a row is made of
    several evals. A view runs with the rights of its reader. Fails where a
    table has neither column. See docs/decisions/access-sets.md.
-#}
{% macro protect_rows() -%}
    select ops.protect_rows('{{ this.include(database=false) }}')
{%- endmacro %}
