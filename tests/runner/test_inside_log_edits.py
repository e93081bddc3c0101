"""Edits within a log, by inspect_ai's own functions; on logs that other projects wrote, and on ours."""

from pathlib import Path
from typing import Any

import pytest
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.log._log import EvalMetricDefinition

from hawk.errors import Conflict, NotFound
from hawk.log_edits import EditOrder, LogEdits, PlacedEdit
from runner.inside.log_edits import apply_edits, sample_of
from tests.fakes.small_logs import small_log

POPULARITY = "2025-09-23T08-09-58-04-00_popularity_DN2wbX2ZvACsBpjwptzBRo.eval"
WITHOUT_UUIDS = "2025-02-11T15-18-04-05-00_popularity_mj7khqpMM4GBCfVQozKgzB.eval"
UNKNOWN_SCORER = "log_message_deduplication.eval"


def placed(log: EvalLog, details: dict[str, Any], *, sample: int = 0, position: int = 0) -> PlacedEdit:
    found = (log.samples or [])[sample]
    return PlacedEdit.model_validate(
        {
            "position": position,
            "sample_uuid": found.uuid or f"derived-{found.id}",
            "sample_id": str(found.id),
            "epoch": found.epoch,
            "details": details,
        }
    )


def order_of(*edits: PlacedEdit, request: str = "request-1", approved_by: str | None = None) -> EditOrder:
    return EditOrder(
        edit_request_id=request,
        author="ada@example.org",
        approved_by=approved_by,
        memory_bytes=2**32,
        logs=(LogEdits(log="a.eval", edits=edits),),
    )


def wrong(scorer: str = "match", **fields: Any) -> dict[str, Any]:
    return {"type": "score_edit", "scorer": scorer, "value": "I", "reason": "The grader was fooled.", **fields}


@pytest.fixture
def log(eval_logs: Path) -> EvalLog:
    return read_eval_log(str(eval_logs / POPULARITY))


def metric(log: EvalLog, name: str = "accuracy") -> float:
    assert log.results is not None
    return float(log.results.scores[0].metrics[name].value)


def test_score_keeps_its_history_with_author_and_reason(log: EvalLog):
    before = (log.samples or [])[0].scores["match"].value
    edit = placed(log, wrong(answer="No", explanation="By hand."))

    score = sample_of(apply_edits(log, (edit,), order_of(edit, approved_by="bob")).log, edit).scores["match"]

    assert (score.value, score.answer, score.explanation) == ("I", "No", "By hand.")
    assert [entry.value for entry in score.history] == [before, "I"]
    provenance = score.history[-1].provenance
    assert provenance is not None
    assert (provenance.author, provenance.reason) == ("ada@example.org", "The grader was fooled.")
    assert provenance.metadata == {"edit_request_id": "request-1", "position": 0, "approved_by": "bob"}


def test_metrics_follow_the_scores(log: EvalLog):
    correct = [index for index, sample in enumerate(log.samples or []) if sample.scores["match"].value == "C"][:10]
    edits = tuple(placed(log, wrong(), sample=index, position=n) for n, index in enumerate(correct))
    before = metric(log)

    edited = apply_edits(log, edits, order_of(*edits))

    assert edited.metrics == "recomputed"
    assert metric(edited.log) == pytest.approx(before - len(correct) / 100)


def test_metrics_of_a_scorer_that_is_not_installed_stay(eval_logs: Path):
    log = read_eval_log(str(eval_logs / UNKNOWN_SCORER))
    assert log.eval.scorers is not None
    log.eval.scorers[0].metrics = [EvalMetricDefinition(name="strangers/median")]
    before = log.results.model_copy(deep=True) if log.results else None
    edit = placed(log, wrong("closeness_log", value=0.5))

    edited = apply_edits(log, (edit,), order_of(edit))

    assert edited.metrics == "kept"
    assert "could not be computed anew" in edited.metrics_reason
    assert edited.log.results == before


def test_sample_is_invalidated_and_counts_again_with_both_told(log: EvalLog):
    first = placed(log, {"type": "invalidate_sample", "reason": "Leaked."})
    back = placed(log, {"type": "uninvalidate_sample", "reason": "It had not."})

    log = apply_edits(log, (first,), order_of(first)).log
    invalidation = sample_of(log, first).invalidation
    assert log.invalidated
    assert invalidation is not None
    assert invalidation.reason == "Leaked."

    log = apply_edits(log, (back,), order_of(back, request="request-2")).log
    events = [event.data for event in sample_of(log, back).events if event.event == "info"][-2:]
    assert not log.invalidated
    assert sample_of(log, back).invalidation is None
    assert [data["action"] for data in events] == ["invalidate_sample", "uninvalidate_sample"]
    assert events[1]["invalidation"]["reason"] == "Leaked."


@pytest.mark.parametrize(
    "details",
    [wrong(), {"type": "note", "text": "Seen."}, {"type": "invalidate_sample", "reason": "Leaked."}],
    ids=lambda details: str(details["type"]),
)
def test_same_request_twice_changes_nothing_twice(log: EvalLog, details: dict[str, Any]):
    edit = placed(log, details)
    once = apply_edits(log, (edit,), order_of(edit)).log
    before = once.model_dump_json()

    again = apply_edits(once, (edit,), order_of(edit))

    assert not again.is_changed
    assert again.log.model_dump_json() == before


def test_another_request_may_say_the_same(log: EvalLog):
    edit = placed(log, wrong())
    once = apply_edits(log, (edit,), order_of(edit)).log

    again = apply_edits(once, (edit,), order_of(edit, request="request-2"))

    assert again.is_changed
    assert len(sample_of(again.log, edit).scores["match"].history) == 3


def test_score_that_was_not_there_is_added(log: EvalLog):
    edit = placed(log, wrong("by hand", value=0.25))

    score = sample_of(apply_edits(log, (edit,), order_of(edit)).log, edit).scores["by hand"]

    assert score.value == 0.25
    assert len(score.history) == 1


def test_new_score_without_a_value_is_refused(log: EvalLog):
    edit = placed(log, {"type": "score_edit", "scorer": "by hand", "answer": "x", "reason": "?"})

    with pytest.raises(ValueError, match="without providing a value"):
        apply_edits(log, (edit,), order_of(edit))


def test_older_sample_is_found_by_id_and_epoch_and_then_has_its_uuid(eval_logs: Path):
    log = read_eval_log(str(eval_logs / WITHOUT_UUIDS))
    edit = placed(log, {"type": "invalidate_sample", "reason": "Leaked."}, sample=3)

    log = apply_edits(log, (edit,), order_of(edit)).log

    invalid = [sample for sample in log.samples or [] if sample.invalidation]
    assert [sample.uuid for sample in invalid] == [edit.sample_uuid]


def test_sample_that_is_not_there_is_said_to_be_missing(log: EvalLog):
    edit = placed(log, wrong()).model_copy(update={"sample_uuid": "nobody's"})

    with pytest.raises(NotFound, match="nobody's"):
        apply_edits(log, (edit,), order_of(edit))


def test_log_that_is_still_written_is_left_alone(tmp_path: Path):
    log = read_eval_log(str(small_log(tmp_path / "a.eval", status="started")))
    edit = placed(log, wrong())

    with pytest.raises(Conflict, match="still being written"):
        apply_edits(log, (edit,), order_of(edit))
