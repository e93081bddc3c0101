"""What every launcher does, whatever it runs jobs on; see hawk/job_launcher.py."""

import pytest

from hawk.errors import Conflict, NotFound
from hawk.ids import JobId
from hawk.job_launcher import JobPhase, SubmitOutcome
from tests.orchestration.launchers.launcher_under_test import LauncherUnderTest, job_spec

UNKNOWN = JobId("no-such-job")


def test_job_runs_to_its_end_and_says_how_it_ended(under_test: LauncherUnderTest) -> None:
    outcome = under_test.launcher.submit(job_spec("succeed"), {})
    status = under_test.wait_until(JobId("job-1"), lambda status: status.phase.is_final)

    [attempt] = status.attempts
    assert outcome is SubmitOutcome.CREATED
    assert status.phase is attempt.phase is JobPhase.SUCCEEDED
    assert (attempt.attempt_number, attempt.exit_code, attempt.reason) == (1, 0, "Completed")
    assert attempt.message == "All 1 tasks ended with success."
    assert attempt.started_at and attempt.ended_at and attempt.started_at <= attempt.ended_at
    assert attempt.started_at.tzinfo is not None
    assert attempt.peak_memory_bytes and attempt.peak_memory_bytes > 1_000_000
    assert "attempt 1: succeed" in attempt.last_log_lines


def test_unknown_job_has_no_status(under_test: LauncherUnderTest) -> None:
    assert under_test.launcher.status(UNKNOWN) is None


def test_unknown_job_has_no_logs_and_cannot_be_stopped(under_test: LauncherUnderTest) -> None:
    with pytest.raises(NotFound):
        under_test.launcher.logs(UNKNOWN, last_lines=10)
    with pytest.raises(NotFound):
        under_test.launcher.stop(UNKNOWN)


def test_stack_of_a_runner_is_shown_while_it_runs(under_test: LauncherUnderTest) -> None:
    under_test.launcher.submit(job_spec("hang"), {})
    under_test.wait_for_output(JobId("job-1"), "attempt 1")
    under_test.wait_until_running(JobId("job-1"))

    stack = under_test.launcher.stacktrace(JobId("job-1"))

    assert "scripted_runner.py" in stack
    assert "hang" in stack
    status = under_test.launcher.status(JobId("job-1"))
    assert status and status.phase is JobPhase.RUNNING


def test_job_that_does_not_run_has_no_stack(under_test: LauncherUnderTest) -> None:
    under_test.run(job_spec("succeed"))

    with pytest.raises(Conflict, match="succeeded"):
        under_test.launcher.stacktrace(JobId("job-1"))
    with pytest.raises(NotFound):
        under_test.launcher.stacktrace(UNKNOWN)


def test_deleting_an_unknown_job_does_nothing(under_test: LauncherUnderTest) -> None:
    under_test.launcher.delete(UNKNOWN)

    assert under_test.launcher.list_jobs() == []


def test_same_spec_is_adopted_while_it_runs(under_test: LauncherUnderTest) -> None:
    under_test.launcher.submit(job_spec("hang"), {})
    under_test.wait_for_output(JobId("job-1"), "attempt 1")

    outcome = under_test.launcher.submit(job_spec("hang"), {})

    status = under_test.wait_until_running(JobId("job-1"))
    assert outcome is SubmitOutcome.ADOPTED
    assert len(status.attempts) == 1


def test_another_spec_is_refused_while_a_job_runs_which_goes_on(under_test: LauncherUnderTest) -> None:
    under_test.launcher.submit(job_spec("hang"), {})
    under_test.wait_for_output(JobId("job-1"), "attempt 1")

    with pytest.raises(Conflict, match="job-1"):
        under_test.launcher.submit(job_spec("hang", note="changed"), {})

    status = under_test.launcher.status(JobId("job-1"))
    assert status and status.phase is JobPhase.RUNNING


def test_ended_job_runs_again_and_its_attempts_go_on_counting(under_test: LauncherUnderTest) -> None:
    under_test.run(job_spec("refuse", "succeed"))

    outcome = under_test.launcher.submit(job_spec("refuse", "succeed", note="mended"), {})
    status = under_test.wait_until(JobId("job-1"), lambda status: status.phase.is_final)

    assert outcome is SubmitOutcome.RESTARTED
    assert status.phase is JobPhase.SUCCEEDED
    assert [(attempt.attempt_number, attempt.phase) for attempt in status.attempts] == [
        (1, JobPhase.FAILED),
        (2, JobPhase.SUCCEEDED),
    ]


