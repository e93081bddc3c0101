"""Partitions of the event tables, one a month of import, so that old events go by dropping a table.

An import's id begins with the year and month in which it began, so a query for one import looks at one partition.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from hawk.naming import RAW_SCHEMA

PARTITIONED = ("event", "event_pool")
EARLIEST = "earliest"  # the partition of imports whose ids are older than months in ids

FIRST_ID_WITH_A_MONTH = 10**15
_IDS_OF_A_MONTH = 10**10  # as raw.next_import_id() has it
_PARTITION = re.compile(rf"({'|'.join(PARTITIONED)})_({EARLIEST}|\d{{4}}_\d{{2}})")
_LOCK_KEY = 0x6861_776B_7061_7274  # "hawkpart"


@dataclass(frozen=True, order=True)
class Month:
    """A month of imports."""

    year: int
    month: int

    @classmethod
    def of(cls, moment: datetime) -> "Month":
        in_utc = moment.astimezone(UTC)
        return cls(in_utc.year, in_utc.month)

    @property
    def next(self) -> "Month":
        return Month(self.year + 1, 1) if self.month == 12 else Month(self.year, self.month + 1)

    @property
    def first_import_id(self) -> int:
        """The lowest id that an import of the month, or a later one, can have."""
        return (self.year * 100 + self.month) * _IDS_OF_A_MONTH

    def partition_of(self, table: str) -> str:
        """Return the name of a table's partition of this month."""
        return f"{table}_{self.year}_{self.month:02d}"


def is_partition(name: str) -> bool:
    """Say whether a table of schema raw is a part of another."""
    return bool(_PARTITION.fullmatch(name))


def month_of_partition(name: str) -> Month | None:
    """Return the month of a partition; None for that of the earliest imports."""
    found = _PARTITION.fullmatch(name)
    if not found or found[2] == EARLIEST:
        return None
    year, month = found[2].split("_")
    return Month(int(year), int(month))


def ensure_partitions(connection: psycopg.Connection[Any]) -> None:
    """Make the partitions that an import needs which begins now, or soon; costs one query where they are there."""
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute("select now()").fetchone()
        this_month = Month.of(row[0] if row else datetime.now(UTC))
        months = (this_month, this_month.next)
        missing = [
            (table, month)
            for month in months
            for table in PARTITIONED
            if not _exists(cursor, month.partition_of(table))
        ]
        if not missing:
            return
        cursor.execute("select pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
        for table, month in missing:
            if not _exists(cursor, month.partition_of(table)):
                _make(cursor, table, month)


def _exists(cursor: psycopg.Cursor[Any], partition: str) -> bool:
    row = cursor.execute("select to_regclass(%s)", (f"{RAW_SCHEMA}.{partition}",)).fetchone()
    return row is not None and row[0] is not None


def _make(cursor: psycopg.Cursor[Any], table: str, month: Month) -> None:
    # Made apart and then attached, which does not stop those who read or write the other partitions.
    names = {
        "partition": sql.Identifier(RAW_SCHEMA, month.partition_of(table)),
        "parent": sql.Identifier(RAW_SCHEMA, table),
        "first": sql.Literal(month.first_import_id),
        "behind": sql.Literal(month.next.first_import_id),
    }
    cursor.execute(sql.SQL("create table {partition} (like {parent} including all)").format(**names))
    # Whoever may see rows asks for them by the table; in its parts nobody sees any.
    cursor.execute("select ops.close_rows(%s)", [f"{RAW_SCHEMA}.{month.partition_of(table)}"])
    cursor.execute(
        sql.SQL("alter table {parent} attach partition {partition} for values from ({first}) to ({behind})").format(
            **names
        )
    )
