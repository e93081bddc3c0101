"""Requests to edit logs, carried out by Dagster's job and a launcher whose jobs a test moves."""

import json
from typing import Any

import pytest

from assets.edit_logs import apply_edit_request
from hawk.edit_requests import EditedLog, create_request, logs_of_request
from hawk.errors import Conflict, Upstream
from hawk.job_launcher import JobPhase, SubmitOutcome
from hawk.job_spec import JobSpec
from hawk.log_edits import PlacedEdit
from hawk.object_store import s3_client
from hawk.settings import ObjectStoreSettings
from orchestration.edits import apply_edits
from tests.fakes.job_launcher import FakeJobLauncher
from tests.fakes.orchestrator import Orchestrator, orchestrator

REQUEST = "edit-0123456789abcdef"
NOTE = PlacedEdit.model_validate(
    {"position": 0, "sample_uuid": "u", "sample_id": "1", "epoch": 1, "details": {"type": "note", "text": "Seen."}}
)


class EditingLauncher(FakeJobLauncher):
    """Ends each job at once; `results` is what the jobs leave on S3."""

    def __init__(self, settings: ObjectStoreSettings) -> None:
        super().__init__()
        self.settings = settings
        self.results: dict[str, dict[str, Any]] = {}
        self.phase = JobPhase.SUCCEEDED
        self.submitted: list[tuple[JobSpec, dict[str, str]]] = []

    def submit(self, spec: JobSpec, secrets) -> SubmitOutcome:
        outcome = super().submit(spec, secrets)
        self.submitted.append((spec, dict(secrets)))
        assert spec.edits is not None
        told = [{"log": log.log, **self.results[log.log]} for log in spec.edits.logs if log.log in self.results]
        key = f"{spec.infra.log_dir.split('/', 3)[3]}/.edits/{spec.job_id}.json"
        body = json.dumps({"edit_request_id": spec.edits.edit_request_id, "results": told}).encode()
        s3_client(self.settings).put_object(Bucket=self.settings.bucket, Key=key, Body=body)
        self.move(spec.job_id, self.phase, message="It ran out of memory." if self.phase is JobPhase.FAILED else "")
        return outcome


@pytest.fixture
def hawk(database_url: str, object_store: ObjectStoreSettings, tmp_path) -> Orchestrator:
    made = orchestrator(database_url, object_store, tmp_path, job_token_key="k" * 40, api_url="http://api.example")
    made.launcher = EditingLauncher(made.settings)
    return made


def ask(hawk: Orchestrator, *logs: str, needs_approval: bool = False) -> str:
    eval_set_id = hawk.claim()
    edited = [EditedLog(eval_set_id=eval_set_id, log=log, eval_id="e", edits=(NOTE,)) for log in logs]
    with hawk.connect() as connection:
        create_request(connection, REQUEST, edited, created_by="ada", email=None, needs_approval=needs_approval)
    return eval_set_id


def run(hawk: Orchestrator, **changes: Any):
    settings = hawk.settings.model_copy(update=changes)
    return apply_edit_request(settings, hawk.launcher, REQUEST, dagster_run_id="run", poll_seconds=0.0)


def test_job_of_the_set_edits_its_logs_and_each_result_is_kept(hawk: Orchestrator):
    ask(hawk, "a.eval", "b.eval")
    hawk.launcher.results = {
        "a.eval": {"state": "applied", "etag_before": "1", "etag_after": "2", "metrics": "recomputed"},
        "b.eval": {"state": "failed", "reason": "There is no such log any more."},
    }

    request, logs = run(hawk)

    [(spec, environment)] = hawk.launcher.submitted
    assert (request.state, [log.state for log in logs]) == ("partly_applied", ["applied", "failed"])
    assert logs[1].reason == "There is no such log any more."
    assert (spec.job_type, spec.job_id) == ("edit", f"{REQUEST}-1")
    assert environment["HAWK_JOB_TYPE"] == "edit"
    assert "OPENAI_API_KEY" not in environment
    assert hawk.launcher.jobs == {}


def test_log_that_a_dead_job_did_not_come_to_has_failed_with_its_reason(hawk: Orchestrator):
    ask(hawk, "a.eval", "b.eval")
    hawk.launcher.phase = JobPhase.FAILED
    hawk.launcher.results = {"a.eval": {"state": "applied"}}

    request, logs = run(hawk)

    assert request.state == "partly_applied"
    assert "ran out of memory" in logs[1].reason


def test_job_that_does_not_end_in_time_is_gone_on_with(hawk: Orchestrator):
    ask(hawk, "a.eval")
    hawk.launcher.phase = JobPhase.RUNNING
    hawk.launcher.results = {"a.eval": {"state": "applied"}}
    with pytest.raises(Upstream, match="not ended in time"):
        run(hawk, edit_wait_minutes=0)
    hawk.launcher.move(f"{REQUEST}-1", JobPhase.SUCCEEDED)
    hawk.launcher.phase = JobPhase.SUCCEEDED

    request, _ = run(hawk)

    assert request.state == "applied"


def test_request_that_waits_for_approval_or_has_ended_is_not_carried_out(hawk: Orchestrator):
    ask(hawk, "a.eval", needs_approval=True)

    with pytest.raises(Conflict, match="waiting_for_approval"):
        run(hawk)

    assert hawk.launcher.submitted == []


def test_dagsters_job_tells_of_what_it_did(hawk: Orchestrator):
    ask(hawk, "a.eval")
    hawk.launcher.results = {"a.eval": {"state": "applied"}}

    result = apply_edits.execute_in_process(
        run_config={"edit_request_id": REQUEST}, instance=hawk.instance, resources=hawk.resources
    )

    with hawk.connect() as connection:
        assert [log.state for log in logs_of_request(connection, REQUEST)] == ["applied"]
    assert result.success
