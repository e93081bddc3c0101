"""Marts show each reader what he may see, and go on doing so when dbt builds them anew."""

from typing import Any

import psycopg
import pytest

from hawk.warehouse.reader_roles import reading_as
from tests.marts import FOREIGN, MADE, build, register_models, rows

RELATIONS = """
select class.relname as name, class.relkind as kind,
    class.relrowsecurity and class.relforcerowsecurity as is_closed,
    coalesce(class.reloptions @> '{security_invoker=true}', false) as is_of_its_reader,
    has_table_privilege('hawk_reader', class.oid, 'select') as is_readable,
    pg_get_userbyid(class.relowner) as owner,
    exists (select from pg_policy where polrelid = class.oid) as has_policy
from pg_class as class
where class.relnamespace = any ('{marts,staging,intermediate}'::regnamespace[]) and class.relkind in ('r', 'v', 'm')
"""


def seen(database_url: str, groups: list[str], query: str) -> list[Any]:
    with psycopg.connect(database_url) as connection, reading_as(connection, groups):
        return [row[0] for row in connection.execute(query.encode())]


def require_protected(database_url: str) -> None:
    for relation in rows(database_url, RELATIONS):
        if relation["kind"] == "v":
            assert relation["is_of_its_reader"], relation
        else:
            assert relation["kind"] == "r" and relation["is_closed"] and relation["has_policy"], relation
        assert relation["is_readable"] and relation["owner"] == "hawk_writer", relation


@pytest.mark.parametrize("arguments", [(), ("--full-refresh",)], ids=["batch", "full refresh"])
def test_every_mart_keeps_its_policy_when_dbt_builds_it_anew(filled: str, arguments: tuple[str, ...]) -> None:
    build(filled, "--exclude-resource-type", "test", *arguments)

    require_protected(filled)
    assert seen(filled, [], "select 1 from marts.fct_sample") == []
    assert seen(filled, [], "select 1 from marts.dim_model") == []


def test_marts_show_only_what_the_reader_may_see_and_count_nothing_else(filled: str) -> None:
    with psycopg.connect(filled) as connection:
        connection.execute(
            "insert into ops.model_group select distinct model, case when model = 'mockllm/good' then 'a' else 'b' end"
            " from raw.eval_model on conflict (model_name) do update set model_group = excluded.model_group"
        )
    for table in ("fct_eval", "fct_sample", "fct_score", "agg_task_model"):
        models = set(seen(filled, ["a"], f"select model from marts.{table}"))
        assert models <= {"mockllm/good"}, table
    (tasks,) = rows(filled, "select count(distinct task_name) as n from marts.fct_eval where model = 'mockllm/good'")

    assert seen(filled, ["a"], "select model from marts.dim_model") == ["mockllm/good"]
    assert seen(filled, ["a"], "select count(*) from marts.dim_task") == [tasks["n"]]
    assert seen(filled, ["a"], "select distinct model_count from marts.dim_task") == [1]
    assert seen(filled, ["a"], "select eval_set_id from marts.dim_eval_set") == []
    assert set(seen(filled, ["a", "b"], "select eval_set_id from marts.dim_eval_set")) == {MADE, FOREIGN}


def test_a_row_that_counts_a_hidden_eval_is_hidden(filled: str) -> None:
    register_models(filled, "model-access-public")
    (hidden,) = rows(filled, "select eval_set_id, task_name, model from marts.fct_eval order by eval_id limit 1")
    with psycopg.connect(filled) as connection:
        connection.execute(
            "update ops.eval_set set model_groups = model_groups || '{secret}'::text[] where eval_set_id = %s",
            [hidden["eval_set_id"]],
        )
    build(filled, "--exclude-resource-type", "test")

    of_row = f"from marts.agg_task_model where task_name = '{hidden['task_name']}' and model = '{hidden['model']}'"
    assert seen(filled, ["model-access-public"], f"select 1 {of_row}") == []
    assert seen(filled, ["model-access-public", "secret"], f"select 1 {of_row}") == [1]
