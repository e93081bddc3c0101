"""Whenever an importer or its database dies, a log is in the warehouse whole or not at all, and is tried again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hawk.errors import Upstream
from hawk.settings import ObjectStoreSettings
from hawk.warehouse import inbox
from hawk.warehouse.importer import import_log
from hawk.warehouse.inbox_report import summary
from hawk.warehouse.tables import RAW_TABLES
from tests.raw_rows import CONTENT_TABLES, contents, count


def test_lost_database_connection_leaves_nothing_half_there(
    logs_by_kind: dict[str, Path], land: Any, warehouse: Any, s3: Any, database_url: str
) -> None:
    entry = land(logs_by_kind["plain"])
    with psycopg.connect(database_url, autocommit=True) as connection:
        pid = connection.info.backend_pid
        # The backend dies when it writes the first sample.
        warehouse.execute(
            "create function die() returns trigger language plpgsql as"
            f" $$ begin if pg_backend_pid() = {pid} then perform pg_terminate_backend({pid}); perform pg_sleep(5);"
            " end if; return new; end $$;"
            " create trigger die before insert on raw.sample for each row execute function die()"
        )
        with pytest.raises(Upstream, match="database did not answer"):
            import_log(connection, s3, entry)

    assert all(count(warehouse, f"raw.{table.name}") == 0 for table in RAW_TABLES)
    warehouse.execute("drop trigger die on raw.sample")
    warehouse.execute("select pg_advisory_unlock_all()")
    (again,) = inbox.claim_batch(warehouse, 10)
    assert import_log(warehouse, s3, again).state == "imported"


WORKER = """
import sys, psycopg
from hawk.object_store import s3_client
from hawk.settings import ObjectStoreSettings
from hawk.warehouse import inbox
from hawk.warehouse.importer import import_batch
settings = ObjectStoreSettings.model_validate_json(sys.argv[2])
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    entries = inbox.claim_batch(connection, 100)
    print("claimed", len(entries), flush=True)
    for outcome in import_batch(connection, s3_client(settings), entries):
        print(outcome.state, flush=True)
"""


def worker(database_url: str, settings: ObjectStoreSettings) -> subprocess.Popen[str]:
    secret = settings.s3_secret_access_key
    values = settings.model_dump(mode="json") | {"s3_secret_access_key": secret.get_secret_value() if secret else None}
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, database_url, json.dumps(values)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("table", ["eval_import", "eval", "message", "event", "sample", "search_queue", "sample_owner"])
def test_killed_midway_nothing_is_half_there_and_the_next_worker_gets_it(
    table: str,
    logs_by_kind: dict[str, Path],
    warehouse: Any,
    s3: Any,
    object_store: ObjectStoreSettings,
    database_url: str,
) -> None:
    s3.put_object(Bucket=object_store.bucket, Key="evals/set-a/log.eval", Body=logs_by_kind["plain"].read_bytes())
    inbox.discover(warehouse, s3, object_store)
    held_up_at(warehouse, table)
    process = worker(database_url, object_store)
    wait_until(lambda: count(warehouse, "pg_locks where locktype = 'advisory' and not granted") == 1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert summary(warehouse, "set-a").pending == 1
    assert all(count(warehouse, f"raw.{name}") == 0 for name in CONTENT_TABLES)
    warehouse.execute(f"select pg_advisory_unlock(42); drop trigger wait on raw.{table}")
    # The backend of the dead worker notices at its next word to it.
    wait_until(lambda: inbox.pending_count(warehouse) == 1)

    output = worker(database_url, object_store).communicate(timeout=60)[0]

    assert output.split() == ["claimed", "1", "imported"]
    row = warehouse.execute("select state, attempts, worker_deaths from ops.log_inbox").fetchone()
    assert row == {"state": "imported", "attempts": 2, "worker_deaths": 1}
    assert count(warehouse, "raw.sample") == 4


def test_killed_while_it_replaces_an_import_leaves_the_earlier_one(
    logs_by_kind: dict[str, Path],
    import_file: Any,
    warehouse: Any,
    s3: Any,
    object_store: ObjectStoreSettings,
    database_url: str,
) -> None:
    import_file(logs_by_kind["plain"], name="log.eval")
    before = contents(warehouse)
    s3.put_object(Bucket=object_store.bucket, Key="evals/set-a/log.eval", Body=logs_by_kind["edited"].read_bytes())
    inbox.discover(warehouse, s3, object_store)
    held_up_at(warehouse, "score")
    process = worker(database_url, object_store)
    wait_until(lambda: count(warehouse, "pg_locks where locktype = 'advisory' and not granted") == 1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    warehouse.execute("select pg_advisory_unlock(42); drop trigger wait on raw.score")
    wait_until(lambda: inbox.pending_count(warehouse) == 1)

    assert contents(warehouse) == before
    (entry,) = inbox.claim_batch(warehouse, 10)
    assert import_log(warehouse, s3, entry).state == "imported"
    assert contents(warehouse) != before


def held_up_at(warehouse: Any, table: str) -> None:
    """Hold up whoever writes a first row of a table, by this session's lock."""
    warehouse.execute(
        "create function wait() returns trigger language plpgsql as"
        " $$ begin perform pg_advisory_xact_lock(42); return new; end $$;"
        f" create trigger wait before insert on raw.{table} for each row execute function wait();"
        " select pg_advisory_lock(42)"
    )


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)
