"""Rows of one table on their way to it: a few at a time, so that no sample is ever in memory as rows. Pure."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hawk.warehouse.rows import Row

BATCH_BYTES = 1024 * 1024
SMALL_ROW_BYTES = 500  # what a row without a transcript in it takes, roughly


class RowBatch(NamedTuple):
    """Rows of one kind, and about the bytes that they hold together."""

    kind: type[Row]
    rows: list[Row]
    size_bytes: int


def in_batches(kind: type[Row], rows: Iterable[tuple[Row, int]]) -> Iterator[RowBatch]:
    """Yield rows that come with about the bytes they hold, in batches; a large row is a batch by itself."""
    batch: list[Row] = []
    size = 0
    for row, size_bytes in rows:
        batch.append(row)
        size += size_bytes + SMALL_ROW_BYTES
        if size >= BATCH_BYTES:
            yield RowBatch(kind, batch, size)
            batch, size = [], 0
    if batch:
        yield RowBatch(kind, batch, size)
