"""What a pod says of the attempt that it is: pure rules over Kubernetes's own words and the keeper's."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hawk.job_launcher import AttemptStatus, JobPhase
from hawk.job_outcome import JobOutcome, RunnerExit
from hawk.job_status import HOPELESS_REASONS
from orchestration.launchers.kubernetes_api import Manifest
from orchestration.launchers.verdict import Ending, judge_attempt

UNSCHEDULABLE = "Unschedulable"
OOM_KILLED = "OOMKilled"
POD_DELETED = "PodDeleted"
_TERMINATED = 143  # 128 + SIGTERM: ended from outside; see runner/pod_keeper.py
# Words of Kubernetes for a pod that ended by no fault of its own: pod.status.reason, and reasons of DisruptionTarget.
_DISRUPTIONS = frozenset(
    {"Evicted", "NodeLost", "NodeShutdown", "Preempting", "Shutdown", "Terminated", "DeletionByPodGC",
     "DeletionByTaintManager", "EvictionByEvictionAPI", "PreemptionByScheduler", "TerminationByKubelet"}
)  # fmt: skip


def attempt_of(pod: Manifest, number: int, *, was_stopped: bool, last_line: str = "") -> AttemptStatus:
    """Return the attempt that a pod is."""
    container = _container_state(pod)
    terminated = container.get("terminated")
    if terminated is not None:
        return _ended(pod, terminated, number, was_stopped=was_stopped, last_line=last_line)
    status = pod.get("status") or {}
    if status.get("phase") in ("Failed", "Succeeded"):  # evicted, say, before its container ran
        reason = _disruption(pod) or "PodFailed"
        message = status.get("message") or "The pod failed before its container had ended."
        return AttemptStatus(
            attempt_number=number, phase=JobPhase.FAILED, reason=reason, message=message, ended_at=_changed_at(pod)
        )
    running = container.get("running")
    if running is not None:
        return AttemptStatus(attempt_number=number, phase=JobPhase.RUNNING, started_at=moment(running["startedAt"]))
    return _waiting(pod, container.get("waiting") or {}, number)


def gone(before: AttemptStatus, *, was_stopped: bool, reason: str, now: datetime) -> AttemptStatus:
    """Return how an attempt ended whose pod is not there any more, and whose ending nobody saw."""
    if was_stopped:
        phase, reason, message = JobPhase.STOPPED, "Stopped", "Stopped before it ended by itself."
    elif reason == "DeadlineExceeded":
        phase, message = JobPhase.FAILED, "The job was still running when its deadline came; what had ended is kept."
    else:
        phase = JobPhase.FAILED
        message = "The pod was deleted, by hand or with its node; what had ended is kept."
    return before.model_copy(update={"phase": phase, "reason": reason, "message": message, "ended_at": now})


def is_unable_to_start(attempt: AttemptStatus) -> bool:
    """Say whether Kubernetes says of an attempt what waiting does not mend."""
    return attempt.phase is JobPhase.PENDING and attempt.reason in HOPELESS_REASONS


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _ended(
    pod: Manifest, terminated: Mapping[str, Any], number: int, *, was_stopped: bool, last_line: str
) -> AttemptStatus:
    exit_code = int(terminated["exitCode"])
    outcome, peak_memory_bytes = _last_words(terminated.get("message") or "")
    verdict = judge_attempt(Ending(exit_code, outcome, last_line=last_line, was_stopped=was_stopped))
    phase, reason, message = JobPhase(verdict.phase), verdict.reason, verdict.message
    if phase is JobPhase.FAILED and exit_code != RunnerExit.DETERMINISTIC:
        reason, message = _cause(pod, terminated, exit_code) or (reason, message)
    if reason == OOM_KILLED:
        peak_memory_bytes = None  # what the keeper saw last is not what the kernel did
    return AttemptStatus(
        attempt_number=number,
        phase=phase,
        exit_code=exit_code,
        reason=reason,
        message=message,
        started_at=moment(terminated["startedAt"]) if terminated.get("startedAt") else None,
        ended_at=moment(terminated["finishedAt"]) if terminated.get("finishedAt") else _changed_at(pod),
        peak_memory_bytes=peak_memory_bytes,
    )


def _cause(pod: Manifest, terminated: Mapping[str, Any], exit_code: int) -> tuple[str, str] | None:
    """Return what Kubernetes did to the container, as reason and message, or None if it did nothing."""
    disruption = _disruption(pod)
    if terminated.get("reason") == OOM_KILLED:
        limit = _memory_limit(pod)
        of_limit = f" of {limit}" if limit else ""
        return OOM_KILLED, (
            f"The runner used more memory than its limit{of_limit}. Ask for more with `runner.memory`, or run fewer "
            "samples at once; what had ended is kept."
        )
    if disruption:
        said = (pod.get("status") or {}).get("message") or "Kubernetes ended the pod to free its node."
        return disruption, f"{said.rstrip('.')}. What had ended is kept."
    if terminated.get("reason") in ("ContainerCannotRun", "StartError"):
        return str(terminated["reason"]), str(terminated.get("message") or "The container could not be started.")
    if exit_code == _TERMINATED or pod["metadata"].get("deletionTimestamp"):
        return POD_DELETED, "The pod was deleted, by hand or with its node; what had ended is kept."
    return None


def _waiting(pod: Manifest, waiting: Mapping[str, Any], number: int) -> AttemptStatus:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition.get("reason") == UNSCHEDULABLE:
            return AttemptStatus(
                attempt_number=number,
                phase=JobPhase.WAITING_FOR_CAPACITY,
                reason=UNSCHEDULABLE,
                message=f"No node has room: {condition.get('message', '')}",
            )
    reason = str(waiting.get("reason") or "")
    message = ""
    if reason in HOPELESS_REASONS:
        said = str(waiting.get("message") or "").rstrip(".")
        message = f"The container cannot be started ({reason}). {said}".rstrip()
    return AttemptStatus(
        attempt_number=number, phase=JobPhase.PENDING, reason=reason if message else "", message=message
    )


def _container_state(pod: Manifest) -> Mapping[str, Any]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return statuses[0].get("state") or {} if statuses else {}


def _disruption(pod: Manifest) -> str:
    status = pod.get("status") or {}
    if status.get("reason") in _DISRUPTIONS:
        return str(status["reason"])
    for condition in status.get("conditions") or ():
        if condition["type"] == "DisruptionTarget" and condition.get("status") == "True":
            return str(condition.get("reason") or "Evicted")
    return ""


def _last_words(text: str) -> tuple[JobOutcome | None, int | None]:
    """Return what the keeper wrote into the termination message; anything else is the end of the log."""
    try:
        fields = json.loads(text)
        peak = fields.get("peak_memory_bytes")
        if "reason" not in fields:
            return None, peak
        return JobOutcome(int(fields["exit_code"]), str(fields["reason"]), str(fields["message"])), peak
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, None


def _memory_limit(pod: Manifest) -> str:
    container = pod["spec"]["containers"][0]
    return str(((container.get("resources") or {}).get("limits") or {}).get("memory") or "")


def _changed_at(pod: Manifest) -> datetime | None:
    times = [
        condition["lastTransitionTime"]
        for condition in (pod.get("status") or {}).get("conditions") or ()
        if condition.get("lastTransitionTime")
    ]
    return moment(max(times)) if times else None
