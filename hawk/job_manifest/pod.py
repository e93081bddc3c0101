"""The runner's pod as `dagster-k8s/config` has it, before anybody's wishes are merged onto it."""

import math
from typing import Any

from hawk.job_manifest.files import CONFIG_FOLDER, KUBERNETES_FOLDER
from hawk.job_manifest.identity import CONFIG_MAP, SECRET, JobIdentity
from hawk.job_manifest.namespaces import LOCAL_QUEUE
from hawk.job_outcome import RunnerExit
from hawk.job_spec import JOB_SPEC_FILE
from hawk.settings import KubernetesSettings

CONTAINER = "runner"
HOME = "/home/hawk"
POD_FOLDER = "/etc/hawk/pod"
ANNOTATIONS_FILE = f"{POD_FOLDER}/annotations"
BROKER_TOKEN_FOLDER = "/var/run/secrets/hawk-token-broker"  # noqa: S105 - a path
TOKEN_SECONDS = 3600
CLIENT_REFRESH_SECONDS = 600  # inspect_k8s_sandbox reads the token anew, well before it ends


def pod_config(job: JobIdentity, settings: KubernetesSettings, *, submitted_at: str, attempt: int) -> dict[str, Any]:
    """Return the `dagster-k8s/config` of the job; `attempt` is the number of its first pod."""
    return {
        "container_config": _container(job, settings, submitted_at=submitted_at, attempt=attempt),
        "pod_spec_config": _pod_spec(job, settings),
        "pod_template_spec_metadata": {
            "annotations": {
                "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
                "karpenter.sh/do-not-disrupt": "true",
            }
        },
        "job_spec_config": _job_spec(job, settings),
        "job_metadata": {"labels": _kueue_labels(job, settings)},
    }


def _container(job: JobIdentity, settings: KubernetesSettings, *, submitted_at: str, attempt: int) -> dict[str, Any]:
    return {
        "name": CONTAINER,
        "args": [
            f"{CONFIG_FOLDER}/{JOB_SPEC_FILE}",
            "--work-folder",
            f"{HOME}/work",
            "--annotations",
            ANNOTATIONS_FILE,
            "--submitted-at",
            submitted_at,
            "--attempt-number",
            str(attempt),
        ],
        "env": [{"name": name, "value": value} for name, value in _environment(job).items()],
        "env_from": [{"secretRef": {"name": SECRET}}],
        "resources": _resources(job, settings),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volume_mounts": _mounts(),
    }


def _environment(job: JobIdentity) -> dict[str, str]:
    """Return what no other layer may say otherwise: `env` outranks `envFrom`."""
    environment = {
        "HOME": HOME,
        "HAWK_JOB_ID": job.name,
        "HAWK_JOB_TYPE": job.spec.job_type,
        "INSPECT_DISPLAY": "log",
        "INSPECT_SANDBOX_MAX_EXEC_OUTPUT_SIZE": str(100 * 1024**2),
        "INSPECT_SANDBOX_MAX_READ_FILE_SIZE": str(1024**3),
        "AWS_CONFIG_FILE": f"{CONFIG_FOLDER}/aws-config",
    }
    if job.sandbox_namespace is not None:
        environment |= {
            "INSPECT_K8S_DEFAULT_NAMESPACE": job.sandbox_namespace,
            "INSPECT_K8S_CLIENT_REFRESH_SECONDS": str(CLIENT_REFRESH_SECONDS),
            "KUBECONFIG": f"{CONFIG_FOLDER}/kubeconfig",
        }
    return environment


def _resources(job: JobIdentity, settings: KubernetesSettings) -> dict[str, Any]:
    """Return limits and requests; a job that names its size is given all of it."""
    runner = job.spec.config.runner
    memory = runner.memory or settings.runner_memory_limit
    cpu = runner.cpu or settings.runner_cpu_limit
    return {
        "limits": {"cpu": cpu, "memory": memory},
        "requests": {
            "cpu": runner.cpu or settings.runner_cpu_request,
            "memory": runner.memory or settings.runner_memory_request or memory,
        },
    }


def _pod_spec(job: JobIdentity, settings: KubernetesSettings) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "service_account_name": job.service_account,
        "termination_grace_period_seconds": max(1, math.ceil(settings.kill_grace_seconds)),
        "volumes": _volumes(settings),
    }
    if settings.runner_architecture:
        spec["node_selector"] = {"kubernetes.io/arch": settings.runner_architecture}
    if settings.runner_architecture == "arm64":
        taint = {"key": "kubernetes.io/arch", "operator": "Equal", "value": "arm64", "effect": "NoSchedule"}
        spec["tolerations"] = [taint]
    return spec


def _mounts() -> list[dict[str, Any]]:
    read_only = {
        "config": CONFIG_FOLDER,
        "pod": POD_FOLDER,
        "kubernetes": KUBERNETES_FOLDER,
        "broker-token": BROKER_TOKEN_FOLDER,
    }
    return [
        *({"name": name, "mountPath": path, "readOnly": True} for name, path in read_only.items()),
        {"name": "work", "mountPath": HOME},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
    ]


def _volumes(settings: KubernetesSettings) -> list[dict[str, Any]]:
    api_token = {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_SECONDS}}
    authority = {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
    broker_token = {
        "serviceAccountToken": {
            "path": "token",
            "expirationSeconds": TOKEN_SECONDS,
            "audience": settings.broker_audience,
        }
    }
    annotations = {"path": "annotations", "fieldRef": {"fieldPath": "metadata.annotations"}}
    return [
        {"name": "config", "configMap": {"name": CONFIG_MAP}},
        {"name": "pod", "downwardAPI": {"items": [annotations]}},
        {"name": "kubernetes", "projected": {"sources": [api_token, authority]}},
        {"name": "broker-token", "projected": {"sources": [broker_token]}},
        {"name": "work", "emptyDir": {"sizeLimit": settings.runner_storage_limit}},
        {"name": "tmp", "emptyDir": {"sizeLimit": settings.runner_storage_limit}},
    ]


def _job_spec(job: JobIdentity, settings: KubernetesSettings) -> dict[str, Any]:
    final = [int(RunnerExit.DETERMINISTIC), int(RunnerExit.INTERRUPTED)]
    rule = {
        "action": "FailJob",
        "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": final},
    }
    spec: dict[str, Any] = {
        "backoff_limit": 0 if job.spec.job_type == "scan" else job.spec.infra.max_attempts - 1,
        "ttl_seconds_after_finished": settings.job_ttl_seconds,
        "pod_failure_policy": {"rules": [rule]},
        "pod_replacement_policy": "Failed",  # never two runners of a set at once
    }
    if settings.job_deadline_seconds is not None:
        spec["active_deadline_seconds"] = settings.job_deadline_seconds
    if settings.kueue_queue:
        spec["suspend"] = True  # until Kueue admits it
    return spec


def _kueue_labels(job: JobIdentity, settings: KubernetesSettings) -> dict[str, str]:
    if not settings.kueue_queue:
        return {}
    return {
        "kueue.x-k8s.io/queue-name": LOCAL_QUEUE,
        "kueue.x-k8s.io/priority-class": f"hawk-{job.spec.infra.priority}",
    }
