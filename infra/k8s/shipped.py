"""The manifests of infra/kubernetes, which serve any cluster, as this program applies them."""

from pathlib import Path
from typing import Any

import yaml

from infra.k8s.objects import Manifest

FOLDER = Path(__file__).parents[1] / "kubernetes"
RIGHTS = ("sandboxes-role.yaml", "launcher.yaml", "admission.yaml")
QUEUES = "kueue.yaml"
DAGSTER = "dagster.yaml"


def shipped(name: str) -> list[Manifest]:
    """Return the objects of one file, in its order."""
    return [document for document in yaml.safe_load_all((FOLDER / name).read_text()) if document]


def with_quotas(manifests: list[Manifest], *, runner_cpus: int, sandbox_cpus: int) -> list[Manifest]:
    """Return Kueue's objects with quotas of this deployment's own nodes, at 8 GiB a CPU at most."""
    cpus = {"hawk-runners": runner_cpus, "hawk-sandboxes": sandbox_cpus}
    result: list[Manifest] = []
    for manifest in manifests:
        most = cpus.get(manifest["metadata"]["name"])
        if manifest["kind"] == "ClusterQueue" and most is not None:
            [group] = manifest["spec"]["resourceGroups"]
            quotas: dict[str, Any] = {"cpu": str(most), "memory": f"{most * 8}Gi"}
            for flavor in group["flavors"]:
                for resource in flavor["resources"]:
                    resource["nominalQuota"] = quotas[resource["name"]]
        result.append(manifest)
    return result
