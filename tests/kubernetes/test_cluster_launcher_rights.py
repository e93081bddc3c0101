"""The launcher with the rights that are shipped for it, and no others, on a real cluster."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes.client import ApiClient, Configuration

from hawk.errors import Upstream
from hawk.ids import JobId
from hawk.job_launcher import JobPhase, SubmitOutcome
from hawk.job_manifest.network import Surroundings
from hawk.naming import runner_namespace, sandbox_namespace
from hawk.settings import KubernetesSettings, OrchestrationSettings
from orchestration.launchers.kubernetes import KubernetesJobLauncher
from orchestration.launchers.kubernetes_api import KubernetesApi
from orchestration.launchers.kubernetes_surroundings import look_around
from orchestration.launchers.leftovers import find, leftovers, remove
from tests.cluster import SMALL, Cluster, scripted_image
from tests.orchestration.launchers.launcher_under_test import LauncherUnderTest, job_spec

INFRA = Path(__file__).parents[2] / "infra" / "kubernetes" / "launcher.yaml"
JOB = JobId("job-1")


def kubectl(*arguments: str, given: str = "", check: bool = True) -> str:
    return subprocess.run(["kubectl", *arguments], input=given, capture_output=True, text=True, check=check).stdout


@pytest.fixture
def as_launcher(cluster: Cluster, prefix: str) -> Iterator[ApiClient]:
    """Return a client that acts under the shipped account, installed beside others under names of this test."""
    text = INFRA.read_text().replace("hawk-launcher", f"{prefix}-launcher")
    text = text.replace("namespace: hawk", f"namespace: {prefix}")
    kubectl("create", "namespace", prefix)
    try:
        kubectl("apply", "-f", "-", given=text)
        yield client_of(cluster, prefix)
    finally:
        kubectl("delete", "-f", "-", "--wait=false", given=text)
        kubectl("delete", "namespace", prefix, "--wait=false")


def client_of(cluster: Cluster, prefix: str) -> ApiClient:
    answer = cluster.client.call_api(
        f"/api/v1/namespaces/{prefix}/serviceaccounts/{prefix}-launcher/token",
        "POST",
        body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}},
        auth_settings=["BearerToken"],
        _preload_content=False,
        _return_http_data_only=True,
    )
    configuration = Configuration()
    configuration.host = cluster.client.configuration.host
    configuration.ssl_ca_cert = cluster.client.configuration.ssl_ca_cert
    configuration.verify_ssl = cluster.client.configuration.verify_ssl
    configuration.api_key = {"authorization": f"Bearer {json.loads(answer.data)['status']['token']}"}
    configuration.client_side_validation = False
    return ApiClient(configuration)


def test_shipped_rights_are_enough_for_the_whole_life_of_a_job(
    cluster: Cluster, prefix: str, as_launcher: ApiClient
) -> None:
    settings = KubernetesSettings(**{**SMALL, "runner_image": scripted_image(), "namespace_prefix": prefix})
    around = Surroundings(has_cilium=cluster.has_cilium)
    launcher = KubernetesJobLauncher(as_launcher, settings, around=lambda: around)
    jobs = LauncherUnderTest(launcher, again=lambda: launcher)

    assert launcher.submit(job_spec("hang"), {"MY_SECRET": "x"}) is SubmitOutcome.CREATED
    jobs.wait_for_output(JOB, "attempt 1")
    jobs.wait_until_running(JOB)
    assert "in hang" in launcher.stacktrace(JOB)
    launcher.stop(JOB)
    assert jobs.wait_until(JOB, lambda status: status.phase.is_final).phase is JobPhase.STOPPED
    assert launcher.submit(job_spec("succeed", note="again"), {}) is SubmitOutcome.RESTARTED
    assert jobs.wait_until(JOB, lambda status: status.phase.is_final).phase is JobPhase.SUCCEEDED
    api = KubernetesApi(as_launcher)
    found = find(api, prefix)
    for item in leftovers(found, {}, now=found[0].created_at, after=found[0].created_at - found[0].created_at):
        remove(api, item)
    launcher.delete(JOB)
    assert launcher.status(JOB) is None


def test_shipped_rights_let_the_launcher_look_around(as_launcher: ApiClient) -> None:
    settings = OrchestrationSettings(database_url="postgresql://x", secret_key="x", launcher="kubernetes")

    assert look_around(KubernetesApi(as_launcher), settings).api_servers


def test_nothing_else_is_allowed(cluster: Cluster, prefix: str, as_launcher: ApiClient) -> None:
    api = KubernetesApi(as_launcher)
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "more", "namespace": prefix},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": f"{prefix}-launcher", "namespace": prefix}],
    }

    with pytest.raises(Upstream, match=r"launcher\.yaml"):
        api.create(binding)
    with pytest.raises(Upstream):
        api.list("Secret", prefix)
    with pytest.raises(Upstream):
        api.get("Endpoints", "kubernetes", "kube-system")
    with pytest.raises(Upstream):
        api.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": prefix}, "spec": {}})


def test_runner_has_rights_on_its_sandbox_namespace_and_none_in_its_own(cluster: Cluster, prefix: str) -> None:
    launcher = cluster.launcher(runner_image=scripted_image(), namespace_prefix=prefix)
    launcher.submit(job_spec("hang"), {})
    own, sandboxes = runner_namespace(prefix, JOB), sandbox_namespace(prefix, JOB)
    [account] = [
        item["metadata"]["name"]
        for item in cluster.api.list("ServiceAccount", own)
        if item["metadata"]["name"] != "default"
    ]

    def may(verb: str, resource: str, namespace: str) -> bool:
        user = f"system:serviceaccount:{own}:{account}"
        return kubectl("auth", "can-i", verb, resource, "-n", namespace, "--as", user, check=False).strip() == "yes"

    assert may("create", "pods", sandboxes)
    assert may("create", "pods/exec", sandboxes)
    assert may("create", "statefulsets.apps", sandboxes)
    for namespace in (own, "default", "kube-system"):
        assert not may("get", "pods", namespace)
        assert not may("get", "secrets", namespace)
    assert not may("create", "rolebindings", sandboxes)
    assert not may("list", "namespaces", sandboxes)
