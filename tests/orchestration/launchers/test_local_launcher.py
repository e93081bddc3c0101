"""What only jobs on one machine have: processes, files, and a keeper that can be killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from hawk.errors import Upstream, UserError
from hawk.ids import JobId
from hawk.job_launcher import JobPhase
from orchestration.launchers.file_lock import is_locked
from orchestration.launchers.job_folder import FOLDER_VARIABLE, JobFolder
from orchestration.launchers.local import LocalJobLauncher
from orchestration.launchers.process_identity import ProcessIdentity, identity_of
from tests.orchestration.launchers.launcher_under_test import LauncherUnderTest, job_spec

JOB = JobId("job-1")
REPOSITORY = Path(__file__).parents[3]

Make = Callable[..., LocalJobLauncher]


@pytest.fixture
def local(make_local: Make) -> LauncherUnderTest:
    return LauncherUnderTest(make_local(), again=make_local)


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    return JobFolder(tmp_path / "jobs" / JOB)


def runs(folder: JobFolder) -> list[str]:
    """Return the words of all runs that really began, whatever was written down of them."""
    return [line.split()[1] for line in (folder.path / "runs.txt").read_text().splitlines()]


def runner_pid(folder: JobFolder) -> int:
    return int((folder.path / "runs.txt").read_text().splitlines()[-1].split()[0])


def keeper_pid(folder: JobFolder) -> int:
    state = folder.state()
    assert state and state.keeper
    return state.keeper.pid


def processes_marked(folder: JobFolder) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(FOLDER_VARIABLE) == str(folder.path) and process.status() != "zombie":
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_killed_keeper_is_replaced_and_the_same_run_goes_on(local: LauncherUnderTest, folder: JobFolder) -> None:
    local.launcher.submit(job_spec("succeed-later"), {})
    local.wait_for_output(JOB, "attempt 1")

    os.kill(keeper_pid(folder), signal.SIGKILL)
    status = local.wait_until(JOB, lambda status: status.phase.is_final)

    assert status.phase is JobPhase.SUCCEEDED
    assert [attempt.exit_code for attempt in status.attempts] == [0]
    assert runs(folder) == ["succeed-later"]


def test_job_whose_keeper_and_runner_died_is_run_again(local: LauncherUnderTest, folder: JobFolder) -> None:
    local.launcher.submit(job_spec("hang", "succeed"), {})
    local.wait_for_output(JOB, "attempt 1")

    for pid in (keeper_pid(folder), runner_pid(folder)):
        os.kill(pid, signal.SIGKILL)
    status = local.wait_until(JOB, lambda status: status.phase.is_final)

    assert status.phase is JobPhase.SUCCEEDED
    assert [(attempt.phase, attempt.reason) for attempt in status.attempts] == [
        (JobPhase.FAILED, "Killed"),
        (JobPhase.SUCCEEDED, "Completed"),
    ]


def test_runner_that_may_not_be_looked_into_prints_its_stack_itself(make_local: Make) -> None:
    local = LauncherUnderTest(make_local(read_stack=lambda pid: None), again=make_local)
    local.launcher.submit(job_spec("hang"), {})
    local.wait_for_output(JOB, "attempt 1")

    stack = local.launcher.stacktrace(JOB)

    assert stack.startswith("Current thread 0x")
    assert "in hang" in stack


def test_runner_that_cannot_show_its_stack_yet_lives_on(make_local: Make) -> None:
    launcher = make_local(read_stack=lambda pid: None)
    local = LauncherUnderTest(launcher, again=make_local)
    launcher.submit(job_spec("succeed-later"), {})
    local.wait_for_output(JOB, "attempt 1")

    with pytest.raises(Upstream, match="within 0 s"):
        launcher.stacktrace(JOB, wait_seconds=0.3)

    status = local.wait_until(JOB, lambda status: status.phase.is_final)
    assert status.phase is JobPhase.SUCCEEDED


def test_runner_without_a_record_is_ended_before_another_runs(local: LauncherUnderTest, folder: JobFolder) -> None:
    local.launcher.submit(job_spec("hang", "succeed"), {})
    local.wait_for_output(JOB, "attempt 1")
    os.kill(keeper_pid(folder), signal.SIGKILL)
    attempt_file = folder.attempt_folder(1) / "attempt.json"
    fields = json.loads(attempt_file.read_text())
    attempt_file.write_text(json.dumps(fields | {"process": None}))  # killed between start and record
    stray = identity_of(runner_pid(folder))

    status = local.wait_until(JOB, lambda status: status.phase.is_final)

    assert status.phase is JobPhase.SUCCEEDED
    assert stray and not stray.is_alive()


def test_suspended_jobs_leave_no_process_and_go_on_later(local: LauncherUnderTest, folder: JobFolder) -> None:
    local.launcher.submit(job_spec("hang", "succeed", max_attempts=1), {})
    local.wait_for_output(JOB, "attempt 1")

    subprocess.run(
        [sys.executable, "-m", "orchestration.launchers.suspend", str(folder.path.parent)], cwd=REPOSITORY, check=True
    )
    left = processes_marked(folder)
    status = local.wait_until(JOB, lambda status: status.phase.is_final)

    assert left == []
    assert status.phase is JobPhase.SUCCEEDED
    assert [attempt.reason for attempt in status.attempts] == ["Suspended", "Completed"]


def test_keeper_that_always_dies_ends_the_job(local: LauncherUnderTest, folder: JobFolder) -> None:
    local.launcher.submit(job_spec("hang"), {})
    local.wait_for_output(JOB, "attempt 1")
    os.kill(keeper_pid(folder), signal.SIGKILL)
    state_file = folder.path / "state.json"
    state_file.write_text(json.dumps(json.loads(state_file.read_text()) | {"revivals": 20}))

    status = local.wait_until(JOB, lambda status: status.phase.is_final)

    state = folder.state()
    assert status.phase is JobPhase.FAILED
    assert state and state.reason == "KeeperLost"


def test_jobs_over_the_limit_wait_their_turn(make_local: Make) -> None:
    local = LauncherUnderTest(make_local(max_jobs=1), again=make_local)
    local.launcher.submit(job_spec("hang", job_id="first"), {})
    local.wait_for_output(JobId("first"), "attempt 1")
    for name in ("second", "third"):
        local.launcher.submit(job_spec("hang", job_id=name), {})
        local.wait_until(JobId(name), lambda status: status.phase is JobPhase.WAITING_FOR_CAPACITY)

    local.launcher.stop(JobId("first"))
    local.wait_until_running(JobId("second"))
    third = local.launcher.status(JobId("third"))

    assert third and third.phase is JobPhase.WAITING_FOR_CAPACITY
    local.launcher.delete(JobId("second"))
    local.wait_until_running(JobId("third"))


def test_killed_waiter_does_not_hold_up_the_queue(make_local: Make, tmp_path: Path) -> None:
    local = LauncherUnderTest(make_local(max_jobs=1), again=make_local)
    local.launcher.submit(job_spec("hang", job_id="first"), {})
    local.wait_for_output(JobId("first"), "attempt 1")
    for name in ("second", "third"):
        local.launcher.submit(job_spec("hang", job_id=name), {})
        local.wait_until(JobId(name), lambda status: status.phase is JobPhase.WAITING_FOR_CAPACITY)

    os.kill(keeper_pid(JobFolder(tmp_path / "jobs" / "second")), signal.SIGKILL)
    local.launcher.stop(JobId("first"))

    local.wait_until_running(JobId("third"))


def test_job_that_waits_is_stopped_without_a_run(make_local: Make) -> None:
    local = LauncherUnderTest(make_local(max_jobs=1), again=make_local)
    local.launcher.submit(job_spec("hang", job_id="first"), {})
    local.wait_for_output(JobId("first"), "attempt 1")
    local.launcher.submit(job_spec("hang", job_id="second"), {})
    local.wait_until(JobId("second"), lambda status: status.phase is JobPhase.WAITING_FOR_CAPACITY)

    local.launcher.stop(JobId("second"))
    status = local.wait_until(JobId("second"), lambda status: status.phase.is_final)

    assert status.phase is JobPhase.STOPPED
    assert status.attempts == ()


def test_delete_leaves_no_process_not_even_strays(local: LauncherUnderTest, folder: JobFolder) -> None:
    local.launcher.submit(job_spec("bear"), {})
    local.wait_for_output(JOB, "attempt 1: bear")
    deadline = time.monotonic() + 10
    while len(processes_marked(folder)) < 4 and time.monotonic() < deadline:  # keeper, runner, child, grandchild
        time.sleep(0.05)
    before = len(processes_marked(folder))

    local.launcher.delete(JOB)

    assert before >= 4  # one more while one of them starts another
    assert processes_marked(folder) == []
    assert not folder.path.exists()


def test_strays_of_a_runner_end_with_it(local: LauncherUnderTest, folder: JobFolder) -> None:
    local.launcher.submit(job_spec("bear"), {})
    local.wait_for_output(JOB, "attempt 1: bear")

    local.launcher.stop(JOB)
    local.wait_until(JOB, lambda status: status.phase.is_final)

    deadline = time.monotonic() + 5
    while is_locked(folder.keeper_lock) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_marked(folder) == []


def test_process_that_has_a_dead_runners_id_is_spared(local: LauncherUnderTest, folder: JobFolder) -> None:
    local.run(job_spec("succeed"))
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    attempt_file = folder.attempt_folder(1) / "attempt.json"
    fields = json.loads(attempt_file.read_text())
    attempt_file.write_text(json.dumps(fields | {"process": {"pid": bystander.pid, "start": "another-boot/1"}}))

    local.launcher.delete(JOB)

    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_identity_of_a_process_ends_with_it() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    identity = identity_of(process.pid)

    process.kill()
    deadline = time.monotonic() + 5
    while identity_of(process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert identity and not identity.is_alive()  # though its parent has not asked for its exit code yet
    process.wait()
    assert not ProcessIdentity(os.getpid(), "another-boot/1").is_alive()


def test_submits_that_race_start_one_job(tmp_path: Path, scripted_python: Path, local: LauncherUnderTest) -> None:
    program = (
        "import sys; from pathlib import Path; from hawk.job_spec import JobSpec;"
        "from orchestration.launchers.local import LocalJobLauncher;"
        "launcher = LocalJobLauncher(Path(sys.argv[1]), python=Path(sys.argv[2]), backoff_seconds=0.1);"
        "print(launcher.submit(JobSpec.read(Path(sys.argv[3])), {}))"
    )
    spec_file = tmp_path / "spec.json"
    spec_file.write_text(job_spec("hang").to_json())
    command = [sys.executable, "-c", program, str(tmp_path / "jobs"), str(scripted_python), str(spec_file)]

    racers = [subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outcomes = sorted(racer.communicate(timeout=60)[0].strip() for racer in racers)

    local.wait_for_output(JOB, "attempt 1")
    assert outcomes == ["adopted", "adopted", "created"]
    assert runs(JobFolder(tmp_path / "jobs" / JOB)) == ["hang"]


def test_secrets_reach_the_runner_and_the_launchers_own_do_not(
    local: LauncherUnderTest, folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAWK_DATABASE_URL", "postgresql://hawk:password@db/hawk")
    monkeypatch.setenv("UV_INDEX_URL", "https://packages.example.org/simple")

    local.run(job_spec("succeed"), {"OPENAI_API_KEY": "token", "PYTHONPATH": "/nowhere"})

    environment = json.loads((folder.path / "environment.json").read_text())
    assert environment["OPENAI_API_KEY"] == "token"
    assert environment["UV_INDEX_URL"] == "https://packages.example.org/simple"
    assert environment["PYTHONPATH"] == str(REPOSITORY)
    assert "HAWK_DATABASE_URL" not in environment


def test_secrets_are_kept_for_the_owner_only(local: LauncherUnderTest, folder: JobFolder) -> None:
    local.run(job_spec("succeed"), {"OPENAI_API_KEY": "token"})

    assert (folder.path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert "token" not in folder.keeper_log.read_text()


def test_adopted_job_gets_newer_secrets_for_its_next_attempt(local: LauncherUnderTest, folder: JobFolder) -> None:
    local.launcher.submit(job_spec("hang", "succeed"), {"OPENAI_API_KEY": "old"})
    local.wait_for_output(JOB, "attempt 1")

    local.launcher.submit(job_spec("hang", "succeed"), {"OPENAI_API_KEY": "new"})
    os.kill(runner_pid(folder), signal.SIGKILL)
    local.wait_until(JOB, lambda status: status.phase.is_final)

    assert json.loads((folder.path / "environment.json").read_text())["OPENAI_API_KEY"] == "new"


@pytest.mark.parametrize("job_id", ["../escape", "a/b", ".locks", "", "A", "x" * 44])
def test_malformed_id_is_refused_before_anything_is_touched(make_local: Make, tmp_path: Path, job_id: str) -> None:
    launcher = make_local()

    with pytest.raises(UserError):
        launcher.status(JobId(job_id))
    with pytest.raises(UserError):
        launcher.delete(JobId(job_id))

    assert not (tmp_path / "jobs").exists()
