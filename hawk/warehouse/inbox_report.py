"""What the inbox holds, for people and for checks: what waits, how long, and what could not be imported.

The newest version of each log counts; what an older one came to is history.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from hawk.warehouse.inbox import FAILED, InboxState

_NEWEST = """
select distinct on (bucket, key)
    log_inbox_id, bucket, key, eval_set_id, state, reason, attempts, worker_deaths, size_bytes, last_modified,
    state_changed_at
from ops.log_inbox
where %(eval_set_id)s::text is null or eval_set_id = %(eval_set_id)s
order by bucket, key, last_modified desc, log_inbox_id desc
"""
_SUMMARY = f"""
select
    count(*) as landed,
    count(*) filter (where state in ('pending', 'importing')) as pending,
    count(*) filter (where state in ('imported', 'skipped', 'superseded')) as imported,
    count(*) filter (where state = 'quarantined') as quarantined,
    count(*) filter (where state = 'dead_letter') as dead_letters,
    coalesce(
        array_agg(regexp_replace(key, '^.*/', '') || ': ' || reason order by key)
            filter (where state = any(%(failed)s)),
        '{{}}'
    ) as problems
from ({_NEWEST}) as newest
"""  # noqa: S608  # a query of ours
_FAILED = f"""
select log_inbox_id, bucket, key, eval_set_id, state, reason, attempts, worker_deaths, size_bytes, last_modified,
    state_changed_at as failed_at
from ({_NEWEST}) as newest
where state = any(%(failed)s)
order by state_changed_at desc, log_inbox_id desc
limit %(limit)s
"""  # noqa: S608  # a query of ours
_BACKLOG = """
select
    count(*) filter (where state = 'pending') as pending,
    count(*) filter (where state = 'importing') as importing,
    min(discovered_at) filter (where state = 'pending') as oldest_pending_at,
    coalesce(
        extract(epoch from clock_timestamp() - min(greatest(discovered_at, state_changed_at))
            filter (where state = 'pending' and attempts = 0)),
        0
    )::float8 as lag_seconds,
    coalesce(sum(size_bytes), 0)::bigint as size_bytes
from ops.log_inbox where state in ('pending', 'importing')
"""
_REQUEUE = """
update ops.log_inbox
set state = 'pending', reason = '', attempts = 0, worker_deaths = 0, state_changed_at = now()
where log_inbox_id = any(%s) and state = any(%s)
"""


@dataclass(frozen=True)
class InboxSummary:
    """How far an eval set's logs have come."""

    landed: int = 0
    pending: int = 0
    imported: int = 0
    quarantined: int = 0  # read, and found to be broken
    dead_letters: int = 0  # tried as often as it is tried
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class FailedLog:
    """A log that is not imported until somebody does something; the reason says what."""

    log_inbox_id: int
    bucket: str
    key: str
    eval_set_id: str
    state: InboxState  # quarantined | dead_letter
    reason: str
    attempts: int
    worker_deaths: int
    size_bytes: int
    last_modified: datetime
    failed_at: datetime


@dataclass(frozen=True)
class Backlog:
    """What is still to be imported."""

    pending: int
    importing: int
    oldest_pending_at: datetime | None  # when it was first seen
    lag_seconds: float  # how long the oldest log that was never tried has been waiting
    size_bytes: int


def summary(connection: psycopg.Connection[Any], eval_set_id: str) -> InboxSummary:
    """Return how far the logs of an eval set have come."""
    with connection.transaction(), connection.cursor(row_factory=class_row(InboxSummary)) as cursor:
        cursor.execute(_SUMMARY, {"eval_set_id": eval_set_id, "failed": list(FAILED)})
        return cursor.fetchone() or InboxSummary()


def failed_logs(
    connection: psycopg.Connection[Any], eval_set_id: str | None = None, *, limit: int = 1000
) -> list[FailedLog]:
    """Return the quarantined logs and dead letters of a set or of all, those that failed last first."""
    with connection.transaction(), connection.cursor(row_factory=class_row(FailedLog)) as cursor:
        cursor.execute(_FAILED, {"eval_set_id": eval_set_id, "failed": list(FAILED), "limit": limit})
        return cursor.fetchall()


def requeue(connection: psycopg.Connection[Any], log_inbox_ids: Sequence[int]) -> int:
    """Let failed logs be tried again, as often as new ones; return how many of them were failed."""
    with connection.transaction():
        return connection.execute(_REQUEUE, (list(log_inbox_ids), list(FAILED))).rowcount


def backlog(connection: psycopg.Connection[Any]) -> Backlog:
    """Return what waits in the inbox, and for how long."""
    with connection.transaction(), connection.cursor(row_factory=class_row(Backlog)) as cursor:
        cursor.execute(_BACKLOG)
        return cursor.fetchone() or Backlog(0, 0, None, 0.0, 0)
