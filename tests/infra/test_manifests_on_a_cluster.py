"""A real API server takes the manifests; kinds and versions that it is too old for are told."""

import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ResourceNotFoundError

from tests.fakes.infra_program import Program

pytestmark = pytest.mark.skipif("KUBECONFIG" not in os.environ, reason="needs a cluster for tests: set KUBECONFIG")

# Of newer Kubernetes than 1.20, or of add-ons that a cluster for tests does not have.
MAY_BE_UNKNOWN = {
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "PodDisruptionBudget",
    "HorizontalPodAutoscaler",
    "TargetGroupBinding",
    "NodePool",
    "EC2NodeClass",
}

NEW_MINOR = 27
NEWER_FIELDS = {"persistentVolumeClaimRetentionPolicy"}  # of a StatefulSet, known without a gate since that version


@pytest.fixture(scope="module")
def cluster() -> ApiClient:
    return config.new_client_from_config()


@pytest.fixture
def namespace(cluster: ApiClient) -> Iterator[str]:
    """Return a namespace in the place of the platform's, gone afterwards."""
    name = f"hawk-manifests-{uuid.uuid4().hex[:8]}"
    core = client.CoreV1Api(cluster)
    core.create_namespace({"metadata": {"name": name}})
    yield name
    core.delete_namespace(name)


def test_api_server_takes_what_it_knows(starter: Program, cluster: ApiClient, namespace: str):
    dynamic = DynamicClient(cluster)
    is_new = int("".join(filter(str.isdigit, client.VersionApi(cluster).get_code().minor))) >= NEW_MINOR
    unknown: set[str] = set()
    refused: list[str] = []
    taken = 0
    for manifest in starter.manifests():
        try:
            kind = dynamic.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
        except ResourceNotFoundError:
            unknown.add(manifest["kind"])
            continue
        try:
            _try(kind, manifest, namespace, is_new=is_new)
            taken += 1
        except ApiException as error:
            refused.append(f"{manifest['kind']} {manifest['metadata']['name']}: {str(error.body)[:300]}")

    assert refused == []
    assert unknown <= MAY_BE_UNKNOWN
    assert taken > 40


def _try(kind: Any, manifest: dict[str, Any], namespace: str, *, is_new: bool) -> None:
    """Apply it as far as the server's own checks go, and change nothing."""
    metadata = dict(manifest["metadata"])
    spec = {key: value for key, value in manifest.get("spec", {}).items() if is_new or key not in NEWER_FIELDS}
    if "spec" in manifest:
        manifest = {**manifest, "spec": spec}
    if metadata.get("namespace") == "hawk":
        metadata["namespace"] = namespace
    kind.server_side_apply(
        body={**manifest, "metadata": metadata},
        name=metadata["name"],
        namespace=metadata.get("namespace"),
        field_manager="hawk-tests",
        force_conflicts=True,
        dry_run="All",
    )
