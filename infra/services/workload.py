"""Kubernetes manifests of one program: Deployment or StatefulSet, Service, budget for disruptions, autoscaler."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hawk.naming import APP_NAME, COMPONENT_LABEL, MANAGED_BY_LABEL, NAME_LABEL
from infra.k8s.objects import Manifest
from infra.lib.naming import NAMESPACE, POOL_LABEL, SYSTEM_POOL
from infra.lib.policies import Text
from infra.lib.sizes import Ask
from infra.services.settings import HOME

USER_ID = 65532  # of every image
AUTHORITIES_MAP, AUTHORITIES_FOLDER = "database-authorities", "/etc/hawk/database"
BUSY_PERCENT = 70
CHECKSUM = "hawk.dagster.io/settings"


@dataclass(frozen=True)
class Workload:
    """A program that serves requests."""

    component: str
    image: Text
    command: Sequence[str]
    port: int
    ask: Ask
    live_path: str
    ready_path: str
    settings_checksum: Text
    account: str
    drain_seconds: int = 30
    kept_folders: Mapping[str, str] = field(default_factory=dict)  # path -> size; makes it a StatefulSet

    @property
    def name(self) -> str:
        return f"{APP_NAME}-{self.component}"

    @property
    def selector(self) -> dict[str, str]:
        return {NAME_LABEL: APP_NAME, COMPONENT_LABEL: self.component}

    def manifests(self) -> list[Manifest]:
        """Return all of its objects, the one that runs pods last."""
        scaled = [self._autoscaler()] if self.ask.most_replicas else []
        return [self._service(), self._budget(), *scaled, self._runs_pods()]

    def _metadata(self, name: str | None = None) -> dict[str, Any]:
        return metadata(name or self.name, self.component)

    def _service(self) -> Manifest:
        spec: dict[str, Any] = {
            "selector": self.selector,
            "ports": [{"name": "http", "port": self.port, "targetPort": "http", "protocol": "TCP"}],
        }
        return {"apiVersion": "v1", "kind": "Service", "metadata": self._metadata(), "spec": spec}

    def _budget(self) -> Manifest:
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": self.selector}}
        return {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": self._metadata(),
            "spec": spec,
        }

    def _autoscaler(self) -> Manifest:
        busy = {"type": "Utilization", "averageUtilization": BUSY_PERCENT}
        return {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": self._metadata(),
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": self._kind, "name": self.name},
                "minReplicas": self.ask.replicas,
                "maxReplicas": self.ask.most_replicas,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": busy}}],
                # Calls to models last minutes, so pods go slowly.
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}},
            },
        }

    @property
    def _kind(self) -> str:
        return "StatefulSet" if self.kept_folders else "Deployment"

    def _runs_pods(self) -> Manifest:
        spec: dict[str, Any] = {"selector": {"matchLabels": self.selector}, "template": self._pod()}
        if not self.ask.most_replicas:  # else the autoscaler says how many
            spec["replicas"] = self.ask.replicas
        if self.kept_folders:
            spec |= {
                "serviceName": self.name,
                "podManagementPolicy": "Parallel",
                "volumeClaimTemplates": [_claim(path, size) for path, size in self.kept_folders.items()],
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            }
        else:
            spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        return {"apiVersion": "apps/v1", "kind": self._kind, "metadata": self._metadata(), "spec": spec}

    def _pod(self) -> dict[str, Any]:
        kept = [{"name": volume_name(path), "mountPath": path} for path in self.kept_folders]
        container = {
            "name": self.component,
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "command": list(self.command),
            "workingDir": "/opt/hawk",
            "envFrom": [{kind: {"name": self.name}} for kind in ("configMapRef", "secretRef")],
            "ports": [{"name": "http", "containerPort": self.port, "protocol": "TCP"}],
            "startupProbe": _probe(self.live_path, period=2, failures=60),
            "livenessProbe": _probe(self.live_path, period=15, failures=4),
            "readinessProbe": _probe(self.ready_path, period=5, failures=3),
            "resources": self.ask.resources,
            "securityContext": CONTAINER_SECURITY,
            "volumeMounts": [*WRITABLE_MOUNTS, AUTHORITIES_MOUNT, *kept],
        }
        spec = {
            "serviceAccountName": self.account,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": self.drain_seconds + 10,
            "securityContext": POD_SECURITY,
            "nodeSelector": {POOL_LABEL: SYSTEM_POOL},
            "topologySpreadConstraints": [self._spread("topology.kubernetes.io/zone")],
            "containers": [container],
            "volumes": [*WRITABLE_VOLUMES, AUTHORITIES_VOLUME],
        }
        annotations = {CHECKSUM: self.settings_checksum}
        return {"metadata": {"labels": self.selector, "annotations": annotations}, "spec": spec}

    def _spread(self, key: str) -> dict[str, Any]:
        return {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": self.selector},
        }


POD_SECURITY: dict[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": USER_ID,
    "runAsGroup": USER_ID,
    "fsGroup": USER_ID,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
WRITABLE_VOLUMES: list[dict[str, Any]] = [{"name": "home", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]
WRITABLE_MOUNTS: list[dict[str, Any]] = [{"name": "home", "mountPath": HOME}, {"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - a mount
AUTHORITIES_VOLUME: dict[str, Any] = {"name": AUTHORITIES_MAP, "configMap": {"name": AUTHORITIES_MAP}}
AUTHORITIES_MOUNT: dict[str, Any] = {"name": AUTHORITIES_MAP, "mountPath": AUTHORITIES_FOLDER, "readOnly": True}


def metadata(name: str, component: str) -> dict[str, Any]:
    """Return the metadata of an object in the platform's namespace."""
    labels = {NAME_LABEL: APP_NAME, COMPONENT_LABEL: component, MANAGED_BY_LABEL: "pulumi"}
    return {"name": name, "namespace": NAMESPACE, "labels": labels}


def volume_name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _claim(path: str, size: str) -> dict[str, Any]:
    return {
        "metadata": {"name": volume_name(path)},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
    }


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