def test_deterministic_failure_is_not_tried_again(under_test: LauncherUnderTest) -> None:
    status = under_test.run(job_spec("refuse", "succeed", max_attempts=4))

    [attempt] = status.attempts
    assert status.phase is JobPhase.FAILED
    assert (attempt.exit_code, attempt.reason) == (78, "ConfigError")
    assert attempt.message == "The package 'nowhere' is not there."


def test_retryable_failure_is_tried_again(under_test: LauncherUnderTest) -> None:
    status = under_test.run(job_spec("fail", "succeed"))

    assert status.phase is JobPhase.SUCCEEDED
    assert [attempt.exit_code for attempt in status.attempts] == [1, 0]


def test_killed_runner_is_tried_again(under_test: LauncherUnderTest) -> None:
    status = under_test.run(job_spec("die", "succeed"))

    assert status.phase is JobPhase.SUCCEEDED
    assert [(attempt.exit_code, attempt.reason) for attempt in status.attempts] == [(137, "Killed"), (0, "Completed")]


def test_job_fails_when_its_attempts_are_used_up(under_test: LauncherUnderTest) -> None:
    status = under_test.run(job_spec("fail", max_attempts=2))

    assert status.phase is JobPhase.FAILED
    assert [attempt.exit_code for attempt in status.attempts] == [1, 1]


def test_unexplained_end_shows_the_last_line_of_output(under_test: LauncherUnderTest) -> None:
    status = under_test.run(job_spec("crash", max_attempts=1))

    assert status.attempts[0].exit_code == 3
    assert "Traceback: it fell over" in status.attempts[0].message


def test_stopped_job_ends_gracefully(under_test: LauncherUnderTest) -> None:
    under_test.launcher.submit(job_spec("hang"), {})
    under_test.wait_for_output(JobId("job-1"), "attempt 1")

    under_test.launcher.stop(JobId("job-1"))
    status = under_test.wait_until(JobId("job-1"), lambda status: status.phase.is_final)

    [attempt] = status.attempts
    assert status.phase is attempt.phase is JobPhase.STOPPED
    assert (attempt.exit_code, attempt.reason) == (130, "Stopped")


def test_runner_that_does_not_heed_a_stop_is_killed(under_test: LauncherUnderTest) -> None:
    launcher = under_test.again(stop_grace_seconds=0.2, kill_grace_seconds=0.2)
    launcher.submit(job_spec("ignore"), {})
    under_test.wait_for_output(JobId("job-1"), "attempt 1")

    launcher.stop(JobId("job-1"))
    status = under_test.wait_until(JobId("job-1"), lambda status: status.phase.is_final)

    assert status.phase is JobPhase.STOPPED
    assert status.attempts[0].exit_code == 137


def test_stopping_an_ended_job_changes_nothing(under_test: LauncherUnderTest) -> None:
    before = under_test.run(job_spec("succeed"))

    under_test.launcher.stop(JobId("job-1"))

    assert under_test.launcher.status(JobId("job-1")) == before


def test_deleted_job_is_forgotten_and_may_be_submitted_anew(under_test: LauncherUnderTest) -> None:
    under_test.launcher.submit(job_spec("hang", "succeed"), {})
    under_test.wait_for_output(JobId("job-1"), "attempt 1")

    under_test.launcher.delete(JobId("job-1"))

    assert under_test.launcher.status(JobId("job-1")) is None
    assert under_test.launcher.list_jobs() == []
    assert under_test.launcher.submit(job_spec("succeed"), {}) is SubmitOutcome.CREATED


def test_logs_are_the_last_lines_of_the_newest_attempt(under_test: LauncherUnderTest) -> None:
    under_test.run(job_spec("fail", "succeed"))

    assert under_test.launcher.logs(JobId("job-1"), last_lines=1) == "All 1 tasks ended with success."
    assert "attempt 1" not in under_test.launcher.logs(JobId("job-1"), last_lines=50)


def test_every_job_is_listed_until_it_is_deleted(under_test: LauncherUnderTest) -> None:
    under_test.run(job_spec("succeed", job_id="one"))
    under_test.run(job_spec("succeed", job_id="two"))

    under_test.launcher.delete(JobId("one"))

    assert list(under_test.launcher.list_jobs()) == ["two"]


def test_job_outlives_the_launcher_that_submitted_it(under_test: LauncherUnderTest) -> None:
    under_test.launcher.submit(job_spec("hang"), {})
    under_test.wait_for_output(JobId("job-1"), "attempt 1")

    after_restart = under_test.again()

    status = after_restart.status(JobId("job-1"))
    assert status and status.phase is JobPhase.RUNNING
    assert after_restart.submit(job_spec("hang"), {}) is SubmitOutcome.ADOPTED
