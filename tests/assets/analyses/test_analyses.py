"""Tables and plots of each analysis, from frames as the marts give them."""

import base64
import math
from datetime import date

import numpy as np
import pandas as pd
import pytest

from assets.analyses.analysis import AnalysisFrames, Findings
from assets.analyses.catalog import ANALYSES
from assets.analyses.cost_quality import cost_quality_rows
from assets.analyses.difficulty import difficulty_rows
from assets.analyses.epoch_stability import epoch_rows
from assets.analyses.human_minutes import model_releases, released_on, task_lengths, with_known_lengths
from assets.analyses.leaderboard import leaderboard_rows
from assets.analyses.pairwise import ALL_TASKS, pairwise_rows
from assets.analyses.time_horizon import NO_RUNS, find_time_horizon
from hawk.errors import UserError

HOSTILE = "<script>alert(1)</script> & 'x' \"y\" \\u0000 ![a](b)"


def samples(*rows):
    """Rows of task, model, then scores: one list of epochs a sample."""
    made = [
        {
            "task": task,
            "model": model,
            "sample_id": f"sample-{index}",
            "epochs": len(epochs),
            "score": float(np.mean(epochs)),
            "passed": sum(score >= 1 for score in epochs),
            "spread": float(max(epochs) - min(epochs)),
        }
        for task, model, scores in rows
        for index, epochs in enumerate(scores)
    ]
    columns = ["task", "model", "sample_id", "epochs", "score", "passed", "spread"]
    return pd.DataFrame(made, columns=columns)


def uses(*rows):
    return pd.DataFrame(rows, columns=["task", "model", "cost_usd", "tokens"])


NO_TIMED_RUNS = pd.DataFrame(columns=["model", "task", "sample_id", "score", "minutes", "family", "floor"])


def test_the_leaderboard_ranks_models_within_a_task_and_says_how_sure_it_is():
    rows = leaderboard_rows(
        samples(("sums", "weak", [[0], [1], [0], [0]]), ("sums", "strong", [[1], [1], [0.5, 1.0], [1]]))
    )

    assert [(row["rank"], row["model"], row["mean_score"]) for row in rows] == [
        (1, "strong", 0.9375),
        (2, "weak", 0.25),
    ]
    assert rows[1]["standard_error"] == 0.25
    assert (rows[1]["lower"], rows[1]["upper"], rows[1]["interval"]) == (0.0456, 0.6994, "wilson")


def test_pairs_are_compared_on_what_both_have_and_adjusted_within_a_task():
    few, many = [[1], [0], [1], [1]], [[0], [0], [0], [1], [1], [1]]
    rows = pairwise_rows(samples(("sums", "a", few), ("sums", "b", many), ("sums", "c", many), ("other", "a", few)))

    of_sums = {(row["first"], row["second"]): row for row in rows if row["task"] == "sums"}
    assert set(of_sums) == {("a", "b"), ("a", "c"), ("b", "c")}
    assert (of_sums["a", "b"]["shared_samples"], of_sums["a", "b"]["difference"]) == (4, 0.5)
    assert of_sums["a", "b"]["p_value"] == pytest.approx(0.182, abs=1e-3)
    assert of_sums["a", "b"]["holm_p"] == pytest.approx(2 * of_sums["a", "b"]["p_value"], abs=1e-5)
    assert of_sums["a", "b"]["mcnemar_p"] == 0.5
    assert of_sums["b", "c"]["p_value"] is None
    assert "same difference" in of_sums["b", "c"]["remark"]
    assert {row["task"] for row in rows} == {"sums", ALL_TASKS}
    assert "one cluster" in next(row for row in rows if row["task"] == ALL_TASKS)["remark"]


