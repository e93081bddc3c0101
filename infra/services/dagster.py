"""Dagster's programs: the manifests and the instance's settings that serve any cluster, fitted to this one."""

import copy
from pathlib import Path
from typing import Any

import yaml

from hawk.naming import COMPONENT_LABEL
from infra.k8s.objects import Manifest
from infra.k8s.shipped import DAGSTER, shipped
from infra.lib.naming import POOL_LABEL, SYSTEM_POOL
from infra.lib.policies import Text
from infra.lib.sizes import Tier
from infra.services.workload import AUTHORITIES_MOUNT, AUTHORITIES_VOLUME, CHECKSUM, metadata

INSTANCE_MAP = "hawk-dagster"
STORAGE_FILE = "storage.yaml"
SETTINGS = "hawk-settings"
_FOLDER = Path(__file__).parents[1]


def dagster_manifests(sizes: Tier, *, image: Text, settings_checksum: Text) -> list[Manifest]:
    """Return the objects of infra/kubernetes/dagster.yaml with this deployment's image, sizes and nodes."""
    return [_fitted(each, sizes, image=image, settings_checksum=settings_checksum) for each in shipped(DAGSTER)]


def instance_map(sizes: Tier) -> Manifest:
    """Return the ConfigMap of the instance's settings, whose runs are pods of the size that the nodes have room for."""
    instance = yaml.safe_load((_FOLDER / "dagster.yaml").read_text())
    instance["run_coordinator"]["config"]["max_concurrent_runs"] = sizes.most_dagster_runs
    run = instance["run_launcher"]["config"]["run_k8s_config"]
    run["container_config"]["resources"] = sizes.dagster_run.resources
    run["container_config"].setdefault("volume_mounts", []).append(dict(AUTHORITIES_MOUNT))
    run["pod_spec_config"].setdefault("volumes", []).append(copy.deepcopy(AUTHORITIES_VOLUME))
    run["pod_spec_config"]["node_selector"] = {POOL_LABEL: SYSTEM_POOL}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(INSTANCE_MAP, "dagster"),
        "data": {
            "dagster.yaml": yaml.safe_dump(instance, sort_keys=False),
            # All that a migration needs; the launcher of runs would ask for the cluster's API.
            STORAGE_FILE: yaml.safe_dump({"storage": instance["storage"], "telemetry": {"enabled": False}}),
            "workspace.yaml": (_FOLDER / "workspace.yaml").read_text(),
        },
    }


def _fitted(manifest: Manifest, sizes: Tier, *, image: Text, settings_checksum: Text) -> Manifest:
    if manifest["kind"] != "Deployment":
        return manifest
    result: dict[str, Any] = copy.deepcopy(manifest)
    template = result["spec"]["template"]
    template["metadata"]["annotations"] = {CHECKSUM: settings_checksum}
    pod = template["spec"]
    pod["nodeSelector"] = {POOL_LABEL: SYSTEM_POOL}
    pod["volumes"].append(copy.deepcopy(AUTHORITIES_VOLUME))
    for container in pod["containers"]:
        container["image"] = image
        container["resources"] = sizes.programs[result["metadata"]["labels"][COMPONENT_LABEL]].resources
        container["volumeMounts"].append(dict(AUTHORITIES_MOUNT))
    return result
