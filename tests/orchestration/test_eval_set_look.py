import dagster as dg

from assets.launch import launch_eval_set
from hawk.errors import Upstream
from hawk.job_launcher import JobPhase
from orchestration.eval_set_look import show_eval_set
from tests.fakes.orchestrator import Orchestrator


def launched(hawk: Orchestrator) -> str:
    return str(launch_eval_set(hawk.settings, hawk.launcher, hawk.claim(), dagster_run_id="run").row.eval_set_id)


def look(hawk: Orchestrator, eval_set_id: str) -> dict[str, str]:
    result = show_eval_set.execute_in_process(
        run_config={"eval_set_id": eval_set_id}, instance=hawk.instance, resources=hawk.resources
    )
    [output] = [event for event in result.all_events if event.event_type is dg.DagsterEventType.STEP_OUTPUT]
    return {name: str(value.value) for name, value in output.step_output_data.metadata.items()}


def test_status_attempts_and_last_lines_are_shown(hawk: Orchestrator) -> None:
    eval_set_id = launched(hawk)
    hawk.launcher.move(eval_set_id, JobPhase.FAILED, exit_code=137, reason="OOMKilled", message="Over 256Mi.")
    hawk.launcher.move(eval_set_id, JobPhase.WAITING_FOR_CAPACITY, message="Insufficient cpu.", last_log_lines="hello")

    shown = look(hawk, eval_set_id)

    assert (shown["status"], shown["reason"]) == ("waiting_for_capacity", "Insufficient cpu.")
    assert "OOMKilled" in shown["attempts"] and "Over 256Mi." in shown["attempts"]
    assert "hello" in shown["last_lines"]


def test_what_not_everybody_may_see_stays_out_of_dagster(hawk: Orchestrator) -> None:
    eval_set_id = launched(hawk)
    hawk.launcher.move(eval_set_id, JobPhase.RUNNING, message="secret words", last_log_lines="secret words")
    hawk.fetch("update ops.eval_set set model_groups = '{model-access-private}'", returns=False)

    shown = look(hawk, eval_set_id)

    assert shown["status"] == "running"
    assert "secret" not in str(shown)


def test_launcher_that_does_not_answer_leaves_what_is_known(hawk: Orchestrator) -> None:
    eval_set_id = launched(hawk)
    hawk.launcher.error = Upstream("The cluster does not answer.")

    assert look(hawk, eval_set_id)["status"] == "pending"


def test_ended_set_is_shown_as_it_ended(hawk: Orchestrator) -> None:
    eval_set_id = launched(hawk)
    hawk.fetch("update ops.eval_set set status = 'failed', status_reason = 'Its image is not there.'", returns=False)

    shown = look(hawk, eval_set_id)

    assert (shown["status"], shown["reason"]) == ("failed", "Its image is not there.")
