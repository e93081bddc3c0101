"""A log is read in pieces with the same result as at once, whatever its size and layout, and in little memory."""

import dataclasses
import json
import random
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from inspect_ai.log import read_eval_log
from inspect_ai.log._recorders.chunked import convert_eval_logs_to_chunked

from hawk.errors import Upstream
from hawk.warehouse.eval_rows import summarize
from hawk.warehouse.json_cursor import JsonCursor, JsonText, MalformedJson
from hawk.warehouse.log_archive import BrokenLog
from hawk.warehouse.log_source import BytesSource
from hawk.warehouse.read_limits import DEFAULT_LIMITS
from hawk.warehouse.reader import open_file, open_log
from hawk.warehouse.rows import MAX_JSON_BYTES
from hawk.warehouse.sample_rows import SampleContext, sample_batches, uuid_of

REAL_LOGS = sorted((Path(__file__).parent.parent / "data" / "evals").glob("*.eval"))
MADE_KINDS = ("plain", "sample_errors", "edited", "started", "json")
IN_PIECES = dataclasses.replace(DEFAULT_LIMITS, sample_memory_bytes=1)


@pytest.fixture(params=[*REAL_LOGS, *MADE_KINDS], ids=lambda log: log.stem if isinstance(log, Path) else log)
def path(request: pytest.FixtureRequest) -> Path:
    if isinstance(request.param, Path):
        return request.param
    made: dict[str, Path] = request.getfixturevalue("logs_by_kind")
    return made[request.param]


def rows_of(path: Path, **limits: Any) -> dict[str, list[Any]]:
    """Return the rows of a log's samples by their kind; JSON as what it means."""
    log = open_file(path, **limits)
    summary = summarize(log)
    context = SampleContext(import_id=1, eval_id=summary.eval_id, first_scorer=summary.first_scorer)
    rows: dict[str, list[Any]] = {}
    for sample in log.samples():
        for batch in sample_batches(context, sample, uuid_of(summary.eval_id, sample.record)):
            values = [{name: meant(value) for name, value in row._asdict().items()} for row in batch.rows]
            rows.setdefault(batch.kind.__name__, []).extend(values)
    log.close()
    return rows


def meant(value: Any) -> Any:
    return msgspec.json.decode(value.removeprefix(b"\x01")) if isinstance(value, bytes) else value


def test_sample_in_pieces_has_the_rows_of_the_sample_at_once(path: Path) -> None:
    assert rows_of(path, limits=IN_PIECES) == rows_of(path)


@pytest.fixture(scope="module")
def chunked(tmp_path_factory: pytest.TempPathFactory, logs_by_kind: dict[str, Path]) -> dict[str, Path]:
    """Return logs as Inspect converts them to its layout in chunks, here of three entries, by kind."""
    sources, target = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("chunked")
    logs = {"plain": logs_by_kind["plain"], "errors": logs_by_kind["sample_errors"], "real": REAL_LOGS[-1]}
    for kind, log in logs.items():
        shutil.copy(log, sources / f"2026-01-01T00-00-00+00-00_{kind}_x.eval")
        source = str(sources / f"2026-01-01T00-00-00+00-00_{kind}_x.eval")
        convert_eval_logs_to_chunked(source, str(target), chunk_size=3, attachments_chunk_bytes=2000)
    return {kind: target / f"2026-01-01T00-00-00+00-00_{kind}_x.eval" for kind in logs} | {"source": sources}


