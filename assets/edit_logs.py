"""Carrying out requests to edit logs: what Dagster's job does, without Dagster.

A set's edits are a runner job of their own, in the set's own venv; nothing of a log or of its scorers is run here.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import Connection
from psycopg.rows import DictRow
from pydantic import ValidationError

from hawk.edit_requests import (
    EditLogRow,
    EditRequestRow,
    begin,
    edit_job_spec,
    logs_of_request,
    settle_logs,
    settle_request,
)
from hawk.errors import NotFound, Upstream, UserError
from hawk.eval_sets import edit_job_environment, eval_set_row
from hawk.ids import JobId
from hawk.job_launcher import JobLauncher, JobStatus
from hawk.log_edits import EditResults, LogEditResult, edit_results_name
from hawk.naming import eval_set_key
from hawk.object_store import s3_client
from hawk.settings import OrchestrationSettings
from hawk.warehouse.connection import connect

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

POLL_SECONDS = 1.0
NO_WORD = (
    "The edit job ended without a word of this log. Its history in the log says whether it was edited; asking for the "
    "same edits again is a request of its own."
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EditStores:
    """What carrying out edits works with."""

    settings: OrchestrationSettings
    launcher: JobLauncher
    s3: "S3Client"
    connection: Connection[DictRow]


def apply_edit_request(
    settings: OrchestrationSettings,
    launcher: JobLauncher,
    edit_request_id: str,
    *,
    dagster_run_id: str,
    poll_seconds: float = POLL_SECONDS,
) -> tuple[EditRequestRow, list[EditLogRow]]:
    """Start the request's jobs, or adopt those that run, wait for them, and return the request with all settled.

    Raises NotFound, and Conflict where it is not due; Upstream where the jobs do not end in time or something does not
    answer: the request is then still running, and the next call goes on with it.
    """
    with connect(settings, autocommit=True) as connection:
        stores = EditStores(settings, launcher, s3_client(settings), connection)
        request = begin(connection, edit_request_id, dagster_run_id=dagster_run_id)
        jobs = _jobs_due(connection, edit_request_id)
        for job_id, logs in list(jobs.items()):
            try:
                _submit(stores, request, logs)
            except (UserError, NotFound) as error:
                _settle(stores, request, job_id, logs, reason=str(error))
                del jobs[job_id]
        deadline = time.monotonic() + 60 * settings.edit_wait_minutes
        while jobs:
            for job_id, logs in list(jobs.items()):
                status = launcher.status(job_id)
                if status is None or status.phase.is_final:
                    _settle(stores, request, job_id, logs, reason=_why(status))
                    launcher.delete(job_id)
                    del jobs[job_id]
            if jobs and time.monotonic() > deadline:
                raise Upstream(f"{len(jobs)} edit jobs have not ended in time.", hint="Another run goes on with them.")
            if jobs:
                time.sleep(poll_seconds)
        return settle_request(connection, edit_request_id), logs_of_request(connection, edit_request_id)


def _jobs_due(connection: Connection[DictRow], edit_request_id: str) -> dict[JobId, list[EditLogRow]]:
    jobs: dict[JobId, list[EditLogRow]] = defaultdict(list)
    for log in logs_of_request(connection, edit_request_id):
        jobs[log.job_id].append(log)
    return {job_id: logs for job_id, logs in jobs.items() if any(log.state == "waiting" for log in logs)}


def _submit(stores: EditStores, request: EditRequestRow, logs: Sequence[EditLogRow]) -> None:
    row = eval_set_row(stores.connection, logs[0].eval_set_id)
    seen_by_job = stores.settings.as_jobs_see_it()
    spec = edit_job_spec(request, row, logs, seen_by_job)
    environment = edit_job_environment(
        row, seen_by_job, stores.connection, job_id=spec.job_id, created_by=request.created_by
    )
    stores.launcher.submit(spec, environment)


def _settle(
    stores: EditStores, request: EditRequestRow, job_id: JobId, logs: Sequence[EditLogRow], *, reason: str
) -> None:
    """Write down what the job said of each log; of what it said nothing, that it failed."""
    known = {log.log for log in logs}
    told = [result for result in _results(stores, logs[0].eval_set_id, job_id) if result.log in known]
    silent = known - {result.log for result in told}
    failed = [LogEditResult(log=log, state="failed", reason=reason or NO_WORD, tries=0) for log in sorted(silent)]
    settle_logs(stores.connection, request.edit_request_id, job_id, [*told, *failed])


def _results(stores: EditStores, eval_set_id: str, job_id: JobId) -> tuple[LogEditResult, ...]:
    """Return what the job wrote beside the logs; it may be a stranger's code that wrote it, and so be anything."""
    key = eval_set_key(eval_set_id, edit_results_name(job_id))
    try:
        body = stores.s3.get_object(Bucket=stores.settings.bucket, Key=key)["Body"].read()
    except stores.s3.exceptions.NoSuchKey:
        return ()
    try:
        return EditResults.model_validate_json(body).results
    except ValidationError as error:
        logger.warning("an edit job's results cannot be read", extra={"job_id": job_id, "error": str(error)[:500]})
        return ()


def _why(status: JobStatus | None) -> str:
    """Return why a job that ended did not come to a log; '' where its end does not tell."""
    if status is None or not status.attempts or not status.attempts[-1].message:
        return ""
    return f"The edit job ended before it came to this log: {status.attempts[-1].message}"
