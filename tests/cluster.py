"""A real cluster for tests: that of KUBECONFIG, whatever it is; tests skip where there is none.

Images are named by variables, as there is no registry that every cluster reaches; `tools/cluster-images` makes them.
"""

import os
import secrets
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from hawk.job_manifest.network import Address, Surroundings
from hawk.naming import NAMESPACE_PREFIX_LABEL
from hawk.settings import KubernetesSettings
from orchestration.launchers.kubernetes import KubernetesJobLauncher
from orchestration.launchers.kubernetes_api import KubernetesApi, Manifest, api_client

ROLE = Path(__file__).parents[1] / "infra" / "kubernetes" / "sandboxes-role.yaml"
SCRIPTED_IMAGE = "TEST_SCRIPTED_IMAGE"
RUNNER_IMAGE = "TEST_RUNNER_IMAGE"
DAGSTER_IMAGE = "TEST_DAGSTER_IMAGE"
REMOVAL_SECONDS = 120.0
# Small, so that two run beside each other on a small machine.
SMALL: dict[str, Any] = {
    "runner_cpu_request": "50m",
    "runner_cpu_limit": "2",
    "runner_memory_request": "64Mi",
    "runner_memory_limit": "256Mi",
    "runner_storage_limit": "2Gi",
    "stop_grace_seconds": 5.0,
    "kill_grace_seconds": 1,
}


class Cluster:
    """The cluster under test, and what is left of each prefix on it."""

    def __init__(self) -> None:
        self.client = api_client(None)
        self.api = KubernetesApi(self.client)
        self.has_cilium = self.api.has_kind("CiliumNetworkPolicy")
        self.api.apply(yaml.safe_load(ROLE.read_text()))

    @staticmethod
    def new_prefix() -> str:
        return f"t{secrets.token_hex(4)}"

    def launcher(self, **options: Any) -> KubernetesJobLauncher:
        around = Surroundings(services=(Address("10.250.0.1", 8333),), has_cilium=self.has_cilium)
        settings = KubernetesSettings(**{**SMALL, **options})
        return KubernetesJobLauncher(self.client, settings, around=lambda: around)

    def namespaces(self, prefix: str) -> list[Manifest]:
        return self.api.list("Namespace", labels={NAMESPACE_PREFIX_LABEL: prefix})

    def remove(self, prefix: str, *, wait: bool = False) -> None:
        """Delete every namespace of a prefix; those of other tests stay."""
        for namespace in self.namespaces(prefix):
            name = namespace["metadata"]["name"]
            self.api.delete("Namespace", name)
            for pod in self.api.list("Pod", name):
                self.api.delete("Pod", pod["metadata"]["name"], name, grace_seconds=0)
        deadline = time.monotonic() + REMOVAL_SECONDS
        while wait and self.namespaces(prefix):
            assert time.monotonic() < deadline, f"namespaces of {prefix} do not end"
            time.sleep(0.5)


def cluster_of_this_machine() -> Cluster:
    """Return the cluster of KUBECONFIG, or skip the test."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("no cluster: KUBECONFIG is not set")
    return Cluster()


def scripted_image() -> str:
    """Return the image whose runner acts by a script, or skip the test."""
    return _image(SCRIPTED_IMAGE)


def runner_image() -> str:
    """Return the image of real runners, or skip the test."""
    return _image(RUNNER_IMAGE)


def dagster_image() -> str:
    """Return the image of Dagster's programs and runs, or skip the test."""
    return _image(DAGSTER_IMAGE)


def _image(variable: str) -> str:
    image = os.environ.get(variable)
    if not image:
        pytest.skip(f"no image: {variable} is not set; see tools/cluster-images")
    return image
