"""Random retries of an eval, imported in any order, at once and again, end in the state that the rules say."""

import json
import uuid
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from hawk.warehouse import inbox
from hawk.warehouse.importer import import_from
from hawk.warehouse.reader import open_file

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
UUIDS = [f"{letter}-sample" for letter in "abcd"]


@dataclass(frozen=True)
class Retry:
    """A log that holds some of the samples that all retries share; those in `summaries` only by their summaries."""

    eval_id: str
    completed_day: int | None
    created_day: int
    samples: frozenset[str]
    summaries: frozenset[str]

    @property
    def rank(self) -> tuple[int, int, str]:
        return (-1 if self.completed_day is None else self.completed_day, self.created_day, self.eval_id)

    def write(self, path: Path) -> Path:
        completed = "" if self.completed_day is None else moment(self.completed_day)
        spec = {
            "eval_id": self.eval_id,
            "run_id": "run",
            "task": "task",
            "model": "mockllm/model",
            "created": moment(self.created_day),
            "dataset": {},
            "config": {},
        }
        header = {
            "version": 2,
            "status": "success" if completed else "error",
            "eval": spec,
            "stats": {"started_at": moment(self.created_day), "completed_at": completed},
        }
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("header.json", json.dumps(header))
            for name in sorted(self.samples):
                archive.writestr(f"samples/{name}_epoch_1.json", json.dumps(self.sample(name)))
            archive.writestr("summaries.json", json.dumps([self.sample(name) for name in sorted(self.summaries)]))
        return path

    def sample(self, name: str) -> dict[str, Any]:
        return {"id": name, "epoch": 1, "input": f"of {self.eval_id}", "target": "", "uuid": name}


def moment(day: int) -> str:
    return (FIRST_DAY + timedelta(days=day)).isoformat()


def owners_by_the_rules(retries: Sequence[Retry]) -> dict[str, str]:
    """Return whose each sample is: the highest rank of those that hold all of it, else of those with a summary."""
    owners = {}
    for name in UUIDS:
        whole = [retry for retry in retries if name in retry.samples]
        holders = whole or [retry for retry in retries if name in retry.summaries]
        if holders:
            owners[name] = max(holders, key=lambda retry: retry.rank).eval_id
    return owners


@st.composite
def some_retries(draw: st.DrawFn) -> list[Retry]:
    number = draw(st.integers(2, 5))
    days = st.integers(0, 2)
    retries = []
    for index in range(number):
        samples = draw(st.frozensets(st.sampled_from(UUIDS)))
        summaries = draw(st.frozensets(st.sampled_from(UUIDS))) - samples
        retries.append(Retry(f"eval{index}", draw(st.none() | days), draw(days), samples, summaries))
    return retries


def clear(connection: Any) -> None:
    connection.execute("truncate ops.log_inbox; delete from raw.eval_import; delete from raw.sample_owner")


def land(connection: Any, paths: Sequence[Path]) -> list[inbox.InboxEntry]:
    """Claim logs of this machine, new versions of what was there before, for a connection."""
    objects = [
        inbox.LogObject("bucket", f"evals/set-a/{path.name}", uuid.uuid4().hex, 1, datetime.now(UTC)) for path in paths
    ]
    inbox.record(connection, objects, source="event")
    return inbox.claim_batch(connection, 100)


def import_one(connection: Any, folder: Path, entry: inbox.InboxEntry) -> str:
    path = folder / entry.key.rpartition("/")[2]
    return import_from(connection, lambda: open_file(path), entry, force=True).state


def owners(connection: Any) -> dict[str, str]:
    return {
        row["sample_uuid"]: row["eval_id"]
        for row in connection.execute("select sample_uuid, eval_id from raw.sample_owner")
    }


def content(connection: Any) -> set[tuple[Any, ...]]:
    """Return what the raw tables hold of samples, every attempt of it, without the numbers of imports."""
    rows = connection.execute(
        "select eval.eval_id, sample.sample_uuid, sample.is_complete, sample.input::text as input,"
        " owner.sample_uuid is not null as counts"
        " from raw.sample join raw.eval using (import_id)"
        " left join raw.sample_owner as owner"
        " on owner.sample_uuid = sample.sample_uuid and owner.import_id = sample.import_id"
    )
    return {tuple(row.values()) for row in rows}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_retries_in_any_order_and_at_once_end_as_the_rules_say(
    shared_database_url: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    retries = data.draw(some_retries())
    folder = tmp_path_factory.mktemp("retries")
    paths = [retry.write(folder / f"{retry.eval_id}.eval") for retry in retries]
    expected = owners_by_the_rules(retries)
    with psycopg.connect(shared_database_url, row_factory=dict_row, autocommit=True) as connection:
        clear(connection)
        for entry in data.draw(st.permutations(land(connection, paths))):
            assert import_one(connection, folder, entry) == "imported"
        in_turn = content(connection)
        assert owners(connection) == expected
        assert {(row[0], row[1]) for row in in_turn} == {
            (retry.eval_id, name) for retry in retries for name in retry.samples | retry.summaries
        }

        clear(connection)
        entries = data.draw(st.permutations(land(connection, paths)))
        at_once(shared_database_url, folder, entries)
        assert content(connection) == in_turn

        at_once(shared_database_url, folder, land(connection, paths))  # over what is there
        assert content(connection) == in_turn


def at_once(database_url: str, folder: Path, entries: Sequence[inbox.InboxEntry]) -> None:
    def work(entry: inbox.InboxEntry) -> str:
        with psycopg.connect(database_url, autocommit=True) as connection:
            return import_one(connection, folder, entry)

    with ThreadPoolExecutor(len(entries)) as pool:
        assert set(pool.map(work, entries)) == {"imported"}


def test_imports_of_logs_that_share_no_samples_do_not_wait_for_each_other(
    database_url: str, warehouse: Any, tmp_path: Path
) -> None:
    one, other = (
        Retry(f"eval-{name}", 1, 1, frozenset({name}), frozenset()).write(tmp_path / f"{name}.eval") for name in "ab"
    )
    entries = land(warehouse, [one, other])
    # An import that has decided, and does not commit.
    with psycopg.connect(database_url) as unfinished:
        unfinished.execute("insert into raw.sample_owner values ('a', 'another', 1, now())")

        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("set lock_timeout = '2s'")
            assert import_one(connection, tmp_path, entries[1]) == "imported"
        unfinished.rollback()

    assert owners(warehouse) == {"b": "eval-b"}
