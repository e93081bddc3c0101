"""All of Dagster in pods, as infra/ ships it: its own programs, each run of it, and what these launch."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from hawk.dev.stack import read_state, stack_environment
from tests.cluster import Cluster, dagster_image
from tests.e2e.person import Person
from tests.kubernetes.cluster_stack import ROOT, bind_address, config, launcher_settings, stack

PATIENCE_SECONDS = 400  # everything is on one small machine
pytestmark = pytest.mark.timeout(900)

PROGRAMS = ("code", "web", "daemon")
# Of the stack's settings these are for Dagster; the rest is other programs' business.
SETTINGS = ("DATABASE_URL", "DAGSTER_DATABASE_URL", "SECRET_KEY", "JOB_TOKEN_KEY", "BUCKET", "S3_ENDPOINT_URL",
            "S3_REGION", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY", "PROXY_URL", "API_URL")  # fmt: skip
SECRET = {"DATABASE_URL", "DAGSTER_DATABASE_URL", "SECRET_KEY", "JOB_TOKEN_KEY", "S3_SECRET_ACCESS_KEY"}


@dataclass(frozen=True)
class Deployment:
    """Dagster in a namespace, and somebody who works with it."""

    person: Person
    namespace: str
    account: str
    web_url: str

    def graphql(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = httpx.post(f"{self.web_url}/graphql", json={"query": query, "variables": variables}, timeout=60)
        return dict(answer.json()["data"])


def kubectl(*arguments: str, given: str = "") -> str:
    done = subprocess.run(["kubectl", *arguments], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def deployment(cluster: Cluster, stack_prefix: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    parts = ("postgres", "object-store", "proxy", "api", "llm", "issuer")
    namespace = f"{stack_prefix}-dagster"
    image = dagster_image()
    with stack(tmp_path_factory.mktemp("stack"), {}, *parts) as person, forwarded(person):
        shipped = installed(namespace, stack_prefix, image)
        try:
            kubectl("create", "namespace", namespace)
            bring_settings(person, namespace, stack_prefix, image)
            for text in shipped:
                kubectl("apply", "-f", "-", given=text)
            for program in PROGRAMS:
                kubectl("rollout", "status", f"deployment/hawk-dagster-{program}", "-n", namespace, "--timeout=240s")
            with webserver(person, namespace) as url:
                yield Deployment(person, namespace, f"{stack_prefix}-launcher", url)
        finally:
            for text in shipped:
                kubectl("delete", "-f", "-", "--wait=false", "--ignore-not-found", given=text)
            kubectl("delete", "namespace", namespace, "--ignore-not-found", "--timeout=120s")


def installed(namespace: str, prefix: str, image: str) -> list[str]:
    """Return the shipped manifests under names of this test."""
    texts = [(ROOT / "infra" / "kubernetes" / name).read_text() for name in ("launcher.yaml", "dagster.yaml")]
    renamed = [text.replace("hawk-launcher", f"{prefix}-launcher") for text in texts]
    return [text.replace("namespace: hawk", f"namespace: {namespace}").replace("IMAGE", image) for text in renamed]


def bring_settings(person: Person, namespace: str, prefix: str, image: str) -> None:
    """Create the ConfigMap of the instance, and the ConfigMap and Secret of settings, as an operator does."""
    address = bind_address()
    known = stack_environment(person.paths)
    values = {name: known[f"HAWK_{name}"].replace("127.0.0.1", address) for name in SETTINGS if f"HAWK_{name}" in known}
    plain = {f"HAWK_{name}": value for name, value in values.items() if name not in SECRET}
    plain |= launcher_settings(prefix) | {"HAWK_DAGSTER_NAMESPACE": namespace, "HAWK_DAGSTER_IMAGE": image}
    plain["HAWK_RECONCILE_SECONDS"] = "5"
    secret = {f"HAWK_{name}": value for name, value in values.items() if name in SECRET}
    instance = (ROOT / "infra" / "dagster.yaml").read_text().replace("hawk-launcher", f"{prefix}-launcher")
    files = {"dagster.yaml": instance, "workspace.yaml": (ROOT / "infra" / "workspace.yaml").read_text()}
    objects = [
        {"kind": "ConfigMap", "metadata": {"name": "hawk-settings"}, "data": plain},
        {"kind": "Secret", "metadata": {"name": "hawk-settings"}, "stringData": secret},
        {"kind": "ConfigMap", "metadata": {"name": "hawk-dagster"}, "data": files},
    ]
    for manifest in objects:
        kubectl("apply", "-n", namespace, "-f", "-", given=json.dumps({"apiVersion": "v1", **manifest}))


@contextmanager
def forwarded(person: Person) -> Iterator[None]:
    """Let pods reach what Dagster needs; the stack itself lets nobody reach its Postgres."""
    known = stack_environment(person.paths)
    names = ("DATABASE_URL", "S3_ENDPOINT_URL", "PROXY_URL", "API_URL")
    ports = sorted({str(urlsplit(known[f"HAWK_{name}"]).port) for name in names})
    command = [sys.executable, "-m", "hawk.dev.forwarder", bind_address(), *ports]
    process = subprocess.Popen(command, cwd=ROOT, env=dict(person.environment))
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def webserver(person: Person, namespace: str) -> Iterator[str]:
    """Bring the webserver to where the API looks for it."""
    state = read_state(person.paths)
    assert state
    port = state.ports["dagster-web"]
    url = f"http://127.0.0.1:{port}"
    command = ["kubectl", "port-forward", "-n", namespace, "service/hawk-dagster-web", f"{port}:3000"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{url}/server_info", timeout=5).raise_for_status()
                break
            except httpx.HTTPError:
                assert time.monotonic() < deadline, "the webserver does not answer"
                time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def jobs_of_runs(cluster: Cluster, namespace: str) -> dict[str, list[dict[str, Any]]]:
    """Return the Jobs of Dagster's runs by the name of what they ran."""
    found: dict[str, list[dict[str, Any]]] = {}
    for job in cluster.api.list("Job", namespace):
        found.setdefault(job["metadata"]["labels"]["dagster/job"], []).append(job)
    return found


