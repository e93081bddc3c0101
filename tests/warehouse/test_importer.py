"""A log is in the warehouse whole or not at all, once, in its newest version."""

import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hawk.errors import Bug, Upstream
from hawk.settings import ObjectStoreSettings
from hawk.warehouse import inbox
from hawk.warehouse.importer import import_batch, import_log
from tests.raw_rows import CONTENT_TABLES, contents, count


def state_of(warehouse: Any, entry: inbox.InboxEntry) -> tuple[str, str]:
    row = warehouse.execute(
        "select state, reason from ops.log_inbox where log_inbox_id = %s", (entry.log_inbox_id,)
    ).fetchone()
    return row["state"], row["reason"]


def changed(log: Path, target: Path, change: Callable[[dict[str, Any]], None], *, keep: str = "") -> Path:
    """Return a copy whose header (and start) a function has changed, with only the members that begin with `keep`."""
    with zipfile.ZipFile(log) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name in ("header.json", "_journal/start.json"):
                header = json.loads(data)
                change(header)
                data = json.dumps(header).encode()
            if not name.startswith("samples/") or name.startswith(keep):
                new.writestr(name, data)
    return target


def of_eval(eval_id: str, *, completed: str | None = None) -> Callable[[dict[str, Any]], None]:
    def change(header: dict[str, Any]) -> None:
        header["eval"]["eval_id"] = eval_id
        if completed is not None and "stats" in header:
            header["stats"]["completed_at"] = completed

    return change


def test_importing_twice_leaves_the_same_rows(logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any) -> None:
    first = import_file(logs_by_kind["plain"])
    before = contents(warehouse)

    second = import_file(logs_by_kind["plain"], force=True)

    assert contents(warehouse) == before
    assert second.import_id != first.import_id
    assert count(warehouse, "raw.eval_import") == 1
    assert {row["import_id"] for row in warehouse.execute("select import_id from raw.sample_owner")} == {
        second.import_id
    }


def test_import_row_tells_what_was_imported(logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any) -> None:
    outcome = import_file(logs_by_kind["plain"], name="a log.eval")

    row = warehouse.execute("select * from raw.eval_import").fetchone()
    assert row["location"].endswith("/evals/set-a/a log.eval")
    assert row["size_bytes"] == logs_by_kind["plain"].stat().st_size
    assert row["sample_count"] == outcome.sample_count == count(warehouse, "raw.sample") == 4
    assert row["message_count"] == outcome.message_count == count(warehouse, "raw.message")
    assert row["event_count"] == outcome.event_count == count(warehouse, "raw.event")
    assert outcome.row_count == sum(count(warehouse, f"raw.{table}") for table in CONTENT_TABLES)
    assert row["seconds"] > 0
    assert state_of(warehouse, outcome.entry) == ("imported", "")
    assert row["import_id"] == warehouse.execute("select import_id from ops.log_inbox").fetchone()["import_id"]


def test_same_version_again_is_skipped(logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any) -> None:
    first = import_file(logs_by_kind["plain"])

    second = import_file(logs_by_kind["plain"])

    assert second.state == "skipped"
    assert "already" in second.reason
    assert warehouse.execute("select import_id from raw.eval").fetchall() == [{"import_id": first.import_id}]


def test_newer_version_replaces_rows_that_it_lacks(
    logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any
) -> None:
    import_file(logs_by_kind["plain"], name="log.eval")
    first_imported_at = warehouse.execute("select first_imported_at from raw.eval_import").fetchone()

    outcome = import_file(logs_by_kind["edited"], name="log.eval")

    assert outcome.state == "imported"
    assert warehouse.execute("select first_imported_at from raw.eval_import").fetchone() == first_imported_at
    edited = warehouse.execute("select value from raw.score where jsonb_array_length(history) > 0").fetchall()
    assert edited == [{"value": "P"}]
    assert warehouse.execute("select is_invalidated from raw.eval").fetchone() == {"is_invalidated": True}


def test_sample_that_is_gone_from_a_newer_version_is_gone(
    logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any, tmp_path: Path
) -> None:
    import_file(logs_by_kind["plain"], name="log.eval")

    fewer = changed(logs_by_kind["plain"], tmp_path / "fewer.eval", lambda header: None, keep="samples/1_")
    import_file(fewer, name="log.eval")

    complete = warehouse.execute("select sample_id from raw.sample where is_complete").fetchall()
    assert complete == [{"sample_id": "1"}] * 2
    assert count(warehouse, "raw.sample_owner") == count(warehouse, "raw.sample")


def test_start_does_not_undo_an_end(logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any) -> None:
    import_file(logs_by_kind["plain"], name="log.eval")
    before = contents(warehouse)

    outcome = import_file(logs_by_kind["started"], name="log.eval", force=True)

    assert outcome.state == "superseded"
    assert contents(warehouse) == before


