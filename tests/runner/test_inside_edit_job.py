"""Edits of logs on a real S3: conditional writes, others who write meanwhile, and stores that refuse."""

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, WriteConflictError, read_eval_log, resolve_sample_attachments

from hawk.errors import Upstream, UserError
from hawk.log_edits import EditOrder, EditResults, LogEdits
from hawk.object_store import s3_client
from hawk.settings import ObjectStoreSettings
from runner.inside.edit_job import edit_log, edit_logs, translated_store_errors
from runner.inside.folder import S3Folder
from runner.inside.log_edits import sample_of
from tests.fakes.inspect_logs import run
from tests.fakes.refusing_store import RefusingStore
from tests.fakes.small_logs import small_log
from tests.runner.test_inside_log_edits import placed, wrong

DEFLATED = "2025-11-07T10-59-47-05-00_websearch-addition-problem_LqPDntDnkk4h2fSqQ8i6CE.eval"


class Store:
    """A set's folder on S3 with one log in it."""

    def __init__(self, settings: ObjectStoreSettings, log: Path) -> None:
        self.s3 = s3_client(settings)
        self.bucket = settings.bucket
        self.name = log.name
        self.set_id = uuid.uuid4().hex[:12]
        self.log_dir = f"s3://{settings.bucket}/evals/{self.set_id}"
        self.folder = S3Folder(self.log_dir)
        self.s3.put_object(Bucket=self.bucket, Key=f"evals/{self.set_id}/{log.name}", Body=log.read_bytes())

    @property
    def location(self) -> str:
        return f"{self.log_dir}/{self.name}"

    @property
    def content(self) -> bytes:
        return self.s3.get_object(Bucket=self.bucket, Key=f"evals/{self.set_id}/{self.name}")["Body"].read()

    def log(self) -> EvalLog:
        return read_eval_log(self.location)

    def order(self, details: dict[str, Any], *, request: str = "request-1", sample: int = 0) -> EditOrder:
        edit = placed(self.log(), details, sample=sample)
        logs = (LogEdits(log=self.name, edits=(edit,)),)
        return EditOrder(edit_request_id=request, author="ada", memory_bytes=2**32, logs=logs)


def told(log: EvalLog) -> dict[str, Any]:
    """Return all that a log says; where long texts lie in it is Inspect's to choose."""
    samples = [
        resolve_sample_attachments(sample, "full").model_dump(exclude={"attachments"}) for sample in log.samples or []
    ]
    return {**log.model_dump(exclude={"etag", "location", "samples"}), "samples": samples}


@pytest.fixture
def environment(shared_object_store: ObjectStoreSettings, monkeypatch: pytest.MonkeyPatch) -> ObjectStoreSettings:
    """Give inspect_ai's S3 access the tests' store, as a job's environment does."""
    object_store = shared_object_store
    assert object_store.s3_secret_access_key is not None
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", str(object_store.s3_endpoint_url))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", str(object_store.s3_access_key_id))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", object_store.s3_secret_access_key.get_secret_value())
    monkeypatch.setenv("AWS_DEFAULT_REGION", object_store.s3_region)
    return object_store


@pytest.fixture
def store(environment: ObjectStoreSettings, tmp_path: Path) -> Store:
    return Store(environment, small_log(tmp_path / "a.eval", samples=3))


@pytest.fixture(scope="module")
def zstd_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("zstd"), "edited", [Sample(input="Say 1.", target="1")])


@pytest.mark.parametrize("kind", ["deflate", "zstd", "json"])
def test_log_of_each_format_is_rewritten_with_all_else_as_it_was(
    environment: ObjectStoreSettings, eval_logs: Path, zstd_log: Path, tmp_path: Path, kind: str
):
    json_log = small_log(tmp_path / "2026-05-01T12-00-00_a.json")
    store = Store(environment, {"deflate": eval_logs / DEFLATED, "zstd": zstd_log, "json": json_log}[kind])
    before = store.log()
    order = store.order({"type": "note", "text": "Looked at."})

    result = edit_log(order.logs[0], order, store.location)

    after = store.log()
    events = (after.samples or [])[0].events
    note = events.pop()
    assert result.state == "applied"
    assert result.etag_before != result.etag_after == after.etag
    assert note.event == "info"
    assert note.data == {
        "author": "ada", "action": "note", "text": "Looked at.", "edit_request_id": "request-1", "position": 0,
    }  # fmt: skip
    assert told(after) == told(before)


def test_edit_made_meanwhile_is_kept(store: Store):
    mine, others = store.order(wrong(), sample=0), store.order(wrong(value=0.5), request="request-2", sample=1)
    reads = 0

    def read_and_be_overtaken(location: str) -> EvalLog:
        nonlocal reads
        reads += 1
        log = read_eval_log(location)
        if reads == 1:
            assert edit_log(others.logs[0], others, location).state == "applied"
        return log

    result = edit_log(mine.logs[0], mine, store.location, read=read_and_be_overtaken)

    log = store.log()
    assert (result.state, result.tries) == ("applied", 2)
    assert sample_of(log, mine.logs[0].edits[0]).scores["match"].value == "I"
    assert sample_of(log, others.logs[0].edits[0]).scores["match"].value == 0.5


