"""Brings ops tables in line with what launchers and S3 say, one eval set at a time; knows nothing of Dagster."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from assets.log_folder import LogFolder, list_log_folder, read_log_facts
from hawk.errors import Conflict
from hawk.eval_sets import EvalSetRow, EvalSetState, eval_set_row, mark_status
from hawk.job_launcher import JobLauncher, JobStatus
from hawk.job_status import LogFact, Verdict, settled_state
from hawk.settings import OrchestrationSettings
from hawk.warehouse import inbox
from hawk.warehouse.inbox import LogObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# A launcher may need a moment to show what it was given; after this long it has no such job.
VANISHED_AFTER = timedelta(minutes=5)
RUNNER_JOB = "runner"  # the one job of a set; ops.attempt is open to more

_ACTIVE = """
select * from ops.eval_set where status in ('claimed', 'launched') order by created_at, eval_set_id
"""
_KEEP_ATTEMPT = """
insert into ops.attempt as known
    (eval_set_id, job_name, attempt_number, launcher, phase, exit_code, reason, message, peak_memory_bytes,
     last_log_lines, pod_events, started_at, ended_at, updated_at)
values (%(eval_set_id)s, %(job_name)s, %(attempt_number)s, %(launcher)s, %(phase)s, %(exit_code)s, %(reason)s,
    %(message)s, %(peak_memory_bytes)s, %(last_log_lines)s, %(pod_events)s, %(started_at)s, %(ended_at)s, now())
on conflict (eval_set_id, job_name, attempt_number) do update
set launcher = excluded.launcher, phase = excluded.phase, exit_code = excluded.exit_code, reason = excluded.reason,
    message = excluded.message, peak_memory_bytes = excluded.peak_memory_bytes,
    last_log_lines = excluded.last_log_lines, pod_events = excluded.pod_events,
    started_at = excluded.started_at, ended_at = excluded.ended_at, updated_at = now()
where (known.phase, known.exit_code, known.reason, known.message, known.last_log_lines, known.started_at,
       known.ended_at, known.peak_memory_bytes, known.pod_events)
    is distinct from (excluded.phase, excluded.exit_code, excluded.reason, excluded.message, excluded.last_log_lines,
       excluded.started_at, excluded.ended_at, excluded.peak_memory_bytes, excluded.pod_events)
"""


@dataclass(frozen=True)
class Stores:
    """What a reconciler works with."""

    connection: Connection[DictRow]  # in autocommit, so that each set stands on its own
    s3: "S3Client"
    launcher: JobLauncher
    settings: OrchestrationSettings


@dataclass(frozen=True)
class Reconciled:
    """A set as it stands now; `logs` are read only when it has ended."""

    row: EvalSetRow
    folder: LogFolder
    new_logs: int
    has_ended: bool = False
    logs: tuple[LogFact, ...] = ()


def active_sets(connection: Connection[DictRow]) -> list[EvalSetRow]:
    """Return the sets that are claimed or launched, oldest first."""
    return [EvalSetRow.model_validate(row) for row in connection.execute(_ACTIVE).fetchall()]


def reconcile_set(
    stores: Stores, row: EvalSetRow, *, now: datetime, report_end: Callable[[Reconciled], None]
) -> Reconciled:
    """Write down the set's attempts, put its new logs into the inbox, and settle it if its job has ended.

    `report_end` is called before the end is written down: who dies in between reports it again rather than never.
    Raises Upstream where the launcher or S3 does not answer; the set then stays as it was.
    """
    job = stores.launcher.status(row.eval_set_id)
    if job is not None:
        keep_attempts(stores.connection, job, launcher=stores.settings.launcher)
    folder = list_log_folder(stores.s3, stores.settings.bucket, row.eval_set_id)
    new_logs = inbox.record(stores.connection, _log_objects(folder), source="listing")
    logs: Sequence[LogFact] = ()
    if job is not None and job.phase.is_final:
        logs = read_log_facts(stores.connection, stores.s3, folder, row.eval_set_id)
    verdict = end_of(job, logs, waited=now - row.status_changed_at)
    if verdict is None:
        return Reconciled(row, folder, new_logs)
    ended_row = row.model_copy(update={"status": verdict.state, "status_reason": verdict.reason})
    ended = Reconciled(ended_row, folder, new_logs, has_ended=True, logs=tuple(logs))
    report_end(ended)
    return _settle(stores.connection, ended, verdict)


def end_of(job: JobStatus | None, logs: Sequence[LogFact], *, waited: timedelta) -> Verdict[EvalSetState] | None:
    """Return how a launched set ended, or None while it may go on; a job that nobody knows any more has failed."""
    if job is not None:
        return settled_state(job, logs)
    if waited < VANISHED_AFTER:
        return None
    return Verdict("failed", "Its job is not known to the launcher any more. Retry it: what succeeded is kept.")


def keep_attempts(connection: Connection[DictRow], job: JobStatus, *, launcher: str) -> None:
    """Write the job's attempts to ops.attempt, where they outlive the launcher's memory of them."""
    if not job.attempts:
        return
    rows = [
        {
            **attempt.model_dump(),
            "phase": attempt.phase.value,
            "eval_set_id": job.job_id,
            "job_name": RUNNER_JOB,
            "launcher": launcher,
            "message": _storable(attempt.message),
            "last_log_lines": _storable(attempt.last_log_lines),
            "pod_events": Jsonb([_storable(event) for event in attempt.pod_events]) if attempt.pod_events else None,
        }
        for attempt in job.attempts
    ]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(_KEEP_ATTEMPT, rows)


def _settle(connection: Connection[DictRow], ended: Reconciled, verdict: Verdict[EvalSetState]) -> Reconciled:
    try:
        with connection.transaction():
            mark_status(connection, ended.row.eval_set_id, verdict.state, reason=verdict.reason)
    except Conflict:  # somebody deleted it meanwhile
        pass
    row = eval_set_row(connection, ended.row.eval_set_id)
    return Reconciled(row, ended.folder, ended.new_logs, has_ended=True, logs=ended.logs)


def _log_objects(folder: LogFolder) -> list[LogObject]:
    return [LogObject(folder.bucket, log.key, log.etag, log.size_bytes, log.last_modified) for log in folder.logs]


def _storable(text: str) -> str:
    """Return the text without what Postgres cannot hold."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
