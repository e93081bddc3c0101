"""What goes wrong on a cluster, and how the job then stands: each with its reason, in Kubernetes's words and ours."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from hawk.errors import Conflict, UserError
from hawk.ids import JobId
from hawk.job_launcher import JobPhase, JobStatus, SubmitOutcome
from hawk.naming import runner_namespace, sandbox_namespace
from tests.cluster import Cluster
from tests.orchestration.launchers.launcher_under_test import LauncherUnderTest, job_spec

JOB = JobId("job-1")
MakeLauncher = Callable[..., LauncherUnderTest]


def final(under_test: LauncherUnderTest, job_id: JobId = JOB) -> JobStatus:
    return under_test.wait_until(job_id, lambda status: status.phase.is_final)


def test_runner_over_its_memory_is_out_of_memory_by_name(make_launcher: MakeLauncher) -> None:
    jobs = make_launcher(runner_memory_limit="64Mi")

    jobs.launcher.submit(job_spec("gorge", max_attempts=1), {})

    [attempt] = final(jobs).attempts
    assert (attempt.phase, attempt.reason) == (JobPhase.FAILED, "OOMKilled")
    assert "64Mi" in attempt.message
    assert "attempt 1: gorge" in attempt.last_log_lines
    assert any("Started" in event for event in attempt.pod_events)


def test_job_that_no_node_has_room_for_waits_with_the_schedulers_words(make_launcher: MakeLauncher) -> None:
    jobs = make_launcher(runner_cpu_request="900", runner_cpu_limit="900")

    jobs.launcher.submit(job_spec("succeed"), {})
    status = jobs.wait_until(JOB, lambda status: status.phase is JobPhase.WAITING_FOR_CAPACITY)
    jobs.launcher.stop(JOB)

    assert "Insufficient cpu" in status.attempts[-1].message
    assert final(jobs).phase is JobPhase.STOPPED


def test_secrets_are_seen_by_the_runner_alone(make_launcher: MakeLauncher, cluster: Cluster, prefix: str) -> None:
    jobs = make_launcher()

    status = jobs.run(job_spec("show-environment"), {"MY_SECRET": "hunter2-hunter2"})

    assert '"MY_SECRET"' in jobs.launcher.logs(JOB, last_lines=50)
    assert "DATABASE" not in jobs.launcher.logs(JOB, last_lines=50)
    namespace = runner_namespace(prefix, JOB)
    told = [str(status), jobs.launcher.logs(JOB, last_lines=500)]
    told += [str(cluster.api.list(kind, namespace)) for kind in ("Pod", "Job", "Event", "ConfigMap")]
    assert "hunter2" not in "".join(told)


def test_namespace_of_somebody_else_is_left_alone(make_launcher: MakeLauncher, cluster: Cluster, prefix: str) -> None:
    jobs = make_launcher()
    name = runner_namespace(prefix, JOB)
    labels = {"hawk.dagster.io/namespace-prefix": prefix}
    cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})

    with pytest.raises(Conflict, match="not of the job"):
        jobs.launcher.submit(job_spec("succeed"), {})
    with pytest.raises(Conflict, match="not of the job"):
        jobs.launcher.delete(JOB)


def test_what_kubernetes_refuses_is_said_in_its_words(make_launcher: MakeLauncher) -> None:
    jobs = make_launcher(runner_cpu_request="2", runner_cpu_limit="1")

    with pytest.raises(UserError, match="must be less than or equal to cpu limit"):
        jobs.launcher.submit(job_spec("succeed"), {})


def test_deleted_pod_is_a_failed_attempt_and_another_goes_on(
    make_launcher: MakeLauncher, cluster: Cluster, prefix: str, long_scenario: None
) -> None:
    jobs = make_launcher()
    jobs.launcher.submit(job_spec("hang", "succeed"), {})
    jobs.wait_for_output(JOB, "attempt 1")
    jobs.wait_until_running(JOB)

    [pod] = cluster.api.list("Pod", runner_namespace(prefix, JOB))
    cluster.api.delete("Pod", pod["metadata"]["name"], runner_namespace(prefix, JOB))

    status = final(jobs)
    assert status.phase is JobPhase.SUCCEEDED
    assert [(a.phase, a.reason) for a in status.attempts] == [
        (JobPhase.FAILED, "PodDeleted"),
        (JobPhase.SUCCEEDED, "Completed"),
    ]


def test_deleted_job_is_a_failure_that_says_so(
    make_launcher: MakeLauncher, cluster: Cluster, prefix: str, long_scenario: None
) -> None:
    jobs = make_launcher()
    jobs.launcher.submit(job_spec("hang"), {})
    jobs.wait_for_output(JOB, "attempt 1")
    jobs.wait_until_running(JOB)

    cluster.api.delete("Job", JOB, runner_namespace(prefix, JOB))

    status = final(jobs)
    assert status.phase is JobPhase.FAILED
    assert status.attempts[-1].reason in ("JobDeleted", "PodDeleted")
    assert jobs.launcher.submit(job_spec("succeed", note="again"), {}) is SubmitOutcome.RESTARTED
    assert final(jobs).phase is JobPhase.SUCCEEDED


def test_job_past_its_deadline_fails_for_it(make_launcher: MakeLauncher, long_scenario: None) -> None:
    jobs = make_launcher(runner_k8s_config={"job_spec_config": {"active_deadline_seconds": 8}})

    status = jobs.run(job_spec("hang"))

    assert (status.phase, status.attempts[-1].reason) == (JobPhase.FAILED, "DeadlineExceeded")


def test_image_that_is_not_there_fails_the_job_after_a_while(make_launcher: MakeLauncher, long_scenario: None) -> None:
    jobs = make_launcher(runner_image="localhost/no-such-image:1", start_patience_seconds=5)

    status = jobs.run(job_spec("succeed"))

    assert status.phase is JobPhase.FAILED
    assert status.attempts[-1].reason in ("ErrImagePull", "ImagePullBackOff")
    assert "no-such-image" in status.attempts[-1].message


def test_twenty_jobs_at_once_are_applied_within_a_second_each_and_leave_nothing(
    make_launcher: MakeLauncher, cluster: Cluster, prefix: str, long_scenario: None
) -> None:
    jobs = make_launcher(runner_cpu_request="10m", runner_memory_request="16Mi")
    ids = [JobId(f"job-{number}") for number in range(20)]
    seconds = []
    for job_id in ids:
        began = time.monotonic()
        assert jobs.launcher.submit(job_spec("succeed", job_id=job_id), {}) is SubmitOutcome.CREATED
        seconds.append(time.monotonic() - began)

    deadline = time.monotonic() + 180
    phases: list[JobPhase] = []
    while time.monotonic() < deadline and set(phases) != {JobPhase.SUCCEEDED}:
        phases = [status.phase for job_id in ids if (status := jobs.launcher.status(job_id))]
    assert phases == [JobPhase.SUCCEEDED] * 20
    namespaces = {namespace["metadata"]["name"] for namespace in cluster.namespaces(prefix)}
    assert namespaces == {make(prefix, job_id) for job_id in ids for make in (runner_namespace, sandbox_namespace)}
    print(f"median {statistics.median(seconds):.3f} s, longest {max(seconds):.3f} s")
    assert statistics.median(seconds) < timedelta(seconds=1).total_seconds()

    for job_id in ids:
        jobs.launcher.delete(job_id)
    assert jobs.launcher.list_jobs() == []
    cluster.remove(prefix, wait=True)
    assert cluster.namespaces(prefix) == []


def test_submits_that_race_start_one_job(make_launcher: MakeLauncher, cluster: Cluster, prefix: str) -> None:
    launchers = [make_launcher().launcher for _ in range(4)]

    with ThreadPoolExecutor() as pool:
        outcomes = sorted(pool.map(lambda launcher: launcher.submit(job_spec("hang"), {}), launchers))

    assert outcomes == ["adopted"] * 3 + ["created"]
    assert len(cluster.api.list("Job", runner_namespace(prefix, JOB))) == 1


def test_other_spec_that_races_is_refused_and_changes_nothing(
    make_launcher: MakeLauncher, cluster: Cluster, prefix: str
) -> None:
    def submit(note: str) -> str:
        try:
            return make_launcher().launcher.submit(job_spec("hang", note=note), {}).value
        except Conflict:
            return f"refused {note}"

    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(submit, ["a", "b", "c"]))

    [winner] = [note for note, outcome in zip("abc", outcomes, strict=True) if outcome == "created"]
    assert sum(outcome.startswith("refused") for outcome in outcomes) == 2
    config = cluster.api.get("ConfigMap", "runner-config", runner_namespace(prefix, JOB))
    assert config
    assert f'"note": "{winner}"' in config["data"]["job.json"]
