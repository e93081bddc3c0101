"""Launchers to put to the test, with a runner that acts as each test asks."""

import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestration.launchers.kubernetes import KubernetesJobLauncher
from orchestration.launchers.local import LocalJobLauncher
from tests.cluster import Cluster, scripted_image
from tests.orchestration.launchers.launcher_under_test import LauncherUnderTest

SCRIPTED_RUNNER = Path(__file__).parents[2] / "fakes" / "scripted_runner.py"


@pytest.fixture
def scripted_python(tmp_path: Path) -> Path:
    """Return an interpreter that acts as the real one, but for `-m runner`."""
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, str(SCRIPTED_RUNNER)])} "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


@pytest.fixture
def make_local(tmp_path: Path, scripted_python: Path) -> Iterator[Callable[..., LocalJobLauncher]]:
    """Return a function that makes local launchers, all over the same jobs; what they started is ended after."""

    def make(**options: object) -> LocalJobLauncher:
        settings = {"max_jobs": 4, "backoff_seconds": 0.1, "stop_grace_seconds": 5.0, "kill_grace_seconds": 1.0}
        return LocalJobLauncher(tmp_path / "jobs", python=scripted_python, **settings | options)

    yield make
    last = make()
    for job_id in last.list_jobs():
        last.delete(job_id)


@pytest.fixture
def make_kubernetes(cluster: Cluster) -> Iterator[Callable[..., KubernetesJobLauncher]]:
    """Return a function that makes launchers on the cluster, all under one prefix of namespaces, which end after."""
    image = scripted_image()
    prefix = cluster.new_prefix()

    def make(**options: object) -> KubernetesJobLauncher:
        return cluster.launcher(runner_image=image, namespace_prefix=prefix, **options)

    yield make
    cluster.remove(prefix)


@pytest.fixture(params=["local", "kubernetes"])
def under_test(request: pytest.FixtureRequest) -> LauncherUnderTest:
    """Return each launcher in turn; one that runs jobs elsewhere adds its name and a branch here."""
    make = request.getfixturevalue(f"make_{request.param}")
    return LauncherUnderTest(make(), again=make)
