"""The starter tier, and the team's, have room for what they run: nodes, what is left of them, what pods ask for.

A tier whose first job is never scheduled looks deployed and is not.
"""

import json
import re
from pathlib import Path
from typing import Any

import k8s_sandbox
import pytest
import yaml

from hawk.config.isolation import IsolationConfig
from hawk.job_spec import SandboxRules
from hawk.settings import OrchestrationSettings
from infra.k8s.capacity import Requests, cpu_millis, memory_mib, place, requests_of_pod, without
from infra.k8s.daemons import add_on_pods, daemons
from infra.lib.config_file import read_config
from infra.lib.instances import PODS_WITH_PREFIXES, Allocatable, allocatable, instance
from orchestration.launchers.kubernetes_job import runner_job
from runner.inside.sandbox_values import isolated_values
from tests.fakes.infra_program import CONFIGURATIONS, Program, build
from tests.job_manifest.conftest import manifest_job

CHART = Path(k8s_sandbox.__file__).parent / "resources" / "helm" / "agent-env"
CANDIDATES = ("m7i-flex.large", "m7i.large", "m7i.xlarge", "m7i.2xlarge", "r7i.xlarge", "m7i.4xlarge")
NAMES = ("starter", "everything")


def settings_of(program: Program) -> OrchestrationSettings:
    given = {
        **program.manifest("ConfigMap", "hawk-settings")["data"],
        **program.manifest("Secret", "hawk-settings")["stringData"],
    }
    fields = {
        key.removeprefix("HAWK_").lower(): json.loads(value) if value[:1] in "[{" else value
        for key, value in given.items()
        if key.startswith("HAWK_")
    }
    return OrchestrationSettings.model_validate(fields)


def runner_pod(program: Program) -> dict[str, Any]:
    settings = settings_of(program)
    job = runner_job(manifest_job(), settings, submitted_at="2026-11-24T00:00:00Z", attempt=1, spec_hash="x")
    pod: dict[str, Any] = job["spec"]["template"]["spec"]
    return pod


def sandbox_pod(program: Program) -> dict[str, Any]:
    """Return a sandbox of default size: what the chart gives to one that asks for nothing, and its name server."""
    template = (CHART / "templates" / "services.yaml").read_text()
    asked = re.findall(r'requests:\n\s+memory: "(\w+)"\n\s+cpu: "(\w+)"', template)
    assert len(asked) == 2
    values = isolated_values(
        yaml.safe_load((CHART / "values.yaml").read_text()),
        IsolationConfig(level="standard"),
        SandboxRules(architecture="amd64", values=settings_of(program).sandbox_values),
        labels={},
    )
    service = values["services"]["default"]
    return {
        "nodeSelector": service["nodeSelector"],
        "tolerations": service.get("tolerations", []),
        "containers": [{"resources": {"requests": {"memory": memory, "cpu": cpu}}} for memory, cpu in asked],
    }


def node_of(program: Program, kind: str) -> Allocatable:
    return without(
        allocatable(instance(kind), most_pods=PODS_WITH_PREFIXES), daemons(read_config(CONFIGURATIONS[program.name]))
    )


def pools(program: Program) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each["spec"] for each in program.manifests() if each["kind"] == "NodePool"}


def platform_pods(program: Program) -> list[Requests]:
    """Return all that the platform's nodes hold at a time: programs, add-ons, runs of Dagster, one new version."""
    config = read_config(CONFIGURATIONS[program.name])
    pods = add_on_pods(config)
    for each in program.manifests():
        if each["kind"] in ("Deployment", "StatefulSet"):
            name = each["metadata"]["name"]
            if name == "hawk-collector":
                continue  # among the add-ons
            count = each["spec"].get("replicas")
            if count is None:
                count = program.manifest("HorizontalPodAutoscaler", name)["spec"]["minReplicas"]
            pods += [requests_of_pod(f"{name}-{number}", each["spec"]["template"]["spec"]) for number in range(count)]
    run = config.sizes.dagster_run
    pods += [Requests(f"run-{n}", run.cpu_millis, run.memory_mib) for n in range(config.sizes.most_dagster_runs)]
    servers = [pod for pod in pods if pod.name.startswith("hawk-")]
    largest = max(servers, key=lambda pod: pod.memory_mib)  # a new version of it starts before the old one ends
    return [*pods, Requests("surge", largest.cpu_millis, largest.memory_mib)]


@pytest.mark.parametrize("name", NAMES)
def test_platform_fits_on_its_nodes_with_all_runs_and_a_roll_out(name: str):
    program = build(name)
    config = read_config(CONFIGURATIONS[name])
    kind = config.sizes.system_type
    node = without(allocatable(kind, most_pods=kind.pods_without_prefixes), daemons(config))

    assert place(platform_pods(program), config.sizes.system_nodes, node) == []


