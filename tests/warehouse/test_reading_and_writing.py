"""Bytes come from disk and S3 alike; rows go into the columns that tables.py names."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from hawk.errors import NotFound
from hawk.settings import ObjectStoreSettings
from hawk.warehouse import tables
from hawk.warehouse.eval_rows import summarize
from hawk.warehouse.log_source import BLOCK_BYTES, FileSource, LogSource, ObjectChanged, S3Source
from hawk.warehouse.reader import EvalLog, open_file, open_log
from hawk.warehouse.rows import TABLE_OF_ROW, EventPoolRow, as_logged, jsonb
from hawk.warehouse.sample_rows import SampleContext, sample_batches, uuid_of
from hawk.warehouse.writer import RowWriter


@pytest.mark.parametrize("kind", TABLE_OF_ROW, ids=lambda kind: kind.__name__)
def test_rows_have_the_columns_of_their_table(kind: Any) -> None:
    table = tables.metadata.tables[f"raw.{TABLE_OF_ROW[kind]}"]

    assert set(kind._fields) == {column.name for column in table.columns}


def test_every_raw_table_has_a_row() -> None:
    written = {f"raw.{name}" for name in TABLE_OF_ROW.values()}

    others = {"raw.eval_import", "raw.sample_owner", "raw.earlier_score"}
    assert written | others == {f"raw.{table.name}" for table in tables.RAW_TABLES}


@pytest.fixture(scope="module")
def large_bytes() -> bytes:
    return random.Random(1).randbytes(7 * BLOCK_BYTES + 12345)


@pytest.fixture(params=["disk", "s3"])
def source(
    request: pytest.FixtureRequest, large_bytes: bytes, tmp_path: Path, s3: Any, object_store: ObjectStoreSettings
) -> Iterator[LogSource]:
    if request.param == "disk":
        (tmp_path / "x").write_bytes(large_bytes)
        opened: LogSource = FileSource(tmp_path / "x")
    else:
        answer = s3.put_object(Bucket=object_store.bucket, Key="x", Body=large_bytes)
        opened = S3Source(s3, object_store.bucket, "x", etag=answer["ETag"].strip('"'))
    yield opened
    opened.close()


def test_any_range_can_be_read(source: LogSource, large_bytes: bytes) -> None:
    size = len(large_bytes)
    assert source.size_bytes == size
    ranges = [(size - 100, 100), (0, 4), (0, 3 * BLOCK_BYTES + 1), (BLOCK_BYTES - 1, 2), (size - 5, 100), (size, 9),
              (5 * BLOCK_BYTES, 10), (0, 10), (0, size)]  # fmt: skip
    for offset, length in ranges:
        assert source.read(offset, length) == large_bytes[offset : offset + length]


def test_object_overwritten_while_it_is_read_is_noticed(
    s3: Any, object_store: ObjectStoreSettings, large_bytes: bytes
) -> None:
    answer = s3.put_object(Bucket=object_store.bucket, Key="x", Body=large_bytes)
    source = S3Source(s3, object_store.bucket, "x", etag=answer["ETag"].strip('"'))
    source.read(0, 10)

    s3.put_object(Bucket=object_store.bucket, Key="x", Body=large_bytes[::-1])

    with pytest.raises(ObjectChanged, match="overwritten"):
        source.read(len(large_bytes) - 10, 10)
    source.close()


def test_object_deleted_while_it_is_read_is_noticed(
    s3: Any, object_store: ObjectStoreSettings, large_bytes: bytes
) -> None:
    answer = s3.put_object(Bucket=object_store.bucket, Key="x", Body=large_bytes)
    source = S3Source(s3, object_store.bucket, "x", etag=answer["ETag"].strip('"'))
    source.read(0, 10)

    s3.delete_object(Bucket=object_store.bucket, Key="x")

    with pytest.raises(NotFound, match="not on S3 any more"):
        source.read(len(large_bytes) - 10, 10)
    source.close()


def test_object_of_another_version_is_refused_at_once(s3: Any, object_store: ObjectStoreSettings) -> None:
    s3.put_object(Bucket=object_store.bucket, Key="x", Body=b"x")

    with pytest.raises(ObjectChanged):
        S3Source(s3, object_store.bucket, "x", etag="another")
    with pytest.raises(NotFound):
        S3Source(s3, object_store.bucket, "nothing here", etag="another")


JSONB_VERSION = b"\x01"


def rows_of(log: EvalLog) -> dict[str, list[str]]:
    summary = summarize(log)
    context = SampleContext(import_id=1, eval_id=summary.eval_id, first_scorer=summary.first_scorer)
    rows: dict[str, list[str]] = {}
    for sample in log.samples():
        for batch in sample_batches(context, sample, uuid_of(summary.eval_id, sample.record)):
            values = [repr([parsed(value) for value in row]) for row in batch.rows]
            rows.setdefault(TABLE_OF_ROW[batch.kind], []).extend(values)
    return {table: sorted(found) for table, found in rows.items()}


def parsed(value: Any) -> Any:
    return msgspec.json.decode(value.removeprefix(JSONB_VERSION)) if isinstance(value, bytes) else value


def test_json_log_has_the_rows_of_its_eval_log(logs_by_kind: dict[str, Path]) -> None:
    of_json, of_archive = open_file(logs_by_kind["json"]), open_file(logs_by_kind["plain"])

    assert len(msgspec.json.decode(of_json.reductions())) == len(msgspec.json.decode(of_archive.reductions()))
    in_json, in_archive = rows_of(of_json), rows_of(of_archive)
    for table in ("sample", "sample_model_usage", "score", "message"):
        assert in_json[table] == in_archive[table]
    assert len(in_json["event"]) == len(in_archive["event"])  # written out in the one, condensed in the other


def test_log_reads_the_same_from_s3(logs_by_kind: dict[str, Path], s3: Any, object_store: ObjectStoreSettings) -> None:
    answer = s3.put_object(Bucket=object_store.bucket, Key="x", Body=logs_by_kind["plain"].read_bytes())
    source = S3Source(s3, object_store.bucket, "x", etag=answer["ETag"].strip('"'))

    assert rows_of(open_log(source)) == rows_of(open_file(logs_by_kind["plain"]))
    source.close()


def pool_rows(import_id: int, number: int) -> list[EventPoolRow]:
    return [EventPoolRow(import_id, "u", "message", index, as_logged(b'{"n": %d}' % index)) for index in range(number)]


def begin_import(warehouse: Any) -> int:
    row = warehouse.execute(
        "insert into raw.eval_import (eval_id, eval_set_id, location, etag, size_bytes, last_modified, log_status,"
        " sample_count, message_count, event_count, seconds, first_imported_at, imported_at)"
        " values ('e', 's', 'l', 'e', 1, now(), 'success', 0, 0, 0, 0, now(), now()) returning import_id"
    ).fetchone()
    return int(row["import_id"])


def test_rows_of_many_batches_all_arrive(warehouse: Any) -> None:
    import_id = begin_import(warehouse)

    with RowWriter(warehouse, batch_bytes=1000) as writer:
        for row in pool_rows(import_id, 500):
            writer.add(row, 100)

    found = warehouse.execute("select count(*) as n, sum((data ->> 'n')::int) as s from raw.event_pool").fetchone()
    assert found == {"n": 500, "s": sum(range(500))}
    assert writer.row_count == 500


def test_batch_that_fails_fails_the_writer(warehouse: Any) -> None:
    import_id = begin_import(warehouse)

    with pytest.raises(psycopg.errors.UniqueViolation), RowWriter(warehouse, batch_bytes=1000) as writer:
        for row in pool_rows(import_id, 50) * 2:
            writer.add(row, 100)


def test_connection_is_free_again_after_an_error(warehouse: Any) -> None:
    import_id = begin_import(warehouse)

    with pytest.raises(KeyError), warehouse.transaction(), RowWriter(warehouse, batch_bytes=10) as writer:
        writer.add(pool_rows(import_id, 1)[0], 100)
        raise KeyError

    assert warehouse.execute("select count(*) as n from raw.event_pool").fetchone() == {"n": 0}


def test_empty_and_null_json_is_null() -> None:
    assert (jsonb(b""), jsonb(b"null"), as_logged(b""), as_logged(b"null")) == (None, None, None, None)
    assert (jsonb(b"{}"), as_logged(b"{}")) == (b"\x01{}", b"{}")
