"""Runs jobs as processes of this machine, detached, with all their state on disk."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

from hawk.errors import Conflict, NotFound, Upstream
from hawk.ids import JobId, parse_job_id
from hawk.job_launcher import AttemptStatus, JobPhase, JobStatus, SubmitOutcome
from hawk.job_spec import JobSpec
from hawk.stack_dump import dump_stack
from orchestration.launchers.environment import base_environment
from orchestration.launchers.file_lock import is_locked, locked, wait_for_lock
from orchestration.launchers.job_folder import (
    FOLDER_VARIABLE,
    LAST_LOG_LINES,
    Attempt,
    JobFolder,
    State,
    Submission,
    now,
    write_json,
)
from orchestration.launchers.local_stack import ReadStack, stack_of
from orchestration.launchers.process_tree import kill_all

LOCK_SECONDS = 30.0
MAX_REVIVALS = 20
SUSPEND_SECONDS = 20.0
_POLL_SECONDS = 0.05


class LocalJobLauncher:
    """Starts runners on this machine, each watched by a keeper process of its own.

    A keeper that died is replaced when the job is next looked at, and goes on where that one was; so a job outlives
    the launcher, its keeper, and the machine's restart. Any number of launchers may share a folder.
    """

    def __init__(
        self,
        jobs_dir: Path,
        *,
        python: Path | None = None,
        max_jobs: int = 4,
        backoff_seconds: float = 10.0,
        stop_grace_seconds: float = 120.0,
        kill_grace_seconds: float = 30.0,
        read_stack: ReadStack = dump_stack,
    ) -> None:
        self._jobs_dir = jobs_dir.absolute()
        self._python = python or Path(sys.executable)
        self._max_jobs = max_jobs
        self._backoff_seconds = backoff_seconds
        self._stop_grace_seconds = stop_grace_seconds
        self._kill_grace_seconds = kill_grace_seconds
        self._read_stack = read_stack

    def submit(self, spec: JobSpec, secrets: Mapping[str, str]) -> SubmitOutcome:
        """Start the job, or adopt it if the same spec runs. Raises Conflict if another spec runs under its id."""
        job_id = parse_job_id(spec.job_id, field="job_id")
        text = spec.to_json()
        digest = hashlib.sha256(text.encode()).hexdigest()
        with self._lock(job_id):
            folder = self._folder(job_id)
            before = folder.submission()
            if before is not None and not _phase(folder).is_final:
                if before.spec_digest != digest:
                    raise Conflict(
                        f"The job {job_id} runs already, with another configuration.",
                        hint="Stop it or wait for its end before it is launched again.",
                        value=job_id,
                    )
                folder.write_secrets(secrets)  # for attempts to come: tokens in them may be newer
                self._revive(folder)
                return SubmitOutcome.ADOPTED
            self._write_submission(folder, spec, text=text, digest=digest, number=before.number + 1 if before else 1)
            folder.write_secrets(secrets)
            self._start_keeper(folder)
            return SubmitOutcome.RESTARTED if before else SubmitOutcome.CREATED

    def status(self, job_id: JobId) -> JobStatus | None:
        """Return where the job stands, or None if this launcher knows no such job.

        A job whose keeper was killed gets a new one here, which goes on with it.
        """
        folder = self._folder(job_id)
        if folder.submission() is None:
            return None
        if not _phase(folder).is_final and not is_locked(folder.keeper_lock):
            with self._lock(job_id):
                self._revive(folder)
        attempts = tuple(_attempt_status(folder, attempt) for attempt in folder.attempts())
        return JobStatus(job_id=job_id, phase=_phase(folder), attempts=attempts)

    def list_jobs(self) -> Sequence[JobId]:
        """Return every job that this launcher knows, ended ones included, until they are deleted."""
        if not self._jobs_dir.exists():
            return []
        return [
            JobId(path.name)
            for path in sorted(self._jobs_dir.iterdir())
            if not path.name.startswith(".") and JobFolder(path).submission() is not None
        ]

    def logs(self, job_id: JobId, *, last_lines: int) -> str:
        """Return the end of the newest attempt's output. Raises NotFound if there is no such job."""
        folder = self._existing(job_id)
        newest = max((attempt.number for attempt in folder.attempts()), default=None)
        return "" if newest is None else folder.output_tail(newest, last_lines)

    def stacktrace(self, job_id: JobId, *, wait_seconds: float = 20.0) -> str:
        """Return where the threads of the runner are. Raises NotFound, Conflict where it does not run, and Upstream."""
        folder = self._existing(job_id)
        running = [attempt for attempt in folder.attempts() if not attempt.has_ended]
        if not running or running[-1].process is None:
            phase = _phase(folder)
            raise Conflict(f"The job {job_id} does not run: it is {phase.value}.", value=phase.value)
        output = folder.output_log(running[-1].number)
        return stack_of(running[-1].process, output, read=self._read_stack, wait_seconds=wait_seconds)

    def stop(self, job_id: JobId) -> None:
        """Ask the job to end; it scores partial work first. Does nothing if it has ended. Raises NotFound."""
        folder = self._existing(job_id)
        with self._lock(job_id):
            if _phase(folder).is_final:
                return
            write_json(folder.stop_file, {"type": "stop", "action": "score", "requested_at": now()})
            self._revive(folder)

    def delete(self, job_id: JobId) -> None:
        """End the job at once and remove all that it has here; its logs on S3 stay. Idempotent."""
        with self._lock(job_id):
            folder = self._folder(job_id)
            if not folder.path.exists():
                return
            leaders = [attempt.process for attempt in folder.attempts() if attempt.process is not None]
            state = folder.state()
            if state and state.keeper:
                leaders.append(state.keeper)
            try:
                kill_all(folder.path, leaders)
            except TimeoutError as error:
                raise Upstream(f"The job {job_id} could not be ended: {error}", hint="Try again.") from error
            folder.remove()

    def suspend_all(self) -> None:
        """End every process of every job, gracefully; the jobs go on when they are next looked at."""
        folders = [self._folder(job_id) for job_id in self.list_jobs()]
        for folder in folders:
            state = folder.state()
            if state and state.keeper and state.keeper.is_alive():
                os.kill(state.keeper.pid, signal.SIGTERM)
        deadline = time.monotonic() + SUSPEND_SECONDS
        while any(is_locked(folder.keeper_lock) for folder in folders) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        for folder in folders:
            kill_all(folder.path, [attempt.process for attempt in folder.attempts() if attempt.process is not None])

    def _write_submission(self, folder: JobFolder, spec: JobSpec, *, text: str, digest: str, number: int) -> None:
        folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.stop_file.unlink(missing_ok=True)
        folder.job_file.write_text(text)
        folder.write_state(State(number, JobPhase.PENDING))
        folder.write_submission(
            Submission(
                number=number,
                submitted_at=now(),
                spec_digest=digest,
                python=str(self._python),
                max_attempts=spec.infra.max_attempts,
                max_jobs=self._max_jobs,
                backoff_seconds=self._backoff_seconds,
                stop_grace_seconds=self._stop_grace_seconds,
                kill_grace_seconds=self._kill_grace_seconds,
            )
        )

    def _revive(self, folder: JobFolder) -> None:
        """Start a keeper if the job has none and has not ended; under the job's lock."""
        state = folder.state()
        if _phase(folder).is_final or is_locked(folder.keeper_lock):
            return
        if state and state.revivals >= MAX_REVIVALS:
            message = f"Its keeper died {state.revivals} times; see {folder.keeper_log}."
            folder.write_state(State(state.submission, JobPhase.FAILED, reason="KeeperLost", message=message))
            return
        self._start_keeper(folder)

    def _start_keeper(self, folder: JobFolder) -> None:
        lock = wait_for_lock(folder.keeper_lock, seconds=5.0)
        if lock is None:
            raise Upstream(f"Another keeper holds the job {folder.path.name}.", hint="Try again in a moment.")
        try:
            with folder.keeper_log.open("ab") as log:
                subprocess.run(
                    [self._python, "-P", "-m", "orchestration.launchers.keeper", folder.path, "--lock", str(lock)],
                    cwd=folder.path,
                    env=base_environment() | {FOLDER_VARIABLE: str(folder.path)},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(lock,),
                    start_new_session=True,
                    check=True,
                )
        except subprocess.CalledProcessError as error:
            raise Upstream(
                f"The keeper of the job {folder.path.name} did not start: see {folder.keeper_log}."
            ) from error
        finally:
            os.close(lock)

    def _existing(self, job_id: JobId) -> JobFolder:
        folder = self._folder(job_id)
        if folder.submission() is None:
            raise NotFound(f"There is no job {job_id}.", value=job_id)
        return folder

    def _folder(self, job_id: str) -> JobFolder:
        return JobFolder(self._jobs_dir / parse_job_id(job_id, field="job_id"))

    def _lock(self, job_id: str) -> AbstractContextManager[None]:
        parse_job_id(job_id, field="job_id")
        # Not within the job's folder, which may be removed under who waits; few files for any number of jobs.
        stripe = hashlib.sha256(job_id.encode()).hexdigest()[:2]
        return locked(self._jobs_dir / ".locks" / stripe, seconds=LOCK_SECONDS)


def _phase(folder: JobFolder) -> JobPhase:
    state, submission = folder.state(), folder.submission()
    if state is None or submission is None or state.submission != submission.number:
        return JobPhase.PENDING
    return JobPhase(state.phase)


def _attempt_status(folder: JobFolder, attempt: Attempt) -> AttemptStatus:
    return AttemptStatus(
        attempt_number=attempt.number,
        phase=JobPhase(attempt.phase),
        exit_code=attempt.exit_code,
        reason=attempt.reason,
        message=attempt.message,
        started_at=datetime.fromisoformat(attempt.started_at),
        ended_at=datetime.fromisoformat(attempt.ended_at) if attempt.ended_at else None,
        peak_memory_bytes=attempt.peak_memory_bytes,
        last_log_lines=folder.output_tail(attempt.number, LAST_LOG_LINES),
    )
