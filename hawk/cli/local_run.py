"""Runs the runner of eval sets on this machine: the same program, without Dagster, S3 or a cluster."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from hawk.errors import UserError
from hawk.job_outcome import JobOutcome, RunnerExit
from hawk.job_spec import JOB_SPEC_FILE, JobSpec
from hawk.naming import TOKEN_FILE_VARIABLE

OUTCOME_FILE = "outcome.json"
TOKEN_FILE = "token"  # noqa: S105 - a name
POLL_SECONDS = 0.2
RENEWAL_SECONDS = 20.0


@dataclass(frozen=True)
class LocalRun:
    """One run: `token` is asked again and again where models are called through the proxy."""

    spec: JobSpec
    folder: Path
    venv_cache: Path
    environment: Mapping[str, str] = field(repr=False)
    token: Callable[[], str] | None = None

    def run(self) -> JobOutcome:
        """Run to the end; output goes to stderr. SIGINT and SIGTERM end it gracefully: what was done is scored."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.folder / JOB_SPEC_FILE).write_text(self.spec.to_json())
        outcome_file = self.folder / OUTCOME_FILE
        outcome_file.unlink(missing_ok=True)
        if self.token is not None:
            self._write_token(self.token)
        try:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "runner", str(self.folder / JOB_SPEC_FILE)),
                    *("--work-folder", str(self.folder), "--venv-cache", str(self.venv_cache)),
                    *("--outcome-file", str(outcome_file)),
                ],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno(),
                start_new_session=True,  # else a terminal's Ctrl-C would come twice
            )
            exit_code = self._wait_for(process)
        finally:
            (self.folder / TOKEN_FILE).unlink(missing_ok=True)
            shutil.rmtree(self.folder / "venv", ignore_errors=True)  # a copy; the cache has it
        return JobOutcome.read(outcome_file) or JobOutcome(
            exit_code if exit_code >= 0 else RunnerExit.RETRYABLE, "Killed", f"The runner ended with {exit_code}."
        )

    def _wait_for(self, process: "subprocess.Popen[bytes]") -> int:
        def pass_on(number: int, frame: FrameType | None) -> None:
            process.send_signal(number)

        before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
        renewed_at = time.monotonic()
        try:
            while (exit_code := process.poll()) is None:
                time.sleep(POLL_SECONDS)
                if self.token is not None and time.monotonic() - renewed_at > RENEWAL_SECONDS:
                    renewed_at = time.monotonic()
                    self._write_token(self.token)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return exit_code

    def _write_token(self, token: Callable[[], str]) -> None:
        unfinished = self.folder / f".{TOKEN_FILE}"
        unfinished.touch(mode=0o600)
        unfinished.write_text(token())
        unfinished.replace(self.folder / TOKEN_FILE)

    def _environment(self) -> dict[str, str]:
        # What Hawk's own programs are told is not for a stranger's task.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HAWK_")}
        token_file = {TOKEN_FILE_VARIABLE: str(self.folder / TOKEN_FILE)} if self.token is not None else {}
        return {**kept, **self.environment, **token_file, "PYTHONPATH": str(programs_folder())}


def programs_folder() -> Path:
    """Return the folder that has the runner's package: of the installation, or of the checkout.

    Raises UserError where the runner, or what it needs, is not installed.
    """
    import hawk

    [inner] = hawk.__path__
    for folder in (Path(inner) / "programs", Path(inner).parent):
        if (folder / "runner" / "inside_venv.py").is_file():
            break
    else:
        raise UserError("This installation of Hawk has no runner.", hint="Install the wheel, or work in a checkout.")
    missing = [name for name in ("inspect_ai", "uv") if find_spec(name) is None]
    if missing:
        raise UserError(
            f"To run eval sets on this machine, {' and '.join(missing)} must be installed.",
            hint="Install Hawk with its extra: uv tool install 'hawk-dagster[runner]'.",
        )
    return folder