def test_edits_of_one_sample_from_two_at_once_both_come_to_be_in_it(store: Store):
    orders = [store.order(wrong(value=n / 10), request=f"request-{n}") for n in range(2)]
    results: list[str] = []

    def run_and_keep(order: EditOrder) -> None:
        results.append(edit_log(order.logs[0], order, store.location).state)

    threads = [
        threading.Thread(
            target=lambda order=order: results.append(edit_log(order.logs[0], order, store.location).state)
        )
        for order in orders
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    history = sample_of(store.log(), orders[0].logs[0].edits[0]).scores["match"].history
    assert results == ["applied"] * 2
    assert {entry.provenance.metadata["edit_request_id"] for entry in history if entry.provenance} == {
        f"request-{n}" for n in range(2)
    }


def test_one_edit_that_cannot_be_leaves_the_log_byte_for_byte(store: Store):
    before = store.content
    good, bad = store.order(wrong()).logs[0].edits[0], store.order(wrong()).logs[0].edits[0]
    bad = bad.model_copy(update={"sample_uuid": "nobody's", "position": 1})
    order = store.order(wrong()).model_copy(update={"logs": (LogEdits(log=store.name, edits=(good, bad)),)})

    result = edit_log(order.logs[0], order, store.location)

    assert result.state == "failed"
    assert "nobody's" in result.reason
    assert store.content == before


def test_log_that_is_gone_is_said_to_be(store: Store):
    order = store.order(wrong())

    result = edit_log(order.logs[0], order, f"{store.log_dir}/gone.eval")

    assert (result.state, result.reason) == ("failed", "There is no such log any more.")


def test_job_that_comes_again_finds_what_it_did(store: Store):
    order = store.order(wrong())
    edit_logs(order, store.log_dir, store.folder, results_name=".edits/job.json")
    before = store.content

    troubles = edit_logs(order, store.log_dir, store.folder, results_name=".edits/job.json")

    results = EditResults.model_validate_json(store.folder.read(".edits/job.json"))
    assert troubles == []
    assert [result.state for result in results.results] == ["applied"]
    assert store.content == before


@pytest.fixture
def refusing(store: Store, environment: ObjectStoreSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made: list[RefusingStore] = []

    def begin(status: int, code: str) -> RefusingStore:
        made.append(RefusingStore(str(environment.s3_endpoint_url), status=status, code=code))
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", made[0].url)
        return made[0]

    yield begin
    for server in made:
        server.close()


@pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (403, "AccessDenied")])
def test_store_that_refuses_conditional_writes_is_named_and_nothing_is_written(
    store: Store, refusing: Any, status: int, code: str
):
    order, before = store.order(wrong()), store.content
    refuser = refusing(status, code)

    result = edit_log(order.logs[0], order, store.location)

    assert refuser.refused == 1
    assert result.state == "failed"
    assert code in result.reason
    assert store.content == before


@pytest.mark.parametrize(
    ("status", "code", "meant"),
    [
        (503, "SlowDown", Upstream),
        (500, "InternalError", Upstream),
        (412, "PreconditionFailed", WriteConflictError),
        (409, "ConditionalRequestConflict", WriteConflictError),
        (404, "NoSuchKey", FileNotFoundError),
        (501, "NotImplemented", UserError),
        (403, "AccessDenied", UserError),
    ],
)
def test_each_answer_of_a_store_means_what_it_says(status: int, code: str, meant: type[Exception]):
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}

    with pytest.raises(meant), translated_store_errors():
        raise ClientError(answer, "PutObject")


def test_log_that_the_store_is_in_trouble_with_is_left_to_another_attempt(store: Store):
    order, before = store.order(wrong()), store.content

    def fail(location: str) -> EvalLog:
        raise Upstream("The store is in trouble: SlowDown.")

    [trouble] = edit_logs(order, store.log_dir, store.folder, results_name=".edits/job.json", read=fail)

    assert "SlowDown" in trouble
    assert store.content == before


def test_log_that_others_write_all_the_time_is_given_up_in_the_end(store: Store, refusing: Any):
    order = store.order(wrong())
    refuser = refusing(412, "PreconditionFailed")

    with pytest.raises(Upstream, match="2 times"):
        edit_log(order.logs[0], order, store.location, max_tries=2)

    assert refuser.refused == 2


def test_log_beyond_the_memory_limit_is_refused_and_stays(store: Store):
    order, before = store.order(wrong()), store.content

    def run_out(location: str) -> EvalLog:
        raise MemoryError

    result = edit_log(order.logs[0], order, store.location, read=run_out)

    assert "within 4.0 GiB" in result.reason
    assert store.content == before
