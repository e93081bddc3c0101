"""A stand-in for a runner's interpreter, at the border of processes: `-m runner` acts as the job's config says.

`metadata.script` of the config has a word for each attempt, the last one for all that follow. Anything else than
`-m runner` goes to the real interpreter. Started by a wrapper that `wrapper()` in the tests writes.
"""

import argparse
import faulthandler
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HANG_SECONDS = 120


def main() -> int:
    arguments = sys.argv[1:]
    if "runner" not in arguments:
        os.execv(sys.executable, [sys.executable, *arguments])
    return run(parse(arguments[arguments.index("runner") + 1 :]))


def run(options: argparse.Namespace) -> int:
    """Act by the word of this attempt; return the exit code."""
    metadata = json.loads(options.job_file.read_text())["config"]["metadata"]
    word = metadata["script"][min(options.attempt_number, len(metadata["script"])) - 1]
    if word != "succeed-later":  # which is one that is asked for its stack too early
        faulthandler.register(signal.SIGUSR1, all_threads=True)
    print(f"attempt {options.attempt_number}: {word}", flush=True)
    with (options.work_folder / "runs.txt").open("a") as runs:
        runs.write(f"{os.getpid()} {word}\n")
    (options.work_folder / "environment.json").write_text(json.dumps(dict(os.environ)))
    return act(word, options)


def act(word: str, options: argparse.Namespace) -> int:
    if word == "succeed":
        return end(options, 0, "Completed", "All 1 tasks ended with success.")
    if word == "fail":
        return end(options, 1, "TasksFailed", "1 of 1 tasks did not end with success.")
    if word == "refuse":
        return end(options, 78, "ConfigError", "The package 'nowhere' is not there.")
    if word == "crash":
        print("Traceback: it fell over", flush=True)
        return 3
    if word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "succeed-later":
        time.sleep(1.5)
        return end(options, 0, "Completed", "All 1 tasks ended with success.")
    if word == "bear":
        bear_children()
    if word == "ignore":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(HANG_SECONDS)
    return hang(options)


def hang(options: argparse.Namespace) -> int:
    """Run until told to stop, as a runner does: by the stop file, or by a signal."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        deadline = time.monotonic() + HANG_SECONDS
        while time.monotonic() < deadline and not options.stop_file.exists():
            time.sleep(0.05)
        return end(options, 130, "Stopped", "Stopped on command; what had run is in the logs.")
    except KeyboardInterrupt:
        return end(options, 130, "Interrupted", "Interrupted; logs hold what was done until then.")


def bear_children() -> None:
    """Start one child in the group, and a grandchild that left the session and whose parent is gone."""
    sleep = f"import time; time.sleep({HANG_SECONDS})"
    subprocess.Popen([sys.executable, "-c", sleep])
    stray = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleep!r}], start_new_session=True)"
    subprocess.run([sys.executable, "-c", stray], check=True)


def end(options: argparse.Namespace, exit_code: int, reason: str, message: str) -> int:
    options.outcome_file.write_text(json.dumps({"exit_code": exit_code, "reason": reason, "message": message}))
    print(message, flush=True)
    return exit_code


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("job_file", type=Path)
    parser.add_argument("--attempt-number", type=int)
    for name in ("--work-folder", "--stop-file", "--outcome-file", "--venv-cache"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--submitted-at")
    parser.add_argument("--kubernetes-sandboxes", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
