"""Analyses of marts that dbt built of real logs, and of what may not be shown."""

import dagster as dg
import pytest
from pydantic import SecretStr

from assets.analyses.assets import ANALYSES, analyses, read_frames
from assets.keys import analysis_key
from hawk.naming import ANALYSES_JOB
from hawk.warehouse.connection import connect
from orchestration.definitions import definitions
from tests.fakes.orchestrator import Orchestrator
from tests.marts import MADE, copy_database

DATABASE = "analysed"


@pytest.fixture
def built(hawk: Orchestrator, postgres, filled_database: str) -> Orchestrator:
    """Return an orchestrator whose marts hold made logs that everybody may know of, and others that nobody may."""
    copy_database(postgres, DATABASE, template=filled_database)
    hawk.settings = hawk.settings.model_copy(update={"database_url": SecretStr(postgres.url_of(DATABASE))})
    hawk.fetch(
        "insert into ops.model_group select distinct model, 'model-access-public' from raw.eval where eval_set_id = %s"
        " on conflict (model_name) do nothing",
        MADE,
        returns=False,
    )
    hawk.fetch(
        "update ops.eval_set set origin = 'import', model_groups = '{model-access-public}' where eval_set_id = %s",
        MADE,
        returns=False,
    )
    return hawk


def test_analyses_agree_with_the_marts_and_tell_of_described_sets_only(built: Orchestrator):
    job = definitions().resolve_job_def(ANALYSES_JOB)

    result = job.execute_in_process(instance=built.instance, resources=built.resources)

    found = {
        event.asset_key: event.step_materialization_data.materialization.metadata
        for event in result.get_asset_materialization_events()
    }
    assert set(found) == {analysis.key for analysis in ANALYSES}
    board = {
        (record.data["task"], record.data["model"]): record.data
        for record in found[analysis_key("leaderboard")]["leaderboard"].records
    }
    marts = built.fetch(
        "select task_name, model, scored_sample_count, mean_score, standard_error from marts.agg_task_model"
        " where scored_sample_count > 0 and (task_name, model) in"
        " (select task_name, model from marts.fct_eval where eval_set_id = %s)",
        MADE,
    )
    assert set(board) == {(row["task_name"], row["model"]) for row in marts}
    for row in marts:
        shown = board[row["task_name"], row["model"]]
        assert shown["samples"] == row["scored_sample_count"]
        assert shown["mean_score"] == pytest.approx(row["mean_score"], abs=1e-4)
        assert (shown["standard_error"] or 0.0) == pytest.approx(row["standard_error"] or 0.0, abs=1e-4)
    assert "data:image/svg+xml" in found[analysis_key("leaderboard")]["plot"].value


def test_human_minutes_are_read_from_samples_and_tasks(built: Orchestrator):
    [of_samples, of_task] = built.fetch(
        "select eval_id, import_id, task_name from marts.fct_eval"
        " where eval_set_id = %s and scored_count > 0 order by task_name, eval_id limit 2",
        MADE,
    )
    metadata = '{"human_minutes": 12, "family": "arithmetic", "chance_floor": "0.25"}'
    built.fetch(
        "update raw.sample set metadata = %s where import_id = %s", metadata, of_samples["import_id"], returns=False
    )
    built.fetch("update raw.sample set metadata = null where import_id = %s", of_task["import_id"], returns=False)
    built.fetch(
        "update raw.eval set metadata = '{\"human_minutes\": 3.5}' where import_id = %s",
        of_task["import_id"],
        returns=False,
    )

    with connect(built.settings) as connection:
        runs = read_frames(connection, built.settings).timed_runs

    seen = set(runs[["task", "minutes", "family", "floor"]].itertuples(index=False, name=None))
    assert (of_samples["task_name"], 12.0, "arithmetic", 0.25) in seen
    assert (of_task["task_name"], 3.5, of_task["task_name"], 0.0) in seen
    assert len(seen) == 2


def test_one_analysis_can_be_computed_alone(built: Orchestrator):
    result = dg.materialize([analyses], selection=[analysis_key("pairwise")], resources=built.resources)

    assert [event.asset_key for event in result.get_asset_materialization_events()] == [analysis_key("pairwise")]
