import json
import threading
import time

import pytest

from tests.fakes.hawk_api import HawkApi, config_of


@pytest.fixture
def running(hawk, hawk_api: HawkApi, tmp_path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(config_of(eval_set_id="mine")))
    assert hawk("eval-set", str(path)).exit_code == 0
    hawk_api.execute("update ops.eval_set set status = 'launched'")
    hawk_api.execute(
        "insert into ops.attempt (eval_set_id, job_name, attempt_number, launcher, phase, started_at, updated_at)"
        " values ('mine', 'runner', 1, 'local', 'running', now(), now())"
    )


def test_stack_is_shown_when_it_has_come_and_steers_no_terminal(hawk, hawk_api, running) -> None:
    def answer() -> None:
        deadline = time.monotonic() + 20
        while not hawk_api.dagster.launches or hawk_api.dagster.launches[-1]["job"] != "show_stack_trace":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        hawk_api.execute(
            "update ops.attempt set stack_trace = %s, stack_trace_run_id = %s, stack_traced_at = now()",
            "Thread 7 (idle)\n    wait (\x1b[31mtask.py:3)",
            f"run-{len(hawk_api.dagster.launches)}",
        )

    dagster = threading.Thread(target=answer)
    dagster.start()
    result = hawk("stacktrace")
    dagster.join()

    assert result.exit_code == 0, result.output
    assert "Thread 7 (idle)" in result.stdout
    assert "\x1b" not in result.stdout


def test_set_whose_runner_does_not_run_is_said_to_be_so(hawk, hawk_api, running) -> None:
    hawk_api.execute("update ops.attempt set phase = 'failed', ended_at = now()")

    result = hawk("stacktrace")

    assert result.exit_code != 0
    assert "No runner of eval set mine runs" in result.stderr
