"""The Job that brings databases to the tables of a version, before its programs start."""

import re
from typing import Any

from hawk.naming import APP_NAME, COMPONENT_LABEL, NAME_LABEL
from infra.k8s.objects import Manifest
from infra.lib.config import DeploymentConfig
from infra.lib.naming import DAGSTER_DATABASE, POOL_LABEL, SYSTEM_POOL
from infra.lib.policies import Text
from infra.services.dagster import INSTANCE_MAP, STORAGE_FILE
from infra.services.settings import HOME
from infra.services.workload import (
    AUTHORITIES_MOUNT,
    AUTHORITIES_VOLUME,
    CONTAINER_SECURITY,
    POD_SECURITY,
    WRITABLE_MOUNTS,
    WRITABLE_VOLUMES,
    metadata,
)

COMPONENT = "migration"
MIGRATION = f"{APP_NAME}-{COMPONENT}"
_STEPS = (
    ("database", ("python3", "-m", "hawk.warehouse.create_database", DAGSTER_DATABASE)),
    ("warehouse", ("python3", "-m", "hawk.warehouse.migrate")),
    ("logins", ("python3", "-m", "hawk.warehouse.logins")),
    ("dagster", ("python3", "-m", "dagster", "instance", "migrate")),
)
_SECONDS = 3600
_HOME = f"{HOME}/dagster"


def migration_job(config: DeploymentConfig, *, image: Text, settings: str) -> Manifest:
    """Return the Job of this version of the images; another tag is another Job, which runs once."""
    tag = re.sub(r"[^a-z0-9-]", "-", config.images.tag.lower())[:40].strip("-")
    steps = [_step(name, command, image=image, settings=settings) for name, command in _STEPS]
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": POD_SECURITY,
        "nodeSelector": {POOL_LABEL: SYSTEM_POOL},
        "initContainers": steps[:-1],
        "containers": steps[-1:],
        "volumes": [
            *WRITABLE_VOLUMES,
            AUTHORITIES_VOLUME,
            {"name": "instance", "configMap": {"name": INSTANCE_MAP}},
        ],
    }
    labels = {NAME_LABEL: APP_NAME, COMPONENT_LABEL: COMPONENT}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(f"{MIGRATION}-{tag}", COMPONENT),
        "spec": {
            "backoffLimit": 4,
            "activeDeadlineSeconds": _SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _step(name: str, command: tuple[str, ...], *, image: Text, settings: str) -> dict[str, Any]:
    instance = {"name": "instance", "mountPath": f"{_HOME}/dagster.yaml", "subPath": STORAGE_FILE, "readOnly": True}
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(command),
        "workingDir": "/opt/hawk",
        "env": [{"name": "DAGSTER_HOME", "value": _HOME}],
        "envFrom": [{kind: {"name": settings}} for kind in ("configMapRef", "secretRef")],
        "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [*WRITABLE_MOUNTS, AUTHORITIES_MOUNT, instance],
    }
