"""Puts the rows of a log in the place of those of its earlier version; the inside of an import's transaction."""

import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row, tuple_row

from hawk.errors import Bug
from hawk.warehouse.earlier_scores import forget_scores_that_stand, keep_scores
from hawk.warehouse.eval_rows import STARTED, EvalSummary, eval_detail_rows, eval_row
from hawk.warehouse.import_rules import ImportState, LogVersion, reason_to_leave
from hawk.warehouse.live_log import LiveLog
from hawk.warehouse.log_archive import BrokenLog, DamagedPart
from hawk.warehouse.model_names import ModelNames
from hawk.warehouse.ownership import decide_owners
from hawk.warehouse.reader import EvalLog
from hawk.warehouse.sample_rows import SampleContext, made_uuid, sample_batches, uuid_of
from hawk.warehouse.writer import RowWriter

LIVE_SEARCH_MESSAGES = 5000  # a second or two of work, each time a running eval is imported
MAX_NAMES = 20  # of lost parts that a reason names

# No statement of an import takes longer, waits for locks included, and no import stops midway for longer.
_LOCK_EVAL = """
select set_config('statement_timeout', '15min', true),
    set_config('idle_in_transaction_session_timeout', '15min', true),
    pg_advisory_xact_lock(hashtextextended(%s, 0))
"""
_STORED_VERSION = """
select stored.import_id, stored.eval_id, stored.eval_set_id, stored.location, stored.etag, stored.last_modified,
    stored.log_status, stored.damage, stored.buffer_version, stored.first_imported_at, eval.completed_at
from raw.eval_import as stored
left join raw.eval as eval on eval.import_id = stored.import_id
where stored.eval_id = %s
"""
_BEGIN_IMPORT = """
insert into raw.eval_import
    (import_id, eval_id, eval_set_id, location, etag, buffer_version, size_bytes, last_modified, log_status,
     sample_count, message_count, event_count, seconds, first_imported_at, imported_at)
values (%(import_id)s, %(eval_id)s, %(eval_set_id)s, %(location)s, %(etag)s, %(buffer_version)s, %(size_bytes)s,
    %(last_modified)s, %(log_status)s, 0, 0, 0, 0, coalesce(%(first_imported_at)s, now()), now())
"""
# Of a log that still grows each version is indexed anew, so a large one is searchable only when it has ended.
_END_IMPORT = """
with ended as (
    update raw.eval_import
    set sample_count = %(samples)s, message_count = %(messages)s, event_count = %(events)s, seconds = %(seconds)s,
        damage = %(damage)s
    where import_id = %(import_id)s
    returning import_id, message_count, log_status
)
insert into raw.search_queue (import_id, message_count, queued_at)
select import_id, message_count, now() from ended
where message_count > 0 and (log_status <> 'started' or message_count <= %(live_search_messages)s)
"""
# Sets that nobody asked Hawk for are known by their logs; who may see them is decided by their models.
_KNOW_EVAL_SET = """
insert into ops.eval_set as known
    (eval_set_id, name, origin, created_by, model_names, status, created_at, status_changed_at)
values (%(eval_set_id)s, %(eval_set_id)s, 'listing', %(created_by)s, %(models)s, 'complete', %(created_at)s, now())
on conflict (eval_set_id) do update
set model_names = array(select distinct unnest(known.model_names || excluded.model_names) order by 1),
    created_at = least(known.created_at, excluded.created_at)
where known.origin = 'listing'
"""


@dataclass(frozen=True)
class Arrival:
    """A version of a log that is to be imported, and where it came from."""

    eval_set_id: str
    location: str
    etag: str


@dataclass(frozen=True)
class Replacement:
    """What came of it: rows, unless the rules left what was there."""

    state: ImportState
    reason: str = ""
    import_id: int | None = None
    rows_of_table: dict[str, int] = field(default_factory=dict)


def replace_rows(
    connection: psycopg.Connection[Any],
    arrival: Arrival,
    log: EvalLog,
    summary: EvalSummary,
    *,
    force: bool = False,
) -> Replacement:
    """Write the log's rows, delete those of its earlier version, and decide whose its samples are, if the rules say so.

    Belongs into the caller's transaction. Imports of the same eval wait for each other. Raises BrokenLog.
    """
    begun = time.monotonic()
    connection.execute(_LOCK_EVAL, (summary.eval_id,))
    stored = _stored_version(connection, summary.eval_id)
    known, new = _version(stored) if stored else None, _new_version(arrival, log, summary)
    left = reason_to_leave(known, new, force=force)
    if left is not None:
        return Replacement(*left)
    import_id = _new_import_id(connection)
    if stored:
        if stored["log_status"] != STARTED:
            keep_scores(connection, old_import_id=stored["import_id"], new_import_id=import_id)
        connection.execute("delete from raw.eval_import where import_id = %s", (stored["import_id"],))
    _begin_import(connection, arrival, log, summary, import_id, stored["first_imported_at"] if stored else None)
    rows_of_table = _write_rows(connection, arrival, log, summary, import_id)
    if stored and stored["log_status"] != STARTED:
        forget_scores_that_stand(connection, import_id)
    if log.salvage and not new.damage:  # it was found while the samples were read
        left = reason_to_leave(known, replace(new, damage=log.salvage), force=force)
        if left is not None:
            raise BrokenLog(left[1])
    connection.execute(
        _END_IMPORT,
        {
            "import_id": import_id,
            "samples": rows_of_table["sample"],
            "messages": rows_of_table["message"],
            "events": rows_of_table["event"],
            "seconds": time.monotonic() - begun,
            "damage": damage_of(log, summary),
            "live_search_messages": LIVE_SEARCH_MESSAGES,
        },
    )
    decide_owners(connection, eval_id=summary.eval_id, import_id=import_id)
    _know_eval_set(connection, arrival, log, summary)
    return Replacement("imported", import_id=import_id, rows_of_table=rows_of_table)


