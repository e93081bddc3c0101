"""What Jobs and pods mean for a job: tables of what Kubernetes says, and what is made of it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hawk.job_launcher import AttemptStatus, JobPhase
from orchestration.launchers.kubernetes_observation import Seen, observe
from orchestration.launchers.kubernetes_state import LOGS_KEPT, JobState, RecordedAttempt
from orchestration.launchers.pod_attempt import attempt_of

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
PATIENCE = timedelta(minutes=15)
UID = "job-uid"


def state(**fields: Any) -> JobState:
    return JobState(**{"submission": 1, "spec_digest": "abc", "submitted_at": NOW, "job_uid": UID, **fields})


def job(*, failed: str = "", complete: bool = False, suspend: bool = False) -> dict[str, Any]:
    conditions = [{"type": "Failed", "status": "True", "reason": failed}] if failed else []
    conditions += [{"type": "Complete", "status": "True"}] if complete else []
    return {
        "metadata": {"name": "job-1", "uid": UID},
        "spec": {"suspend": suspend},
        "status": {"conditions": conditions},
    }


def pod(
    uid: str = "pod-1",
    *,
    container: dict[str, Any] | None = None,
    created_minutes_ago: int = 1,
    deleted: bool = False,
    **status: Any,
) -> dict[str, Any]:
    metadata = {
        "uid": uid,
        "name": uid,
        "creationTimestamp": (NOW - timedelta(minutes=created_minutes_ago)).isoformat(),
    }
    if deleted:
        metadata["deletionTimestamp"] = NOW.isoformat()
    statuses = [{"name": "runner", "state": container}] if container else []
    return {
        "metadata": metadata,
        "spec": {"containers": [{"resources": {"limits": {"memory": "16Gi"}}}]},
        "status": {"containerStatuses": statuses, **status},
    }


def ended(exit_code: int, *, kubernetes_reason: str = "Error", **words: Any) -> dict[str, Any]:
    message = json.dumps({"exit_code": exit_code, "peak_memory_bytes": 2_000_000, **words})
    return {
        "terminated": {
            "exitCode": exit_code,
            "reason": kubernetes_reason,
            "message": message,
            "startedAt": (NOW - timedelta(seconds=30)).isoformat(),
            "finishedAt": NOW.isoformat(),
        }
    }


RUNNING = {"running": {"startedAt": NOW.isoformat()}}
SUCCEEDED = ended(0, reason="Completed", message="All 1 tasks ended with success.")
REFUSED = ended(78, reason="ConfigError", message="The package is not there.")
FAILED = ended(1, reason="TasksFailed", message="1 of 1 tasks did not end with success.")
STOPPED = ended(130, reason="Stopped", message="Stopped on command.")


def look(
    before: JobState, seen_job: dict[str, Any] | None, *pods: dict[str, Any], last_line: str = "", now: datetime = NOW
) -> JobState:
    seen = Seen(seen_job, pods, now, last_line=lambda pod: last_line)
    return observe(before, seen, start_patience=PATIENCE)


def last(after: JobState) -> AttemptStatus:
    return after.attempts[-1].status


@pytest.mark.parametrize(
    ("found", "phase", "reason", "words"),
    [
        (pod(container=RUNNING), "running", "", ""),
        (pod(container=SUCCEEDED), "succeeded", "Completed", "All 1 tasks"),
        (pod(container=REFUSED), "failed", "ConfigError", "The package is not there."),
        (pod(container=FAILED), "failed", "TasksFailed", "did not end with success"),
        (pod(container=STOPPED), "stopped", "Stopped", "Stopped on command."),
        (pod(container=ended(137)), "failed", "Killed", "SIGKILL"),
        (pod(container=ended(137, kubernetes_reason="OOMKilled")), "failed", "OOMKilled", "its limit of 16Gi"),
        (pod(container=ended(143, reason="Terminated", message="x")), "failed", "PodDeleted", "deleted"),
        (pod(container=ended(137), deleted=True), "failed", "PodDeleted", "deleted"),
        (pod(container=SUCCEEDED, deleted=True), "succeeded", "Completed", ""),
        (
            pod(container=ended(143), phase="Failed", reason="Evicted", message="The node was low on memory."),
            "failed",
            "Evicted",
            "low on memory",
        ),
        (pod(phase="Failed", reason="Evicted", message="The node had no disk."), "failed", "Evicted", "no disk"),
        (
            pod(
                container=ended(143),
                conditions=[{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}],
            ),
            "failed",
            "PreemptionByScheduler",
            "free its node",
        ),
        (pod(phase="Failed", reason="NodeLost"), "failed", "NodeLost", "failed before"),
        (
            pod(
                container={"terminated": {"exitCode": 128, "reason": "StartError", "message": "no such file: python3"}}
            ),
            "failed",
            "StartError",
            "no such file",
        ),
        (
            pod(container={"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x:1"'}}),
            "pending",
            "ImagePullBackOff",
            'image "x:1"',
        ),
        (pod(container={"waiting": {"reason": "ContainerCreating"}}), "pending", "", ""),
        (
            pod(
                conditions=[
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/3 nodes are available: 3 Insufficient cpu.",
                    }
                ]
            ),
            "waiting_for_capacity",
            "Unschedulable",
            "3 Insufficient cpu",
        ),
        (pod(), "pending", "", ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_pod_gives_phase_reason_and_words(found: dict[str, Any], phase: str, reason: str, words: str) -> None:
    attempt = attempt_of(found, 1, was_stopped=False)

    assert (attempt.phase, attempt.reason) == (phase, reason)
    assert words in attempt.message


def test_peak_memory_is_the_keepers_but_where_the_kernel_killed() -> None:
    assert attempt_of(pod(container=SUCCEEDED), 1, was_stopped=False).peak_memory_bytes == 2_000_000
    killed = pod(container=ended(137, kubernetes_reason="OOMKilled"))
    assert attempt_of(killed, 1, was_stopped=False).peak_memory_bytes is None


def test_termination_message_that_is_no_message_of_the_keeper_is_left_aside() -> None:
    found = pod(container={"terminated": {"exitCode": 3, "message": "Traceback: it fell over"}})

    attempt = attempt_of(found, 1, was_stopped=False, last_line="Traceback: it fell over")

    assert attempt.reason == "RunnerError"
    assert attempt.message.endswith("Traceback: it fell over")


def test_pods_are_attempts_in_order_of_their_creation() -> None:
    first, second = pod("a", container=FAILED, created_minutes_ago=5), pod("b", container=RUNNING)

    after = look(state(), job(), second, first)

    assert [(attempt.pod_uid, attempt.status.attempt_number) for attempt in after.attempts] == [("a", 1), ("b", 2)]
    assert after.phase is JobPhase.RUNNING


def test_failed_attempt_waits_for_the_next_until_kubernetes_gives_up() -> None:
    assert look(state(), job(), pod(container=FAILED)).phase is JobPhase.PENDING
    assert look(state(), job(failed="BackoffLimitExceeded"), pod(container=FAILED)).phase is JobPhase.FAILED


def test_code_that_is_final_ends_the_job_though_the_server_started_one_more_pod() -> None:
    first, second = pod("a", container=REFUSED, created_minutes_ago=2), pod("b", container=RUNNING)

    after = look(state(), job(), first, second)

    assert after.phase is JobPhase.FAILED
    assert [attempt.pod_uid for attempt in after.attempts] == ["a"]


def test_attempt_that_ended_stays_as_it_was_when_its_pod_is_gone() -> None:
    before = look(state(), job(), pod("a", container=FAILED))

    after = look(before, job(), pod("b", container=RUNNING))

    assert after.attempts[0] == before.attempts[0]
    assert last(after).attempt_number == 2


def test_deleted_pod_is_a_failed_attempt_and_the_job_goes_on() -> None:
    before = look(state(), job(), pod("a", container=RUNNING))

    after = look(before, job(), pod("b", container=RUNNING))

    assert (after.attempts[0].status.phase, after.attempts[0].status.reason) == (JobPhase.FAILED, "PodDeleted")
    assert after.phase is JobPhase.RUNNING


def test_pod_that_still_ends_while_the_next_is_done_is_a_failed_attempt() -> None:
    before = look(state(), job(), pod("a", container=RUNNING, created_minutes_ago=2))

    after = look(
        before,
        job(complete=True),
        pod("a", container=RUNNING, created_minutes_ago=2, deleted=True),
        pod("b", container=SUCCEEDED),
    )

    assert [attempt.status.reason for attempt in after.attempts] == ["PodDeleted", "Completed"]
    assert after.phase is JobPhase.SUCCEEDED


def test_deleted_job_is_a_failure_that_says_so() -> None:
    before = look(state(), job(), pod("a", container=RUNNING))

    after = look(before, None)

    assert after.phase is JobPhase.FAILED
    assert last(after).reason == "JobDeleted"
    assert "deleted by hand" in last(after).message or "was deleted" in last(after).message


def test_job_of_the_same_name_that_is_another_is_not_taken_for_ours() -> None:
    before = look(state(), job(), pod("a", container=RUNNING))
    other = job() | {"metadata": {"name": "job-1", "uid": "another"}}

    assert look(before, other).phase is JobPhase.FAILED


def test_job_that_is_not_there_yet_is_pending() -> None:
    assert look(state(job_uid=""), None).phase is JobPhase.PENDING


def test_suspended_job_waits_for_capacity() -> None:
    assert look(state(), job(suspend=True)).phase is JobPhase.WAITING_FOR_CAPACITY


@pytest.mark.parametrize("pods", [(), (pod("a", container=ended(143)),)], ids=["pod gone", "pod there"])
def test_deadline_is_the_reason_whatever_became_of_the_pod(pods: tuple[dict[str, Any], ...]) -> None:
    before = look(state(), job(), pod("a", container=RUNNING))

    after = look(before, job(failed="DeadlineExceeded"), *pods)

    assert after.phase is JobPhase.FAILED
    assert last(after).reason == "DeadlineExceeded"


def test_job_that_failed_before_it_had_a_pod_has_an_attempt_that_says_why() -> None:
    after = look(state(), job(failed="DeadlineExceeded"))

    assert after.phase is JobPhase.FAILED
    assert (last(after).attempt_number, last(after).reason) == (1, "DeadlineExceeded")


def test_pod_that_cannot_start_is_waited_for_a_while_and_then_fails_the_job() -> None:
    stuck = pod(container={"waiting": {"reason": "ErrImagePull", "message": "no such image"}})

    early = look(state(), job(), stuck)
    late = look(early, job(), stuck, now=NOW + PATIENCE)

    assert early.phase is JobPhase.PENDING
    assert late.phase is last(late).phase is JobPhase.FAILED
    assert last(late).reason == "ErrImagePull"
    assert "no such image" in last(late).message


@pytest.mark.parametrize(
    ("container", "phase"),
    [(SUCCEEDED, "succeeded"), (REFUSED, "failed"), (FAILED, "stopped"), (STOPPED, "stopped"), (ended(137), "stopped")],
    ids=["succeeded", "refused", "failed", "stopped", "killed"],
)
def test_stopped_job_is_stopped_unless_it_had_ended_or_was_refused(container: dict[str, Any], phase: str) -> None:
    after = look(state(stop_requested_at=NOW), job(), pod(container=container))

    assert after.phase == phase


def test_job_that_is_stopped_before_it_runs_has_no_attempt() -> None:
    after = look(state(stop_requested_at=NOW), job())

    assert (after.phase, after.attempts) == (JobPhase.STOPPED, ())


def test_job_that_kubernetes_ended_on_our_request_is_stopped() -> None:
    before = look(state(stop_requested_at=NOW), job(), pod("a"))

    after = look(before, job(failed="DeadlineExceeded"))

    assert after.phase is last(after).phase is JobPhase.STOPPED


def test_pod_that_prints_runs_though_kubernetes_does_not_say_so_yet() -> None:
    after = look(state(), job(), pod(container={"waiting": {"reason": "ContainerCreating"}}), last_line="attempt 1")

    assert after.phase is last(after).phase is JobPhase.RUNNING
    assert last(after).started_at == NOW


def test_final_state_never_changes() -> None:
    over = state(phase=JobPhase.SUCCEEDED)

    assert look(over, None, pod(container=FAILED)) is over


def test_state_keeps_the_logs_of_the_newest_attempts_only() -> None:
    attempts = tuple(
        RecordedAttempt(
            pod_uid=str(number),
            pod_name=str(number),
            submission=1,
            status=AttemptStatus(attempt_number=number, phase=JobPhase.FAILED, last_log_lines="x" * 100_000),
        )
        for number in range(1, 21)
    )

    kept = state(attempts=attempts).storable()

    lengths = [len(attempt.status.last_log_lines) for attempt in kept.attempts]
    assert lengths == [0] * (20 - LOGS_KEPT) + [65_536] * LOGS_KEPT
    assert len(kept.model_dump_json()) < 1_000_000
