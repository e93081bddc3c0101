"""Analyses of marts that dbt built of real logs, and of what may not be shown."""

import statistics
from collections import defaultdict
from pathlib import Path

import dagster as dg
import pytest
from inspect_ai.log import read_eval_log
from inspect_ai.scorer import value_to_float
from pydantic import SecretStr
from scipy import stats

from assets.analyses.assets import analyses
from assets.analyses.catalog import ANALYSES
from assets.analyses.frames import read_frames
from assets.analyses.pairwise import ALL_TASKS, pairwise_rows
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
        """
        insert into ops.model_group
        select model, 'model-access-public' from raw.eval where eval_set_id = %s
        union select usage.model, 'model-access-public' from raw.eval_model_usage as usage
            inner join raw.eval using (import_id) where eval_set_id = %s
        union select role.model, 'model-access-public' from raw.eval_model_role as role
            inner join raw.eval using (import_id) where eval_set_id = %s
        on conflict (model_name) do nothing
        """,
        MADE,
        MADE,
        MADE,
        returns=False,
    )
    hawk.fetch(
        """
        update ops.eval_set set
            origin = 'import',
            model_groups = array[case when eval_set_id = %s then 'model-access-public' else 'model-access-secret' end]
        """,
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


def test_an_eval_that_called_a_model_of_another_group_is_not_told_of(built: Orchestrator):
    [eval_] = built.fetch(
        "select min(import_id) as import_id, task_name, model from marts.fct_eval where eval_set_id = %s"
        " and scored_count > 0 group by task_name, model having count(*) = 1 order by task_name, model limit 1",
        MADE,
    )
    built.fetch(
        "insert into raw.eval_model_role (import_id, role, model) values (%s, 'grader', 'lab/secret')",
        eval_["import_id"],
        returns=False,
    )

    with connect(built.settings) as connection:
        frames = read_frames(connection, built.settings)

    for frame in (frames.samples, frames.uses):
        assert (eval_["task_name"], eval_["model"]) not in set(zip(frame["task"], frame["model"], strict=True))
        assert len(frame)


def test_pairs_of_the_marts_are_scipys_t_test_of_what_the_logs_say(built: Orchestrator, made_logs: list[Path]):
    means = scores_of_logs(made_logs)
    with connect(built.settings) as connection:
        rows = pairwise_rows(read_frames(connection, built.settings).samples)

    compared = [row for row in rows if row["task"] != ALL_TASKS]
    assert compared
    for row in compared:
        first, second = means[row["task"], row["first"]], means[row["task"], row["second"]]
        shared = sorted(first.keys() & second.keys())
        differences = [first[sample] - second[sample] for sample in shared]
        assert row["shared_samples"] == len(shared)
        assert row["difference"] == pytest.approx(statistics.mean(differences), abs=1e-4)
        if row["p_value"] is not None:
            expected = stats.ttest_1samp(differences, 0.0)
            assert row["p_value"] == pytest.approx(expected.pvalue, abs=1e-5)
            assert row["standard_error"] == pytest.approx(stats.sem(differences), abs=1e-4)


def scores_of_logs(paths: list[Path]) -> dict[tuple[str, str], dict[str, float]]:
    """Read the logs with inspect_ai: mean score over epochs of each sample, by task and model."""
    epochs: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for path in paths:
        log = read_eval_log(str(path))
        for sample in log.samples or []:
            for score in list((sample.scores or {}).values())[:1]:
                epochs[log.eval.task, log.eval.model][str(sample.id)].append(value_to_float()(score.value))
    return {
        cell: {sample: statistics.mean(values) for sample, values in of_cell.items()}
        for cell, of_cell in epochs.items()
    }


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