def test_end_replaces_a_start(logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any) -> None:
    import_file(logs_by_kind["started"], name="log.eval")
    incomplete = warehouse.execute("select sample_id, epoch from raw.sample where not is_complete").fetchall()

    outcome = import_file(logs_by_kind["plain"], name="log.eval")

    assert incomplete == [{"sample_id": "2", "epoch": 2}]
    assert outcome.state == "imported"
    assert warehouse.execute("select status from raw.eval").fetchall() == [{"status": "success"}]
    assert warehouse.execute("select count(*) as n from raw.sample where not is_complete").fetchone() == {"n": 0}


def test_version_that_completed_earlier_is_superseded(
    logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any, tmp_path: Path
) -> None:
    import_file(logs_by_kind["plain"], name="log.eval")
    eval_id = warehouse.execute("select eval_id from raw.eval").fetchone()["eval_id"]

    earlier = changed(
        logs_by_kind["plain"], tmp_path / "e.eval", of_eval(eval_id, completed="2020-01-01T00:00:00+00:00")
    )
    outcome = import_file(earlier, name="log.eval")

    assert outcome.state == "superseded"
    assert "completed later" in outcome.reason
    assert import_file(earlier, name="log.eval", force=True).state == "imported"


def test_older_object_is_superseded(logs_by_kind: dict[str, Path], land: Any, warehouse: Any, s3: Any) -> None:
    import_log(warehouse, s3, land(logs_by_kind["plain"], name="log.eval"))
    warehouse.execute("update raw.eval_import set last_modified = last_modified + interval '1 hour'")

    outcome = import_log(warehouse, s3, land(logs_by_kind["edited"], name="log.eval"))

    assert outcome.state == "superseded"
    assert "newer version" in outcome.reason


def test_metadata_of_another_set_is_quarantined(
    logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any, tmp_path: Path
) -> None:
    def belongs_elsewhere(header: dict[str, Any]) -> None:
        header["eval"]["metadata"] = {"eval_set_id": "set-b"}

    outcome = import_file(changed(logs_by_kind["plain"], tmp_path / "x.eval", belongs_elsewhere), eval_set_id="set-a")

    assert outcome.state == "quarantined"
    assert "'set-a'" in outcome.reason
    assert "'set-b'" in outcome.reason
    assert count(warehouse, "raw.eval") == 0


@pytest.mark.parametrize("force", [False, True])
def test_eval_of_another_set_is_quarantined(
    logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any, force: bool
) -> None:
    import_file(logs_by_kind["plain"], eval_set_id="set-a")

    outcome = import_file(logs_by_kind["plain"], eval_set_id="set-b", force=force)

    assert outcome.state == "quarantined"
    assert "'set-a'" in outcome.reason
    assert warehouse.execute("select eval_set_id from raw.eval").fetchall() == [{"eval_set_id": "set-a"}]


def test_set_that_nobody_launched_is_known_by_its_logs(
    logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any
) -> None:
    import_file(logs_by_kind["plain"], eval_set_id="found-set")

    row = warehouse.execute("select * from ops.eval_set").fetchone()
    assert (row["eval_set_id"], row["origin"], row["status"]) == ("found-set", "listing", "complete")
    assert row["model_names"] == ["mockllm/model"]
    assert row["model_groups"] == ["__unresolved__"]  # of a model that nobody registered: a group that nobody has


def test_set_that_was_launched_stays_as_it_is(logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any) -> None:
    warehouse.execute(
        "insert into ops.eval_set (eval_set_id, name, origin, status, created_at, status_changed_at)"
        " values ('set-a', 'mine', 'api', 'launched', now(), now())"
    )

    import_file(logs_by_kind["plain"], eval_set_id="set-a")

    row = warehouse.execute("select name, status, model_names from ops.eval_set").fetchone()
    assert row == {"name": "mine", "status": "launched", "model_names": []}


def test_object_that_was_overwritten_gives_way_to_its_new_version(
    logs_by_kind: dict[str, Path], land: Any, warehouse: Any, s3: Any
) -> None:
    entry = land(logs_by_kind["plain"], name="log.eval")
    s3.put_object(Bucket=entry.bucket, Key=entry.key, Body=logs_by_kind["edited"].read_bytes())

    outcome = import_log(warehouse, s3, entry)
    (newer,) = inbox.claim_batch(warehouse, 10)

    assert outcome.state == "superseded"
    assert (newer.key, newer.etag != entry.etag) == (entry.key, True)
    assert import_log(warehouse, s3, newer).state == "imported"


