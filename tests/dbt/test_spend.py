"""The ledger's marts follow the ledger, and say where it and the logs do not agree."""

from typing import Any

import psycopg

from tests.marts import dbt, rows

# A call for each eval and model, with the tokens that the eval's log has; mock models are called nowhere, so they get
# the names of others.
ONE_CALL_AN_EVAL = """
update raw.eval_model_usage set model = replace(model, 'mockllm/', 'openai/');
insert into ops.model_group select distinct model, 'public' from raw.eval_model_usage on conflict do nothing;
insert into ops.model_call (call_id, worker_id, state, started_at, provider, model_name, provider_model, model_group,
    operation, principal_kind, user_name, priority, eval_set_id, eval_id, request_bytes, reserved_usd, charged_usd,
    cost_usd, usage_state, input_tokens, output_tokens, input_tokens_cache_read, http_status, waited_seconds,
    retry_count)
select gen_random_uuid(), 'w', 'complete', '2026-01-01 12:00+00', 'openai', usage.model, 'm', 'public', 'chat', 'job',
    'ada', 'medium', eval.eval_set_id, eval.eval_id, 1, 1, 0.5, 0.5, 'reported', usage.input_tokens,
    usage.output_tokens, usage.total_tokens - usage.input_tokens - usage.output_tokens, 200, 0, 0
from raw.eval_model_usage as usage join raw.eval as eval using (import_id);
"""
SUM = """
delete from ops.model_spend;
insert into ops.model_spend
select (started_at at time zone 'UTC')::date, eval_set_id, user_name, model_name, count(*),
    count(*) filter (where usage_state = 'missing'), sum(coalesce(input_tokens, 0)), sum(coalesce(output_tokens, 0)),
    sum(coalesce(input_tokens_cache_read, 0)), sum(coalesce(input_tokens_cache_write, 0)),
    sum(coalesce(reasoning_tokens, 0)), sum(coalesce(cost_usd, 0)), sum(charged_usd)
from ops.model_call group by 1, 2, 3, 4;
"""
RUN_PAST_THE_LOG = """
update ops.model_call set output_tokens = output_tokens + 1000
where eval_id = (select min(eval_id) from ops.model_call);
"""
MODELS = ("stg_ops__model_call", "stg_ops__model_spend", "int_eval_usage__own", "fct_spend", "rec_spend")


def change(database_url: str, *statements: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("".join((*statements, SUM)).encode())


def build_spend(database_url: str, *arguments: str) -> dict[str, str]:
    return dbt(database_url, "build", "--exclude-resource-type", "unit_test", "--select", " ".join(MODELS), *arguments)


def spend(database_url: str) -> list[dict[str, Any]]:
    return rows(database_url, "select * from marts.fct_spend order by eval_set_id, eval_id, model")


def test_ledger_agrees_with_the_logs_until_it_does_not(filled: str) -> None:
    change(filled, ONE_CALL_AN_EVAL)

    statuses = build_spend(filled)

    compared = rows(filled, "select * from marts.rec_spend")
    assert set(statuses.values()) <= {"success", "pass"}, statuses
    assert len(compared) == len(rows(filled, "select 1 from raw.eval_model_usage where total_tokens > 0")) > 0
    assert {(row["presence"], row["is_within_one_percent"], row["difference_tokens"]) for row in compared} == {
        ("in_both", True, 0)
    }

    change(filled, RUN_PAST_THE_LOG)
    statuses = build_spend(filled)

    [apart] = rows(filled, "select * from marts.rec_spend where not is_within_one_percent")
    in_increments = spend(filled)
    assert statuses["ledger_agrees_with_logs"] == "warn"
    assert apart["difference_tokens"] == 1000
    build_spend(filled, "--full-refresh")
    assert spend(filled) == in_increments
