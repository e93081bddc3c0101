"""The process that keeps a local job: runs its attempts, one after another, and writes down how they ended.

`python -m orchestration.launchers.keeper JOB_FOLDER --lock FD`; the descriptor holds the job's keeper lock, so that
there is never more than one. It goes on from whatever a keeper before it left on disk. SIGTERM suspends the job: the
runner ends gracefully, and a later keeper goes on with another attempt. Starts fast, so: the standard library only.
"""

import argparse
import logging
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType

from hawk.job_outcome import JobOutcome
from orchestration.launchers.capacity import slot, try_slot
from orchestration.launchers.job_folder import (
    FOLDER_VARIABLE,
    Attempt,
    JobFolder,
    State,
    Submission,
    now,
)
from orchestration.launchers.process_identity import ProcessIdentity, identity_of, own_identity
from orchestration.launchers.verdict import FAILED, STOPPED, SUSPENDED, Ending, judge_attempt, may_run_again

logger = logging.getLogger("keeper")

POLL_SECONDS = 0.2
SUSPEND_GRACE_SECONDS = 10.0
LONGEST_BACKOFF_SECONDS = 300.0

# Words of hawk.job_launcher.JobPhase, which needs pydantic.
PENDING, WAITING, RUNNING = "pending", "waiting_for_capacity", "running"


class Suspended(Exception):
    """The keeper was told to end; the job is to go on another time."""


class StopRequested(Exception):
    """Somebody asked the job to end while nothing of it ran."""


class Keeper:
    """One submission of one job, from where it stands to its end."""

    def __init__(self, folder: JobFolder, submission: Submission) -> None:
        self._folder = folder
        self._submission = submission
        before = folder.state()
        revivals = before.revivals + 1 if before and before.submission == submission.number and before.keeper else 0
        self._state = State(submission.number, PENDING, revivals=revivals, keeper=own_identity())
        self._suspended = False

    def run(self) -> None:
        """Return when the submission has ended or is suspended."""
        self._set_phase(PENDING)
        try:
            self._go_on_with_unfinished_attempt()
            while not self._has_ended():
                self._wait_before_attempt()
                with slot(
                    self._folder.path.parent,
                    self._folder.path.name,
                    count=self._submission.max_jobs,
                    while_waiting=self._wait_for_capacity,
                ):
                    self._run_attempt()
        except StopRequested:
            self._set_phase(STOPPED, "Stopped", "Stopped before it ran.")
        except Suspended:
            logger.info("suspended")
            self._set_phase(PENDING)

    def suspend(self, number: int, frame: FrameType | None) -> None:
        """Note that the keeper is to end; a handler of signals."""
        self._suspended = True

    def _has_ended(self) -> bool:
        """Decide, by the attempts so far, whether another is due; write the job's end if not."""
        attempts = self._counted_attempts()
        if not attempts:
            return False
        last = attempts[-1]
        allowed = self._submission.max_attempts
        if may_run_again(last.phase, last.exit_code, attempts=len(attempts), max_attempts=allowed):
            return False
        tries = f"After {len(attempts)} attempts: " if last.phase == FAILED and len(attempts) > 1 else ""
        self._set_phase(last.phase, last.reason, f"{tries}{last.message}")
        return True

    def _counted_attempts(self) -> list[Attempt]:
        """Return the attempts of this submission that were the job's own doing."""
        return [
            attempt
            for attempt in self._folder.attempts()
            if attempt.submission == self._submission.number and attempt.reason != SUSPENDED
        ]

    def _wait_before_attempt(self) -> None:
        """Wait between attempts: twice as long each time, and not all jobs at the same moment."""
        failures = len(self._counted_attempts())
        if failures == 0:
            self._check_requests()
            return
        self._set_phase(PENDING)
        wait = min(self._submission.backoff_seconds * 2 ** (failures - 1), LONGEST_BACKOFF_SECONDS)
        deadline = time.monotonic() + wait * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
        while time.monotonic() < deadline:
            self._check_requests()
            time.sleep(POLL_SECONDS)

    def _wait_for_capacity(self) -> None:
        if self._state.phase != WAITING:
            self._set_phase(WAITING)
        self._check_requests()

    def _check_requests(self) -> None:
        if self._suspended:
            raise Suspended
        if self._folder.stop_file.exists():
            raise StopRequested

    def _run_attempt(self) -> None:
        self._sweep()
        number = max((attempt.number for attempt in self._folder.attempts()), default=0) + 1
        attempt = Attempt(number, self._submission.number, RUNNING, started_at=now())
        self._folder.write_attempt(attempt)
        logger.info("attempt %d", number)
        process = self._start(number)
        attempt = replace(attempt, process=identity_of(process.pid))
        self._folder.write_attempt(attempt)
        self._state = replace(self._state, revivals=0)
        self._set_phase(RUNNING)
        exit_code, peak_memory_bytes = self._wait_for(_Child(process))
        self._end(attempt, exit_code, peak_memory_bytes)

    def _start(self, number: int) -> "subprocess.Popen[bytes]":
        folder, submission = self._folder, self._submission
        command = [
            submission.python, "-P", "-m", "runner", str(folder.job_file),
            "--work-folder", str(folder.path),
            "--venv-cache", str(folder.path.parent / ".venvs"),
            "--attempt-number", str(number),
            "--submitted-at", submission.submitted_at,
            "--stop-file", str(folder.stop_file),
            "--outcome-file", str(folder.outcome_file(number)),
        ]  # fmt: skip
        ours = {name: os.environ[name] for name in (FOLDER_VARIABLE, "PYTHONPATH")}
        with folder.output_log(number).open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=folder.path,
                env={**os.environ, **folder.secrets(), **ours},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _go_on_with_unfinished_attempt(self) -> None:
        """Wait for the runner of a keeper that died, if it still runs, and write down how it ended."""
        for attempt in self._folder.attempts():
            if attempt.has_ended:
                continue
            if attempt.process is None or not attempt.process.is_alive():
                self._end(attempt, None, None)
                continue
            logger.info("going on with attempt %d", attempt.number)
            self._set_phase(RUNNING)
            place = try_slot(self._folder.path.parent, count=self._submission.max_jobs)
            self._wait_for(_Stranger(attempt.process))
            self._end(attempt, None, None)
            if place is not None:
                os.close(place)

    def _wait_for(self, runner: "_Child | _Stranger") -> tuple[int | None, int | None]:
        """Return exit code and peak memory, having carried out a request to stop or suspend meanwhile."""
        interrupt_at: float | None = None
        kill_at: float | None = None
        while (ended := runner.poll()) is None:
            moment = time.monotonic()
            if self._suspended and kill_at is None:
                runner.signal(signal.SIGTERM)
                kill_at = moment + SUSPEND_GRACE_SECONDS
            if interrupt_at is None and self._folder.stop_file.exists():
                interrupt_at = moment + self._submission.stop_grace_seconds
            if interrupt_at is not None and moment > interrupt_at and kill_at is None:
                runner.signal(signal.SIGINT)
                kill_at = moment + self._submission.kill_grace_seconds
            if kill_at is not None and moment > kill_at:
                runner.signal(signal.SIGKILL)
            time.sleep(POLL_SECONDS)
        return ended

    def _end(self, attempt: Attempt, exit_code: int | None, peak_memory_bytes: int | None) -> None:
        """Write down how an attempt ended: by its exit code where we were its parent, else by its own word."""
        outcome = JobOutcome.read(self._folder.outcome_file(attempt.number))
        if exit_code is None and outcome is not None:
            exit_code = outcome.exit_code
        verdict = judge_attempt(
            Ending(
                exit_code,
                outcome,
                last_line=self._folder.output_tail(attempt.number, 1),
                was_stopped=self._folder.stop_file.exists(),
                was_suspended=self._suspended,
            )
        )
        self._sweep(attempt.process)
        self._folder.write_attempt(
            replace(
                attempt,
                phase=verdict.phase,
                ended_at=now(),
                exit_code=exit_code,
                reason=verdict.reason,
                message=verdict.message,
                peak_memory_bytes=peak_memory_bytes,
            )
        )
        logger.info("attempt %d %s: %s", attempt.number, verdict.phase, verdict.reason)
        if self._suspended and verdict.phase == FAILED:
            raise Suspended

    def _sweep(self, leader: ProcessIdentity | None = None) -> None:
        """Kill what earlier attempts have left running."""
        from orchestration.launchers.process_tree import kill_all

        try:
            kill_all(self._folder.path, [leader] if leader else [], but=os.getpid())
        except TimeoutError as error:
            logger.warning("%s", error)

    def _set_phase(self, phase: str, reason: str = "", message: str = "") -> None:
        self._state = replace(self._state, phase=phase, reason=reason, message=message)
        self._folder.write_state(self._state)


