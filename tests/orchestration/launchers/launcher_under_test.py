"""A launcher with what tests of it need: jobs whose runner acts by a script, and waiting."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from hawk.config.eval_set import EvalSetConfig
from hawk.ids import JobId
from hawk.job_launcher import JobLauncher, JobPhase, JobStatus
from hawk.job_spec import InfraConfig, JobSpec

WAIT_SECONDS = 60.0


def job_spec(*script: str, job_id: str = "job-1", max_attempts: int = 2, note: str = "") -> JobSpec:
    """Return a job whose runner acts by the script, a word for each attempt."""
    config = EvalSetConfig.model_validate(
        {
            "tasks": [{"package": "inspect-ai", "items": [{"name": "anything"}]}],
            "metadata": {"script": list(script), "note": note},
        }
    )
    infra = InfraConfig(
        created_by="researcher",
        model_groups=("model-access-public",),
        log_dir=f"s3://hawk/evals/{job_id}",
        max_attempts=max_attempts,
    )
    return JobSpec(job_id=JobId(job_id), config=config, infra=infra)


@dataclass
class LauncherUnderTest:
    """A launcher, and another like it that shares its jobs, as after a restart."""

    launcher: JobLauncher
    again: Callable[..., JobLauncher]

    def run(self, spec: JobSpec, secrets: dict[str, str] | None = None) -> JobStatus:
        """Submit a job and return its status when it has ended."""
        self.launcher.submit(spec, secrets or {})
        return self.wait_until(spec.job_id, lambda status: status.phase.is_final)

    def wait_until(self, job_id: JobId, holds: Callable[[JobStatus], bool]) -> JobStatus:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            status = self.launcher.status(job_id)
            if status is not None and holds(status):
                return status
            time.sleep(0.05)
        raise AssertionError(f"did not come about: {self.launcher.status(job_id)}")

    def wait_for_output(self, job_id: JobId, text: str) -> None:
        """Wait until the runner has begun to act."""
        self.wait_until(job_id, lambda status: text in self.launcher.logs(job_id, last_lines=50))

    def wait_until_running(self, job_id: JobId) -> JobStatus:
        return self.wait_until(job_id, lambda status: status.phase is JobPhase.RUNNING)