def test_over_all_tasks_errors_are_clustered_by_task():
    rows = pairwise_rows(
        samples(
            *[(f"task-{t}", m, [[int((t + i) % 3 == 0 or m == "a")] for i in range(5)]) for t in range(4) for m in "ab"]
        )
    )

    assert (rows[0]["task"], rows[0]["shared_samples"]) == (ALL_TASKS, 20)
    assert rows[0]["mcnemar_p"] is None
    assert rows[0]["p_value"] is not None


def test_epochs_that_disagree_are_counted():
    rows = epoch_rows(samples(("sums", "m", [[1, 1], [1, 0], [0, 0], [1]])))

    assert rows == [
        {
            "task": "sums",
            "model": "m",
            "samples": 3,
            "epochs": 6,
            "fraction_unstable": 0.3333,
            "k": 2,
            "pass_at_1": 0.5,
            "pass_at_k": 0.6667,
            "pass_power_k": 0.3333,
        }
    ]


def test_fronts_are_of_dollars_only_where_every_price_is_known():
    scored = samples(
        *[(task, model, [[score]]) for task in ("paid", "free") for model, score in [("a", 0.9), ("b", 0.5)]]
    )
    used = uses(("paid", "a", 0.2, 10.0), ("paid", "b", 0.3, 5.0), ("free", "a", None, 10.0), ("free", "b", 0.3, 5.0))
    rows = cost_quality_rows(scored, used)

    shown = {(row["task"], row["model"]): (row["counted_in"], row["is_on_front"]) for row in rows}
    assert shown == {
        ("paid", "a"): ("cost_usd", True),
        ("paid", "b"): ("cost_usd", False),
        ("free", "a"): ("tokens", True),
        ("free", "b"): ("tokens", True),
    }


def test_tasks_scored_outside_0_to_1_have_no_difficulty():
    tasks, models = difficulty_rows(
        samples(("hard", "a", [[0], [1]]), ("hard", "b", [[0], [0]]), ("easy", "a", [[1]]), ("points", "a", [[40]]))
    )

    assert [row["task"] for row in tasks] == ["hard", "easy"]
    assert [row["model"] for row in models] == ["a", "b"]


def made_runs(models):
    generator = np.random.default_rng(3)
    rows = []
    for model, middle in models.items():
        for task in range(24):
            minutes = 2.0 ** (task / 2 - 2)
            chance = 1 / (1 + math.exp(1.2 * (math.log2(minutes) - middle)))
            rows += [
                (model, "suite", f"{task}", float(generator.random() < chance), minutes, f"family-{task % 8}", 0.0)
                for _ in range(4)
            ]
    return pd.DataFrame(rows, columns=list(NO_TIMED_RUNS.columns))


def test_horizons_have_intervals_and_their_trend_is_that_of_the_best_on_their_day():
    models = {"lab/old": 1.0, "lab/new-2025-03-01": 5.0, "lab/small": 2.0, "lab/unknown": 3.0}
    releases = {"old": date(2024, 3, 1), "new": date(2025, 3, 1), "lab/small": date(2025, 3, 1)}

    found = find_time_horizon(AnalysisFrames(samples(), uses(), made_runs(models), releases))

    rows = {(row["model"], row["success"]): row for row in found.tables["horizons"]}
    assert len(rows) == 8
    for model, middle in models.items():
        assert rows[model, 0.5]["lower_minutes"] < 2**middle < rows[model, 0.5]["upper_minutes"]
    [trend] = found.tables["trend"]
    assert trend["models"] == 2
    assert trend["lower_days"] < trend["doubling_days"] < trend["upper_days"]
    assert trend["doubling_days"] == pytest.approx(365 / 4, rel=0.3)


def test_without_human_minutes_it_is_said_how_to_give_them():
    found = find_time_horizon(AnalysisFrames(samples(), uses(), NO_TIMED_RUNS))

    assert found.facts["remark"] == NO_RUNS


