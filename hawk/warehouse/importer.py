"""Brings one log from S3 into the raw tables, whole or not at all.

One transaction holds the rows, the decision about retried samples, and the state in the inbox, so whenever the
process or the database dies, what was there before is there still. Imports of the same eval wait for each other.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg

from hawk.errors import Bug, NotFound, Upstream
from hawk.log_gateway.models import tag_log
from hawk.warehouse import inbox
from hawk.warehouse.connection import require_idle
from hawk.warehouse.eval_rows import STARTED, summarize
from hawk.warehouse.import_rules import ImportState, check_eval_set
from hawk.warehouse.inbox import InboxEntry, LogObject
from hawk.warehouse.live_log import read_buffer
from hawk.warehouse.log_archive import BrokenLog
from hawk.warehouse.log_buffer import BufferFolder, S3BufferFolder
from hawk.warehouse.log_source import ObjectChanged, S3Source, s3_errors
from hawk.warehouse.partitions import ensure_partitions
from hawk.warehouse.read_limits import DEFAULT_LIMITS, ReadLimits
from hawk.warehouse.reader import EvalLog, open_readable
from hawk.warehouse.replace_rows import Arrival, damage_of, replace_rows
from hawk.warehouse.search_index import index_messages

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

# What Postgres says of values that it cannot hold, as opposed to being in trouble itself.
_UNFIT_DATA = (
    OverflowError,
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
)
# Postgres undid the transaction in favour of another one, so the next try meets it no more.
_CONFLICTS = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
_MAX_CONFLICTS = 3
LIVE_SEARCH_SECONDS = 10.0
_NO_PARTITION = psycopg.errors.CheckViolation  # raw tables have no other checks


@dataclass(frozen=True)
class ImportOutcome:
    """What became of one log."""

    entry: InboxEntry
    state: ImportState
    reason: str = ""
    eval_id: str | None = None
    import_id: int | None = None
    is_live: bool = False  # the eval still runs
    rows_of_table: dict[str, int] = field(default_factory=dict)  # rows that were written
    seconds: float = 0.0

    @property
    def sample_count(self) -> int:
        return self.rows_of_table.get("sample", 0)

    @property
    def message_count(self) -> int:
        return self.rows_of_table.get("message", 0)

    @property
    def event_count(self) -> int:
        return self.rows_of_table.get("event", 0)

    @property
    def row_count(self) -> int:
        return sum(self.rows_of_table.values())


def import_batch(
    connection: psycopg.Connection[Any],
    s3: "S3Client",
    entries: Iterable[InboxEntry],
    *,
    force: bool = False,
    max_attempts: int = inbox.MAX_ATTEMPTS,
    limits: ReadLimits = DEFAULT_LIMITS,
) -> Iterator[ImportOutcome]:
    """Import claimed logs one after the other; one that is broken does not stop the next.

    Raises Upstream where Postgres or S3 is in trouble; what was not begun then goes back to the inbox.
    """
    waiting = list(entries)
    try:
        if waiting:
            with _trouble_is_upstream():
                ensure_partitions(connection)
        while waiting:
            yield import_log(connection, s3, waiting.pop(0), force=force, max_attempts=max_attempts, limits=limits)
    finally:
        if waiting:
            with contextlib.suppress(psycopg.Error):  # its lock goes with the connection
                inbox.release(connection, waiting)


def import_log(
    connection: psycopg.Connection[Any],
    s3: "S3Client",
    entry: InboxEntry,
    *,
    force: bool = False,
    max_attempts: int = inbox.MAX_ATTEMPTS,
    limits: ReadLimits = DEFAULT_LIMITS,
) -> ImportOutcome:
    """Import one version of a log from S3 and write into the inbox what became of it.

    A log that cannot be imported is quarantined, which is an outcome. Raises Upstream where Postgres or S3 is in
    trouble; the log is then pending again, or after `max_attempts` a dead letter, which is an outcome too.
    `force` imports a version again that is there already, or is older.
    """

    def open_it() -> EvalLog:
        source = S3Source(s3, entry.bucket, entry.key, etag=entry.etag)
        log = _with_buffer(open_readable(source, limits), S3BufferFolder(s3, entry.bucket, entry.key), limits)
        tag_log(s3, entry.bucket, entry.key, log, entry.etag)
        return log

    try:
        return import_from(connection, open_it, entry, force=force, max_attempts=max_attempts)
    except ObjectChanged as error:
        try:
            with _trouble_is_upstream():
                _record_new_version(connection, s3, entry)
        except Upstream as trouble:
            return _after_trouble(connection, entry, trouble, max_attempts)
        return _set_aside(connection, entry, "superseded", str(error))


def import_from(
    connection: psycopg.Connection[Any],
    open_it: Callable[[], EvalLog],
    entry: InboxEntry,
    *,
    force: bool = False,
    max_attempts: int = inbox.MAX_ATTEMPTS,
) -> ImportOutcome:
    """Import a log from anywhere, which may be opened repeatedly; as `import_log`, but raises ObjectChanged."""
    require_idle(connection)
    try:
        with _trouble_is_upstream():
            inbox.begin(connection, entry)
            outcome = _import(connection, open_it, entry, force=force or entry.is_forced)
    except BrokenLog as error:
        return _set_aside(connection, entry, "quarantined", str(error))
    except NotFound as error:
        return _set_aside(connection, entry, "skipped", str(error))
    except _UNFIT_DATA as error:
        said = error.diag.message_primary if isinstance(error, psycopg.Error) else None
        reason = f"The log holds a value that Postgres cannot keep: {said or error}."
        return _set_aside(connection, entry, "quarantined", reason)
    except Upstream as error:
        return _after_trouble(connection, entry, error, max_attempts)
    inbox.let_go(connection, entry)
    if outcome.is_live and outcome.import_id is not None:
        # The words of the version before went with it, and nobody should miss them for long.
        with contextlib.suppress(psycopg.Error):  # it stays in the queue of search, which is seen to elsewhere
            index_messages(connection, seconds=LIVE_SEARCH_SECONDS, import_id=outcome.import_id)
    return _told(outcome)


def _import(
    connection: psycopg.Connection[Any], open_it: Callable[[], EvalLog], entry: InboxEntry, *, force: bool
) -> ImportOutcome:
    for conflicts in range(1, _MAX_CONFLICTS + 1):
        try:
            return _import_once(connection, open_it, entry, force=force)
        except _CONFLICTS:
            if conflicts == _MAX_CONFLICTS:
                raise
        except _NO_PARTITION:
            if conflicts == _MAX_CONFLICTS:
                raise
            ensure_partitions(connection)
    raise Bug("An import ended without an outcome.")


def _import_once(
    connection: psycopg.Connection[Any], open_it: Callable[[], EvalLog], entry: InboxEntry, *, force: bool
) -> ImportOutcome:
    begun = time.monotonic()
    with contextlib.closing(open_it()) as log:
        summary = summarize(log)
        check_eval_set(entry.eval_set_id, summary.declared_eval_set_id)
        with connection.transaction():
            arrival = Arrival(entry.eval_set_id, entry.location, entry.etag)
            made = replace_rows(connection, arrival, log, summary, force=force)
            reason = made.reason or damage_of(log, summary) or ""
            inbox.finish(connection, entry, made.state, reason=reason, import_id=made.import_id)
    return ImportOutcome(
        entry,
        made.state,
        reason,
        eval_id=summary.eval_id,
        import_id=made.import_id,
        is_live=not summary.is_finished,
        rows_of_table=made.rows_of_table,
        seconds=time.monotonic() - begun,
    )


def _with_buffer(log: EvalLog, folder: BufferFolder, limits: ReadLimits) -> EvalLog:
    """Return a log that still grows together with its running samples; any log as it is where no buffer is left."""
    if log.header.status != STARTED:
        return log
    try:
        return read_buffer(log, folder, limits)
    except (NotFound, BrokenLog):
        return log


def _told(outcome: ImportOutcome) -> ImportOutcome:
    logger.info(
        "log %s",
        outcome.state,
        extra={"location": outcome.entry.location, "reason": outcome.reason, "samples": outcome.sample_count},
    )
    return outcome


def _set_aside(
    connection: psycopg.Connection[Any], entry: InboxEntry, state: ImportState, reason: str
) -> ImportOutcome:
    with _trouble_is_upstream():
        with connection.transaction():
            inbox.finish(connection, entry, state, reason=reason)
        inbox.let_go(connection, entry)
    return _told(ImportOutcome(entry, state, reason))


def _after_trouble(
    connection: psycopg.Connection[Any], entry: InboxEntry, trouble: Upstream, max_attempts: int
) -> ImportOutcome:
    """Return that the log is a dead letter now; raise the trouble where it will be tried again."""
    # Where the connection is lost its lock is too, and the next claim finds the log by that.
    with contextlib.suppress(psycopg.Error):
        state, reason = inbox.try_later(connection, entry, trouble.message, max_attempts=max_attempts)
        inbox.let_go(connection, entry)
        if state == "dead_letter":
            return _told(ImportOutcome(entry, "dead_letter", reason))
    raise trouble


def _record_new_version(connection: psycopg.Connection[Any], s3: "S3Client", entry: InboxEntry) -> None:
    with s3_errors(entry.location), contextlib.suppress(NotFound):
        head = s3.head_object(Bucket=entry.bucket, Key=entry.key)
        version = LogObject(entry.bucket, entry.key, head["ETag"], head["ContentLength"], head["LastModified"])
        inbox.record(connection, [version], source="listing")


@contextlib.contextmanager
def _trouble_is_upstream() -> Iterator[None]:
    """Raise Upstream for what Postgres may get over; what S3 has trouble with is Upstream already."""
    try:
        yield
    except _UNFIT_DATA:
        raise
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        said = error.diag.message_primary
        raise Upstream(
            f"The warehouse database did not answer while the log was imported{f' ({said})' if said else ''}.",
            hint="The log stays pending and is tried again.",
        ) from error
