"""Scores that a newer version of a log lacks stay as history; those that count are what the newest version says."""

from typing import Any

from tests.made_archives import HEADER, SAMPLE, START, archive


def with_scores(**values: Any) -> bytes:
    scores = {scorer: {"value": value} for scorer, value in values.items()}
    return archive({"samples/1_epoch_1.json": {**SAMPLE, "scores": scores}, "header.json": HEADER})


def scores_in(warehouse: Any, table: str) -> dict[str, Any]:
    rows = warehouse.execute(
        f"select scorer, value from raw.{table} inner join raw.eval_import using (import_id) order by scorer"
    )
    return {row["scorer"]: row["value"] for row in rows}


def test_scores_of_scorers_that_a_newer_version_lacks_are_kept_as_history(import_file: Any, warehouse: Any) -> None:
    import_file(with_scores(exact="C", model_graded="I"))
    assert scores_in(warehouse, "earlier_score") == {}

    import_file(with_scores(exact="I", choice="C"))

    assert scores_in(warehouse, "score") == {"choice": "C", "exact": "I"}
    assert scores_in(warehouse, "earlier_score") == {"model_graded": "I"}

    import_file(with_scores(choice="P"))
    assert scores_in(warehouse, "score") == {"choice": "P"}
    assert scores_in(warehouse, "earlier_score") == {"exact": "I", "model_graded": "I"}

    import_file(with_scores(choice="P", model_graded="C"))
    assert scores_in(warehouse, "earlier_score") == {"exact": "I"}


def test_scores_of_a_running_eval_are_no_history(import_file: Any, warehouse: Any) -> None:
    sample = {**SAMPLE, "scores": {"provisional": {"value": 1}}}
    import_file(archive({"_journal/start.json": START, "samples/1_epoch_1.json": sample}))

    import_file(with_scores(exact="C"))

    assert scores_in(warehouse, "score") == {"exact": "C"}
    assert scores_in(warehouse, "earlier_score") == {}


def test_history_goes_with_its_import(import_file: Any, warehouse: Any) -> None:
    import_file(with_scores(exact="C", model_graded="I"))
    import_file(with_scores(exact="C"))

    warehouse.execute("delete from raw.eval_import")

    assert warehouse.execute("select count(*) as rows from raw.earlier_score").fetchone() == {"rows": 0}


def test_import_names_the_models_of_its_log_by_how_they_were_called(import_file: Any, warehouse: Any) -> None:
    call = {"event": "model", "model": "openrouter/lab/grader", "call": {"request": {"model": "grader"}}}
    sample = {**SAMPLE, "events": [call], "model_usage": {"openai/gpt-4o": {"input_tokens": 1}}}
    header = {**HEADER, "eval": {**HEADER["eval"], "model": "openai/azure/gpt-4o"}}

    import_file(archive({"samples/1_epoch_1.json": sample, "header.json": header}))

    assert warehouse.execute("select model, model_name from raw.eval_model order by model").fetchall() == [
        {"model": "openai/azure/gpt-4o", "model_name": "gpt-4o"},
        {"model": "openai/gpt-4o", "model_name": "gpt-4o"},
        {"model": "openrouter/lab/grader", "model_name": "grader"},
    ]
