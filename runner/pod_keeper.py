"""Process 1 of a runner's pod: starts the runner, passes on what the platform asks, and says how it ended.

Requests come as annotations of the pod, which the kubelet keeps in a file: so nobody needs the right to execute
anything in a runner's pod. The ending is the container's termination message. The standard library only.
"""

import argparse
import json
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from hawk.job_outcome import MAX_MESSAGE, JobOutcome, RunnerExit
from hawk.naming import STACKTRACE_ANNOTATION, STOP_ANNOTATION
from hawk.stack_dump import dump_stack

logger = logging.getLogger("keeper")

POLL_SECONDS = 0.2
TERMINATED = 128 + signal.SIGTERM
TERMINATION_MESSAGE = Path("/dev/termination-log")


class PodKeeper:
    """One runner, from its start to its end."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._stop_file: Path = options.work_folder / "stop.json"
        self._outcome_file: Path = options.work_folder / "outcome.json"
        self._interrupt_at: float | None = None
        self._kill_at: float | None = None
        self._kill_seconds = 0.0
        self._stacktrace = ""
        self._was_terminated = False
        self._pid = 0

    def run(self) -> int:
        """Return the runner's exit code; the number of a signal that killed it is added to 128."""
        self._options.work_folder.mkdir(parents=True, exist_ok=True)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # inherited: asked for a stack trace too early, it lives on
        runner = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, start_new_session=True)
        self._pid = runner.pid
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._pass_on)
        while (ended := self._reap()) is None:
            self._look_at_requests()
            time.sleep(POLL_SECONDS)
        exit_code, peak_memory_bytes = ended
        if exit_code == RunnerExit.INTERRUPTED and self._was_terminated and not self._stop_file.exists():
            # Nobody asked the job to stop: its pod was deleted, evicted or preempted, and another may go on.
            exit_code = TERMINATED
        self._say_how_it_ended(exit_code, peak_memory_bytes)
        return exit_code

    def _command(self) -> list[str]:
        options = self._options
        command = [
            sys.executable, "-P", "-m", "runner", str(options.job_file),
            "--work-folder", str(options.work_folder),
            "--attempt-number", str(options.attempt_number),
            "--submitted-at", options.submitted_at,
            "--stop-file", str(self._stop_file),
            "--outcome-file", str(self._outcome_file),
        ]  # fmt: skip
        return command + (["--kubernetes-sandboxes"] if "KUBECONFIG" in os.environ else [])

    def _reap(self) -> tuple[int, int] | None:
        """Wait for whatever ended, orphans too; return exit code and peak memory once the runner has."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return 1, 0
            if pid == 0:
                return None
            if pid == self._pid:
                code = os.waitstatus_to_exitcode(status)
                return (128 - code if code < 0 else code), usage.ru_maxrss * 1024

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self._was_terminated = True
        self._signal(signal.Signals(number))

    def _look_at_requests(self) -> None:
        """Stop the runner, more and more firmly, once that is asked for; have it show its stack when asked."""
        annotations = read_annotations(self._options.annotations)
        moment = time.monotonic()
        if self._interrupt_at is None and self._kill_at is None and STOP_ANNOTATION in annotations:
            request = _mapping(annotations[STOP_ANNOTATION])
            logger.info("asked to stop")
            self._stop_file.write_text(json.dumps({"type": "stop", "action": "score"}))
            self._interrupt_at = moment + float(request.get("stop_grace_seconds", 0))
            self._kill_seconds = float(request.get("kill_grace_seconds", 0))
        if self._interrupt_at is not None and moment > self._interrupt_at and self._kill_at is None:
            self._signal(signal.SIGINT)
            self._kill_at = moment + self._kill_seconds
        if self._kill_at is not None and moment > self._kill_at:
            self._signal(signal.SIGKILL)
        wanted = annotations.get(STACKTRACE_ANNOTATION, "")
        if wanted != self._stacktrace:
            self._stacktrace = wanted
            self._show_stack(wanted)

    def _show_stack(self, request: str) -> None:
        """Have the runner print the stack of each thread between two marks, by which a reader finds it."""
        _say(f"stack trace {request} begins")
        stack = dump_stack(self._pid)
        if stack is not None:
            _say(stack)
        else:
            os.kill(self._pid, signal.SIGUSR1)
            time.sleep(0.5)  # the runner's handler runs at once, whatever Python does meanwhile
        _say(f"stack trace {request} ends")

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._pid, number)
        except ProcessLookupError:
            logger.info("the runner has ended")

    def _say_how_it_ended(self, exit_code: int, peak_memory_bytes: int) -> None:
        outcome = JobOutcome.read(self._outcome_file)
        fields: dict[str, Any]
        if exit_code == TERMINATED:
            message = "The pod was ended from outside; what had run until then is in the logs."
            fields = {"exit_code": exit_code, "reason": "Terminated", "message": message}
        elif outcome is None or outcome.exit_code != exit_code:
            fields = {"exit_code": exit_code}
        else:
            fields = asdict(outcome) | {"message": outcome.message[:MAX_MESSAGE]}
        text = json.dumps(fields | {"peak_memory_bytes": peak_memory_bytes}, ensure_ascii=False)
        try:
            self._options.termination_message.write_text(text)
        except OSError as error:
            logger.warning("the ending could not be written down: %s", error)


def read_annotations(path: Path) -> dict[str, str]:
    """Return the annotations of a downward API file: a line each, `key="value"` with the value quoted as Go does."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        key, separator, quoted = line.partition("=")
        if separator:
            try:
                found[key] = str(json.loads(quoted))
            except ValueError:  # quoting that only Go knows; none of ours has it
                continue
    return found


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _mapping(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def main() -> int:
    """Return the runner's exit code."""
    parser = argparse.ArgumentParser(prog="python -m runner.pod_keeper")
    parser.add_argument("job_file", type=Path)
    parser.add_argument("--work-folder", type=Path, required=True)
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--submitted-at", required=True)
    parser.add_argument("--attempt-number", type=int, default=1, help="of the first pod of this Job")
    parser.add_argument("--termination-message", type=Path, default=TERMINATION_MESSAGE)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return PodKeeper(parser.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