def damage_of(log: EvalLog, summary: EvalSummary) -> str | None:
    """Return what people should know of a damaged log of which only the readable part is imported."""
    if log.salvage is None:
        return summary.damage
    names = f"{', '.join(log.lost[:MAX_NAMES])}{' …' if len(log.lost) > MAX_NAMES else ''}"
    lost = f" Lost ({len(log.lost)}): {names}." if log.lost else ""
    earlier = f" {summary.damage}" if summary.damage else ""
    return f"Only what could be read is here. {log.salvage}{lost}{earlier}"


def _write_rows(
    connection: psycopg.Connection[Any], arrival: Arrival, log: EvalLog, summary: EvalSummary, import_id: int
) -> dict[str, int]:
    models = ModelNames([*summary.models, *(summary.stats.model_usage or {})])
    context = SampleContext(import_id, summary.eval_id, summary.first_scorer, models)
    seen: set[str] = set()
    with RowWriter(connection) as writer:
        writer.add(eval_row(import_id, arrival.eval_set_id, arrival.location, summary, log.reductions()))
        for detail in eval_detail_rows(import_id, summary):
            writer.add(detail)
        for sample in log.samples():
            uuid = uuid_of(summary.eval_id, sample.record)
            if uuid in seen:  # a copied sample; both stay
                uuid = made_uuid(summary.eval_id, sample.record)
            seen.add(uuid)
            try:
                for batch in sample_batches(context, sample, uuid):
                    writer.add_batch(batch)
            except DamagedPart as error:
                writer.take_back(import_id, uuid)
                seen.discard(uuid)
                log.lose(sample, error)
        for model in models.rows(import_id):
            writer.add(model)
    return writer.rows_of_table


def _stored_version(connection: psycopg.Connection[Any], eval_id: str) -> dict[str, Any] | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_STORED_VERSION, (eval_id,)).fetchone()


def _version(stored: dict[str, Any]) -> LogVersion:
    return LogVersion(
        eval_id=stored["eval_id"],
        eval_set_id=stored["eval_set_id"],
        location=stored["location"],
        etag=stored["etag"],
        last_modified=stored["last_modified"],
        is_finished=stored["log_status"] != STARTED,
        completed_at=stored["completed_at"],
        damage=stored["damage"],
        buffer_version=stored["buffer_version"],
    )


def _new_version(arrival: Arrival, log: EvalLog, summary: EvalSummary) -> LogVersion:
    return LogVersion(
        eval_id=summary.eval_id,
        eval_set_id=arrival.eval_set_id,
        location=arrival.location,
        etag=arrival.etag,
        last_modified=log.source.last_modified,
        is_finished=summary.is_finished,
        completed_at=summary.completed_at,
        damage=log.salvage or summary.damage,
        buffer_version=_buffer_version(log),
    )


def _buffer_version(log: EvalLog) -> str | None:
    return log.version if isinstance(log, LiveLog) else None


def _new_import_id(connection: psycopg.Connection[Any]) -> int:
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute("select raw.next_import_id()").fetchone()
    if row is None:
        raise Bug("Postgres gave an import no id.")
    return int(row[0])


def _begin_import(
    connection: psycopg.Connection[Any],
    arrival: Arrival,
    log: EvalLog,
    summary: EvalSummary,
    import_id: int,
    first_imported_at: datetime | None,
) -> None:
    connection.execute(
        _BEGIN_IMPORT,
        {
            "import_id": import_id,
            "eval_id": summary.eval_id,
            "eval_set_id": arrival.eval_set_id,
            "location": arrival.location,
            "etag": arrival.etag,
            "buffer_version": _buffer_version(log),
            "size_bytes": log.source.size_bytes,
            "last_modified": log.source.last_modified,
            "log_status": summary.header.status,
            "first_imported_at": first_imported_at,
        },
    )


def _know_eval_set(connection: psycopg.Connection[Any], arrival: Arrival, log: EvalLog, summary: EvalSummary) -> None:
    connection.execute(
        _KNOW_EVAL_SET,
        {
            "eval_set_id": arrival.eval_set_id,
            "created_by": summary.created_by,
            "models": sorted({*summary.models, *(summary.stats.model_usage or {})}),
            "created_at": summary.created_at or log.source.last_modified,
        },
    )
