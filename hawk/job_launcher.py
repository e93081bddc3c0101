"""What every launcher of runner jobs can do, whatever it runs them on.

The contract is idempotent and asynchronous: `submit` returns in seconds, and a job outlives the process that
submitted it. The same contract tests run on each launcher.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from pydantic import BaseModel, ConfigDict, Field

from hawk.ids import JobId

if TYPE_CHECKING:
    from hawk.job_spec import JobSpec  # all of a config's classes, which whoever only reads statuses can do without


class JobPhase(StrEnum):
    """Where one attempt of a job stands."""

    PENDING = "pending"
    WAITING_FOR_CAPACITY = "waiting_for_capacity"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def is_final(self) -> bool:
        return self in (JobPhase.SUCCEEDED, JobPhase.FAILED, JobPhase.STOPPED)


class AttemptStatus(BaseModel):
    """One try at running a job; the last of them is the job's present."""

    model_config = ConfigDict(frozen=True)

    attempt_number: int = Field(ge=1)
    phase: JobPhase
    exit_code: int | None = None
    reason: str = ""  # one CamelCase word, as Kubernetes has it: ConfigError, OOMKilled, Stopped, ...
    message: str = ""  # a sentence for the user: what happened and what to do
    started_at: datetime | None = None
    ended_at: datetime | None = None
    peak_memory_bytes: int | None = None
    last_log_lines: str = ""
    pod_events: tuple[str, ...] = ()  # what Kubernetes said of its pod, oldest first


class JobStatus(BaseModel):
    """A job with all its attempts, oldest first; `phase` is the job's own, with retries taken into account."""

    model_config = ConfigDict(frozen=True)

    job_id: JobId
    phase: JobPhase
    attempts: tuple[AttemptStatus, ...] = ()


class SubmitOutcome(StrEnum):
    CREATED = "created"
    ADOPTED = "adopted"  # the same spec is running already
    RESTARTED = "restarted"  # the job had ended, and runs again in the same folder


class JobLauncher(Protocol):
    """Starts, watches and ends runner jobs."""

    def submit(self, spec: "JobSpec", secrets: Mapping[str, str]) -> SubmitOutcome:
        """Start the job, or adopt it if the same spec runs. Raises Conflict if another spec runs under its id."""

    def status(self, job_id: JobId) -> JobStatus | None:
        """Return where the job stands, or None if this launcher knows no such job."""

    def list_jobs(self) -> Sequence[JobId]:
        """Return every job that this launcher knows, ended ones included, until they are deleted."""

    def logs(self, job_id: JobId, *, last_lines: int) -> str:
        """Return the end of the newest attempt's output. Raises NotFound if there is no such job."""

    def stacktrace(self, job_id: JobId) -> str:
        """Return where the threads of the runner are. Raises NotFound, Conflict where it does not run, and Upstream."""

    def stop(self, job_id: JobId) -> None:
        """Ask the job to end; it scores partial work first. Does nothing if it has ended. Raises NotFound."""

    def delete(self, job_id: JobId) -> None:
        """End the job at once and remove all that it has here; its logs on S3 stay. Idempotent."""
