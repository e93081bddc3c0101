"""A launcher whose jobs a test moves by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hawk.errors import Conflict, HawkError, NotFound
from hawk.ids import JobId
from hawk.job_launcher import AttemptStatus, JobPhase, JobStatus, SubmitOutcome
from hawk.job_spec import JobSpec


@dataclass
class FakeJob:
    spec: JobSpec
    secrets: dict[str, str]
    attempts: list[AttemptStatus] = field(default_factory=list)
    phase: JobPhase = JobPhase.PENDING


class FakeJobLauncher:
    """Keeps jobs in memory; `error`, where set, is raised by every call that would change something."""

    def __init__(self) -> None:
        self.jobs: dict[JobId, FakeJob] = {}
        self.stopped: list[JobId] = []
        self.error: HawkError | None = None

    def submit(self, spec: JobSpec, secrets: Mapping[str, str]) -> SubmitOutcome:
        self._raise()
        before = self.jobs.get(spec.job_id)
        if before is not None and not before.phase.is_final:
            if before.spec != spec:
                raise Conflict(f"The job {spec.job_id} runs already, with another configuration.")
            return SubmitOutcome.ADOPTED
        self.jobs[spec.job_id] = FakeJob(spec, dict(secrets), attempts=before.attempts if before else [])
        return SubmitOutcome.RESTARTED if before else SubmitOutcome.CREATED

    def status(self, job_id: JobId) -> JobStatus | None:
        self._raise()
        job = self.jobs.get(job_id)
        return JobStatus(job_id=job_id, phase=job.phase, attempts=tuple(job.attempts)) if job else None

    def list_jobs(self) -> Sequence[JobId]:
        return sorted(self.jobs)

    def logs(self, job_id: JobId, *, last_lines: int) -> str:
        job = self._existing(job_id)
        lines = job.attempts[-1].last_log_lines.splitlines() if job.attempts else []
        return "\n".join(lines[-last_lines:])

    def stacktrace(self, job_id: JobId) -> str:
        self._raise()
        job = self._existing(job_id)
        if job.phase is not JobPhase.RUNNING:
            raise Conflict(f"The job {job_id} does not run: it is {job.phase.value}.", value=job.phase.value)
        return "Thread 1 (idle)\n    wait (task.py:7)"

    def stop(self, job_id: JobId) -> None:
        self._raise()
        self._existing(job_id)
        self.stopped.append(job_id)

    def delete(self, job_id: JobId) -> None:
        self._raise()
        self.jobs.pop(job_id, None)

    def move(self, job_id: str, phase: JobPhase, **attempt: object) -> None:
        """Let the job's newest attempt be in this phase, or begin one where there is none that runs."""
        job = self.jobs[JobId(job_id)]
        running = job.attempts[-1] if job.attempts and not job.attempts[-1].phase.is_final else None
        number = running.attempt_number if running else len(job.attempts) + 1
        started_at = running.started_at if running else datetime.now(UTC)
        ended_at = datetime.now(UTC) if phase.is_final else None
        moved = AttemptStatus.model_validate(
            {"attempt_number": number, "phase": phase, "started_at": started_at, "ended_at": ended_at, **attempt}
        )
        job.attempts = [*(job.attempts[:-1] if running else job.attempts), moved]
        job.phase = phase

    def _existing(self, job_id: JobId) -> FakeJob:
        if job_id not in self.jobs:
            raise NotFound(f"There is no job {job_id}.")
        return self.jobs[job_id]

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error
