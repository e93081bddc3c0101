"""The whole import, from S3 to marts, checks and the overview, in one Dagster run."""

import dagster as dg

from assets.dbt_models import dbt_models
from assets.keys import IMPORT_POOL, SCORE_OVERVIEW, raw_key
from assets.mart_news import marts_lack_news_of_sets
from hawk.errors import Upstream
from hawk.naming import IMPORT_JOB, NEWS_ONLY_TAG, STAGING_SCHEMA
from orchestration.definitions import definitions
from tests.fakes.import_runs import LOGS, land, run_import
from tests.fakes.orchestrator import EVALS, Orchestrator


def test_logs_become_rows_of_marts_and_every_step_tells_of_it(hawk: Orchestrator):
    hawk.fetch(
        "insert into ops.eval_set (eval_set_id, name, origin, model_groups, status, created_at, status_changed_at)"
        " values ('old-logs', 'old', 'import', '{model-access-public}', 'complete', now(), now())",
        returns=False,
    )
    land(hawk, "old-logs", *LOGS)
    hawk.put_log("old-logs", EVALS / "README.md", name="broken.eval")
    land(hawk, "old-logs")

    result = run_import(hawk)

    assert result.success
    events = {
        event.asset_key: event.step_materialization_data.materialization
        for event in result.get_asset_materialization_events()
    }
    metadata = {name: value.value for name, value in events[raw_key("eval_import")].metadata.items()}
    assert metadata["files"] == len(LOGS)
    assert metadata["failed"] == 1
    assert metadata["workers"] == 1
    assert "broken.eval" in metadata["not_imported"]
    [counts] = hawk.fetch("select count(*) as evals, (select count(*) from raw.sample) as samples from marts.fct_eval")
    assert counts["evals"] == len(LOGS)
    assert metadata["samples"] == counts["samples"] > 0
    assert events[raw_key("sample")].metadata["rows_imported"].value == counts["samples"]
    assert events[dg.AssetKey(["marts", "fct_sample"])].metadata["rows_written"].value > 0
    assert events[dg.AssetKey(["marts", "fct_eval"])].metadata["rows_written"].value == len(LOGS)
    assert "data:image/svg+xml" in events[SCORE_OVERVIEW].metadata["plot"].value
    evaluations = result.get_asset_check_evaluations()
    of_marts = [evaluation.passed for evaluation in evaluations if evaluation.asset_key.path[0] == "marts"]
    assert of_marts
    assert all(of_marts)
    passed = {evaluation.check_name: evaluation.passed for evaluation in evaluations}
    assert passed["landed_logs_are_imported_soon"]
    assert not passed["no_log_is_set_aside"]
    assert "no_orphan_rows" not in passed

    again = run_import(hawk)

    assert again.success
    assert hawk.fetch("select count(*) as evals from marts.fct_eval") == [{"evals": len(LOGS)}]


def test_run_for_news_that_finds_none_leaves_the_marts_as_they_are(hawk: Orchestrator):
    hawk.fetch(
        "create table marts.dim_eval_set (eval_set_id text, status text, status_reason text, model_groups text[])",
        returns=False,
    )

    result = run_import(hawk, tags={NEWS_ONLY_TAG: "true"})

    assert result.success
    assert not result.get_asset_materialization_events()
    skipped = {event.step_key for event in result.all_events if event.is_step_skipped}
    assert {"dbt_build", "score_overview"} <= skipped
    with hawk.connect() as connection:
        assert not marts_lack_news_of_sets(connection)
        hawk.claim()
        assert marts_lack_news_of_sets(connection)


def test_dbt_failure_names_the_model_and_what_postgres_said(hawk: Orchestrator):
    hawk.fetch("alter table raw.eval_model_role rename column role to part", returns=False)

    result = dg.materialize([dbt_models()], resources=hawk.resources, raise_on_error=False)

    [failure] = [event for event in result.all_events if event.event_type is dg.DagsterEventType.STEP_FAILURE]
    shown = failure.step_failure_data.user_failure_data
    assert shown is not None
    assert "stg_raw__eval_model_role" in str(shown.description)
    assert "does not exist" in str(shown.metadata["problems"].value)
    built = [event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key]
    assert "stg_raw__eval" in built


def test_one_model_can_be_built_alone(hawk: Orchestrator):
    key = dg.AssetKey([STAGING_SCHEMA, "stg_raw__eval"])

    result = dg.materialize([dbt_models()], selection=[key], resources=hawk.resources)

    assert [event.asset_key for event in result.get_asset_materialization_events()] == [key]


def test_import_without_s3_fails_with_a_sentence_and_keeps_the_log_pending(hawk: Orchestrator):
    land(hawk, "old-logs", LOGS[0])
    hawk.settings = hawk.settings.model_copy(update={"s3_endpoint_url": "http://127.0.0.1:9"})

    result = run_import(hawk, raise_on_error=False)

    [failure] = [event for event in result.all_events if event.event_type is dg.DagsterEventType.STEP_FAILURE]
    shown = failure.step_failure_data.user_failure_data
    assert shown is not None
    assert shown.metadata["kind"].value == Upstream.__name__
    assert hawk.fetch("select state from ops.log_inbox") == [{"state": "pending"}]


def test_import_steps_run_one_at_a_time_whatever_runs_there_are():
    job = definitions().resolve_job_def(IMPORT_JOB)

    pools = {node.name: node.definition.pool for node in job.nodes}
    assert pools == {
        "import_logs_of_inbox": IMPORT_POOL,
        "dbt_build": IMPORT_POOL,
        "warehouse_checks": IMPORT_POOL,
        "mart_checks": IMPORT_POOL,
        "score_overview": None,
    }