@pytest.mark.parametrize("kind", ["plain", "errors", "real"])
@pytest.mark.parametrize("limits", [DEFAULT_LIMITS, IN_PIECES], ids=["at once", "in pieces"])
def test_sample_in_chunks_has_the_rows_of_the_sample_at_once(chunked: dict[str, Path], kind: str, limits: Any) -> None:
    source = chunked["source"] / chunked[kind].name
    expected, found = rows_of(source), rows_of(chunked[kind], limits=limits)

    def columns(rows: list[dict[str, Any]], *left_out: str) -> list[dict[str, Any]]:
        in_order = sorted(rows, key=lambda row: row["sample_uuid"])
        return [{name: value for name, value in row.items() if name not in left_out} for row in in_order]

    # What refers to attachments says so by their number instead of their hash.
    refers = ("content", "input", "output", "metadata", "store", "other", "error_retries")
    assert columns(found["SampleRow"], *refers) == columns(expected["SampleRow"], *refers)
    assert columns(found["MessageRow"], "content", "tool_calls") == columns(
        expected["MessageRow"], "content", "tool_calls"
    )
    assert columns(found["EventRow"], "data", "error") == columns(expected["EventRow"], "data", "error")
    assert columns(found["ScoreRow"], "metadata", "history") == columns(expected["ScoreRow"], "metadata", "history")
    assert columns(found["SampleModelUsageRow"]) == columns(expected["SampleModelUsageRow"])
    attachments = [{row["content"] for row in rows.get("AttachmentRow", [])} for rows in (expected, found)]
    assert attachments[0] <= attachments[1]
    assert len(found["EventPoolRow"]) >= len(expected.get("EventPoolRow", []))


def test_events_in_chunks_are_what_inspect_reads(chunked: dict[str, Path]) -> None:
    log = read_eval_log(str(chunked["source"] / chunked["plain"].name), resolve_attachments="full")
    inputs = [
        [message.text for message in event.input]
        for sample in log.samples or []
        for event in sample.events
        if event.event == "model"
    ]

    assert list(inputs_by_reference(rows_of(chunked["plain"]))) == inputs


def inputs_by_reference(rows: dict[str, list[Any]]) -> Iterator[list[str]]:
    """Yield the input of each model call, put together from the pool and the attachments."""
    contents = {(row["sample_uuid"], row["hash"]): row["content"] for row in rows["AttachmentRow"]}
    pools: dict[str, list[Any]] = {}
    for row in rows["EventPoolRow"]:
        if row["pool"] == "message":
            pools.setdefault(row["sample_uuid"], []).append(row["data"])
    for event in rows["EventRow"]:
        if event["kind"] == "model":
            uuid = event["sample_uuid"]
            for_event = [pools[uuid][i] for first, end in event["data"]["input_refs"] for i in range(first, end)]
            texts = [message["content"] for message in for_event]
            yield [contents.get((uuid, text.removeprefix("attachment://")), text) for text in texts]


