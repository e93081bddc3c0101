"""What a runner finds in its pod: the job, its AWS and Kubernetes configuration, and secrets as environment."""

import base64
import json
from collections.abc import Mapping

from hawk.errors import UserError
from hawk.job_manifest.identity import CONFIG_MAP, SECRET, JobIdentity, Manifest
from hawk.job_spec import JOB_SPEC_FILE
from hawk.settings import KubernetesSettings

CONFIG_FOLDER = "/etc/hawk/config"
KUBERNETES_FOLDER = "/var/run/secrets/hawk/kubernetes"  # token and ca.crt, renewed by the kubelet
MAX_BYTES = 1_000_000  # of all values together; Kubernetes refuses objects over 1 MiB
# The lowest layer of the environment: whatever the deployment, the job or its user says wins.
DEFAULT_ENVIRONMENT = {
    "INSPECT_HELM_TIMEOUT": "86400",
    "INSPECT_HTTP_CONNECT_TIMEOUT": "60",
    "INSPECT_HTTP_KEEPALIVE_EXPIRY": "300",
}


def config_map(job: JobIdentity, settings: KubernetesSettings, *, region: str) -> Manifest:
    """Return the ConfigMap of files. Raises UserError for a job that is too long for one."""
    data = {JOB_SPEC_FILE: job.spec.to_json(), "aws-config": _aws_config(settings, region)}
    if job.sandbox_namespace is not None:
        data["kubeconfig"] = _kubeconfig(job.sandbox_namespace)
    _check_size(data, "The config of the job", hint="Split the set into smaller ones.")
    return job.manifest("v1", "ConfigMap", CONFIG_MAP, data=data)


def secret(job: JobIdentity, settings: KubernetesSettings, secrets: Mapping[str, str]) -> Manifest:
    """Return the Secret whose entries become the runner's environment; later layers win."""
    layers = {**DEFAULT_ENVIRONMENT, **settings.runner_default_environment, **secrets}
    _check_size(layers, "The environment and secrets of the job", hint="Put long values into files.")
    data = {name: base64.b64encode(value.encode()).decode() for name, value in sorted(layers.items())}
    return job.manifest("v1", "Secret", SECRET, type="Opaque", data=data)


def _aws_config(settings: KubernetesSettings, region: str) -> str:
    lines = ["[default]", f"region = {region}"]
    if settings.runner_credential_process:
        lines.append(f"credential_process = {settings.runner_credential_process}")
    return "\n".join(lines) + "\n"


def _kubeconfig(namespace: str) -> str:
    cluster = {
        "server": "https://kubernetes.default.svc",
        "certificate-authority": f"{KUBERNETES_FOLDER}/ca.crt",
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "cluster", "cluster": cluster}],
            "users": [{"name": "runner", "user": {"tokenFile": f"{KUBERNETES_FOLDER}/token"}}],
            "contexts": [
                {"name": "sandboxes", "context": {"cluster": "cluster", "user": "runner", "namespace": namespace}}
            ],
            "current-context": "sandboxes",
        },
        indent=2,
    )


def _check_size(data: Mapping[str, str], what: str, *, hint: str) -> None:
    size_bytes = sum(len(name) + len(value.encode()) for name, value in data.items())
    if size_bytes > MAX_BYTES:
        raise UserError(
            f"{what} has {size_bytes} bytes, and Kubernetes takes {MAX_BYTES}.", hint=hint, value=size_bytes
        )
