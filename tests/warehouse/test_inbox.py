"""Every version of every log is in the inbox once, and one worker has it at a time."""

import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from hawk.errors import Bug, Upstream
from hawk.object_store import s3_client
from hawk.settings import ObjectStoreSettings
from hawk.warehouse import inbox
from hawk.warehouse.inbox import LogObject

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def version(etag: str, *, key: str = "evals/set-a/log.eval", after: int = 0) -> LogObject:
    return LogObject("bucket", key, etag, 10, NOW + timedelta(seconds=after))


def attempts(warehouse: Any) -> list[int]:
    return [row["attempts"] for row in warehouse.execute("select attempts from ops.log_inbox order by log_inbox_id")]


def wait_for_end(warehouse: Any, backend_pid: int) -> None:
    """Return when a closed connection's server process is gone, and its locks with it."""
    for _ in range(200):
        if not warehouse.execute("select 1 from pg_stat_activity where pid = %s", (backend_pid,)).fetchone():
            return
        time.sleep(0.05)
    pytest.fail("The server process of a closed connection is still there.")


def states(warehouse: Any) -> dict[str, str]:
    return {row["etag"]: row["state"] for row in warehouse.execute("select etag, state from ops.log_inbox")}


def test_listing_finds_logs_and_nothing_else(warehouse: Any, s3: Any, object_store: ObjectStoreSettings) -> None:
    keys = [
        "evals/set-a/2026-01-01T00-00-00+00-00_a task_x.eval",
        "evals/set-a/.config.yaml",
        "evals/set-a/.buffer/x/1.eval",
        "evals/set-a/.hidden.eval",
        "evals/set-a/logs.json",
        "evals/stray.eval",
        "evals/set-b/other.eval",
        "scans/set-a/x.eval",
    ]
    for key in keys:
        s3.put_object(Bucket=object_store.bucket, Key=key, Body=key.encode())

    found = inbox.discover(warehouse, s3, object_store)

    rows = warehouse.execute("select * from ops.log_inbox order by key").fetchall()
    assert found == 2
    assert [row["key"] for row in rows] == [keys[0], keys[6]]
    assert [row["eval_set_id"] for row in rows] == ["set-a", "set-b"]
    assert rows[0]["size_bytes"] == len(keys[0])
    assert {(row["state"], row["source"], row["attempts"]) for row in rows} == {("pending", "listing", 0)}


def test_listing_of_a_set_leaves_sets_with_longer_names_alone(
    warehouse: Any, s3: Any, object_store: ObjectStoreSettings
) -> None:
    for eval_set_id in ("set", "set-a"):
        s3.put_object(Bucket=object_store.bucket, Key=f"evals/{eval_set_id}/x.eval", Body=b"x")

    assert inbox.discover(warehouse, s3, object_store, ["set"]) == 1
    assert warehouse.execute("select eval_set_id from ops.log_inbox").fetchall() == [{"eval_set_id": "set"}]


def test_listing_again_finds_no_news(warehouse: Any, s3: Any, object_store: ObjectStoreSettings) -> None:
    s3.put_object(Bucket=object_store.bucket, Key="evals/set-a/x.eval", Body=b"x")

    assert [inbox.discover(warehouse, s3, object_store) for _ in range(2)] == [1, 0]


def test_s3_that_does_not_answer_is_upstream(warehouse: Any) -> None:
    settings = ObjectStoreSettings(s3_endpoint_url="http://127.0.0.1:1", s3_access_key_id="x", s3_secret_access_key="x")

    with pytest.raises(Upstream, match="S3 does not answer"):
        inbox.discover(warehouse, s3_client(settings), settings)


@pytest.mark.parametrize("etags", [("old", "new"), ("new", "old")], ids=["in order", "out of order"])
def test_only_the_newest_version_stays_pending(warehouse: Any, etags: tuple[str, str]) -> None:
    after = {"old": 0, "new": 60}

    for etag in etags:
        inbox.record(warehouse, [version(etag, after=after[etag])], source="event")

    assert states(warehouse) == {"old": "superseded", "new": "pending"}


def test_quotes_around_etags_make_no_other_version(warehouse: Any) -> None:
    inbox.record(warehouse, [version('"a"')], source="listing")

    assert inbox.record(warehouse, [version("a")], source="event") == 0


def test_version_that_comes_back_after_another_is_pending_again(warehouse: Any) -> None:
    inbox.record(warehouse, [version("a")], source="event")
    inbox.record(warehouse, [version("b", after=60)], source="event")
    warehouse.execute("update ops.log_inbox set state = 'imported'")

    news = inbox.record(warehouse, [version("a", after=120)], source="event")

    assert news == 1
    assert states(warehouse) == {"a": "pending", "b": "imported"}


def test_event_of_an_imported_version_that_is_a_second_late_is_no_news(warehouse: Any) -> None:
    inbox.record(warehouse, [version("a")], source="listing")
    warehouse.execute("update ops.log_inbox set state = 'imported'")

    assert inbox.record(warehouse, [version("a", after=1)], source="event") == 0


def test_two_workers_never_have_the_same_log(warehouse: Any, database_url: str) -> None:
    inbox.record(warehouse, [version("a", key=f"evals/set-a/{n}.eval") for n in range(5)], source="event")

    first = inbox.claim_batch(warehouse, 2)
    with psycopg.connect(database_url, autocommit=True) as other:
        second = inbox.claim_batch(other, 10)

    assert [entry.key for entry in first] == ["evals/set-a/0.eval", "evals/set-a/1.eval"]
    assert [entry.key for entry in second] == [f"evals/set-a/{n}.eval" for n in (2, 3, 4)]


