"""The keeper of a pod, with runners that act by a script, as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hawk.naming import STACKTRACE_ANNOTATION, STOP_ANNOTATION
from runner.pod_keeper import read_annotations

REPOSITORY = Path(__file__).parents[2]
FAKES = REPOSITORY / "tests" / "fakes"


class KeptRunner:
    """A keeper over a runner that acts by words."""

    def __init__(self, folder: Path, *script: str) -> None:
        self.work = folder / "work"
        self.annotations = folder / "annotations"
        self.message = folder / "message"
        self.output = folder / "output"
        (folder / "code" / "runner").mkdir(parents=True)
        (folder / "code" / "hawk").symlink_to(REPOSITORY / "hawk")
        for name in ("__init__.py", "pod_keeper.py"):
            (folder / "code" / "runner" / name).symlink_to(REPOSITORY / "runner" / name)
        (folder / "code" / "runner" / "__main__.py").write_text(
            f"import sys; sys.path.insert(0, {str(FAKES)!r}); import scripted_runner\n"
            "sys.exit(scripted_runner.run(scripted_runner.parse(sys.argv[1:])))\n"
        )
        job = folder / "job.json"
        job.write_text(json.dumps({"config": {"metadata": {"script": script}}}))
        command = [sys.executable, "-m", "runner.pod_keeper", job, "--work-folder", self.work]
        command += ["--annotations", self.annotations, "--submitted-at", "2026-01-01T00:00:00+00:00"]
        command += ["--termination-message", self.message]
        with self.output.open("wb") as output:
            environment = {"PYTHONPATH": str(folder / "code"), "PATH": os.environ["PATH"]}
            self.process = subprocess.Popen(
                list(map(str, command)), cwd=folder, env=environment, stdout=output, stderr=output
            )

    def wait(self) -> tuple[int, dict[str, object]]:
        code = self.process.wait(timeout=20)
        return code, json.loads(self.message.read_text())

    def await_output(self, text: str) -> str:
        deadline = time.monotonic() + 20
        while text not in (printed := self.output.read_text()):
            assert time.monotonic() < deadline, printed
            time.sleep(0.05)
        return printed

    def annotate(self, name: str, value: str) -> None:
        self.annotations.write_text(f'other="1"\n{name}={json.dumps(value)}\n')

    def ask_to_stop(self, *, stop: float, kill: float) -> None:
        self.annotate(STOP_ANNOTATION, json.dumps({"stop_grace_seconds": stop, "kill_grace_seconds": kill}))


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Callable[..., KeptRunner]]:
    kept: list[KeptRunner] = []

    def start(*script: str) -> KeptRunner:
        kept.append(KeptRunner(tmp_path, *script))
        return kept[-1]

    yield start
    for runner in kept:
        runner.process.kill()
        runner.process.wait()


def test_ending_is_the_runners_own_word_with_its_peak_memory(keep: Callable[..., KeptRunner]) -> None:
    code, message = keep("refuse").wait()

    assert code == message["exit_code"] == 78
    assert (message["reason"], message["message"]) == ("ConfigError", "The package 'nowhere' is not there.")
    assert isinstance(message["peak_memory_bytes"], int)
    assert message["peak_memory_bytes"] > 1_000_000


def test_killed_runner_is_told_by_its_signal(keep: Callable[..., KeptRunner]) -> None:
    code, message = keep("die").wait()

    assert code == message["exit_code"] == 137
    assert "reason" not in message


def test_stop_is_passed_on_as_a_file_that_the_runner_heeds(keep: Callable[..., KeptRunner]) -> None:
    runner = keep("hang")
    runner.await_output("attempt 1")

    runner.ask_to_stop(stop=30, kill=30)

    code, message = runner.wait()
    assert (code, message["reason"]) == (130, "Stopped")


def test_runner_that_does_not_heed_a_stop_is_killed(keep: Callable[..., KeptRunner]) -> None:
    runner = keep("ignore")
    runner.await_output("attempt 1")

    runner.ask_to_stop(stop=0.1, kill=0.1)

    assert runner.wait()[0] == 137


def test_pod_that_is_ended_from_outside_is_not_a_job_that_was_stopped(keep: Callable[..., KeptRunner]) -> None:
    runner = keep("hang")
    runner.await_output("attempt 1")

    runner.process.send_signal(signal.SIGTERM)

    code, message = runner.wait()
    assert code == 143
    assert message["reason"] == "Terminated"


def test_request_for_a_stack_trace_is_answered_between_two_marks(keep: Callable[..., KeptRunner]) -> None:
    runner = keep("hang")
    runner.await_output("attempt 1")

    runner.annotate(STACKTRACE_ANNOTATION, "abc")

    printed = runner.await_output("stack trace abc ends")
    assert printed.index("stack trace abc begins") < printed.index("stack trace abc ends")
    assert runner.process.poll() is None  # a runner that has no handler yet lives on


def test_annotations_are_read_as_the_kubelet_writes_them(tmp_path: Path) -> None:
    file = tmp_path / "annotations"
    file.write_text('a="1"\nb="{\\"at\\":\\"now\\"}"\nc="line\\nline"\nodd="\\x00"\nnothing\n')

    assert read_annotations(file) == {"a": "1", "b": '{"at":"now"}', "c": "line\nline"}
    assert read_annotations(tmp_path / "none") == {}
