"""The queue of logs to import: a row of ops.log_inbox for each version of each log that was ever seen.

A worker holds a session lock for every row it claims. When its process ends, however it ends, Postgres drops the
lock, and the next claim finds the row importing but nobody at it, and gives it back. Every attempt that was begun is
counted before it can fail, and there are so many and no more: then the row is a dead letter, which a person may
reopen. So one log that kills its reader, or never gets through, cannot stop the others.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, LiteralString

import psycopg
from psycopg.rows import class_row, tuple_row

from hawk import naming
from hawk.settings import ObjectStoreSettings
from hawk.warehouse.connection import require_idle
from hawk.warehouse.log_source import s3_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

InboxState = Literal["pending", "importing", "imported", "skipped", "superseded", "quarantined", "dead_letter"]
FAILED: tuple[InboxState, ...] = ("quarantined", "dead_letter")
Source = Literal["listing", "event", "import"]

MAX_WORKER_DEATHS = 3
MAX_ATTEMPTS = 10  # with the pauses between them, half an hour of S3 or Postgres in trouble

_CLAIM_LOCK = 0x6861_776B_636C_616D  # "hawkclam"
_LOCK_CLASS = 0x6861_776B  # "hawk"; the second key is the row's id

# An etag that is seen again is news only where another version stood in between.
_RECORD = """
insert into ops.log_inbox as known
    (bucket, key, etag, eval_set_id, size_bytes, last_modified, source, state, discovered_at, state_changed_at)
select bucket, key, etag, eval_set_id, size_bytes, last_modified, %(source)s, 'pending', now(), now()
from unnest(
    %(buckets)s::text[], %(keys)s::text[], %(etags)s::text[], %(eval_set_ids)s::text[], %(sizes)s::bigint[],
    %(moments)s::timestamptz[]
) as seen (bucket, key, etag, eval_set_id, size_bytes, last_modified)
on conflict (bucket, key, etag) do update
set state = 'pending', reason = '', attempts = 0, worker_deaths = 0, is_forced = false,
    last_modified = excluded.last_modified, state_changed_at = now()
where known.state not in ('pending', 'importing') and exists (
    select 1 from ops.log_inbox as between_them
    where between_them.bucket = known.bucket and between_them.key = known.key
      and between_them.last_modified > known.last_modified
      and between_them.last_modified < excluded.last_modified
)
returning 1
"""

_SUPERSEDE = """
update ops.log_inbox as older
set state = 'superseded', reason = 'A newer version of the log was seen.', state_changed_at = now()
where older.log_inbox_id in (
    select pending.log_inbox_id from ops.log_inbox as pending
    where pending.state = 'pending' and pending.key = any (%(keys)s) and exists (
        select 1 from ops.log_inbox as newer
        where newer.bucket = pending.bucket and newer.key = pending.key
          and (newer.last_modified, newer.log_inbox_id) > (pending.last_modified, pending.log_inbox_id)
    )
    order by pending.log_inbox_id
    for update
) and older.state = 'pending'
"""

# After trouble with S3 or Postgres a log waits: 4 s, 8 s, ... at most ten minutes. A worker's death is no reason to.
_DUE = """
select log_inbox_id from ops.log_inbox
where state = 'pending' and (
    attempts <= worker_deaths
    or state_changed_at
        < now() - least(interval '2 seconds' * power(2, least(attempts - worker_deaths, 20)), interval '10 minutes')
)
order by log_inbox_id
"""
_ABANDONED = """
select log_inbox_id from ops.log_inbox
where state = 'importing' and not exists (
    select 1 from pg_locks
    where locktype = 'advisory' and objsubid = 2 and classid = %(lock_class)s::oid
      and objid = (log_inbox_id %% 2147483647)::oid
      and database = (select oid from pg_database where datname = current_database())
)
"""
_CLAIM = """
update ops.log_inbox set state = 'importing', is_begun = false, state_changed_at = now()
where log_inbox_id = any (%s)
returning log_inbox_id, bucket, key, etag, eval_set_id, size_bytes, last_modified, is_forced
"""
# Lost with the server's memory at worst, when the attempt itself is undone too; so it need not wait for the disk.
_BEGIN = """
update ops.log_inbox set attempts = attempts + 1, is_begun = true, state_changed_at = clock_timestamp()
where log_inbox_id = %s and state = 'importing' and set_config('synchronous_commit', 'off', true) = 'off'
"""
# A worker whose machine is gone says nothing more; its locks go when the server notices, here within two minutes.
_NOTICE_DEAD_HOSTS = """
select set_config('tcp_keepalives_idle', '60', false), set_config('tcp_keepalives_interval', '15', false),
    set_config('tcp_keepalives_count', '4', false)
"""
_RELEASE = """
update ops.log_inbox set state = 'pending', state_changed_at = now()
where log_inbox_id = any (%s) and state = 'importing'
"""
# Only what was begun can have killed its worker; what was claimed with it has nothing to do with it.
_GIVE_BACK_ABANDONED = """
update ops.log_inbox set
    worker_deaths = worker_deaths + is_begun::int,
    state = case when worker_deaths + is_begun::int < %(most)s then 'pending' else 'dead_letter' end,
    reason = case when worker_deaths + is_begun::int < %(most)s then reason else %(reason)s end,
    state_changed_at = now()
