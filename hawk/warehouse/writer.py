"""Writes rows into the raw tables by binary COPY, in batches of a few megabytes, while the next ones are made."""

from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any, Self

import psycopg
import sqlalchemy
from psycopg import sql
from psycopg.types.string import BytesBinaryDumper
from sqlalchemy.dialects.postgresql import JSON, JSONB

from hawk.naming import RAW_SCHEMA
from hawk.warehouse import tables
from hawk.warehouse.row_batches import SMALL_ROW_BYTES, RowBatch
from hawk.warehouse.rows import TABLE_OF_ROW, Row

BATCH_BYTES = 8 * 1024 * 1024  # one batch is written while the next is filled, so twice this is in memory
IDLE_BATCH_BYTES = 512 * 1024  # enough for a COPY that would otherwise wait: small logs are one batch or two

_COPY_TYPES: dict[type[sqlalchemy.types.TypeEngine[Any]], str] = {
    sqlalchemy.BigInteger: "int8",
    sqlalchemy.Integer: "int4",
    sqlalchemy.Double: "float8",
    sqlalchemy.Boolean: "bool",
    sqlalchemy.Text: "text",
    sqlalchemy.DateTime: "timestamptz",
    sqlalchemy.ARRAY: "text[]",
    # Rows have the wire form of either already, and bytea sends bytes as they are.
    JSON: "bytea",
    sqlalchemy.JSON: "bytea",
    JSONB: "bytea",
}


class RowWriter:
    """Takes rows in any order and has them all in their tables when the `with` block ends without an error.

    The connection belongs to the writer meanwhile: its COPYs run on a thread of their own, one at a time.
    """

    def __init__(self, connection: psycopg.Connection[Any], *, batch_bytes: int = BATCH_BYTES) -> None:
        self._connection = connection
        self._batch_bytes = batch_bytes
        self._rows: dict[type[Row], list[Row]] = {}
        self._size_bytes = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="copy")
        self._writing: Future[None] | None = None
        self.rows_of_table: dict[str, int] = dict.fromkeys(TABLE_OF_ROW.values(), 0)

    @property
    def row_count(self) -> int:
        return sum(self.rows_of_table.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, _error: object, _traceback: object) -> None:
        try:
            if kind is None:
                self._flush()
                self._wait()
        finally:
            # Whatever happened, nothing may use the connection once the caller has it back.
            self._thread.shutdown(wait=True)

    def add(self, row: Row, size_bytes: int = SMALL_ROW_BYTES) -> None:
        """Take a row that holds about so many bytes; raises what an earlier batch failed with."""
        self.add_batch(RowBatch(type(row), [row], size_bytes))

    def add_batch(self, batch: RowBatch) -> None:
        """Take rows of one table; raises what an earlier batch failed with."""
        self._rows.setdefault(batch.kind, []).extend(batch.rows)
        self.rows_of_table[TABLE_OF_ROW[batch.kind]] += len(batch.rows)
        self._size_bytes += batch.size_bytes
        is_idle = self._writing is None or self._writing.done()
        if self._size_bytes >= (min(IDLE_BATCH_BYTES, self._batch_bytes) if is_idle else self._batch_bytes):
            self._flush()

    def take_back(self, import_id: int, sample_uuid: str) -> None:
        """Remove the rows of a sample that were added, those that have been written too."""
        self._flush()
        self._wait()
        for kind, table in TABLE_OF_ROW.items():
            if "sample_uuid" in kind._fields:
                statement = sql.SQL("delete from {} where import_id = %s and sample_uuid = %s").format(
                    sql.Identifier(RAW_SCHEMA, table)
                )
                self.rows_of_table[table] -= self._connection.execute(statement, (import_id, sample_uuid)).rowcount

    def _flush(self) -> None:
        rows, self._rows, self._size_bytes = self._rows, {}, 0
        self._wait()
        self._writing = self._thread.submit(self._write, rows)

    def _wait(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def _write(self, rows_of_kind: dict[type[Row], list[Row]]) -> None:
        with self._connection.cursor() as cursor:
            # The one in C; otherwise psycopg takes that of the DB-API's Binary, which is in Python.
            cursor.adapters.register_dumper(bytes, BytesBinaryDumper)
            while rows_of_kind:
                kind, rows = rows_of_kind.popitem()
                copy_rows(cursor, kind, rows)


def copy_rows(cursor: psycopg.Cursor[Any], kind: type[Row], rows: list[Row]) -> None:
    """Append rows of one kind to their table."""
    statement, types = _copy_statement(TABLE_OF_ROW[kind], kind._fields)
    with cursor.copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


@cache
def _copy_statement(table_name: str, columns: tuple[str, ...]) -> tuple[bytes, list[str]]:
    """Return the statement, and the types that its values are sent as."""
    table = tables.metadata.tables[f"{RAW_SCHEMA}.{table_name}"]
    statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        sql.Identifier(RAW_SCHEMA, table_name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    return statement.as_bytes(), [_COPY_TYPES[type(table.columns[name].type)] for name in columns]
