"""Drops events of imports that are older than a setting, a month's partition at a time; scores and messages stay.

Nothing is dropped unless the setting says so. What was dropped stands in ops.retention_drop, and each import whose
events are gone says since when. Importing a log anew brings its events back.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from hawk.naming import RAW_SCHEMA
from hawk.warehouse.partitions import FIRST_ID_WITH_A_MONTH, PARTITIONED, Month, month_of_partition

# A drop stops everybody who uses the table, so it gives way to a running import and is tried again another day.
LOCK_TIMEOUT_SECONDS = 5.0
_PARTITIONS = """
select child.relname as partition_name, parent.relname as table_name, pg_total_relation_size(child.oid) as size_bytes
from pg_inherits
join pg_class as child on child.oid = pg_inherits.inhrelid
join pg_class as parent on parent.oid = pg_inherits.inhparent
join pg_namespace on pg_namespace.oid = parent.relnamespace
where pg_namespace.nspname = %(schema)s and parent.relname = any(%(tables)s)
order by child.relname
"""
_IMPORTS_OF_MONTH = """
select count(*) as import_count, count(distinct eval_set_id) as eval_set_count,
    coalesce(sum(event_count), 0)::bigint as event_count, max(imported_at) as last_imported_at
from raw.eval_import
where import_id >= %(first)s and import_id < %(behind)s
"""
_RECORD = """
insert into ops.retention_drop
    (table_name, partition_name, retention_days, import_count, eval_set_count, event_count, size_bytes,
     last_imported_at, dropped_at)
values (%(table_name)s, %(partition_name)s, %(days)s, %(import_count)s, %(eval_set_count)s, %(event_count)s,
    %(size_bytes)s, %(last_imported_at)s, now())
"""
_MARK_IMPORTS = """
update raw.eval_import set events_dropped_at = now()
where import_id >= %(first)s and import_id < %(behind)s and events_dropped_at is null
"""


@dataclass(frozen=True)
class DroppablePartition:
    """A partition whose imports are all old enough, and what would go with it."""

    table_name: str
    partition_name: str
    size_bytes: int
    import_count: int
    eval_set_count: int
    event_count: int
    last_imported_at: datetime | None


def retention_plan(
    connection: psycopg.Connection[Any], *, days: float | None, now: datetime
) -> list[DroppablePartition]:
    """Return what `apply_retention` would drop, oldest first; nothing where `days` is None."""
    if days is None:
        return []
    limit = now - timedelta(days=days)
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        partitions = cursor.execute(_PARTITIONS, {"schema": RAW_SCHEMA, "tables": list(PARTITIONED)}).fetchall()
        plan = []
        for partition in partitions:
            imports = cursor.execute(_IMPORTS_OF_MONTH, _ids_of(partition["partition_name"])).fetchone() or {}
            if _is_over(partition["partition_name"], imports["last_imported_at"], limit):
                plan.append(DroppablePartition(**partition, **imports))
    return plan


def apply_retention(
    connection: psycopg.Connection[Any], *, days: float | None, now: datetime
) -> list[DroppablePartition]:
    """Drop what is old enough and write down what it was; return it.

    A partition that is in use for longer than some seconds is left for the next time.
    """
    return [
        partition
        for partition in retention_plan(connection, days=days, now=now)
        if days is not None and _drop(connection, partition, days)
    ]


def _is_over(partition_name: str, last_imported_at: datetime | None, limit: datetime) -> bool:
    month = month_of_partition(partition_name)
    if month is not None and month.next > Month.of(limit):
        return False  # the month itself is not old enough, even where nothing was imported in it
    if last_imported_at is None:
        return month is not None  # empty; that of the earliest imports stays, it takes no space
    return last_imported_at < limit


def _drop(connection: psycopg.Connection[Any], partition: DroppablePartition, days: float) -> bool:
    try:
        with connection.transaction():
            connection.execute("select set_config('lock_timeout', %s, true)", (f"{LOCK_TIMEOUT_SECONDS * 1000:.0f}ms",))
            connection.execute(sql.SQL("drop table {}").format(sql.Identifier(RAW_SCHEMA, partition.partition_name)))
            connection.execute(_MARK_IMPORTS, _ids_of(partition.partition_name))
            connection.execute(_RECORD, {**vars(partition), "days": days})
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def _ids_of(partition_name: str) -> dict[str, int]:
    """Return the range of ids that imports of a partition have."""
    month = month_of_partition(partition_name)
    if month is None:
        return {"first": -(2**63), "behind": FIRST_ID_WITH_A_MONTH}
    return {"first": month.first_import_id, "behind": month.next.first_import_id}
