import dagster as dg

from assets.launch import launch_eval_set
from hawk.job_launcher import JobPhase
from hawk.naming import EVAL_SET_TAG
from orchestration.stack_trace import show_stack_trace
from tests.fakes.orchestrator import Orchestrator


def launched(hawk: Orchestrator) -> str:
    return str(launch_eval_set(hawk.settings, hawk.launcher, hawk.claim(), dagster_run_id="run").row.eval_set_id)


def show(hawk: Orchestrator, eval_set_id: str) -> dg.ExecuteInProcessResult:
    return show_stack_trace.execute_in_process(
        run_config={"eval_set_id": eval_set_id},
        instance=hawk.instance,
        resources=hawk.resources,
        raise_on_error=False,
    )


def shown(result: dg.ExecuteInProcessResult) -> dict[str, dg.MetadataValue]:
    [output] = [event for event in result.all_events if event.event_type is dg.DagsterEventType.STEP_OUTPUT]
    return dict(output.step_output_data.metadata)


def test_stack_of_a_runner_is_shown_in_dagster_and_kept_with_its_attempt(hawk: Orchestrator) -> None:
    eval_set_id = launched(hawk)
    hawk.launcher.move(eval_set_id, JobPhase.RUNNING)

    result = show(hawk, eval_set_id)

    [kept] = hawk.fetch("select stack_trace, stack_trace_run_id, stack_traced_at from ops.attempt")
    run = hawk.instance.get_run_by_id(result.run_id)
    assert "wait (task.py:7)" in kept["stack_trace"]
    assert kept["stack_trace_run_id"] == result.run_id
    assert kept["stack_traced_at"] is not None
    assert "wait (task.py:7)" in str(shown(result)["stack"].value)
    assert run and run.tags[EVAL_SET_TAG] == eval_set_id


def test_stack_of_a_set_that_not_everybody_may_see_stays_out_of_dagster(hawk: Orchestrator) -> None:
    eval_set_id = launched(hawk)
    hawk.launcher.move(eval_set_id, JobPhase.RUNNING)
    hawk.fetch("update ops.eval_set set model_groups = '{model-access-private}'", returns=False)

    result = show(hawk, eval_set_id)

    assert result.success
    assert "stack" not in shown(result)


def test_set_whose_runner_does_not_run_is_told_so(hawk: Orchestrator) -> None:
    eval_set_id = launched(hawk)
    hawk.launcher.move(eval_set_id, JobPhase.SUCCEEDED)

    result = show(hawk, eval_set_id)

    [failure] = [event for event in result.all_events if event.event_type is dg.DagsterEventType.STEP_FAILURE]
    told = failure.step_failure_data.user_failure_data
    assert told and "does not run: it is succeeded" in str(told.description)
