"""The whole way on a cluster: from a YAML file to the marts, runners and sandboxes in pods, and what comes between."""

import json
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest

from hawk.dev.stack import stack_environment
from hawk.naming import runner_namespace
from tests.cluster import Cluster
from tests.e2e.person import Person
from tests.kubernetes.cluster_stack import bind_address, config

PATIENCE_SECONDS = 400  # everything is on one small machine
pytestmark = pytest.mark.timeout(900)


# Run in a runner's pod: which ports of an address it reaches, and its environment.
LOOK = """
import json, os, socket, sys
def reaches(port):
    try:
        socket.create_connection((sys.argv[1], port), timeout=5).close()
        return True
    except OSError:
        return False
reached = {name: reaches(port) for name, port in json.loads(sys.argv[2]).items()}
print(json.dumps({"reached": reached, "environment": dict(os.environ)}))
"""


def look_from(pod: dict[str, Any], program: str, *arguments: str) -> dict[str, Any]:
    """Return what a program says that runs in a pod."""
    place = ["-n", pod["metadata"]["namespace"], pod["metadata"]["name"]]
    command = ["kubectl", "exec", *place, "--", "python3", "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def has_completed_samples(status: dict[str, Any]) -> bool:
    return any(task["completed_samples"] for task in status["tasks"])


def test_set_goes_from_a_file_to_the_marts_with_its_runner_in_a_pod(
    person: Person, cluster: Cluster, stack_prefix: str
) -> None:
    eval_set_id = person.submit(config("arithmetic", "capitals"))

    status = person.await_end(eval_set_id, seconds=PATIENCE_SECONDS)

    assert status["status"] == "complete", status
    assert {sample["status"] for sample in person.samples(eval_set_id)} == {"success"}
    assert len(person.samples(eval_set_id)) == 4
    [pod] = cluster.api.list("Pod", runner_namespace(stack_prefix, eval_set_id))
    assert pod["status"]["phase"] == "Succeeded"
    assert "All 2 tasks ended with success" in person.hawk("logs", eval_set_id)


def test_runner_reaches_s3_proxy_and_api_knows_no_database_and_shows_its_stack(
    person: Person, cluster: Cluster, stack_prefix: str
) -> None:
    eval_set_id = person.submit(config("arithmetic", "capitals", epochs=300))
    person.await_status(eval_set_id, has_completed_samples, seconds=PATIENCE_SECONDS)
    [pod] = cluster.api.list("Pod", runner_namespace(stack_prefix, eval_set_id))
    known = stack_environment(person.paths)
    names = ("S3_ENDPOINT_URL", "PROXY_URL", "API_URL", "DATABASE_URL")
    ports = {name: urlsplit(known[f"HAWK_{name}"]).port for name in names}

    found = look_from(pod, LOOK, bind_address(), json.dumps(ports))
    stack = person.hawk("stacktrace", eval_set_id)

    assert found["reached"] == {name: name != "DATABASE_URL" for name in names}
    password = urlsplit(known["HAWK_DATABASE_URL"]).password
    assert password and password not in json.dumps(found["environment"])
    assert not [name for name in found["environment"] if "DATABASE" in name]
    assert "inspect_ai" in stack
    assert "runner" in person.hawk("logs", eval_set_id)
    person.hawk("delete", eval_set_id, "-y")
    person.await_status(eval_set_id, lambda status: status["status"] == "deleted", seconds=PATIENCE_SECONDS)


def test_two_sets_at_once_live_in_namespaces_of_their_own(person: Person, cluster: Cluster, stack_prefix: str) -> None:
    ids = [person.submit(config()), person.submit(config("capitals"))]

    assert [person.await_end(eval_set_id, seconds=PATIENCE_SECONDS)["status"] for eval_set_id in ids] == [
        "complete",
        "complete",
    ]
    for eval_set_id in ids:
        assert len(cluster.api.list("Pod", runner_namespace(stack_prefix, eval_set_id))) == 1


def test_samples_compute_in_sandboxes_that_are_pods(person: Person, cluster: Cluster, stack_prefix: str) -> None:
    eval_set_id = person.submit(config("sums", package="sandbox-tasks", name="sandbox_tasks"))

    status = person.await_end(eval_set_id, seconds=PATIENCE_SECONDS)

    assert status["status"] == "complete", status
    assert [sample["score"] for sample in person.samples(eval_set_id)] == [1, 1]
    assert cluster.api.list("StatefulSet", f"{runner_namespace(stack_prefix, eval_set_id)}-s") == []


def test_sandbox_that_cannot_be_built_fails_the_set_at_once_with_the_reason(person: Person) -> None:
    eval_set_id = person.submit(config("built", package="sandbox-tasks", name="sandbox_tasks"))

    status = person.await_end(eval_set_id, seconds=PATIENCE_SECONDS)

    assert status["status"] == "failed"
    assert "cannot be built on the cluster" in status["status_reason"]
    assert len(status["attempts"]) == 1


def test_package_that_is_not_there_fails_the_set_at_once_with_the_reason(person: Person) -> None:
    eval_set_id = person.submit(config(package="no-such-package-of-tasks"))

    status = person.await_end(eval_set_id, seconds=PATIENCE_SECONDS)

    assert status["status"] == "failed"
    assert "no-such-package-of-tasks" in status["status_reason"]
    assert "no-such-package-of-tasks" in person.hawk("status", eval_set_id)


def test_dagster_killed_midway_adopts_the_job_and_does_not_double_it(
    person: Person, cluster: Cluster, stack_prefix: str
) -> None:
    eval_set_id = person.submit(config("arithmetic", "capitals", epochs=3))
    person.await_status(eval_set_id, lambda status: status["status"] == "running", seconds=PATIENCE_SECONDS)

    person.kill_parts("dagster-code", "dagster", "dagster-daemon")
    status = person.await_end(eval_set_id, seconds=PATIENCE_SECONDS)

    assert status["status"] == "complete", status
    assert len(status["attempts"]) == 1
    assert len(cluster.api.list("Pod", runner_namespace(stack_prefix, eval_set_id))) == 1


def test_stopped_set_ends_with_its_partial_work_and_a_deleted_one_leaves_nothing(
    person: Person, cluster: Cluster, stack_prefix: str
) -> None:
    eval_set_id = person.submit(config("arithmetic", "capitals", epochs=20))
    person.await_status(eval_set_id, has_completed_samples, seconds=PATIENCE_SECONDS)

    person.hawk("stop", eval_set_id)
    assert person.await_end(eval_set_id, seconds=PATIENCE_SECONDS)["status"] in ("stopped", "complete")
    person.hawk("delete", eval_set_id, "-y")

    person.await_status(eval_set_id, lambda status: status["status"] == "deleted")
    name = runner_namespace(stack_prefix, eval_set_id)
    namespaces = {item["metadata"]["name"]: item for item in cluster.namespaces(stack_prefix)}
    for left in (name, f"{name}-s"):
        assert left not in namespaces or namespaces[left]["metadata"].get("deletionTimestamp")


def test_secrets_are_not_told_by_kubernetes_nor_by_dagster(person: Person, cluster: Cluster, stack_prefix: str) -> None:
    path = person.config_file(config(runner={"secrets": [{"name": "MY_SECRET", "description": "for the test"}]}))
    environment = {**person.environment, "MY_SECRET": "hunter2-hunter2"}
    command = [sys.executable, "-m", "hawk.cli.main", "eval-set", "run", str(path), "-y", "--json"]
    answer = subprocess.run(
        [*command, "--secret", "MY_SECRET"], env=environment, capture_output=True, text=True, check=True
    )
    eval_set_id = json.loads(answer.stdout)["eval_set_id"]

    assert person.await_end(eval_set_id, seconds=PATIENCE_SECONDS)["status"] == "complete"

    namespace = runner_namespace(stack_prefix, eval_set_id)
    told = [str(cluster.api.list(kind, namespace)) for kind in ("Pod", "Job", "Event", "ConfigMap", "ServiceAccount")]
    told += [path.read_text(errors="replace") for path in (person.paths.root / "logs").glob("*.log")]
    told += [person.hawk("logs", eval_set_id), str(person.query("select * from ops.attempt"))]
    assert "hunter2" not in "".join(told)