def test_log_of_a_worker_at_work_is_not_taken(warehouse: Any, database_url: str) -> None:
    inbox.record(warehouse, [version("a")], source="event")
    with psycopg.connect(database_url, autocommit=True) as worker:
        inbox.claim_batch(worker, 1)

        assert inbox.pending_count(warehouse) == 0
        assert inbox.claim_batch(warehouse, 1) == []


def test_log_of_a_dead_worker_is_taken_at_once_and_thrice_only(warehouse: Any, database_url: str) -> None:
    inbox.record(warehouse, [version("a")], source="event")

    for death in range(inbox.MAX_WORKER_DEATHS):
        with psycopg.connect(database_url, autocommit=True) as worker:
            (entry,) = inbox.claim_batch(worker, 1)
            backend_pid = worker.info.backend_pid
            inbox.begin(worker, entry)
            assert attempts(warehouse) == [death + 1]
        wait_for_end(warehouse, backend_pid)

    assert inbox.claim_batch(warehouse, 1) == []
    row = warehouse.execute("select state, reason from ops.log_inbox").fetchone()
    assert row["state"] == "dead_letter"
    assert "ended midway" in row["reason"]


def test_log_that_was_only_claimed_has_not_killed_its_worker(warehouse: Any, database_url: str) -> None:
    inbox.record(warehouse, [version("a"), version("b", key="evals/set-a/with it.eval")], source="event")

    for _ in range(inbox.MAX_WORKER_DEATHS):
        with psycopg.connect(database_url, autocommit=True) as worker:
            entries = inbox.claim_batch(worker, 2)
            backend_pid = worker.info.backend_pid
            inbox.begin(worker, entries[0])
        wait_for_end(warehouse, backend_pid)
    inbox.claim_batch(warehouse, 2)

    assert states(warehouse) == {"a": "dead_letter", "b": "importing"}
    assert attempts(warehouse) == [inbox.MAX_WORKER_DEATHS, 0]


def test_released_log_counts_no_attempt(warehouse: Any) -> None:
    inbox.record(warehouse, [version("a")], source="event")
    entries = inbox.claim_batch(warehouse, 1)

    inbox.release(warehouse, entries)

    assert inbox.pending_count(warehouse) == 1
    assert attempts(warehouse) == [0]


def test_log_waits_longer_after_each_trouble(warehouse: Any) -> None:
    inbox.record(warehouse, [version("a")], source="event")
    warehouse.execute("update ops.log_inbox set attempts = 3, state_changed_at = now() - interval '14 seconds'")
    assert inbox.pending_count(warehouse) == 0

    warehouse.execute("update ops.log_inbox set state_changed_at = now() - interval '17 seconds'")
    assert inbox.pending_count(warehouse) == 1

    warehouse.execute("update ops.log_inbox set attempts = 5000, state_changed_at = now() - interval '601 seconds'")
    assert len(inbox.claim_batch(warehouse, 1)) == 1


def test_connection_without_autocommit_is_left_without_a_transaction(database_url: str) -> None:
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        inbox.record(connection, [version("a")], source="event")
        assert inbox.pending_count(connection) == 1
        (entry,) = inbox.claim_batch(connection, 1)
        inbox.let_go(connection, entry)

        assert connection.info.transaction_status.name == "IDLE"


def test_claim_refuses_a_connection_in_a_transaction(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("select 1")

        with pytest.raises(Bug, match="transaction"):
            inbox.claim_batch(connection, 1)


def test_reopening_a_set_makes_its_newest_versions_pending(warehouse: Any) -> None:
    inbox.record(warehouse, [version("a"), version("b", after=60)], source="event")
    warehouse.execute("update ops.log_inbox set state = 'quarantined', worker_deaths = 3 where etag = 'b'")

    assert inbox.reopen(warehouse, "set-a") == 1
    assert states(warehouse) == {"a": "superseded", "b": "pending"}


def test_attempts_in_vain_are_bounded(warehouse: Any) -> None:
    inbox.record(warehouse, [version("a")], source="event")
    seen = []

    for _ in range(3):
        (entry,) = inbox.claim_batch(warehouse, 1)
        inbox.begin(warehouse, entry)
        seen.append(inbox.try_later(warehouse, entry, "S3 does not answer.", max_attempts=3))
        warehouse.execute("update ops.log_inbox set state_changed_at = now() - interval '1 hour'")

    assert [state for state, _ in seen] == ["pending", "pending", "dead_letter"]
    assert seen[-1][1] == "It was tried 3 times, the last time in vain because: S3 does not answer."
    assert inbox.claim_batch(warehouse, 1) == []


@pytest.mark.parametrize("endings", ["trouble", "death", "trouble death", "death trouble trouble"])
def test_no_log_is_tried_for_ever_whatever_happens(warehouse: Any, endings: str) -> None:
    inbox.record(warehouse, [version("a")], source="event")
    fates = itertools.cycle(endings.split())
    tries = 0

    for _ in range(60):
        for entry in inbox.claim_batch(warehouse, 1):
            inbox.begin(warehouse, entry)
            tries += 1
            if next(fates) == "trouble":
                inbox.try_later(warehouse, entry, "S3 does not answer.")
        warehouse.execute("select pg_advisory_unlock_all()")  # as when a worker's connection ends
        warehouse.execute("update ops.log_inbox set state_changed_at = now() - interval '1 hour'")

    assert states(warehouse) == {"a": "dead_letter"}
    assert tries < inbox.MAX_ATTEMPTS + inbox.MAX_WORKER_DEATHS
    assert inbox.pending_count(warehouse) == 0
