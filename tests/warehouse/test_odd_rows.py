"""What older or later versions of Inspect write differently becomes rows all the same."""

from typing import Any

import msgspec
import pytest
from inspect_ai.scorer import Score

from hawk.warehouse.log_archive import BrokenLog
from hawk.warehouse.log_sample import sample_of_json
from hawk.warehouse.rows import AttachmentRow, EventRow, MessageRow, SampleRow, ScoreRow
from hawk.warehouse.sample_rows import SampleContext, sample_batches

SAMPLE = {"id": 1, "epoch": 1, "input": "hello", "target": "x"}


def rows_of(**fields: Any) -> dict[type, list[Any]]:
    context = SampleContext(import_id=1, eval_id="e", first_scorer="the scorer")
    sample = sample_of_json(msgspec.json.encode({**SAMPLE, **fields}), "the sample")
    found: dict[type, list[Any]] = {}
    for batch in sample_batches(context, sample, "uuid"):
        assert all(type(row) is batch.kind for row in batch.rows)
        found.setdefault(batch.kind, []).extend(batch.rows)
    return found


def meant(value: bytes) -> Any:
    return msgspec.json.decode(value.removeprefix(b"\x01"))


def test_error_of_a_tool_in_logs_of_2024_is_an_error_as_inspect_reads_it() -> None:
    (row,) = rows_of(messages=[{"role": "tool", "content": "", "tool_error": "too long"}])[MessageRow]

    assert meant(row.tool_error) == {"type": "unknown", "message": "too long"}
    assert row.other is None


def test_message_that_answers_several_calls_keeps_their_ids() -> None:
    (row,) = rows_of(messages=[{"role": "user", "content": "x", "tool_call_id": ["a", "b"]}])[MessageRow]

    assert row.tool_call_id is None
    assert meant(row.other) == {"tool_call_id": ["a", "b"]}


def test_reason_that_older_logs_keep_in_the_metadata_is_read_as_inspect_does() -> None:
    score = {"value": float("nan"), "metadata": {"unscored_reason": "refusal"}}

    (row,) = rows_of(scores={"s": {**score, "value": None}})[ScoreRow]

    assert row.reason == "refusal" == Score.model_validate(score).reason


@pytest.mark.parametrize(
    ("field", "value"),
    [("model", {"name": "m"}), ("retries", "many"), ("retries", 2**40), ("error", [1]), ("output", [1]), ("role", 5),
     ("working_start", "soon"), ("timestamp", 12.5), ("intermediate", "yes")],
)  # fmt: skip
def test_event_with_a_field_of_another_kind_is_kept(field: str, value: Any) -> None:
    event = {"event": "of a later version", "uuid": "e1", "span_id": "s1", field: value}

    (row,) = rows_of(events=[event])[EventRow]

    assert (row.kind, row.event_uuid, row.span_id) == ("of a later version", "e1", "s1")
    assert meant(row.data) == event


def test_event_whose_kind_is_no_text_is_refused() -> None:
    with pytest.raises(BrokenLog, match="Sample 1, epoch 1"):
        rows_of(events=[{"event": 5}])


def test_transcript_of_2024_gives_events_attachments_and_the_score_its_scorer() -> None:
    found = rows_of(
        transcript={"events": [{"event": "state"}], "content": {"abc": "long"}},
        score={"value": "C"},
        messages=[{"role": "user", "content": "tc://abc"}],
    )

    assert [row.kind for row in found[EventRow]] == ["state"]
    assert [(row.hash, row.content) for row in found[AttachmentRow]] == [("abc", "long")]
    assert [row.text for row in found[MessageRow]] == ["long"]
    assert [(row.scorer, row.value_number) for row in found[ScoreRow]] == [("the scorer", 1.0)]
    assert found[SampleRow][0].other is None


def test_large_transcript_comes_in_batches_of_a_megabyte() -> None:
    context = SampleContext(import_id=1, eval_id="e", first_scorer=None)
    events = [{"event": "info", "data": "x" * 10_000} for _ in range(500)]
    sample = sample_of_json(msgspec.json.encode({**SAMPLE, "events": events}), "the sample")

    batches = [batch for batch in sample_batches(context, sample, "uuid") if batch.kind is EventRow]

    assert sum(len(batch.rows) for batch in batches) == 500
    assert all(batch.size_bytes < 1_100_000 for batch in batches)
    assert [row.event_index for batch in batches for row in batch.rows if isinstance(row, EventRow)] == list(range(500))
