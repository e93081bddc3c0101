"""How a job's objects are named and labelled; everything of a job is found, and deleted, by these labels."""

import re
from dataclasses import dataclass
from typing import Any

from hawk.job_spec import JobSpec
from hawk.naming import (
    APP_NAME,
    COMPONENT_LABEL,
    CREATED_BY_ANNOTATION,
    CREATED_BY_LABEL,
    EMAIL_ANNOTATION,
    JOB_ID_LABEL,
    JOB_TYPE_LABEL,
    MANAGED_BY_LABEL,
    MODEL_ACCESS_ANNOTATION,
    NAME_LABEL,
    NAMESPACE_PREFIX_LABEL,
    RUNNER_COMPONENT,
    SANDBOX_COMPONENT,
    runner_namespace,
    runner_service_account,
    sandbox_namespace,
)

Manifest = dict[str, Any]

CONFIG_MAP = "runner-config"
SECRET = "runner-secrets"  # noqa: S105 - a name, not a secret
STATE_CONFIG_MAP = "runner-state"
MAX_LABEL = 63  # Kubernetes' limit on a label's value
_GROUP_PREFIX = "model-access-"


@dataclass(frozen=True)
class JobIdentity:
    """A job and the deployment that runs it."""

    spec: JobSpec
    namespace_prefix: str

    @property
    def name(self) -> str:
        return str(self.spec.job_id)

    @property
    def runner_namespace(self) -> str:
        return runner_namespace(self.namespace_prefix, self.spec.job_id)

    @property
    def sandbox_namespace(self) -> str | None:
        """Return where the job's sandboxes live; scans and edits have none."""
        if self.spec.job_type != "eval-set":
            return None
        return sandbox_namespace(self.namespace_prefix, self.spec.job_id)

    @property
    def service_account(self) -> str:
        return runner_service_account(self.spec.job_type, self.spec.job_id)

    def labels(self, component: str = RUNNER_COMPONENT) -> dict[str, str]:
        """Return the labels that every object of the job bears."""
        return {
            NAME_LABEL: APP_NAME,
            COMPONENT_LABEL: component,
            MANAGED_BY_LABEL: APP_NAME,
            JOB_ID_LABEL: self.name,
            JOB_TYPE_LABEL: self.spec.job_type,
            CREATED_BY_LABEL: label_value(self.spec.infra.created_by),
            NAMESPACE_PREFIX_LABEL: self.namespace_prefix,
        }

    def annotations(self) -> dict[str, str]:
        """Return what does not fit into labels: who asked for the job, and the groups of its models."""
        infra = self.spec.infra
        groups = sorted(group.removeprefix(_GROUP_PREFIX) for group in infra.model_groups)
        annotations = {
            CREATED_BY_ANNOTATION: infra.created_by,
            MODEL_ACCESS_ANNOTATION: f"__{'__'.join(groups)}__" if groups else "",
        }
        return annotations | ({EMAIL_ANNOTATION: infra.email} if infra.email else {})

    def manifest(self, api_version: str, kind: str, name: str, *, sandbox: bool = False, **fields: Any) -> Manifest:
        """Return an object in the runner's namespace, or the sandboxes', with the job's labels."""
        component = SANDBOX_COMPONENT if sandbox else RUNNER_COMPONENT
        namespace = self.sandbox_namespace if sandbox else self.runner_namespace
        metadata = {"name": name, "namespace": namespace, "labels": self.labels(component)}
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def label_value(text: str) -> str:
    """Return the text as a label's value: at most 63 letters, digits, '-', '_' and '.'."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text)[:MAX_LABEL].strip("-_.")
