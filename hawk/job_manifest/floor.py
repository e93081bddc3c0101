"""The security floor of a runner's pod: what `dagster-k8s/config` may ask for, and what holds whatever it asked."""

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hawk.errors import UserError
from hawk.job_manifest.identity import JobIdentity, Manifest
from hawk.job_manifest.pod import CONTAINER

USER_ID = 65532  # `nonroot` of distroless images, and of ours
MAY_BE_SET: Mapping[str, frozenset[str]] = {
    "container_config": frozenset({"env", "image", "image_pull_policy", "resources", "volume_mounts"}),
    "pod_spec_config": frozenset(
        {"affinity", "image_pull_secrets", "node_selector", "priority_class_name", "runtime_class_name",
         "scheduler_name", "tolerations", "topology_spread_constraints", "volumes"}
    ),
    "pod_template_spec_metadata": frozenset({"annotations", "labels"}),
    "job_metadata": frozenset({"annotations", "labels"}),
    "job_spec_config": frozenset({"active_deadline_seconds", "ttl_seconds_after_finished"}),
    "merge_behavior": frozenset(),
}  # fmt: skip
_OUR_DOMAINS = ("hawk.dagster.io/", "app.kubernetes.io/", "kueue.x-k8s.io/", "pod-security.kubernetes.io/")
_SYSTEM_DOMAIN = re.compile(r"([^/]+\.)?(kubernetes|k8s|cilium)\.io/")
_OUR_ENVIRONMENT = re.compile(
    r"HAWK_.*|AWS_.*|HOME|KUBECONFIG|KUBERNETES_.*|INSPECT_K8S_.*|LD_.*|PYTHON.*|(OPENAI|ANTHROPIC|GOOGLE)_(BASE_URL|API_KEY)"
)
_VOLUMES = frozenset({"emptyDir", "empty_dir", "ephemeral"})


def check_wishes(config: Mapping[str, Any]) -> None:
    """Raise UserError for the first thing in a `dagster-k8s/config` that nobody may set; keys are in snake case."""
    for fault in _faults(config):
        place, hint = fault
        raise UserError(f"`dagster-k8s/config` may not set `{place}` of a runner.", hint=hint, value=place)


def enforce_floor(manifest: Manifest, job: JobIdentity) -> Manifest:
    """Return the Job with everything in it that security rests on as it must be."""
    result = copy.deepcopy(manifest)
    pod = result["spec"]["template"]["spec"]
    for name in ("hostNetwork", "hostPID", "hostIPC", "hostUsers", "initContainers", "ephemeralContainers"):
        pod.pop(name, None)
    pod |= {
        "restartPolicy": "Never",
        "serviceAccountName": job.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": _pod_security(),
        "containers": [container for container in pod["containers"] if container["name"] == CONTAINER],
    }
    pod.pop("serviceAccount", None)
    for container in pod["containers"]:
        container["securityContext"] = _container_security()
    for metadata in (result["metadata"], result["spec"]["template"]["metadata"]):
        metadata["labels"] = {**metadata.get("labels", {}), **job.labels()}
    result["metadata"]["namespace"] = job.runner_namespace
    result["spec"]["template"]["metadata"].pop("name", None)  # a Job names its pods
    return result


def _pod_security() -> dict[str, Any]:
    return {
        "runAsNonRoot": True,
        "runAsUser": USER_ID,
        "runAsGroup": USER_ID,
        "fsGroup": USER_ID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _container_security() -> dict[str, Any]:
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
    }


def _faults(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for section, fields in config.items():
        if section not in MAY_BE_SET:
            if fields:
                yield section, f"These may be set: {', '.join(sorted(MAY_BE_SET))}."
            continue
        if not isinstance(fields, Mapping):
            continue
        for field in fields:
            if field not in MAY_BE_SET[section]:
                allowed = ", ".join(sorted(MAY_BE_SET[section]))
                yield f"{section}.{field}", f"Of `{section}` these may be set: {allowed}."
        yield from _inner_faults(section, fields)


def _inner_faults(section: str, fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for volume in fields.get("volumes") or ():
        if set(volume) - {"name"} - _VOLUMES:
            yield f"{section}.volumes", "Only volumes that live and end with the pod are allowed: emptyDir, ephemeral."
    for variable in fields.get("env") or ():
        name = str(variable.get("name", ""))
        if set(variable) - {"name", "value"}:
            yield f"{section}.env.{name}", "Give a plain value; secrets are given when the set is launched."
        if _OUR_ENVIRONMENT.fullmatch(name):
            yield f"{section}.env.{name}", "The platform sets it in every job."
    for kind in ("labels", "annotations"):
        for key in fields.get(kind) or ():
            if key.startswith(_OUR_DOMAINS) or _SYSTEM_DOMAIN.match(key):
                yield f"{section}.{kind}.{key}", "Use a domain of your own."