def test_object_that_is_gone_is_skipped(logs_by_kind: dict[str, Path], land: Any, warehouse: Any, s3: Any) -> None:
    entry = land(logs_by_kind["plain"])
    s3.delete_object(Bucket=entry.bucket, Key=entry.key)

    outcome = import_log(warehouse, s3, entry)

    assert outcome.state == "skipped"
    assert "not on S3" in outcome.reason


def test_one_broken_log_does_not_stop_the_next(
    logs_by_kind: dict[str, Path], warehouse: Any, s3: Any, object_store: ObjectStoreSettings
) -> None:
    s3.put_object(Bucket=object_store.bucket, Key="evals/set-a/1.eval", Body=b"nothing like a log")
    s3.put_object(Bucket=object_store.bucket, Key="evals/set-a/2.eval", Body=logs_by_kind["plain"].read_bytes())
    inbox.discover(warehouse, s3, object_store)

    outcomes = list(import_batch(warehouse, s3, inbox.claim_batch(warehouse, 10)))

    assert [outcome.state for outcome in outcomes] == ["quarantined", "imported"]


def test_s3_in_trouble_leaves_the_log_pending(logs_by_kind: dict[str, Path], land: Any, warehouse: Any) -> None:
    from hawk.object_store import s3_client

    entry = land(logs_by_kind["plain"])
    nobody_there = ObjectStoreSettings(s3_endpoint_url="http://127.0.0.1:1", s3_access_key_id="x",
                                       s3_secret_access_key="x")  # fmt: skip
    away = s3_client(nobody_there)

    with pytest.raises(Upstream, match="S3 does not answer"):
        import_log(warehouse, away, entry)

    row = warehouse.execute("select state, attempts, reason from ops.log_inbox").fetchone()
    assert (row["state"], row["attempts"]) == ("pending", 1)
    assert "S3 does not answer" in row["reason"]
    assert inbox.pending_count(warehouse) == 0  # it waits a little first


def test_trouble_gives_back_what_was_not_begun(
    logs_by_kind: dict[str, Path], warehouse: Any, s3: Any, object_store: ObjectStoreSettings
) -> None:
    for name in ("1", "2", "3"):
        s3.put_object(
            Bucket=object_store.bucket, Key=f"evals/set-a/{name}.eval", Body=logs_by_kind["plain"].read_bytes()
        )
    inbox.discover(warehouse, s3, object_store)
    entries = inbox.claim_batch(warehouse, 10)
    batch = import_batch(warehouse, s3, entries)

    next(batch)
    batch.close()

    states = warehouse.execute("select state, attempts from ops.log_inbox order by key").fetchall()
    assert [(row["state"], row["attempts"]) for row in states] == [("imported", 1), ("pending", 0), ("pending", 0)]


def test_import_refuses_a_connection_in_a_transaction(logs_by_kind: dict[str, Path], land: Any, warehouse: Any, s3: Any,
                                                      database_url: str) -> None:  # fmt: skip
    entry = land(logs_by_kind["plain"])
    with psycopg.connect(database_url) as connection:
        connection.execute("select 1")

        with pytest.raises(Bug, match="transaction"):
            import_log(connection, s3, entry)