where log_inbox_id = any (%(ids)s) and state = 'importing'
"""
_TRY_LATER = """
update ops.log_inbox set
    state = case when attempts - worker_deaths < %(most)s then 'pending' else 'dead_letter' end,
    reason = case
        when attempts - worker_deaths < %(most)s then %(reason)s
        else format('It was tried %%s times, the last time in vain because: %%s', attempts, %(reason)s::text)
    end,
    state_changed_at = clock_timestamp()
where log_inbox_id = %(id)s and state = 'importing'
returning state, reason
"""
_REOPEN = """
update ops.log_inbox as entry
set state = 'pending', reason = '', attempts = 0, worker_deaths = 0, is_forced = %(force)s, state_changed_at = now()
from (
    select distinct on (bucket, key) log_inbox_id from ops.log_inbox where eval_set_id = %(eval_set_id)s
    order by bucket, key, last_modified desc, log_inbox_id desc
) as newest
where entry.log_inbox_id = newest.log_inbox_id and entry.state not in ('pending', 'importing')
"""
# Samples of a running eval go on in the buffer beside its log, which stays the same meanwhile.
_REOPEN_RUNNING = """
update ops.log_inbox as entry set state = 'pending', attempts = 0, worker_deaths = 0, state_changed_at = now()
from raw.eval_import as import
where import.log_status = 'started' and import.etag = entry.etag
    and import.location = 's3://' || entry.bucket || '/' || entry.key and import.eval_set_id = entry.eval_set_id
    and entry.eval_set_id = any (%(eval_set_ids)s) and entry.state in ('imported', 'skipped')
    and entry.state_changed_at <= now() - make_interval(secs => %(seconds)s)
"""
_FINISH = """
update ops.log_inbox set
    state = %s, reason = %s, import_id = coalesce(%s, import_id), state_changed_at = clock_timestamp()