def test_minutes_come_from_the_log_else_from_the_file(tmp_path):
    (tmp_path / "task_length.csv").write_text(
        "task_name,sample_id,family,human_minutes,chance_floor\nsuite,,all,30,0.25\nsuite,b,letters,5,\n"
    )
    runs = pd.DataFrame(
        [
            ("m", "suite", "a", 1.0, "12.5", "", ""),
            ("m", "suite", "b", 1.0, "", "", ""),
            ("m", "suite", "c", 1.0, "soon", "", ""),
            ("m", "other", "d", 1.0, "", "", ""),
            ("m", "other", "e", 1.0, "-3", "", ""),
            ("m", "other", "f", 1.0, "2", "words", "7"),
        ],
        columns=list(NO_TIMED_RUNS.columns),
    )

    filled = with_known_lengths(runs, task_lengths(tmp_path))

    assert filled[["sample_id", "minutes", "family", "floor"]].to_numpy().tolist() == [
        ["a", 12.5, "suite", 0.0],
        ["b", 5.0, "letters", 0.0],
        ["c", 30.0, "all", 0.25],
        ["f", 2.0, "words", 0.0],
    ]


def test_files_that_cannot_be_read_are_named_with_the_line(tmp_path):
    (tmp_path / "task_length.csv").write_text("task_name,sample_id,family,human_minutes,chance_floor\na,,f,soon,\n")
    (tmp_path / "model_release.csv").write_text("model,released_on\ngpt-4o,spring\n")

    with pytest.raises(UserError, match=r"task_length\.csv:2"):
        task_lengths(tmp_path)
    with pytest.raises(UserError, match=r"model_release\.csv:2"):
        model_releases(tmp_path)


def test_files_that_are_not_there_tell_nothing(tmp_path):
    assert (task_lengths(tmp_path), model_releases(tmp_path)) == ({}, {})


def test_release_dates_are_found_by_name_without_provider_or_date():
    releases = {"gpt-4o": date(2024, 5, 13), "azure/gpt-4o": date(2024, 6, 1), "m-2025-01-01": date(2025, 1, 1)}

    assert released_on("openai/gpt-4o-2024-08-06", releases) == date(2024, 5, 13)
    assert released_on("azure/gpt-4o", releases) == date(2024, 6, 1)
    assert released_on("lab/m-2025-01-01", releases) == date(2025, 1, 1)
    assert released_on("gpt-4o-mini", releases) is None


@pytest.mark.parametrize("analysis", ANALYSES, ids=lambda analysis: analysis.name)
def test_every_analysis_of_nothing_finds_nothing(analysis):
    found = analysis.find(AnalysisFrames(samples(), uses(), NO_TIMED_RUNS))

    assert not any(found.tables.values())
    assert found.metadata()


@pytest.mark.parametrize("analysis", ANALYSES, ids=lambda analysis: analysis.name)
def test_every_analysis_shows_strangers_names_as_text(analysis):
    scored = samples((HOSTILE, HOSTILE, [[1, 0], [0]]), (HOSTILE, "b", [[1, 1], [1]]), ("t", "b", [[1], [0]]))
    used = uses((HOSTILE, HOSTILE, 0.1, 5.0), (HOSTILE, "b", 0.2, 9.0), ("t", "b", None, 3.0))

    found = analysis.find(AnalysisFrames(scored, used, made_runs({HOSTILE: 3.0, "b": 4.0}), {"b": date(2025, 1, 1)}))

    assert found.metadata()
    assert found.plots
    for plot in found.plots.values():
        svg = base64.b64decode(plot.partition("base64,")[2].removesuffix(")")).decode()
        assert svg.startswith("<svg")
        assert "<script" not in svg


def test_a_table_shows_two_hundred_rows_and_says_how_many_there_are():
    shown = Findings({"rows": [{"number": index, "word": "x" * 10_000} for index in range(500)]}).metadata()

    assert len(shown["rows"].records) == 200
    assert len(shown["rows"].records[0].data["word"]) == 300
    assert shown["rows_rows"].value == 500
    assert [column.type for column in shown["rows"].schema.columns] == ["int", "string"]
