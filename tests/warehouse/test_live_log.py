"""While an eval runs, its samples are read from the buffer that Inspect shares beside the log."""

import shutil
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import transcript
from inspect_ai.log._recorders.buffer.filestore import SampleBufferFilestore
from inspect_ai.log._recover._reconstruct import MessageAccumulator, collapse_event_versions
from inspect_ai.model import ModelOutput, ModelUsage, execute_tools, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import Tool, tool

from hawk.errors import NotFound
from hawk.settings import ObjectStoreSettings
from hawk.warehouse.eval_rows import summarize
from hawk.warehouse.live_log import LiveLog, read_buffer
from hawk.warehouse.log_buffer import DiskBufferFolder, S3BufferFolder
from hawk.warehouse.log_sample import LogSample
from hawk.warehouse.reader import open_file
from hawk.warehouse.sample_rows import SampleContext, sample_batches, uuid_of

LONG_TEXT = "a long output of a tool " * 100


@tool
def shout() -> Tool:
    async def execute(text: str) -> str:
        """Shout.

        Args:
            text: What to shout.
        """
        return f"{text.upper()} {LONG_TEXT}"

    return execute


def talker(log_dir: Path, snapshots: Path) -> Solver:
    """Return a solver whose second sample copies the log folder while it is under way itself."""

    def answer(messages: list[Any], *_: object) -> ModelOutput:
        turn = sum(message.role == "assistant" for message in messages)
        output = ModelOutput.for_tool_call("mockllm/model", "shout", {"text": f"turn {turn}"}, content=f"turn {turn}")
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    async def shared(name: str, wanted: int) -> None:
        """Go on saying something until the buffer has been shared that often."""
        segments: set[Path] = set()
        with anyio.fail_after(30):
            while len(segments) < wanted:
                await anyio.sleep(0.2)
                transcript().info({"waiting": name})
                segments = set(log_dir.glob(".buffer/*/segment.*.zip"))
        shutil.copytree(log_dir, snapshots / name)

    @solver
    def solve() -> Solver:
        async def talk(state: TaskState, generate: Generate) -> TaskState:
            model = get_model("mockllm/model", custom_outputs=answer, memoize=False)
            for turn in range(3):
                state.output = await model.generate(state.messages, [shout()])
                state.messages.append(state.output.message)
                state.messages.extend((await execute_tools(state.messages, [shout()])).messages)
                if state.sample_id == "second" and turn == 0:
                    await shared("early", 1)
            if state.sample_id == "second":
                await shared("late", 3)
            return state

        return talk

    return solve()


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of copies of a log folder, made while the eval ran: early, late."""
    log_dir, copies = tmp_path_factory.mktemp("running"), tmp_path_factory.mktemp("snapshots")
    samples = [
        Sample(id=name, input=f"Say {name}.", target="x", metadata={"part": name}) for name in ("first", "second")
    ]
    task = Task(name="talk", dataset=MemoryDataset(samples), solver=talker(log_dir, copies))
    inspect_eval(task, model="mockllm/model", log_dir=str(log_dir), display="none", log_format="eval",
                 max_samples=1, log_buffer=1, log_shared=1)  # fmt: skip
    return copies


def opened(folder: Path) -> LiveLog:
    (path,) = folder.glob("*.eval")
    return read_buffer(open_file(path), DiskBufferFolder(path))


def rows_of(log: LiveLog, sample: LogSample) -> dict[str, list[Any]]:
    summary = summarize(log)
    context = SampleContext(import_id=1, eval_id=summary.eval_id, first_scorer=summary.first_scorer)
    rows: dict[str, list[Any]] = {}
    for batch in sample_batches(context, sample, uuid_of(summary.eval_id, sample.record)):
        rows.setdefault(batch.kind.__name__, []).extend(batch.rows)
    return rows


def test_running_sample_has_the_events_and_messages_that_inspect_would_recover(snapshots: Path) -> None:
    log = opened(snapshots / "late")
    (path,) = (snapshots / "late").glob("*.eval")
    filestore = SampleBufferFilestore(str(path), create=False)
    data = filestore.get_sample_data("second", 1)
    assert data is not None
    expected = collapse_event_versions(data.events)

    found = {str(sample.record.id): rows_of(log, sample) for sample in log.samples()}

    assert list(found) == ["first", "second"]
    (row,) = found["second"]["SampleRow"]
    assert (row.is_complete, row.sample_id, row.epoch) == (False, "second", 1)
    assert msgspec.json.decode(row.metadata.removeprefix(b"\x01")) == {"part": "second"}
    events = found["second"]["EventRow"]
    assert [event.event_uuid for event in events] == [event.event["uuid"] for event in expected]
    assert [event.kind for event in events if event.kind in ("model", "tool")] == ["model", "tool"] * 3
    assert [message.text for message in found["second"]["MessageRow"]][:3] == [
        "Say second.", "turn 0", f"TURN 0 {LONG_TEXT}",
    ]  # fmt: skip
    assert [message.role for message in found["second"]["MessageRow"]] == recovered_roles(data, expected)


def recovered_roles(data: Any, events: list[Any]) -> list[str]:
    from inspect_ai.event._pool import resolve_model_event_inputs
    from inspect_ai.event._validate import validate_chat_messages, validate_events

    pool = validate_chat_messages([msgspec.json.decode(entry.data) for entry in data.message_pool])
    accumulator = MessageAccumulator()
    accumulator.process_events(resolve_model_event_inputs(validate_events([event.event for event in events]), pool))
    return [message.role for message in accumulator.result()[0]]


def test_finished_sample_is_read_from_the_log(snapshots: Path) -> None:
    (first, _) = opened(snapshots / "late").samples()

    assert (first.record.id, first.is_complete) == ("first", True)


def test_version_changes_as_the_buffer_goes_on(snapshots: Path) -> None:
    early, late = opened(snapshots / "early"), opened(snapshots / "late")

    assert early.version == opened(snapshots / "early").version
    assert early.version != late.version


def test_sample_whose_segment_is_gone_is_known_by_its_summary(snapshots: Path, tmp_path: Path) -> None:
    shutil.copytree(snapshots / "late", tmp_path / "copy")
    next((tmp_path / "copy").glob(".buffer/*/segment.2.zip")).unlink()
    log = opened(tmp_path / "copy")

    (_, second) = log.samples()

    assert (second.record.id, second.is_complete) == ("second", False)
    assert rows_of(log, second).get("EventRow") is None
    assert log.lost == ["segment 2 of the buffer"]


def test_log_without_a_buffer_says_so(snapshots: Path, tmp_path: Path) -> None:
    (path,) = (snapshots / "late").glob("*.eval")
    shutil.copy(path, tmp_path / path.name)

    with pytest.raises(NotFound):
        opened(tmp_path)


def test_buffer_on_s3_is_that_on_disk(snapshots: Path, s3: Any, object_store: ObjectStoreSettings) -> None:
    folder = snapshots / "late"
    (path,) = folder.glob("*.eval")
    for file in folder.glob(".buffer/*/*"):
        s3.upload_file(str(file), object_store.bucket, f"evals/set/{file.relative_to(folder)}")

    live = read_buffer(open_file(path), S3BufferFolder(s3, object_store.bucket, f"evals/set/{path.name}"))

    assert live.version == opened(folder).version
    on_disk = {str(sample.record.id): repr(rows_of(live, sample)) for sample in opened(folder).samples()}
    assert {str(sample.record.id): repr(rows_of(live, sample)) for sample in live.samples()} == on_disk
