"""Dagster's own runs in pods: nobody but the deployment says what they are."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster_k8s import K8sRunLauncher

from orchestration.run_pods import RunPodLauncher

ROOT = Path(__file__).parents[2]
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "c", "cluster": {"server": "https://192.0.2.1"}}],
    "users": [{"name": "u", "user": {}}],
    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    "current-context": "x",
}
WISH = {
    "container_config": {"image": "evil:1", "env": [{"name": "LD_PRELOAD", "value": "/tmp/evil.so"}]},
    "pod_spec_config": {"service_account_name": "default", "host_network": True},
}


def instance_settings(path: Path) -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load(path.read_text())
    return settings


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    """Return the shipped configuration of the launcher, for a cluster that is not asked anything."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(KUBECONFIG))
    shipped = instance_settings(ROOT / "infra" / "dagster.yaml")["run_launcher"]["config"]
    ours = {"job_namespace": "hawk", "job_image": "registry.example.org/hawk-dagster:1"}
    return {**shipped, **ours, "load_incluster_config": False, "kubeconfig_file": str(kubeconfig)}


def a_run() -> dg.DagsterRun:
    return dg.DagsterRun(job_name="launch_eval_set", tags={"dagster-k8s/config": json.dumps(WISH)})


def test_settings_of_the_instance_are_those_of_this_machine_but_for_where_runs_run() -> None:
    here, there = (instance_settings(ROOT / name) for name in ("dagster.yaml", "infra/dagster.yaml"))

    assert {name: there[name] for name in here} == here
    assert set(there) - set(here) == {"run_launcher", "compute_logs"}


def test_tag_of_a_run_shapes_nothing_of_dagsters_pod(config: dict[str, Any]) -> None:
    launcher = RunPodLauncher(**config)

    found = launcher.get_container_context_for_run(a_run()).run_k8s_config

    assert "evil" not in json.dumps(found.to_dict())
    assert found.pod_spec_config["service_account_name"] == "hawk-launcher"
    assert "host_network" not in found.pod_spec_config
    assert found.pod_spec_config["security_context"]["run_as_non_root"] is True
    assert found.container_config["security_context"]["read_only_root_filesystem"] is True
    assert found.container_config["env_from"] == [
        {"config_map_ref": {"name": "hawk-settings"}},
        {"secret_ref": {"name": "hawk-settings"}},
    ]


def test_dagsters_own_launcher_would_refuse_such_a_run_by_the_same_settings(config: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"violated the allowed list: .*image"):
        K8sRunLauncher(**config).get_container_context_for_run(a_run())
