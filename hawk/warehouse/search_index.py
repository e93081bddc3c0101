"""Makes messages searchable after their import: their words go into raw.message_search, a batch a transaction.

Imports only queue themselves, so they take no longer. Several processes may index at once; one that dies loses its
batch, and the next goes on behind the last one that was committed.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row

from hawk.warehouse.connection import require_idle

BATCH_MESSAGES = 2000
BATCH_BYTES = 4 * 1024 * 1024  # of text: about a second of work, which an import of the same eval may wait for

# The import's row is locked first: an import that replaces it takes the same order, so neither waits for the other's.
_NEXT_IMPORT = """
select queue.import_id, queue.after_sample_uuid, queue.after_message_index
from raw.search_queue as queue
join raw.eval_import as import using (import_id)
where %(import_id)s::bigint is null or queue.import_id = %(import_id)s
order by queue.queued_at, queue.import_id
limit 1
for key share of import skip locked
for update of queue skip locked
"""
_INDEX_BATCH = """
with batch as (
    select sample_uuid, message_index, text, octet_length(text) as size_bytes
    from raw.message
    where import_id = %(import_id)s and (sample_uuid, message_index) > (%(after_sample_uuid)s, %(after_message_index)s)
    order by sample_uuid, message_index
    limit %(messages)s
),
summed as (
    select *, sum(size_bytes) over (order by sample_uuid, message_index) - size_bytes as bytes_before from batch
),
chosen as materialized (
    select sample_uuid, message_index, text from summed where coalesce(bytes_before, 0) < %(bytes)s
),
indexed as (
    insert into raw.message_search (import_id, sample_uuid, message_index, words)
    select %(import_id)s, sample_uuid, message_index, raw.searchable_words(text) from chosen where text <> ''
)
select sample_uuid, message_index, count(*) over () as indexed
from chosen order by sample_uuid desc, message_index desc limit 1
"""
_GO_ON = """
update raw.search_queue
set after_sample_uuid = %(sample_uuid)s, after_message_index = %(message_index)s,
    indexed_count = indexed_count + %(indexed)s
where import_id = %(import_id)s
"""
_DONE = "delete from raw.search_queue where import_id = %(import_id)s"
_BEHIND = """
select count(*) as imports, coalesce(sum(message_count - indexed_count), 0)::bigint as messages,
    min(queued_at) as oldest_queued_at,
    coalesce(extract(epoch from clock_timestamp() - min(queued_at)), 0)::float8 as lag_seconds
from raw.search_queue
"""


@dataclass(frozen=True)
class SearchBacklog:
    """What is imported and cannot be found yet."""

    imports: int
    messages: int
    oldest_queued_at: datetime | None
    lag_seconds: float  # since the oldest of them was imported


def index_messages(connection: psycopg.Connection[Any], *, seconds: float = 60.0, import_id: int | None = None) -> int:
    """Make messages searchable, oldest import first, until all are or the time is over; return how many.

    It is a batch at least, so that even calls without any time get on. With an `import_id` only that one's.
    """
    require_idle(connection)
    deadline = time.monotonic() + seconds
    indexed = 0
    while (batch := _index_batch(connection, import_id)) is not None:
        indexed += batch
        if time.monotonic() >= deadline:
            break
    return indexed


def search_backlog(connection: psycopg.Connection[Any]) -> SearchBacklog:
    """Return how far the index is behind."""
    with connection.transaction(), connection.cursor(row_factory=class_row(SearchBacklog)) as cursor:
        return cursor.execute(_BEHIND).fetchone() or SearchBacklog(0, 0, None, 0.0)


def _index_batch(connection: psycopg.Connection[Any], import_id: int | None) -> int | None:
    """Index the next messages of one import; None where nothing is queued that nobody else is at."""
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        queued = cursor.execute(_NEXT_IMPORT, {"import_id": import_id}).fetchone()
        if queued is None:
            return None
        last = cursor.execute(_INDEX_BATCH, {**queued, "messages": BATCH_MESSAGES, "bytes": BATCH_BYTES}).fetchone()
        if last is None:
            cursor.execute(_DONE, queued)
            return 0
        cursor.execute(_GO_ON, {**queued, **last})
        return int(last["indexed"])
