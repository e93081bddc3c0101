"""The rows of a log are those of Inspect's own tables of samples, messages and events."""

import warnings
from pathlib import Path
from typing import Any

import pandas
import pytest
from inspect_ai.analysis import EventInfo, EventTiming, events_df, messages_df, samples_df
from inspect_ai.log import read_eval_log_sample_summaries

from hawk.warehouse.eval_rows import summarize
from hawk.warehouse.reader import open_file
from hawk.warehouse.rows import EventRow, MessageRow, SampleRow, ScoreRow
from hawk.warehouse.sample_rows import SampleContext, sample_batches, uuid_of

REAL_LOGS = sorted((Path(__file__).parent.parent / "data" / "evals").glob("*.eval"))
MADE_KINDS = ("plain", "sample_errors", "cancelled", "edited")

Key = tuple[str, int]  # sample id, epoch


@pytest.fixture(
    scope="module", params=[*REAL_LOGS, *MADE_KINDS], ids=lambda log: log.stem if isinstance(log, Path) else log
)
def path(request: pytest.FixtureRequest) -> Path:
    made: dict[str, Path] = request.getfixturevalue("logs_by_kind")
    return made[request.param] if isinstance(request.param, str) else request.param


@pytest.fixture(scope="module")
def ours(path: Path) -> dict[type, dict[Key, list[Any]]]:
    """Return the rows of the complete samples, by kind and sample."""
    log = open_file(path)
    summary = summarize(log)
    context = SampleContext(import_id=1, eval_id=summary.eval_id, first_scorer=summary.first_scorer)
    rows: dict[type, dict[Key, list[Any]]] = {kind: {} for kind in (SampleRow, MessageRow, EventRow, ScoreRow)}
    for sample in log.samples():
        key = str(sample.record.id), sample.record.epoch
        for batch in sample_batches(context, sample, uuid_of(summary.eval_id, sample.record)):
            rows.setdefault(batch.kind, {}).setdefault(key, []).extend(batch.rows)
    log.close()
    return rows


@pytest.fixture(scope="module")
def samples(path: Path) -> pandas.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return samples_df(str(path), full=True, strict=True, quiet=True)


def keys_by_id(samples: pandas.DataFrame) -> dict[str, Key]:
    return {row["sample_id"]: (str(row["id"]), int(row["epoch"])) for row in records(samples)}


def records(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Return the table's rows, with None where pandas has one of its own kinds of nothing."""
    return [
        {
            str(name): None if pandas.api.types.is_scalar(value) and pandas.isna(value) else value
            for name, value in row.items()
        }
        for row in table.astype(object).to_dict("records")
    ]


def test_samples_are_those_of_samples_df(samples: pandas.DataFrame, ours: Any, path: Path) -> None:
    rows = {key: row for key, (row,) in ours[SampleRow].items()}

    assert {(str(row["id"]), row["epoch"]) for row in records(samples)} == set(rows)
    uuids = {(str(summary.id), summary.epoch): summary.uuid for summary in read_eval_log_sample_summaries(str(path))}
    for theirs in records(samples):
        row = rows[str(theirs["id"]), theirs["epoch"]]
        assert row.sample_uuid in (uuids.get((row.sample_id, row.epoch)), row.sample_uuid)
        assert (row.total_seconds, row.working_seconds) == (theirs["total_time"], theirs["working_time"])
        assert (row.total_tokens or 0) == (theirs["total_tokens"] or 0)
        assert (row.error_message or "") == (theirs["error"] or "")
        assert row.limit_type == theirs["limit"]
        assert row.message_count == theirs["message_count"] or theirs["message_count"] is None


def test_scores_are_those_of_samples_df(samples: pandas.DataFrame, ours: Any) -> None:
    for theirs in records(samples):
        scores = {
            row.scorer: row
            for row in ours[ScoreRow].get((str(theirs["id"]), theirs["epoch"]), [])
            if not row.score_index
        }
        expected = {name.removeprefix("score_"): value for name, value in theirs.items() if name.startswith("score_")}
        for scorer, value in expected.items():
            if scorer in scores and not isinstance(value, str):
                assert scores[scorer].value_number == (None if value is None else float(value))
            elif scorer in scores and not value.startswith(("{", "[")):
                assert scores[scorer].value.decode().strip('\x01"') == value
        assert set(scores) <= set(expected) | {name.split("_")[0] for name in expected}


def test_messages_are_those_of_messages_df(path: Path, samples: pandas.DataFrame, ours: Any) -> None:
    """It gathers the messages of all model calls; of those, the conversation's are ours, up to the last call."""
    if path.stem == "log_message_deduplication":
        return  # its calls refer to a pool of a development version, which Inspect leaves aside
    keys = keys_by_id(samples)
    theirs: dict[Key, list[Any]] = {}
    for row in records(messages_df(str(path), strict=True, quiet=True)):
        theirs.setdefault(keys[row["sample_id"]], []).append(
            (row["role"], row["source"], row["content"] or "", row["tool_call_id"], row["tool_call_function"])
        )

    for key, rows in ours[MessageRow].items():
        found = [(row.role, row.source, row.text or "", row.tool_call_id, row.tool_name) for row in rows]
        known = set(found)
        common = [message for message in dict.fromkeys(theirs.get(key, [])) if message in known]
        assert list(dict.fromkeys(found))[: len(common)] == common
        assert len(common) >= len(known) - 1


def test_events_are_those_of_events_df(path: Path, samples: pandas.DataFrame, ours: Any) -> None:
    keys = keys_by_id(samples)
    theirs: dict[Key, list[Any]] = {}
    for row in records(events_df(str(path), columns=EventInfo + EventTiming, strict=True, quiet=True)):
        theirs.setdefault(keys[row["sample_id"]], []).append(
            (row["event"], row["span_id"], row["timestamp"], row["completed"], row["working_time"])
        )

    found = {
        key: [(row.kind, row.span_id, row.started_at, row.completed_at, row.working_seconds) for row in rows]
        for key, rows in ours[EventRow].items()
    }

    assert found == theirs
