"""Sandboxes of real tasks, made pods of inspect_k8s_sandbox: what is converted, kept and refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.util import ComposeConfig, ComposeService, SandboxEnvironmentSpec
from k8s_sandbox import K8sSandboxEnvironmentConfig

from hawk.config.isolation import IsolationConfig
from hawk.errors import UserError
from hawk.job_spec import SandboxRules
from runner.inside.sandboxes import in_pods, set_limits

RULES = SandboxRules(labels={"hawk.dagster.io/job-id": "job-1"})
STANDARD = IsolationConfig(level="standard")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def converted(task: Task, folder: Path) -> list[dict[str, Any] | None]:
    """Return the chart values of each sample of the task, as they would be installed; None where it has none."""
    found: list[dict[str, Any] | None] = []
    for sample in in_pods(task, STANDARD, RULES, folder=folder).dataset:
        if sample.sandbox is None or sample.sandbox.type != "k8s":
            found.append(None)
            continue
        assert isinstance(sample.sandbox.config, K8sSandboxEnvironmentConfig)
        assert sample.sandbox.config.values
        found.append(yaml.safe_load(sample.sandbox.config.values.read_text()))
    return found


def task_of(*sandboxes: Any, of_task: Any = None) -> Task:
    samples = [Sample(id=number, input="1", sandbox=sandbox) for number, sandbox in enumerate(sandboxes, 1)]
    return Task(dataset=MemoryDataset(samples), sandbox=of_task)


def write(path: Path, content: dict[str, Any]) -> str:
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_compose_file_of_a_task_is_converted_for_each_of_its_samples(tmp_path: Path) -> None:
    compose = write(
        tmp_path / "compose.yaml",
        {"services": {"default": {"image": "python:3.12", "network_mode": "none"}, "db": {"image": "postgres:17"}}},
    )

    first, second = converted(task_of(None, None, of_task=("docker", compose)), tmp_path)

    assert first and second
    assert {name: service["image"] for name, service in first["services"].items()} == {
        "default": "python:3.12",
        "db": "postgres:17",
    }
    assert first["services"]["default"]["runtimeClassName"] == "CLUSTER_DEFAULT"
    assert [values["labels"]["hawk.dagster.io/sample-id"] for values in (first, second)] == ["1", "2"]
    assert first["labels"]["hawk.dagster.io/job-id"] == "job-1"


def test_compose_object_is_converted_as_a_file_is(tmp_path: Path) -> None:
    config = ComposeConfig(services={"default": ComposeService(image="python:3.12")})

    [values] = converted(task_of(SandboxEnvironmentSpec("docker", config)), tmp_path)

    assert values and values["services"]["default"]["image"] == "python:3.12"


def test_sample_that_has_a_file_of_its_own_wins_over_its_task(tmp_path: Path) -> None:
    mine = write(tmp_path / "mine-compose.yaml", {"services": {"default": {"image": "mine:1"}}})
    theirs = write(tmp_path / "compose.yaml", {"services": {"default": {"image": "theirs:1"}}})

    first, second = converted(task_of(("docker", mine), None, of_task=("docker", theirs)), tmp_path)

    assert first and first["services"]["default"]["image"] == "mine:1"
    assert second and second["services"]["default"]["image"] == "theirs:1"


def test_chart_values_are_taken_as_they_are_with_the_options_beside_them(tmp_path: Path) -> None:
    values = Path(write(tmp_path / "values.yaml", {"allowDomains": ["pypi.org"]}))
    config = K8sSandboxEnvironmentConfig(values=values, default_user="agent")
    task = task_of(SandboxEnvironmentSpec("k8s", config))

    [found] = converted(task, tmp_path)

    assert found and found["allowDomains"] == ["pypi.org"]
    assert task.dataset[0].sandbox.config.default_user == "agent"


def test_local_sandboxes_and_none_are_kept(tmp_path: Path) -> None:
    assert converted(task_of(None, "local"), tmp_path) == [None, None]
    assert converted(task_of(None, of_task="local"), tmp_path) == [None]


@pytest.mark.parametrize(
    ("sandbox", "words"),
    [
        (("docker", "Dockerfile"), "cannot be built on the cluster"),
        (("proxmox", "machine.yaml"), "type 'proxmox'"),
        (SandboxEnvironmentSpec("k8s", K8sSandboxEnvironmentConfig(chart="mine")), "chart or context"),
        (("docker", "none-compose.yaml"), "cannot be read"),
        (
            SandboxEnvironmentSpec("docker", ComposeConfig(services={"default": ComposeService(build=".")})),
            "is built, which the cluster cannot do",
        ),
    ],
    ids=["Dockerfile", "unknown type", "chart", "no such file", "build"],
)
def test_sandbox_that_cannot_be_a_pod_is_refused_by_name(sandbox: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        converted(task_of(sandbox), tmp_path)


@pytest.mark.parametrize(("sandboxes", "least", "most"), [(1, 64, 64), (500, 64, 1024)])
def test_limits_follow_the_sandboxes_within_bounds(sandboxes: int, least: int, most: int) -> None:
    environment: dict[str, str] = {}

    set_limits(sandboxes, environment)

    assert least <= int(environment["INSPECT_MAX_POD_OPS"]) <= most
    assert 8 <= int(environment["INSPECT_MAX_HELM_INSTALL"]) <= 64


def test_limits_that_a_user_has_set_stay() -> None:
    environment = {"INSPECT_MAX_POD_OPS": "7"}

    set_limits(100, environment)

    assert environment["INSPECT_MAX_POD_OPS"] == "7"
