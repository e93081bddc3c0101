"""When a run of `import_logs` is due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter
from psycopg import Connection
from psycopg.rows import DictRow

from hawk.naming import IMPORT_JOB
from hawk.warehouse import inbox

# Logs of a set that still runs change all the time; importing each version would cost more than the eval. A log that
# takes long to import waits longer, so that running evals never take more than a fifth of the importer's time.
LIVE_IMPORT_EVERY = timedelta(minutes=1)
LIVE_IMPORT_PAUSE = 4
RETRY_FIRST = timedelta(seconds=15)
RETRY_MOST = timedelta(hours=1)

_UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.MANAGED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
_PENDING_OF_ENDED = """
select exists (
    select 1 from ops.log_inbox as log
    left join ops.eval_set as eval_set using (eval_set_id)
    where log.state in ('pending', 'importing') and coalesce(eval_set.status, 'complete') <> 'launched'
) as there
"""
_RUNNING = """
select import.eval_set_id, max(import.seconds) as seconds
from raw.eval_import as import
inner join ops.eval_set as eval_set on eval_set.eval_set_id = import.eval_set_id
where eval_set.status = 'launched' and import.log_status = 'started'
group by import.eval_set_id
"""
_ENDED_SINCE = """
select exists (
    select 1 from ops.eval_set
    where status in ('complete', 'failed', 'stopped', 'deleted') and status_changed_at > %s
) as there
"""


@dataclass(frozen=True)
class Inbox:
    """What waits: `pending` logs that a claim would get, some of them of sets that have ended."""

    pending: int
    has_ended_set: bool  # a log of a set that has ended is pending
    has_news_of_sets: bool  # a set has ended since the last good import began, which the marts do not show yet


@dataclass(frozen=True)
class PastImport:
    """A finished run of import_logs."""

    succeeded: bool
    started_at: datetime
    ended_at: datetime


def reason_to_import(waiting: Inbox, past: Sequence[PastImport], *, now: datetime) -> str | None:
    """Return why a run is due, or None; `past` are the last runs, newest first, and none is under way."""
    failures = _failures_in_a_row(past)
    if failures:
        pause = min(RETRY_FIRST * 2 ** (failures - 1), RETRY_MOST)
        return f"The last import failed, {failures} in a row." if now - past[0].ended_at >= pause else None
    if waiting.pending and waiting.has_ended_set:
        return f"{waiting.pending} logs wait."
    if waiting.has_news_of_sets:
        return "Eval sets have ended."
    if waiting.pending and (not past or now - past[0].ended_at >= _pause_of_live_imports(past[0])):
        return f"{waiting.pending} logs of running sets wait."
    return None


def is_for_news_only(waiting: Inbox, past: Sequence[PastImport]) -> bool:
    """Say whether a run that brings nothing new may leave the marts as they are: the last one has built them."""
    return not waiting.has_news_of_sets and bool(past) and past[0].succeeded


def look_at_inbox(connection: Connection[DictRow], past: Sequence[PastImport]) -> Inbox:
    """Return what waits for an import."""
    pending = inbox.pending_count(connection)
    last_success = next((run.started_at for run in past if run.succeeded), datetime.min.replace(tzinfo=UTC))
    return Inbox(
        pending=pending,
        has_ended_set=bool(pending) and _is_there(connection, _PENDING_OF_ENDED),
        has_news_of_sets=_is_there(connection, _ENDED_SINCE, last_success),
    )


def import_is_under_way(instance: dg.DagsterInstance) -> bool:
    """Say whether a run of import_logs is queued or running."""
    return is_under_way(instance, IMPORT_JOB)


def is_under_way(instance: dg.DagsterInstance, job_name: str) -> bool:
    """Say whether a run of a job is queued or running."""
    return bool(instance.get_run_records(RunsFilter(job_name=job_name, statuses=_UNFINISHED), limit=1))


def past_imports(instance: dg.DagsterInstance) -> list[PastImport]:
    """Return the last finished runs of import_logs, newest first."""
    finished = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
    records = instance.get_run_records(RunsFilter(job_name=IMPORT_JOB, statuses=finished), limit=20)
    return [
        PastImport(
            succeeded=record.dagster_run.status == DagsterRunStatus.SUCCESS,
            started_at=_moment(record.start_time) or record.create_timestamp,
            ended_at=_moment(record.end_time) or record.update_timestamp,
        )
        for record in records
    ]


def reopen_running(connection: Connection[DictRow], *, after_seconds: float) -> int:
    """Let logs of evals that run be imported again with their buffers, large ones less often; return how many.

    An eval whose buffer has nothing new is skipped by its import.
    """
    rows = connection.execute(_RUNNING).fetchall()
    return sum(
        inbox.reopen_running(
            connection,
            [row["eval_set_id"]],
            after_seconds=max(after_seconds, row["seconds"] * LIVE_IMPORT_PAUSE),
        )
        for row in rows
    )


def _pause_of_live_imports(last: PastImport) -> timedelta:
    return max(LIVE_IMPORT_EVERY, (last.ended_at - last.started_at) * LIVE_IMPORT_PAUSE)


def _failures_in_a_row(past: Sequence[PastImport]) -> int:
    for count, run in enumerate(past):
        if run.succeeded:
            return count
    return len(past)


def _is_there(connection: Connection[DictRow], query: str, *values: object) -> bool:
    row = connection.execute(query, values).fetchone()
    return bool(row and row["there"])


def _moment(timestamp: float | None) -> datetime | None:
    return datetime.fromtimestamp(timestamp, UTC) if timestamp else None
