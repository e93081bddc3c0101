"""Scenarios on a real cluster: launchers under a prefix of their own, and a table of what was tried, in seconds."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hawk.settings import ObjectStoreSettings
from orchestration.launchers.kubernetes import KubernetesJobLauncher
from tests.cluster import Cluster, scripted_image
from tests.e2e.person import Person
from tests.fakes.orchestrator import Orchestrator, orchestrator
from tests.kubernetes.cluster_stack import launcher_settings, stack
from tests.orchestration.launchers.launcher_under_test import LauncherUnderTest

MakeLauncher = Callable[..., LauncherUnderTest]

LONG = "TEST_LONG_SCENARIOS"


@pytest.fixture
def prefix(cluster: Cluster) -> Iterator[str]:
    """Return a prefix of namespaces; all of them are gone after the test."""
    prefix = cluster.new_prefix()
    yield prefix
    cluster.remove(prefix, wait=bool(os.environ.get(LONG)))


@pytest.fixture
def make_launcher(cluster: Cluster, prefix: str) -> Callable[..., LauncherUnderTest]:
    """Return a function that makes launchers of jobs whose runner acts by a script."""
    image = scripted_image()

    def make(**options: Any) -> LauncherUnderTest:
        def again(**more: Any) -> KubernetesJobLauncher:
            settings = {"runner_image": image, "namespace_prefix": prefix, **options, **more}
            return cluster.launcher(**settings)

        return LauncherUnderTest(again(), again=again)

    return make


@pytest.fixture
def hawk(database_url: str, object_store: ObjectStoreSettings, tmp_path: Path) -> Orchestrator:
    return orchestrator(database_url, object_store, tmp_path)


@pytest.fixture
def long_scenario() -> None:
    """Skip what takes long, unless it is asked for."""
    if not os.environ.get(LONG):
        pytest.skip("takes long: it is part of `make e2e`")


@pytest.fixture(scope="session")
def stack_prefix(cluster: Cluster) -> Iterator[str]:
    """Return the prefix of a stack's jobs, all of which are gone after the tests."""
    if not os.environ.get(LONG):
        pytest.skip("takes long: it is part of `make e2e`")
    prefix = cluster.new_prefix()
    yield prefix
    cluster.remove(prefix, wait=True)


@pytest.fixture(scope="module")
def person(stack_prefix: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """Return somebody who works with a stack whose jobs run on the cluster."""
    with stack(tmp_path_factory.mktemp("stack"), launcher_settings(stack_prefix)) as somebody:
        yield somebody


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print each scenario with its seconds, and why one was skipped."""
    rows = []
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, ()):
            if "tests/kubernetes" not in report.nodeid and "[kubernetes]" not in report.nodeid:
                continue
            name = (
                report.nodeid.rpartition("::")[2]
                .removeprefix("test_")
                .replace("_", " ")
                .replace("[kubernetes]", " (contract of launchers)")
            )
            reason = report.longrepr[2] if outcome == "skipped" and isinstance(report.longrepr, tuple) else ""
            rows.append((name, outcome, report.duration, reason.removeprefix("Skipped: ")))
    if not rows:
        return
    terminalreporter.section("scenarios on the cluster")
    for name, outcome, seconds, reason in sorted(rows):
        terminalreporter.write_line(f"{outcome:8} {seconds:7.1f} s  {name}" + (f"  ({reason})" if reason else ""))
