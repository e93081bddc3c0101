"""Where a job stands on the cluster: pure rules from what was known, its Job and its pods to what is known now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hawk.job_launcher import AttemptStatus, JobPhase
from hawk.job_outcome import RunnerExit
from orchestration.launchers.kubernetes_api import Manifest
from orchestration.launchers.kubernetes_state import JobState, RecordedAttempt
from orchestration.launchers.pod_attempt import attempt_of, gone, is_unable_to_start, moment

JOB_DELETED = "JobDeleted"
_TRUE = "True"


@dataclass(frozen=True)
class Seen:
    """What a look at the cluster found."""

    job: Manifest | None
    pods: Sequence[Manifest]
    now: datetime
    last_line: Callable[[Manifest], str] = lambda pod: ""  # of a pod's output; empty until it has begun


def observe(state: JobState, seen: Seen, *, start_patience: timedelta) -> JobState:
    """Return the state as it is after a look. An attempt that has ended, and a final phase, never change again."""
    if state.phase.is_final:
        return state
    attempts = _attempts(state, seen)
    current = [attempt for attempt in attempts if attempt.submission == state.submission]
    phase = _phase(state, seen, [attempt.status for attempt in current])
    if phase is JobPhase.PENDING and current and is_unable_to_start(current[-1].status):
        pod = next((pod for pod in seen.pods if _uid(pod) == current[-1].pod_uid), None)
        if pod is not None and seen.now - _created_at(pod) > start_patience:
            phase = JobPhase.FAILED
    if phase.is_final:
        attempts = _settled(state, seen, attempts, phase)
    return state.model_copy(update={"attempts": tuple(attempts), "phase": phase})


def failed_condition(job: Manifest | None) -> str:
    """Return why Kubernetes holds the Job for failed: BackoffLimitExceeded, DeadlineExceeded, ... or ''."""
    for condition in ((job or {}).get("status") or {}).get("conditions") or ():
        if condition["type"] in ("Failed", "FailureTarget") and condition.get("status") == _TRUE:
            return str(condition.get("reason") or "Failed")
    return ""


def is_conclusive(attempt: AttemptStatus) -> bool:
    """Say whether no other attempt follows one that ended so."""
    if attempt.phase is JobPhase.FAILED:
        return attempt.exit_code == RunnerExit.DETERMINISTIC
    return attempt.phase.is_final


def is_over(job: Manifest | None) -> bool:
    """Say whether Kubernetes has done with the Job."""
    conditions = ((job or {}).get("status") or {}).get("conditions") or ()
    return any(item["type"] in ("Complete", "Failed") and item.get("status") == _TRUE for item in conditions)


def _attempts(state: JobState, seen: Seen) -> list[RecordedAttempt]:
    """Return all attempts: those known, as their pods now say, and one more for each pod that is new."""
    pods = {_uid(pod): pod for pod in sorted(seen.pods, key=_created_at)}
    was_stopped = state.stop_requested_at is not None
    found: list[RecordedAttempt] = []
    for known in state.attempts:
        pod = pods.pop(known.pod_uid, None)
        if known.status.phase.is_final:
            found.append(known)
            continue
        if pod is None:
            status = gone(known.status, was_stopped=was_stopped, reason=_why_gone(seen.job), now=seen.now)
        else:
            status = _status(pod, known.status.attempt_number, was_stopped, seen)
        found.append(known.model_copy(update={"status": status}))
    number = state.next_attempt
    for uid, pod in pods.items():
        if any(attempt.submission == state.submission and is_conclusive(attempt.status) for attempt in found):
            break  # a server without podFailurePolicy started one more before the Job was ended
        status = _status(pod, number, was_stopped, seen)
        name = str(pod["metadata"]["name"])
        found.append(RecordedAttempt(pod_uid=uid, pod_name=name, submission=state.submission, status=status))
        number += 1
    return found


def _status(pod: Manifest, number: int, was_stopped: bool, seen: Seen) -> AttemptStatus:
    status = attempt_of(pod, number, was_stopped=was_stopped)
    if status.reason == "RunnerError":  # its message quotes the last line, which is read only where it is needed
        return attempt_of(pod, number, was_stopped=was_stopped, last_line=seen.last_line(pod))
    if status.phase is JobPhase.PENDING and not status.reason and seen.last_line(pod):
        # The kubelet tells of a container's start some seconds later than it has begun to print.
        return status.model_copy(update={"phase": JobPhase.RUNNING, "started_at": seen.now})
    return status


def _phase(state: JobState, seen: Seen, attempts: Sequence[AttemptStatus]) -> JobPhase:
    last = attempts[-1] if attempts else None
    if last is not None and last.phase.is_final:
        if is_conclusive(last):
            return last.phase
        if state.stop_requested_at is not None:
            return JobPhase.STOPPED
        return JobPhase.FAILED if failed_condition(seen.job) or _has_vanished(state, seen) else JobPhase.PENDING
    if failed_condition(seen.job) or _has_vanished(state, seen):
        return JobPhase.STOPPED if state.stop_requested_at is not None else JobPhase.FAILED
    if last is not None:
        return last.phase
    if state.stop_requested_at is not None:
        return JobPhase.STOPPED
    is_suspended = bool(seen.job and seen.job["spec"].get("suspend"))
    return JobPhase.WAITING_FOR_CAPACITY if is_suspended else JobPhase.PENDING


def _settled(state: JobState, seen: Seen, attempts: list[RecordedAttempt], phase: JobPhase) -> list[RecordedAttempt]:
    """Return the attempts of a job that has ended; the last one says why where Kubernetes ended it."""
    attempts = [*(_superseded(attempt, state, seen) for attempt in attempts[:-1]), *attempts[-1:]]
    current = [attempt for attempt in attempts if attempt.submission == state.submission]
    if current and current[-1].status.phase.is_final:
        last = current[-1].status
        if failed_condition(seen.job) == "DeadlineExceeded" and last.phase is JobPhase.FAILED:
            deadline = gone(last, was_stopped=False, reason="DeadlineExceeded", now=last.ended_at or seen.now)
            return [*attempts[:-1], attempts[-1].model_copy(update={"status": deadline})]
        return attempts
    if current:
        ended = _ended_by_us(current[-1].status, state, seen, phase)
        return [*attempts[:-1], attempts[-1].model_copy(update={"status": ended})]
    if phase is JobPhase.STOPPED:
        return attempts
    nothing = AttemptStatus(attempt_number=state.next_attempt, phase=phase)
    status = _ended_by_us(nothing, state, seen, phase)
    return [*attempts, RecordedAttempt(pod_uid="", pod_name="", submission=state.submission, status=status)]


def _superseded(attempt: RecordedAttempt, state: JobState, seen: Seen) -> RecordedAttempt:
    """Return an attempt that is not the last as ended: its deleted pod may still be ending while the next is done."""
    if attempt.status.phase.is_final:
        return attempt
    was_stopped = state.stop_requested_at is not None
    status = gone(attempt.status, was_stopped=was_stopped, reason="PodDeleted", now=seen.now)
    return attempt.model_copy(update={"status": status})


def _ended_by_us(last: AttemptStatus, state: JobState, seen: Seen, phase: JobPhase) -> AttemptStatus:
    if is_unable_to_start(last):
        return last.model_copy(update={"phase": phase, "ended_at": seen.now})
    reason = JOB_DELETED if _has_vanished(state, seen) else failed_condition(seen.job)
    ended = gone(last, was_stopped=phase is JobPhase.STOPPED, reason=reason, now=seen.now)
    if reason == JOB_DELETED:
        message = "The Job was deleted by hand while it ran; what had ended is kept. Retry it to go on."
        ended = ended.model_copy(update={"message": message})
    return ended


def _why_gone(job: Manifest | None) -> str:
    if job is None:
        return JOB_DELETED
    return "DeadlineExceeded" if failed_condition(job) == "DeadlineExceeded" else "PodDeleted"


def _has_vanished(state: JobState, seen: Seen) -> bool:
    """Say whether the Job that was there is not any more, or is another's."""
    if not state.job_uid:
        return False
    return seen.job is None or seen.job["metadata"]["uid"] != state.job_uid


def _uid(pod: Manifest) -> str:
    return str(pod["metadata"]["uid"])


def _created_at(pod: Manifest) -> datetime:
    return moment(pod["metadata"]["creationTimestamp"])