@pytest.mark.parametrize("name", NAMES)
def test_runner_of_default_size_fits_on_a_node_that_its_pool_may_start(name: str):
    program = build(name)
    runner = requests_of_pod("runner", runner_pod(program))
    limit = int(pools(program)["runners"]["limits"]["cpu"])

    fitting = [
        kind for kind in CANDIDATES if instance(kind).cpus <= limit and not place([runner], 1, node_of(program, kind))
    ]

    assert fitting
    assert f"{instance(fitting[0]).cpus}" in _allowed(program, "runners", "karpenter.k8s.aws/instance-cpu")


@pytest.mark.parametrize("name", NAMES)
def test_sandbox_of_default_size_fits_on_a_node_that_its_pool_may_start(name: str):
    program = build(name)
    sandbox = requests_of_pod("sandbox", sandbox_pod(program))
    limit = int(pools(program)["sandboxes"]["limits"]["cpu"])

    fitting = [
        kind for kind in CANDIDATES if instance(kind).cpus <= limit and not place([sandbox], 1, node_of(program, kind))
    ]

    assert fitting
    assert f"{instance(fitting[0]).cpus}" in _allowed(program, "sandboxes", "karpenter.k8s.aws/instance-cpu")


def test_starter_runs_two_sets_with_four_sandboxes_each_within_its_limit(starter: Program):
    config = read_config(CONFIGURATIONS["starter"])
    runner, sandbox = (requests_of_pod(*each) for each in (("r", runner_pod(starter)), ("s", sandbox_pod(starter))))
    limits = {name: int(spec["limits"]["cpu"]) for name, spec in pools(starter).items()}
    kind = instance("m7i.xlarge")
    node = node_of(starter, kind.name)

    assert place([runner] * 2, limits["runners"] // kind.cpus, node) == []
    assert place([sandbox] * 8, limits["sandboxes"] // kind.cpus, node) == []
    assert sum(limits.values()) <= config.sizes.most_cpus


@pytest.mark.parametrize("name", NAMES)
def test_pods_are_led_to_a_pool_that_lets_them_in(name: str):
    program = build(name)
    for pod, pool in ((runner_pod(program), "runners"), (sandbox_pod(program), "sandboxes")):
        template = pools(program)[pool]["template"]
        given = {**template["metadata"]["labels"], "kubernetes.io/arch": "amd64"}

        assert pod["nodeSelector"].items() <= given.items()
        assert "taints" not in template["spec"]
        assert "amd64" in _allowed(program, pool, "kubernetes.io/arch")


@pytest.mark.parametrize("name", NAMES)
def test_programs_are_led_to_the_platforms_nodes(name: str):
    program = build(name)
    [nodes] = program.of("aws:eks/nodeGroup:NodeGroup")

    for each in program.manifests():
        if each["kind"] in ("Deployment", "StatefulSet", "Job"):
            assert each["spec"]["template"]["spec"]["nodeSelector"].items() <= nodes.inputs["labels"].items()
    assert not nodes.inputs.get("taints")
    assert nodes.inputs["scalingConfig"]["minSize"] == read_config(CONFIGURATIONS[name]).sizes.system_nodes


def test_what_does_not_fit_is_found():
    node = Allocatable(1000, 2048, 3)

    assert place([Requests("large", 100, 4096)], 5, node) == ["large"]
    assert place([Requests("busy", 1500, 10)], 5, node) == ["busy"]
    assert place([Requests(str(number), 1, 1) for number in range(4)], 1, node) == ["3"]
    assert place([Requests("a", 600, 10), Requests("b", 600, 10)], 2, node) == []


def test_pod_asks_for_its_containers_together_or_for_its_largest_first_step():
    def container(cpu: str, memory: str) -> dict[str, Any]:
        return {"resources": {"requests": {"cpu": cpu}, "limits": {"memory": memory}}}

    pod = {
        "containers": [container("500m", "1Gi"), container("1", "512Mi")],
        "initContainers": [container("2", "64Mi")],
    }

    asked = requests_of_pod("pod", pod)
    assert (asked.cpu_millis, asked.memory_mib) == (2000, 1536)


@pytest.mark.parametrize(("text", "mib"), [("512Mi", 512), ("4Gi", 4096), ("1048576", 1), ("2Ti", 2 * 1024**2)])
def test_memory_is_read(text: str, mib: float):
    assert memory_mib(text) == mib


@pytest.mark.parametrize(("text", "millis"), [("250m", 250), ("2", 2000), ("0.5", 500)])
def test_cpus_are_read(text: str, millis: int):
    assert cpu_millis(text) == millis


def _allowed(program: Program, pool: str, key: str) -> list[str]:
    requirements = pools(program)[pool]["template"]["spec"]["requirements"]
    values: list[str] = next(each["values"] for each in requirements if each["key"] == key)
    return values
