"""Events go when the setting says so, by month, and never without a word; everything else stays."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hawk.warehouse import retention
from hawk.warehouse.partitions import Month, ensure_partitions, month_of_partition
from hawk.warehouse.retention import apply_retention, retention_plan


@pytest.fixture
def in_two_months(datetime_of_now: datetime) -> datetime:
    return datetime_of_now + timedelta(days=75)


@pytest.fixture
def datetime_of_now() -> datetime:
    return datetime.now(UTC)


def count(warehouse: Any, table: str) -> int:
    return int(warehouse.execute(f"select count(*) as n from raw.{table}").fetchone()["n"])


def test_nothing_is_dropped_without_the_setting(
    logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any, in_two_months: datetime
) -> None:
    import_file(logs_by_kind["plain"])

    assert apply_retention(warehouse, days=None, now=in_two_months) == []
    assert count(warehouse, "event") > 0


def test_month_that_is_not_over_for_so_long_stays(
    logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any, datetime_of_now: datetime
) -> None:
    import_file(logs_by_kind["plain"])

    assert apply_retention(warehouse, days=0.001, now=datetime_of_now + timedelta(hours=1)) == []


def test_events_of_old_imports_go_and_it_is_written_down(
    logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any, in_two_months: datetime, datetime_of_now: datetime
) -> None:
    outcome = import_file(logs_by_kind["plain"])
    kept = {table: count(warehouse, table) for table in ("score", "message", "sample", "attachment", "eval")}

    plan = retention_plan(warehouse, days=30, now=in_two_months)
    dropped = apply_retention(warehouse, days=30, now=in_two_months)

    this_month = Month.of(datetime_of_now)
    assert dropped == plan
    assert [partition.partition_name for partition in dropped if partition.import_count] == [
        this_month.partition_of("event"),
        this_month.partition_of("event_pool"),
    ]
    assert {partition.event_count for partition in dropped} == {outcome.event_count, 0}
    assert (count(warehouse, "event"), count(warehouse, "event_pool")) == (0, 0)
    assert {table: count(warehouse, table) for table in kept} == kept
    row = warehouse.execute("select event_count, events_dropped_at from raw.eval_import").fetchone()
    assert row["event_count"] == outcome.event_count
    assert row["events_dropped_at"] is not None
    written = warehouse.execute("select * from ops.retention_drop order by retention_drop_id").fetchall()
    assert [(row["partition_name"], row["retention_days"]) for row in written] == [
        (partition.partition_name, 30.0) for partition in dropped
    ]
    assert retention_plan(warehouse, days=30, now=in_two_months) == []


def test_imports_go_on_after_a_drop_and_bring_events_back(
    logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any, in_two_months: datetime
) -> None:
    import_file(logs_by_kind["plain"])
    apply_retention(warehouse, days=30, now=in_two_months)

    outcome = import_file(logs_by_kind["plain"], force=True)

    assert count(warehouse, "event") == outcome.event_count > 0
    assert warehouse.execute("select events_dropped_at from raw.eval_import").fetchone()["events_dropped_at"] is None


def test_partition_in_use_is_left_for_the_next_time(
    logs_by_kind: dict[str, Path],
    import_file: Any,
    warehouse: Any,
    in_two_months: datetime,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "LOCK_TIMEOUT_SECONDS", 0.2)
    import_file(logs_by_kind["plain"])

    with psycopg.connect(database_url) as reader:
        reader.execute("select count(*) from raw.event")
        assert all(
            "event_pool" in drop.partition_name for drop in apply_retention(warehouse, days=30, now=in_two_months)
        )

    assert {drop.table_name for drop in apply_retention(warehouse, days=30, now=in_two_months)} == {"event"}


def test_query_for_one_import_looks_at_one_partition(
    logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any, datetime_of_now: datetime
) -> None:
    outcome = import_file(logs_by_kind["plain"])

    plan = warehouse.execute(
        f"explain select * from raw.event where import_id = {outcome.import_id} and sample_uuid = 'u'"
    ).fetchall()

    text = "\n".join(row["QUERY PLAN"] for row in plan)
    assert Month.of(datetime_of_now).partition_of("event") in text
    assert "Append" not in text


def test_partitions_are_made_once_for_this_month_and_the_next(warehouse: Any, datetime_of_now: datetime) -> None:
    for _ in range(2):
        ensure_partitions(warehouse)

    month = Month.of(datetime_of_now)
    names = [
        row["name"]
        for row in warehouse.execute(
            "select inhrelid::regclass::text as name from pg_inherits"
            " where inhparent in ('raw.event'::regclass, 'raw.event_pool'::regclass)"
        )
    ]
    assert sorted(names) == sorted(
        f"raw.{name}"
        for table in ("event", "event_pool")
        for name in (f"{table}_earliest", month.partition_of(table), month.next.partition_of(table))
    )


def test_months_follow_one_another() -> None:
    december = Month(2026, 12)

    assert december.next == Month(2027, 1)
    assert december.first_import_id == 2026120000000000
    assert december.next.first_import_id == 2027010000000000
    assert Month.of(datetime(2027, 1, 1, 0, 30, tzinfo=UTC)) == december.next
    assert month_of_partition(december.partition_of("event_pool")) == december
    assert month_of_partition("event_earliest") is None