def retries(log: Path, folder: Path, number: int) -> list[Path]:
    """Return retries of an eval that share its samples; completed at different times, or not, or at the same."""
    folder.mkdir()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    completed = ["" if n % 4 == 3 else (start + timedelta(hours=n // 2)).isoformat() for n in range(number)]
    return [
        changed(log, folder / f"{n}.eval", of_eval(f"retry{n}", completed=completed[n]), keep=f"samples/{1 + n % 2}_")
        for n in range(number)
    ]


def test_ten_imports_at_once_end_in_the_same_state_as_any_order(
    logs_by_kind: dict[str, Path], warehouse: Any, s3: Any, object_store: ObjectStoreSettings, database_url: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    from concurrent.futures import ThreadPoolExecutor

    logs = retries(logs_by_kind["plain"], tmp_path / "retries", 10)
    for log in logs:
        s3.put_object(Bucket=object_store.bucket, Key=f"evals/set-a/{log.name}", Body=log.read_bytes())
    expected = {
        row["sample_uuid"]: row["eval_id"]
        for row in imported_in_turn(warehouse, s3, object_store)
    }  # fmt: skip

    inbox.reopen(warehouse, "set-a")
    entries = inbox.claim_batch(warehouse, 10)
    warehouse.execute("delete from raw.eval_import; delete from raw.sample_owner")

    def import_one(entry: inbox.InboxEntry) -> str:
        with psycopg.connect(database_url, autocommit=True) as connection:
            return import_log(connection, s3, entry).state

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(import_one, reversed(entries))) == ["imported"] * 10
    assert {row["sample_uuid"]: row["eval_id"] for row in owners(warehouse)} == expected
    # By hand: of retries 0, 2, 4, 6, 8 of sample 1 the last completed is 8; 9 of sample 2's, as 3 and 7 never did.
    assert set(expected.values()) == {"retry8", "retry9"}


def imported_in_turn(warehouse: Any, s3: Any, object_store: ObjectStoreSettings) -> list[dict[str, Any]]:
    inbox.discover(warehouse, s3, object_store)
    outcomes = import_batch(warehouse, s3, inbox.claim_batch(warehouse, 10))
    assert [outcome.state for outcome in outcomes] == ["imported"] * 10
    return owners(warehouse)


def owners(warehouse: Any) -> list[dict[str, Any]]:
    return warehouse.execute("select sample_uuid, eval_id from raw.sample_owner").fetchall()


def test_sample_goes_to_another_eval_when_its_owner_lets_go_of_it(
    logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any, tmp_path: Path
) -> None:
    first = changed(logs_by_kind["plain"], tmp_path / "1.eval", of_eval("first", completed="2026-01-01T00:00:00Z"))
    second = changed(logs_by_kind["plain"], tmp_path / "2.eval", of_eval("second", completed="2026-01-02T00:00:00Z"))
    import_file(first)
    import_file(second)
    assert {row["eval_id"] for row in owners(warehouse)} == {"second"}

    def unfinished(header: dict[str, Any]) -> None:
        of_eval("second", completed="")(header)

    import_file(changed(logs_by_kind["plain"], tmp_path / "2b.eval", unfinished), name="2.eval")

    assert {row["eval_id"] for row in owners(warehouse)} == {"first"}
    assert count(warehouse, "raw.sample_owner") == 4


def put_running_eval(s3: Any, bucket: str, log: Path, *, events: int) -> None:
    """Put a log that still grows on S3, and a buffer in which sample 2, epoch 2, has come so far."""
    s3.put_object(Bucket=bucket, Key="evals/set-a/log.eval", Body=log.read_bytes())
    summary = {"id": 2, "epoch": 2, "input": "Say.", "target": "TURN", "uuid": "running-sample"}
    manifest = {"samples": [{"summary": summary, "segments": [{"id": 1}]}], "segments": [{"id": 1}], "n": events}
    data = {
        "events": [
            {
                "event_id": f"e{number}",
                "event": {"event": "info", "timestamp": "2026-01-01T00:00:00+00:00", "data": number},
            }
            for number in range(events)
        ]
    }
    segment = io.BytesIO()
    with zipfile.ZipFile(segment, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("2_2.json", json.dumps(data))
    folder = "evals/set-a/.buffer/log"
    s3.put_object(Bucket=bucket, Key=f"{folder}/segment.1.zip", Body=segment.getvalue())
    s3.put_object(Bucket=bucket, Key=f"{folder}/manifest.json", Body=json.dumps(manifest).encode())


def test_running_eval_is_imported_as_far_as_it_has_come_until_its_end_is_there(
    logs_by_kind: dict[str, Path], warehouse: Any, s3: Any, object_store: ObjectStoreSettings
) -> None:
    def renew() -> list[str]:
        inbox.reopen_running(warehouse, ["set-a"], after_seconds=0)
        inbox.discover(warehouse, s3, object_store)
        return [outcome.state for outcome in import_batch(warehouse, s3, inbox.claim_batch(warehouse, 10))]

    def running() -> list[Any]:
        return warehouse.execute(
            "select event_count, is_complete from raw.sample where sample_uuid = 'running-sample'"
        ).fetchall()

    put_running_eval(s3, object_store.bucket, logs_by_kind["started"], events=2)
    assert renew() == ["imported"]
    assert running() == [{"event_count": 2, "is_complete": False}]
    assert renew() == ["skipped"]

    put_running_eval(s3, object_store.bucket, logs_by_kind["started"], events=5)
    assert renew() == ["imported"]
    assert running() == [{"event_count": 5, "is_complete": False}]
    assert count(warehouse, "raw.eval_import") == 1
    # Each version can be searched as soon as it is there.
    assert count(warehouse, "raw.message_search inner join raw.eval_import using (import_id)") > 0
    assert count(warehouse, "raw.search_queue") == 0

    s3.delete_object(Bucket=object_store.bucket, Key="evals/set-a/.buffer/log/manifest.json")
    assert renew() == ["skipped"]  # without the buffer the log says less than what is there
    s3.put_object(Bucket=object_store.bucket, Key="evals/set-a/log.eval", Body=logs_by_kind["plain"].read_bytes())
    assert renew() == ["imported"]
    assert running() == []
    assert count(warehouse, "raw.sample where not is_complete") == 0
    assert renew() == []
