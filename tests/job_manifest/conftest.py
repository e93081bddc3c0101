"""Jobs to make manifests of, and checks of manifests against the newest schemas."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from hawk.config.eval_set import EvalSetConfig
from hawk.ids import JobId
from hawk.job_manifest.identity import JobIdentity, Manifest
from hawk.job_spec import InfraConfig, JobSpec
from hawk.settings import KubernetesSettings
from tests.job_manifest import kueue_models

SCHEMAS = Path(__file__).parents[1] / "data" / "kubernetes"
KUBERNETES = "1.37"

Validate = Callable[[Manifest], None]


def manifest_job(*, job_id: str = "gpqa-0123456789abcdef", job_type: str = "eval-set", **config: Any) -> JobIdentity:
    """Return a job; keywords are keys of its config."""
    tasks = [{"package": "inspect-ai", "items": [{"name": "anything"}]}]
    infra = InfraConfig(
        created_by="auth0|researcher",
        email="researcher@example.org",
        model_groups=("model-access-private", "model-access-public"),
        log_dir=f"s3://hawk/evals/{job_id}",
    )
    spec = JobSpec(
        job_id=JobId(job_id),
        job_type=job_type,
        config=EvalSetConfig.model_validate({"tasks": tasks, **config}),
        infra=infra,
    )
    return JobIdentity(spec, "inspect")


@pytest.fixture
def make_job() -> Callable[..., JobIdentity]:
    return manifest_job


@pytest.fixture
def settings() -> KubernetesSettings:
    return KubernetesSettings(runner_image="registry.example.org/hawk/runner:1.4")


@pytest.fixture(scope="session")
def cilium_schema() -> dict[str, Any]:
    """Return the schema of Cilium's own CRD, fields it does not know refused."""
    crd = yaml.load((SCHEMAS / "ciliumnetworkpolicies.yaml").read_text(), Loader=yaml.CSafeLoader)
    [version] = [version for version in crd["spec"]["versions"] if version["name"] == "v2"]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    _close(schema)
    schema["properties"] |= {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {}}
    return schema


@pytest.fixture
def validate(cilium_schema: dict[str, Any]) -> Validate:
    """Return a check that raises where a manifest is not one of its kind."""

    def check(manifest: Manifest) -> None:
        if manifest["apiVersion"] == "cilium.io/v2":
            jsonschema.validate(manifest, cilium_schema)
        elif manifest["apiVersion"].startswith("kueue"):
            kueue_models.parse(manifest)
        else:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)

    return check


def _close(schema: Any) -> None:
    """Refuse, as the API server's strict mode does, what a schema with properties does not name."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            _close(value)
    elif isinstance(schema, list):
        for value in schema:
            _close(value)
