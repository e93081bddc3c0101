"""A whole Dagster on Postgres, as deployed: its settings, its code server, its daemons, asked over GraphQL."""

import logging
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._daemon.sensor import execute_sensor_iteration
from dagster_graphql.test.utils import execute_dagster_graphql
from psycopg import sql

from hawk.dev.dagster_home import write_dagster_home
from hawk.dev.ports import LOOPBACK, free_port
from hawk.dev.postgres import EmbeddedPostgres
from hawk.naming import CODE_LOCATION, EVAL_SET_PARTITIONS, EVAL_SET_TAG
from orchestration.launchers.local import LocalJobLauncher
from tests.fakes.orchestrator import Orchestrator, simple_config

REPOSITORY = Path(__file__).parents[2]
SCRIPTED_RUNNER = REPOSITORY / "tests" / "fakes" / "scripted_runner.py"
SELECTOR = {"repositoryLocationName": CODE_LOCATION, "repositoryName": "__repository__"}
LAUNCH_BACKFILL = """
mutation($parameters: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $parameters) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
ADD_PARTITION = """
mutation($repository: RepositorySelector!, $definition: String!, $key: String!) {
  addDynamicPartition(repositorySelector: $repository, partitionsDefName: $definition, partitionKey: $key) {
    __typename
  }
}
"""
PATIENCE_SECONDS = 120


@dataclass
class Deployment:
    """Dagster's programs in this process, but for the code server and its runs, which are their own."""

    hawk: Orchestrator
    process_context: WorkspaceProcessContext
    queue: QueuedRunCoordinatorDaemon

    @property
    def instance(self) -> dg.DagsterInstance:
        return self.process_context.instance

    def ask(self, query: str, **variables: Any) -> Any:
        result = execute_dagster_graphql(self.process_context.create_request_context(), query, variables=variables)
        assert not result.errors
        return result.data

    def turn_daemons(self, *, sensors: bool = False) -> None:
        logger = logging.getLogger("daemon")
        list(execute_backfill_iteration(self.process_context, logger))
        if sensors:
            list(execute_sensor_iteration(self.process_context, logger, None, None))
        list(self.queue.run_iteration(self.process_context))

    def turn_until(self, is_done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_done():
            assert time.monotonic() < deadline, [(run.job_name, run.status) for run in self.instance.get_runs()]
            self.turn_daemons()
            time.sleep(0.3)

    def statuses(self) -> dict[str, dg.DagsterRunStatus]:
        return {run.tags["dagster/partition"]: run.status for run in self.instance.get_runs()}


@pytest.fixture
def dagster_database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    name = f"dagster_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    yield postgres.url.replace("postgresql://", "postgresql+psycopg2://").rpartition("/")[0] + f"/{name}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def deployment(
    hawk: Orchestrator, dagster_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, str(SCRIPTED_RUNNER)])} "$@"\n')
    python.chmod(0o755)
    settings = hawk.settings
    secret = settings.s3_secret_access_key
    environment = {
        "DAGSTER_HOME": str(tmp_path / "dagster"),
        "HAWK_DAGSTER_DATABASE_URL": dagster_database_url,
        "HAWK_HOME": str(settings.home),
        "HAWK_DATABASE_URL": settings.database_url.get_secret_value(),
        "HAWK_SECRET_KEY": settings.secret_key.get_secret_value(),
        "HAWK_BUCKET": settings.bucket,
        "HAWK_S3_ENDPOINT_URL": str(settings.s3_endpoint_url),
        "HAWK_S3_ACCESS_KEY_ID": str(settings.s3_access_key_id),
        "HAWK_S3_SECRET_ACCESS_KEY": secret.get_secret_value() if secret else "",
        "HAWK_RUNNER_PYTHON": str(python),
        "HAWK_RECONCILE_SECONDS": "1",
        "PYTHONPATH": str(REPOSITORY),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    port = free_port()
    write_dagster_home(tmp_path / "dagster", repository=REPOSITORY, code_port=port)
    with (
        code_server(port, tmp_path / "code-server.log"),
        dg.DagsterInstance.get() as instance,
        WorkspaceProcessContext(
            instance, WorkspaceFileTarget([str(tmp_path / "dagster" / "workspace.yaml")])
        ) as context,
        QueuedRunCoordinatorDaemon(interval_seconds=1) as queue,
    ):
        yield Deployment(hawk, context, queue)
    launcher = LocalJobLauncher(settings.home / "jobs")
    for job_id in launcher.list_jobs():
        launcher.delete(job_id)


@contextmanager
def code_server(port: int, log_path: Path) -> Iterator[None]:
    """Serve our definitions as the stack does; all of its processes end with the block."""
    program = [sys.executable, "-m", "orchestration.code_server", "code-server", "start"]
    program += ["-h", LOOPBACK, "-p", str(port), "-m", "orchestration.definitions", "-d", str(REPOSITORY)]
    with log_path.open("wb") as log:
        process = subprocess.Popen(program, cwd=REPOSITORY, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_listening(port):
            assert process.poll() is None, log_path.read_text()
            assert time.monotonic() < deadline, log_path.read_text()
            time.sleep(0.1)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def claim(hawk: Orchestrator, name: str) -> str:
    return hawk.claim(simple_config(eval_set_id=name, metadata={"script": ["succeed"]}))


def test_backfill_over_eval_sets_starts_resumes_and_refuses_each_as_it_stands(deployment: Deployment):
    hawk = deployment.hawk
    sets = [claim(hawk, "claimed"), claim(hawk, "ended"), claim(hawk, "deleted")]
    hawk.fetch("update ops.eval_set set status = 'complete' where eval_set_id = 'ended'", returns=False)
    hawk.fetch("update ops.eval_set set status = 'deleted' where eval_set_id = 'deleted'", returns=False)
    for eval_set_id in sets:
        deployment.ask(ADD_PARTITION, repository=SELECTOR, definition=EVAL_SET_PARTITIONS, key=eval_set_id)

    answer = deployment.ask(
        LAUNCH_BACKFILL, parameters={"assetSelection": [{"path": ["eval_jobs"]}], "partitionNames": sets}
    )

    assert answer["launchPartitionBackfill"]["__typename"] == "LaunchBackfillSuccess", answer
    deployment.turn_until(lambda: len(deployment.statuses()) == 3)
    finished = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}
    deployment.turn_until(lambda: set(deployment.statuses().values()) <= finished)
    assert deployment.statuses() == {
        "claimed": dg.DagsterRunStatus.SUCCESS,
        "ended": dg.DagsterRunStatus.SUCCESS,
        "deleted": dg.DagsterRunStatus.FAILURE,
    }
    assert [hawk.status_of(name)[0] for name in sets] == ["launched", "launched", "deleted"]
    assert {run.tags[EVAL_SET_TAG] for run in deployment.instance.get_runs()} == set(sets)


def test_set_that_was_claimed_while_dagster_was_away_is_launched_and_settled(deployment: Deployment):
    hawk = deployment.hawk
    eval_set_id = claim(hawk, "forgotten")
    hawk.fetch("update ops.eval_set set status_changed_at = now() - interval '1 hour'", returns=False)

    deployment.turn_daemons(sensors=True)
    deployment.turn_until(lambda: hawk.status_of(eval_set_id)[0] == "launched")
    launcher = LocalJobLauncher(hawk.settings.home / "jobs")
    deployment.turn_until(lambda: launcher.status(eval_set_id).phase.is_final)  # type: ignore[arg-type,union-attr]
    time.sleep(1)
    deployment.turn_daemons(sensors=True)

    assert hawk.status_of(eval_set_id) == ("failed", "The job ended well but wrote no log.")
    assert [row["phase"] for row in hawk.fetch("select phase from ops.attempt")] == ["succeeded"]


def test_storage_keeps_its_connections(
    hawk: Orchestrator, dagster_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HAWK_DAGSTER_DATABASE_URL", dagster_database_url)
    shutil.copy(REPOSITORY / "dagster.yaml", tmp_path / "dagster.yaml")

    def connections() -> set[int]:
        name = dagster_database_url.rpartition("/")[2]
        return {row["pid"] for row in hawk.fetch("select pid from pg_stat_activity where datname = %s", name)}

    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        instance.get_runs()
        before = connections()
        for key in ("a", "b", "c"):
            instance.add_dynamic_partitions("other", [key])
            instance.get_runs()

        assert before
        assert connections() == before
