import json

import dagster as dg
import pytest

from assets.keys import EVAL_JOBS
from assets.launch import launch_eval_set
from hawk.errors import Upstream
from hawk.ids import JobId
from hawk.job_launcher import JobPhase
from hawk.naming import EVAL_SET_TAG
from hawk.object_store import s3_client
from orchestration.eval_set_actions import delete_eval_set, retry_eval_set, stop_eval_set
from tests.fakes.orchestrator import Orchestrator


def act(hawk: Orchestrator, job: dg.JobDefinition, **config: str) -> dg.ExecuteInProcessResult:
    return job.execute_in_process(
        run_config=config, instance=hawk.instance, resources=hawk.resources, raise_on_error=False
    )


def launched(hawk: Orchestrator) -> JobId:
    eval_set_id = hawk.claim()
    return launch_eval_set(hawk.settings, hawk.launcher, eval_set_id, dagster_run_id="run").row.eval_set_id


@pytest.mark.parametrize("options", [{}, {"action": "score"}, {"action": "error"}], ids=str)
def test_stop_job_takes_what_the_api_gives_it(hawk: Orchestrator, options: dict[str, str]):
    eval_set_id = launched(hawk)

    result = act(hawk, stop_eval_set, eval_set_id=eval_set_id, **options)

    assert result.success
    assert hawk.launcher.stopped == [eval_set_id]


@pytest.mark.parametrize("action", ["score", "error"])
def test_stop_job_ends_one_sample_and_the_set_goes_on(hawk: Orchestrator, action: str):
    eval_set_id = launched(hawk)

    result = act(hawk, stop_eval_set, eval_set_id=eval_set_id, action=action, sample_uuid="Zq3vX9")

    command = s3_client(hawk.settings).get_object(
        Bucket=hawk.settings.bucket, Key=f"evals/{eval_set_id}/.commands/stop-sample-Zq3vX9.json"
    )
    assert result.success
    assert json.loads(command["Body"].read())["action"] == action
    assert hawk.launcher.stopped == []


@pytest.mark.parametrize("sample_uuid", ["../stop", "a b", "x" * 101])
def test_sample_that_cannot_be_one_is_refused(hawk: Orchestrator, sample_uuid: str):
    result = act(hawk, stop_eval_set, eval_set_id=launched(hawk), sample_uuid=sample_uuid)

    assert not result.success


def test_delete_job_deletes(hawk: Orchestrator):
    eval_set_id = launched(hawk)

    assert act(hawk, delete_eval_set, eval_set_id=eval_set_id).success

    assert hawk.status_of(eval_set_id)[0] == "deleted"
    assert hawk.launcher.jobs == {}


@pytest.mark.parametrize("state", ["failed", "stopped", "complete", "deleted"])
def test_retry_job_runs_an_ended_set_again(hawk: Orchestrator, state: str):
    eval_set_id = launched(hawk)
    hawk.launcher.move(eval_set_id, JobPhase.FAILED)
    hawk.fetch("update ops.eval_set set status = %s", state, returns=False)

    result = act(hawk, retry_eval_set, eval_set_id=eval_set_id)

    assert result.success
    assert hawk.status_of(eval_set_id)[0] == "launched"
    event = hawk.instance.get_latest_materialization_event(EVAL_JOBS)
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.partition == eval_set_id


def test_run_carries_the_id_of_its_set(hawk: Orchestrator):
    eval_set_id = launched(hawk)

    result = act(hawk, stop_eval_set, eval_set_id=eval_set_id)

    run = hawk.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags[EVAL_SET_TAG] == eval_set_id


@pytest.mark.parametrize("job", [stop_eval_set, delete_eval_set, retry_eval_set], ids=lambda job: job.name)
@pytest.mark.parametrize(
    "eval_set_id", ["no-such-set", "../x", "", "A" * 100], ids=["unknown", "path", "empty", "long"]
)
def test_id_that_is_no_set_is_explained(hawk: Orchestrator, job: dg.JobDefinition, eval_set_id: str):
    result = act(hawk, job, eval_set_id=eval_set_id)

    [failure] = [event for event in result.all_events if event.event_type is dg.DagsterEventType.STEP_FAILURE]
    shown = failure.step_failure_data.user_failure_data
    assert shown is not None
    assert repr(eval_set_id) in str(shown.description)
    assert "Traceback" not in str(shown.description)


def test_launcher_that_does_not_answer_is_named(hawk: Orchestrator):
    eval_set_id = launched(hawk)
    hawk.launcher.error = Upstream("The cluster does not answer.", hint="Try again in a moment.")

    result = act(hawk, delete_eval_set, eval_set_id=eval_set_id)

    assert not result.success
    assert hawk.status_of(eval_set_id)[0] == "launched"
