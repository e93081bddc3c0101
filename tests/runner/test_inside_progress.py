"""The board of progress and how it gets to S3."""

import json
import time
from collections.abc import Iterator

import pytest
from inspect_ai.log import EvalConfig, EvalDataset, EvalError, EvalLog, EvalSample, EvalSampleSummary, EvalSpec
from inspect_ai.log._log import EvalSampleLimit
from inspect_ai.scorer import Score

from hawk.object_store import s3_client
from hawk.progress import merge_progress
from hawk.settings import ObjectStoreSettings
from runner.inside.folder import S3Folder
from runner.inside.progress import MAX_SAMPLES_LISTED, ProgressBoard, TaskRow
from runner.inside.progress_writer import ProgressWriter


def spec(task_id: str, eval_id: str, *, task: str = "p/t", model: str = "openai/m", samples: int = 2) -> EvalSpec:
    return EvalSpec(
        created="2026-01-01T00:00:00+00:00",
        task=task,
        task_id=task_id,
        eval_id=eval_id,
        model=model,
        dataset=EvalDataset(sample_ids=list(range(samples))),
        config=EvalConfig(epochs=2),
    )


def sample(number: int, *, error: str | None = None, limit: str | None = None) -> EvalSample:
    return EvalSample(
        id=number,
        epoch=1,
        input="hello",
        target="",
        scores={"includes": Score(value="C")},
        error=EvalError(message=error, traceback="", traceback_ansi="") if error else None,
        limit=EvalSampleLimit(type="message", limit=3) if limit else None,
        total_time=1.5,
    )


def summary(number: int) -> EvalSampleSummary:
    return EvalSampleSummary(id=number, epoch=1, input="hello", target="")


@pytest.fixture
def board() -> ProgressBoard:
    board = ProgressBoard("set-1", attempt_number=2)
    board.expect([TaskRow("p/t", "openai/m", "p/s"), TaskRow("p/t", "openai/n", None)], reused={})
    return board


def test_grid_is_pending_before_it_runs(board: ProgressBoard) -> None:
    content = board.snapshot()

    assert (content["eval_set_id"], content["attempt_number"], content["state"]) == ("set-1", 2, "starting")
    assert content["first_sample_at"] is None
    assert [(row["model"], row["solver"], row["state"]) for row in content["tasks"]] == [
        ("openai/m", "p/s", "pending"),
        ("openai/n", None, "pending"),
    ]


def test_samples_are_counted_by_how_they_ended(board: ProgressBoard) -> None:
    board.task_started(spec("task-1", "eval-1", samples=4))
    for number in range(4):
        board.sample_started("eval-1", summary(number))
    board.sample_ended("eval-1", sample(0))
    board.sample_ended("eval-1", sample(1, error="it fell over"))
    board.sample_ended("eval-1", sample(2, limit="message"))

    row = board.snapshot()["tasks"][0]

    assert (row["total_samples"], row["completed_samples"], row["failed_samples"]) == (8, 2, 1)
    assert [entry["state"] for entry in row["samples"]] == ["success", "error", "limit", "running"]
    assert row["samples"][1]["message"] == "it fell over"
    assert row["samples"][0]["scores"] == {"includes": "C"}


def test_retried_task_keeps_its_row_and_the_samples_that_ended_well(board: ProgressBoard) -> None:
    board.task_started(spec("task-1", "eval-1"))
    board.sample_started("eval-1", summary(0))
    board.sample_ended("eval-1", sample(0))
    board.sample_started("eval-1", summary(1))
    board.sample_ended("eval-1", sample(1, error="it fell over"))

    board.task_started(spec("task-1", "eval-2"))

    row, other = board.snapshot()["tasks"]
    assert (row["eval_id"], row["completed_samples"], row["failed_samples"]) == ("eval-2", 1, 0)
    assert other["state"] == "pending"


def test_samples_of_earlier_runs_count_as_completed() -> None:
    board = ProgressBoard("set-1", attempt_number=1)
    board.expect([TaskRow("p/t", "openai/m", None)], reused={"task-1": 3})
    board.task_started(spec("task-1", "eval-2", samples=2))
    board.sample_started("eval-2", summary(1))
    board.sample_ended("eval-2", sample(1))

    assert board.snapshot()["tasks"][0]["completed_samples"] == 4


def test_what_still_runs_when_its_task_ends_was_cancelled(board: ProgressBoard) -> None:
    board.task_started(spec("task-1", "eval-1"))
    board.sample_started("eval-1", summary(0))

    board.task_ended(EvalLog(eval=spec("task-1", "eval-1"), status="cancelled"))

    row = board.snapshot()["tasks"][0]
    assert row["state"] == "cancelled"
    assert row["samples"][0]["state"] == "cancelled"


def test_long_lists_keep_what_runs_and_what_failed(board: ProgressBoard) -> None:
    board.task_started(spec("task-1", "eval-1"))
    for number in range(MAX_SAMPLES_LISTED + 50):
        board.sample_started("eval-1", summary(number))
        if number != 7:
            board.sample_ended("eval-1", sample(number, error="it fell over" if number == 8 else None))

    row = board.snapshot()["tasks"][0]

    assert len(row["samples"]) == MAX_SAMPLES_LISTED
    assert [entry["sample_id"] for entry in row["samples"][:2]] == ["7", "8"]
    assert row["completed_samples"] == MAX_SAMPLES_LISTED + 48


def test_readers_of_progress_understand_what_is_written(board: ProgressBoard) -> None:
    board.task_started(spec("task-1", "eval-1"))
    board.sample_started("eval-1", summary(0))

    progress = merge_progress([json.dumps(board.snapshot()).encode()])

    assert len(progress.tasks) == 2
    assert progress.first_sample_at is not None


@pytest.fixture
def folder(object_store: ObjectStoreSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Folder]:
    assert object_store.s3_endpoint_url and object_store.s3_access_key_id and object_store.s3_secret_access_key
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", object_store.s3_endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", object_store.s3_access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", object_store.s3_secret_access_key.get_secret_value())
    monkeypatch.setenv("AWS_REGION", object_store.s3_region)
    monkeypatch.setenv("AWS_DEFAULT_REGION", object_store.s3_region)
    yield S3Folder(f"s3://{object_store.bucket}/evals/set-1")


def test_last_state_is_written_and_unchanged_ones_are_not(
    board: ProgressBoard, folder: S3Folder, object_store: ObjectStoreSettings
) -> None:
    writer = ProgressWriter(board, folder, "set-1")
    writer.start()
    time.sleep(1.5)
    [first] = folder.list(".progress")
    time.sleep(1.5)
    [second] = folder.list(".progress")
    board.finish("success")

    writer.stop()

    body = s3_client(object_store).get_object(Bucket=object_store.bucket, Key="evals/set-1/.progress/set-1.json")[
        "Body"
    ]
    assert first.modified_at == second.modified_at
    assert json.loads(body.read())["state"] == "success"


def test_store_that_does_not_answer_does_not_end_the_run(
    board: ProgressBoard, folder: S3Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    writer = ProgressWriter(board, S3Folder("s3://hawk/evals/set-1"), "set-1")

    writer.start()
    writer.stop()


def test_files_of_the_folder_are_listed_read_and_removed(folder: S3Folder) -> None:
    folder.write(".commands/stop.json", b"{}")

    assert [file.name for file in folder.list(".commands")] == [".commands/stop.json"]
    assert folder.read(".commands/stop.json") == b"{}"
    folder.remove(".commands/stop.json")
    assert folder.list(".commands") == []
    with pytest.raises(FileNotFoundError):
        folder.read(".commands/stop.json")
