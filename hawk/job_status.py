"""The one algebra of statuses: from what launcher, logs and importer say, to the word that a person reads.

Pure functions. `settled_state` decides what the reconciler writes into ops.eval_set; `eval_set_status` what the API
answers. Both hold that success is what the logs say, never an exit code.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from hawk.eval_sets import EvalSetState
from hawk.ids import JobId
from hawk.job_launcher import AttemptStatus, JobPhase, JobStatus

StatusWord = Literal[
    "pending", "waiting_for_capacity", "running", "stuck", "importing", "complete", "failed", "stopped", "deleted"
]
LogStatus = Literal["started", "success", "cancelled", "error"]

# A launch takes seconds; after this long without a job there is something wrong that waiting does not mend.
PATIENCE = timedelta(minutes=10)
# Failed attempts in a row, for the same reason, after which the next will hardly do better.
CRASH_LOOP_ATTEMPTS = 2
# What Kubernetes says of a container that will not start however long one waits.
HOPELESS_REASONS = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
    }
)


@dataclass(frozen=True)
class LogFact:
    """What the header of one log says. Retries of a task share its `task_id`; the newest of them counts."""

    task_id: str
    task_name: str
    status: LogStatus
    created_at: datetime
    error: str = ""


@dataclass(frozen=True)
class ImportFacts:
    """How far the logs of a set have come; counts of log files, `in_marts` and `imported` of evals."""

    landed: int = 0
    pending: int = 0
    imported: int = 0
    quarantined: int = 0
    in_marts: int = 0

    @property
    def is_under_way(self) -> bool:
        return self.pending > 0 or self.in_marts < self.imported


@dataclass(frozen=True)
class Verdict[StateT]:
    """A state, and a sentence why; the sentence is empty where the state says it all."""

    state: StateT
    reason: str = ""


def settled_state(job: JobStatus, logs: Iterable[LogFact]) -> Verdict[EvalSetState] | None:
    """Return how the set ended, or None while its job may still go on."""
    last_words = _last_words(job.attempts)
    match job.phase:
        case JobPhase.STOPPED:
            return Verdict("stopped", last_words or "Stopped on request.")
        case JobPhase.FAILED:
            return Verdict("failed", last_words or "The job failed and left no message.")
        case JobPhase.SUCCEEDED:
            return _state_by_logs(newest_of_each_task(logs))
        case _:
            return None


def eval_set_status(
    state: EvalSetState,
    reason: str,
    *,
    since: datetime,
    now: datetime,
    job: JobStatus | None,
    logs: Iterable[LogFact],
    imports: ImportFacts,
) -> Verdict[StatusWord]:
    """Return the word for a set in `state` since `since`; `logs` are those that were imported so far."""
    match state:
        case "deleted":
            return Verdict("deleted", reason)
        case "claimed":
            return _waiting("Dagster has not launched it yet.", reason, waited=now - since)
        case "launched":
            return _launched(job, reason, waited=now - since)
        case "complete" | "failed" | "stopped":
            return _ended(state, reason, newest_of_each_task(logs), imports)


def present_job(
    eval_set_id: JobId, state: EvalSetState, attempts: Sequence[AttemptStatus], *, since: datetime
) -> JobStatus | None:
    """Return the job that the last launch started, by the attempts that ops.attempt has; None before its first.

    `since` is when the set came into its state; attempts, oldest first, that ended before a launch are of an earlier.
    """
    current = [
        attempt for attempt in attempts if state != "launched" or attempt.ended_at is None or attempt.ended_at >= since
    ]
    if not current:
        return None
    # While the set is launched a failed attempt is followed by another, else the reconciler would have settled it.
    phase = current[-1].phase
    is_retried = phase is JobPhase.FAILED and state == "launched"
    return JobStatus(job_id=eval_set_id, phase=JobPhase.PENDING if is_retried else phase, attempts=tuple(current))


def newest_of_each_task(logs: Iterable[LogFact]) -> list[LogFact]:
    """Return the logs that count, one a task, in order of their making."""
    newest: dict[str, LogFact] = {}
    for log in sorted(logs, key=lambda log: log.created_at):
        newest[log.task_id] = log
    return sorted(newest.values(), key=lambda log: log.created_at)


def _state_by_logs(logs: Sequence[LogFact]) -> Verdict[EvalSetState]:
    if not logs:
        return Verdict("failed", "The job ended well but wrote no log.")
    fault = _fault_of_logs(logs)
    return Verdict("failed", fault) if fault else Verdict("complete")


def _fault_of_logs(logs: Sequence[LogFact]) -> str:
    bad = [log for log in logs if log.status != "success"]
    if not bad:
        return ""
    words = {"error": "ended with an error", "cancelled": "was cancelled", "started": "never ended"}
    first = bad[0]
    text = f"{first.task_name} {words[first.status]}"
    if first.error:
        text += f": {first.error.splitlines()[0]}"
    others = f" ({len(bad)} of {len(logs)} tasks did not succeed)" if len(logs) > 1 else ""
    return f"{text.rstrip('.')}{others}."


def _waiting(message: str, reason: str, *, waited: timedelta) -> Verdict[StatusWord]:
    if waited > PATIENCE:
        minutes = int(waited.total_seconds() // 60)
        return Verdict("stuck", reason or f"{message.rstrip('.')}, for {minutes} minutes; see its sensors and daemon.")
    return Verdict("pending", reason or message)


def _launched(job: JobStatus | None, reason: str, *, waited: timedelta) -> Verdict[StatusWord]:
    if job is None or not job.attempts:
        return _waiting("Launched; its job has not appeared yet.", reason, waited=waited)
    last = job.attempts[-1]
    if job.phase.is_final:
        return Verdict("importing", "Its job has ended; the logs are being read.")
    if last.reason in HOPELESS_REASONS:
        return Verdict("stuck", last.message or last.reason)
    failed = _failures_in_a_row(job.attempts)
    if len(failed) >= CRASH_LOOP_ATTEMPTS:
        return Verdict("stuck", f"{len(failed)} attempts failed alike. {_words(failed[-1])}".rstrip())
    if job.phase is JobPhase.WAITING_FOR_CAPACITY:
        return Verdict("waiting_for_capacity", last.message or "Waiting for room to run.")
    if job.phase is JobPhase.PENDING:
        again = f"Attempt {last.attempt_number} failed and will be tried again. {_words(failed[-1])}" if failed else ""
        return Verdict("pending", again or last.message)
    return Verdict("running", f"Attempt {last.attempt_number}." if last.attempt_number > 1 else "")


def _failures_in_a_row(attempts: Sequence[AttemptStatus]) -> list[AttemptStatus]:
    """Return the newest failed attempts that share a reason, oldest first; one that runs now does not end the row."""
    ended = [attempt for attempt in attempts if attempt.phase.is_final]
    row: list[AttemptStatus] = []
    for attempt in reversed(ended):
        if attempt.phase is not JobPhase.FAILED or (row and attempt.reason != row[-1].reason):
            break
        row.append(attempt)
    return row[::-1]


def _ended(
    state: Literal["complete", "failed", "stopped"], reason: str, logs: Sequence[LogFact], imports: ImportFacts
) -> Verdict[StatusWord]:
    if imports.is_under_way:
        done = min(imports.in_marts, imports.imported)
        total = imports.imported + imports.pending
        return Verdict("importing", f"It is {state}; {done} of {total} logs have reached the marts.")
    if state == "complete":
        if imports.quarantined:
            return Verdict("failed", f"{imports.quarantined} of its logs could not be imported.")
        fault = _fault_of_logs(logs)
        if fault:
            return Verdict("failed", fault)
    return Verdict(state, reason)


def _last_words(attempts: Sequence[AttemptStatus]) -> str:
    return _words(attempts[-1]) if attempts else ""


def _words(attempt: AttemptStatus) -> str:
    if attempt.message:
        return attempt.message
    if attempt.reason:
        return f"{attempt.reason}."
    return f"Exit code {attempt.exit_code}." if attempt.exit_code is not None else ""