where log_inbox_id = %s
"""


@dataclass(frozen=True)
class LogObject:
    """A version of a log as S3 tells of it."""

    bucket: str
    key: str
    etag: str
    size_bytes: int
    last_modified: datetime


@dataclass(frozen=True)
class InboxEntry:
    """A row that one worker has claimed."""

    log_inbox_id: int
    bucket: str
    key: str
    etag: str
    eval_set_id: str
    size_bytes: int
    last_modified: datetime
    is_forced: bool  # import it again though it is in the warehouse

    @property
    def location(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def discover(
    connection: psycopg.Connection[Any],
    s3: "S3Client",
    settings: ObjectStoreSettings,
    eval_set_ids: Sequence[str] | None = None,
) -> int:
    """Put the logs that lie on S3 into the inbox, of some sets or of all; return how many were news.

    Raises Upstream where S3 does not answer.
    """
    prefixes = [f"{naming.EVALS_ROOT}/"] if eval_set_ids is None else list(map(naming.eval_set_prefix, eval_set_ids))
    found: list[LogObject] = []
    for prefix in prefixes:
        # Logs lie directly in a set's folder; what is deeper is not listed where only the set is asked for.
        delimiter = "" if eval_set_ids is None else "/"
        with s3_errors(f"s3://{settings.bucket}/{prefix}"):
            pages = s3.get_paginator("list_objects_v2").paginate(
                Bucket=settings.bucket, Prefix=prefix, Delimiter=delimiter
            )
            found += [
                LogObject(settings.bucket, item["Key"], item["ETag"], item["Size"], item["LastModified"])
                for page in pages
                for item in page.get("Contents", [])
            ]
    return record(connection, found, source="listing")


def record(connection: psycopg.Connection[Any], objects: Iterable[LogObject], *, source: Source) -> int:
    """Put versions of logs into the inbox, in any order and as often as one likes; return how many were news.

    Keys that are no logs are left out. Of several versions of a log only the newest stays pending.
    """
    newest: dict[tuple[str, str, str], LogObject] = {}
    for item in sorted(objects, key=lambda item: (item.key, item.last_modified)):
        if naming.is_eval_log_key(item.key):
            newest[item.bucket, item.key, item.etag.strip('"')] = item
    if not newest:
        return 0
    values = {
        "source": source,
        "buckets": [bucket for bucket, _, _ in newest],
        "keys": [key for _, key, _ in newest],
        "etags": [etag for _, _, etag in newest],
        "eval_set_ids": [naming.eval_set_id_of_key(key) for _, key, _ in newest],
        "sizes": [item.size_bytes for item in newest.values()],
        "moments": [item.last_modified for item in newest.values()],
    }
    with connection.transaction():
        news = connection.execute(_RECORD, values).rowcount
        connection.execute(_SUPERSEDE, {"keys": values["keys"]})
    return news


def claim_batch(connection: psycopg.Connection[Any], limit: int) -> list[InboxEntry]:
    """Take up to `limit` logs for this connection to import; nobody else gets them while it is open.

    What this connection claimed before is given up, so claim the next batch when the last is done. The connection
    must have no transaction open, and must stay open until the logs are imported.
    """
    require_idle(connection)
    with connection.transaction():
        connection.execute(_NOTICE_DEAD_HOSTS)
        # One claim at a time: who is at work is seen from locks, and those are no part of a snapshot.
        connection.execute("select pg_advisory_xact_lock(%s)", (_CLAIM_LOCK,))
        connection.execute("select pg_advisory_unlock_all()")
        _give_back_abandoned(connection)
        due = _ids(connection, _DUE + "limit %(limit)s for update skip locked", {"limit": limit})
        locked = [log_inbox_id for log_inbox_id in due if _try_lock(connection, log_inbox_id)]
        with connection.cursor(row_factory=class_row(InboxEntry)) as cursor:
            entries = cursor.execute(_CLAIM, (locked,)).fetchall()
    return sorted(entries, key=lambda entry: entry.log_inbox_id)


def begin(connection: psycopg.Connection[Any], entry: InboxEntry) -> None:
    """Count an attempt at a claimed log, before anything of it can go wrong."""
    connection.execute(_BEGIN, (entry.log_inbox_id,))
    connection.commit()


def release(connection: psycopg.Connection[Any], entries: Iterable[InboxEntry]) -> None:
    """Give back claimed logs that no import was begun of."""
    released = list(entries)
    ids = [entry.log_inbox_id for entry in released]
    with connection.transaction():
        connection.execute(_RELEASE, (ids,))
    for entry in released:
        let_go(connection, entry)


def reopen(connection: psycopg.Connection[Any], eval_set_id: str, *, force: bool = False) -> int:
    """Make a set's logs pending again, in their newest versions; return how many.

    With `force` they are imported although they are in the warehouse in that version.
    """
    with connection.transaction():
        return connection.execute(_REOPEN, {"eval_set_id": eval_set_id, "force": force}).rowcount


def reopen_running(connection: psycopg.Connection[Any], eval_set_ids: Sequence[str], *, after_seconds: float) -> int:
    """Make logs of these sets pending again whose evals had not ended, and that nobody looked at for so long."""
    with connection.transaction():
        values = {"eval_set_ids": list(eval_set_ids), "seconds": after_seconds}
        return connection.execute(_REOPEN_RUNNING, values).rowcount


def try_later(
    connection: psycopg.Connection[Any], entry: InboxEntry, reason: str, *, max_attempts: int = MAX_ATTEMPTS
) -> tuple[InboxState, str]:
    """Put back a log that could not be imported now; a dead letter after so many attempts. Return state and reason."""
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        values = {"id": entry.log_inbox_id, "most": max_attempts, "reason": reason}
        row = cursor.execute(_TRY_LATER, values).fetchone()
    return row or ("pending", reason)


def finish(
    connection: psycopg.Connection[Any],
    entry: InboxEntry,
    state: InboxState,
    *,
    reason: str = "",
    import_id: int | None = None,
) -> None:
    """Write what became of a log; part of the caller's transaction, if there is one."""
    connection.execute(_FINISH, (state, reason, import_id, entry.log_inbox_id))


def let_go(connection: psycopg.Connection[Any], entry: InboxEntry) -> None:
    """Drop the lock on a row after its state is committed; nothing happens where this connection holds none."""
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            "select pg_advisory_unlock(%(class)s, %(id)s) from pg_locks where locktype = 'advisory' and objsubid = 2"
            " and classid = %(class)s::oid and objid = %(id)s::oid and pid = pg_backend_pid() and granted",
            {"class": _LOCK_CLASS, "id": _lock_id(entry.log_inbox_id)},
        )


def pending_count(connection: psycopg.Connection[Any]) -> int:
    """Return how many logs a claim could get now; not those that wait after a failure, nor those in work."""
    with connection.transaction():
        return len(_ids(connection, _DUE)) + len(_ids(connection, _ABANDONED, {"lock_class": _LOCK_CLASS}))


def _give_back_abandoned(connection: psycopg.Connection[Any]) -> None:
    reason = f"Its import was begun {MAX_WORKER_DEATHS} times, and each time the process ended midway."
    ids = _ids(connection, _ABANDONED, {"lock_class": _LOCK_CLASS})
    connection.execute(_GIVE_BACK_ABANDONED, {"ids": ids, "most": MAX_WORKER_DEATHS, "reason": reason})


def _ids(
    connection: psycopg.Connection[Any], query: LiteralString, values: Mapping[str, Any] | None = None
) -> list[int]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        return [row[0] for row in cursor.execute(query, values)]


def _try_lock(connection: psycopg.Connection[Any], log_inbox_id: int) -> bool:
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute("select pg_try_advisory_lock(%s, %s)", (_LOCK_CLASS, _lock_id(log_inbox_id)))
        row = cursor.fetchone()
    return bool(row and row[0])


def _lock_id(log_inbox_id: int) -> int:
    return log_inbox_id % 2147483647