class _Child:
    """A runner that this process started, and so learns the exit code and memory of."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process  # kept, as subprocess reaps what nobody holds any more
        self._pid = process.pid

    def poll(self) -> tuple[int | None, int | None] | None:
        """Return exit code and peak memory in bytes once it has ended; a signal's number is added to 128."""
        pid, status, usage = os.wait4(self._pid, os.WNOHANG)
        if pid == 0:
            return None
        code = os.waitstatus_to_exitcode(status)
        scale = 1 if sys.platform == "darwin" else 1024
        return (128 - code if code < 0 else code), usage.ru_maxrss * scale

    def signal(self, number: signal.Signals) -> None:
        os.killpg(self._pid, number)  # not reaped yet, so the id cannot be another's


class _Stranger:
    """A runner that a keeper before this one started; only whether it runs can be seen."""

    def __init__(self, identity: ProcessIdentity) -> None:
        self._identity = identity

    def poll(self) -> tuple[int | None, int | None] | None:
        return None if self._identity.is_alive() else (None, None)

    def signal(self, number: signal.Signals) -> None:
        from orchestration.launchers.process_tree import signal_group

        signal_group(self._identity, number)


def main() -> int:
    """Return 0; how the job ended stands in its folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lock", type=int, required=True, help="descriptor that holds the keeper lock")
    options = parser.parse_args()
    if os.fork():  # the launcher waits for this one only, and has no child to reap when the job ends
        os._exit(0)
    os.set_inheritable(options.lock, False)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    folder = JobFolder(options.folder)
    submission = folder.submission()
    if submission is None:
        logger.error("there is no submission in %s", folder.path)
        return 1
    keeper = Keeper(folder, submission)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # inherited: a runner asked for its stack too early lives on
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, keeper.suspend)
    keeper.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