def large_document() -> Any:
    """Return JSON with parts that end just before and behind where the cursor's windows do."""
    rng = random.Random(3)
    sizes = [10, 65_530, 65_536, 65_545, 262_140, 262_150, 1_048_570, 1_048_580, 4_194_300, 4_194_310]
    letters = "".join(rng.choices(["a", "b", "\\", '"', "ü", "🦅", "\n"], k=5000))
    values: list[Any] = [(letters * (size // 5000 + 1))[:size] for size in sizes]
    values += [rng.random(), -12, 10**40, None, True, False, {}, [], "", [[[]]], {"": [1, {"x": "y"}]}]
    rng.shuffle(values)
    return {"list": values, "object": {str(index): value for index, value in enumerate(values)}, "last": 1}


@pytest.fixture(scope="module")
def document() -> Any:
    return large_document()


@pytest.mark.parametrize("indent", [None, 2])
def test_cursor_finds_the_values_of_any_size(document: Any, indent: int | None) -> None:
    data = json.dumps(document, indent=indent, ensure_ascii=False).encode()
    with JsonText([data[start : start + 100_000] for start in range(0, len(data), 100_000)], "a document") as text:
        cursor = JsonCursor(text)
        found: dict[str, Any] = {}
        for key in cursor.members():
            if key == "list":
                found[key] = [json.loads(bytes(value)) for value in cursor.values()]
            elif key == "object":
                begin = cursor.offset
                cursor.skip()
                inner = JsonCursor(text, begin)
                found[key] = {name: json.loads(bytes(inner.value())) for name in inner.members()}
                assert inner.offset == cursor.offset
            else:
                found[key] = json.loads(bytes(cursor.value()))

    assert found == document


def test_value_too_large_to_be_kept_says_how_large_it_is() -> None:
    with JsonText([b'{"a":"', b"x" * 3_000_000, b'","b":[1,', b"2," * 500_000, b"3]}"], "a document") as text:
        cursor = JsonCursor(text)
        found = {key: msgspec.json.decode(cursor.value(max_bytes=500_000)) for key in cursor.members()}

    assert found == {"a": {"hawk_omitted_bytes": 3_000_002}, "b": {"hawk_omitted_bytes": 1_000_005}}


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b'{"a"', b'{"a":', b'{"a":1', b'{"a":1,', b'{"a":1,}', b'{"a" 1}', b"{1:2}", b'{"a":[1,]}',
     b'{"a":[1 2]}', b'{"a":"x}', b'{"a":nul}', b'{"a":1.}', b'{"a":NaN}'],
)  # fmt: skip
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with JsonText([data], "a document") as text, pytest.raises(MalformedJson, match="a document is not what"):
        cursor = JsonCursor(text)
        for _ in cursor.members():
            cursor.skip()


@pytest.mark.parametrize("levels", [100_000, 6_000_000])
def test_json_nested_too_deeply_is_refused(levels: int) -> None:
    with JsonText([b"[" * levels], "a document") as text, pytest.raises(BrokenLog):
        JsonCursor(text).skip()


HEADER = {"status": "success", "eval": {"task": "t", "model": "m", "created": "2026-01-01T00:00:00Z", "eval_id": "e"}}


def test_numbers_that_are_none_are_null_in_pieces_too() -> None:
    sample = {"id": 1, "epoch": 1, "metadata": {"a": float("nan")}, "messages": [{"role": "user", "content": "NaN"}],
              "events": [{"event": "info", "data": [float("-inf"), "Infinity"]}]}  # fmt: skip
    document = json.dumps({**HEADER, "note": float("inf"), "samples": [sample, sample]}).encode()

    for limits in (DEFAULT_LIMITS, IN_PIECES):
        log = open_log(BytesSource("a log", document), limits)
        for read in log.samples():
            assert bytes(read.record.metadata).replace(b" ", b"") == b'{"a":null}'
            assert [json.loads(bytes(event))["data"] for event in read.transcript.events()] == [[None, "Infinity"]]
            assert [json.loads(bytes(message))["content"] for message in read.transcript.messages()] == ["NaN"]
        assert bytes(log.other["note"]) == b"null"
        log.close()


def test_two_logs_in_one_file_are_refused() -> None:
    document = json.dumps({**HEADER, "samples": []}).encode()

    with pytest.raises(BrokenLog, match="goes on behind its end"):
        open_log(BytesSource("a log", document + document))


def test_disk_without_room_is_trouble_that_may_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))

    with pytest.raises(Upstream, match="cannot be laid out"):
        open_log(BytesSource("a log", json.dumps({**HEADER, "samples": []}).encode()))


READ_AND_TELL_MEMORY = """
import resource, sys
from pathlib import Path
from hawk.warehouse.eval_rows import summarize
from hawk.warehouse.reader import open_file
from hawk.warehouse.sample_rows import SampleContext, sample_batches

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
log = open_file(Path(sys.argv[1]))
context = SampleContext(import_id=1, eval_id=summarize(log).eval_id, first_scorer=None)
rows = sum(len(batch.rows) for sample in log.samples() for batch in sample_batches(context, sample, "uuid"))
log.close()
print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("name", ["huge.eval", "huge.json"])
def test_sample_of_80_megabytes_is_read_in_30(tmp_path: Path, name: str) -> None:
    events = 1600
    event = b'{"event":"info","timestamp":"2026-01-01T00:00:00+00:00","data":"' + b"spam and ham " * 4000 + b'"}'
    sample = b'{"id":1,"epoch":1,"events":[' + b",".join([event] * events) + b'],"uuid":"u"}'
    assert MAX_JSON_BYTES < len(sample) > 80_000_000
    if name.endswith(".json"):
        (tmp_path / name).write_bytes(json.dumps(HEADER).encode()[:-1] + b',"samples":[' + sample + b"]}")
    else:
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("samples/1_epoch_1.json", sample)
            archive.writestr("header.json", json.dumps(HEADER))

    told = subprocess.run(
        [sys.executable, "-c", READ_AND_TELL_MEMORY, str(tmp_path / name)], capture_output=True, text=True, check=True
    )

    rows, megabytes = map(int, told.stdout.split())
    assert rows == events + 1
    assert megabytes < 30