def test_set_goes_from_a_file_to_the_marts_while_all_of_dagster_is_in_pods(
    deployment: Deployment, cluster: Cluster
) -> None:
    person = deployment.person
    eval_set_id = person.submit(config("arithmetic"))

    status = person.await_end(eval_set_id, seconds=PATIENCE_SECONDS)

    assert status["status"] == "complete", status
    assert len(person.samples(eval_set_id)) == 2
    runs = jobs_of_runs(cluster, deployment.namespace)
    assert {"launch_eval_set", "import_logs"} <= set(runs)
    password = urlsplit(stack_environment(person.paths)["HAWK_DATABASE_URL"]).password
    assert password and password not in str([runs, cluster.api.list("Pod", deployment.namespace)])
    person.hawk("delete", eval_set_id, "-y")
    person.await_status(eval_set_id, lambda status: status["status"] == "deleted", seconds=PATIENCE_SECONDS)


def test_tag_of_a_run_does_not_shape_dagsters_own_pod(deployment: Deployment, cluster: Cluster) -> None:
    wish = {"container_config": {"image": "evil:1"}, "pod_spec_config": {"service_account_name": "default"}}
    selector = {
        "repositoryName": "__repository__",
        "repositoryLocationName": "hawk",
        "jobName": "check_warehouse",
    }
    tags = [{"key": "dagster-k8s/config", "value": json.dumps(wish)}, {"key": "hawk/prompt", "value": "true"}]
    launched = deployment.graphql(
        "mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) {"
        " ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }",
        params={"selector": selector, "runConfigData": {}, "executionMetadata": {"tags": tags}},
    )["launchRun"]
    run_id = launched["run"]["runId"]

    deadline = time.monotonic() + PATIENCE_SECONDS
    status = ""
    while status not in ("SUCCESS", "FAILURE", "CANCELED") and time.monotonic() < deadline:
        time.sleep(1)
        query = "query Run($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
        status = deployment.graphql(query, id=run_id)["runOrError"]["status"]

    [job] = jobs_of_runs(cluster, deployment.namespace)["check_warehouse"]
    pod = job["spec"]["template"]["spec"]
    assert status == "SUCCESS"
    assert pod["serviceAccountName"] == deployment.account
    assert pod["containers"][0]["image"] == dagster_image()
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


def test_pods_of_runs_have_rights_on_jobs_and_the_webserver_has_none(deployment: Deployment) -> None:
    def may(account: str, verb: str, what: str, namespace: str) -> bool:
        who = f"system:serviceaccount:{deployment.namespace}:{account}"
        command = ["kubectl", "auth", "can-i", verb, what, "-n", namespace, "--as", who]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() == "yes"

    assert may("hawk-dagster", "create", "jobs", deployment.namespace)
    assert not may("hawk-dagster", "create", "jobs", "default")
    assert not may("hawk-dagster", "create", "namespaces", "default")
    assert not may("hawk-dagster", "get", "secrets", deployment.namespace)
    assert may(deployment.account, "create", "namespaces", "default")
    assert not may(deployment.account, "get", "secrets", deployment.namespace)
