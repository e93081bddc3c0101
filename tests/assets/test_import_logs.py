"""Emptying the inbox by several processes, and what happens when one of them dies."""

import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from assets import import_logs as module
from assets.import_logs import import_pending_logs, workers_for
from assets.import_worker import ImportWorker
from hawk.errors import Upstream
from hawk.object_store import s3_client
from hawk.warehouse import inbox
from hawk.warehouse.inbox_report import Backlog
from tests.fakes.orchestrator import Orchestrator
from tests.fakes.small_logs import small_log

MEGABYTE = 1024 * 1024


def backlog_of(pending: int, size_bytes: int) -> Backlog:
    return Backlog(pending, 0, None, 0.0, size_bytes)


def land_small_logs(hawk: Orchestrator, folder: Path, count: int) -> None:
    for number in range(count):
        hawk.put_log("set", small_log(folder / f"{number}.eval", eval_id=f"eval-{number}"))
    with hawk.connect() as connection:
        inbox.discover(connection, s3_client(hawk.settings), hawk.settings)


def states(hawk: Orchestrator) -> dict[str, int]:
    return {row["state"]: row["n"] for row in hawk.fetch("select state, count(*) as n from ops.log_inbox group by 1")}


@pytest.mark.parametrize(
    ("pending", "megabytes", "workers"),
    [(0, 0, 1), (1, 5000, 1), (2, 1, 1), (15, 1, 1), (16, 1, 2), (2, 33, 2), (1000, 5000, 2)],
)
def test_processes_are_started_only_where_there_is_work_for_them(pending: int, megabytes: int, workers: int):
    assert workers_for(backlog_of(pending, megabytes * MEGABYTE), most=2) == workers


def test_no_more_processes_than_the_setting_says():
    assert workers_for(backlog_of(1000, 0), most=1) == 1


def test_several_processes_share_what_waits_and_each_log_is_imported_once(hawk: Orchestrator, tmp_path: Path):
    land_small_logs(hawk, tmp_path, 60)

    summary = import_pending_logs(hawk.settings)

    assert summary.workers == 2
    assert summary.lost_workers == []
    assert len(summary.imported) == 60
    assert len({outcome.eval_id for outcome in summary.imported}) == 60
    assert states(hawk) == {"imported": 60}
    assert summary.rows_of_table["sample"] == 60
    assert hawk.fetch("select count(*) as n from raw.sample") == [{"n": 60}]


def test_worker_that_is_killed_is_told_of_and_its_logs_are_imported_all_the_same(
    hawk: Orchestrator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class KilledWorker(ImportWorker):
        def wait(self):
            self._process.kill()
            return super().wait()

    monkeypatch.setattr(module, "ImportWorker", KilledWorker)
    land_small_logs(hawk, tmp_path, 17)

    first = import_pending_logs(hawk.settings)
    import_pending_logs(hawk.settings)

    assert states(hawk) == {"imported": 17}
    [lost] = first.lost_workers
    assert "exit code -9" in lost


def test_worker_ends_with_whoever_started_it(hawk: Orchestrator, tmp_path: Path):
    with hawk.connect() as connection:
        connection.execute("select pg_advisory_lock(%s)", (inbox._CLAIM_LOCK,))  # it waits for its first claim
        worker = ImportWorker(hawk.settings, seconds=60)
        time.sleep(1)
        assert worker._process.poll() is None

        worker._process.stdin.close()

        assert worker._process.wait(10) == 1
    worker._process.stdout.close()


def test_trouble_of_a_worker_is_the_runs(hawk: Orchestrator):
    settings = hawk.settings.model_copy(
        update={"database_url": SecretStr("postgresql://nobody@127.0.0.1:9/nothing?connect_timeout=2")}
    )
    worker = ImportWorker(settings, seconds=60)

    with pytest.raises(Upstream, match="does not answer"):
        worker.wait()
    assert worker.end() is None


def test_summary_says_how_fast_and_how_late(hawk: Orchestrator, tmp_path: Path):
    land_small_logs(hawk, tmp_path, 3)

    summary = import_pending_logs(hawk.settings)

    [last] = hawk.fetch("select max(last_modified) as at from ops.log_inbox")
    assert summary.files_per_second == pytest.approx(3 / summary.seconds)
    assert summary.megabytes_per_second > 0
    assert summary.lag_seconds(last["at"]) >= 0
