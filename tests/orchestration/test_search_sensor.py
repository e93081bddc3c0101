import dagster as dg

from assets.import_logs import import_pending_logs
from hawk.naming import SEARCH_JOB
from orchestration.definitions import definitions
from orchestration.search_sensor import evaluate
from tests.fakes.import_runs import LOGS, land
from tests.fakes.orchestrator import Orchestrator


def tick(hawk: Orchestrator) -> dg.SensorResult:
    return evaluate(dg.build_sensor_context(instance=hawk.instance), hawk.settings)


def test_messages_of_an_import_are_indexed_and_can_be_searched(hawk: Orchestrator):
    land(hawk, "old-logs", *LOGS)
    import_pending_logs(hawk.settings)
    [request] = tick(hawk).run_requests or ()
    assert request.job_name == SEARCH_JOB

    job = definitions().resolve_job_def(SEARCH_JOB)
    result = job.execute_in_process(instance=hawk.instance, resources=hawk.resources)

    [event] = result.get_asset_materialization_events()
    metadata = event.step_materialization_data.materialization.metadata
    [counted] = hawk.fetch("select count(*) as messages from raw.message where text <> ''")
    assert hawk.fetch("select count(*) as messages from raw.message_search") == [counted]
    assert metadata["messages_indexed"].value >= counted["messages"] > 0
    assert (metadata["messages_left"].value, metadata["imports_left"].value) == (0, 0)
    assert tick(hawk).skip_reason == dg.SkipReason("Everything that is imported can be searched.")


def test_no_run_is_requested_while_one_is_under_way(hawk: Orchestrator):
    land(hawk, "old-logs", LOGS[0])
    import_pending_logs(hawk.settings)
    hawk.instance.add_run(dg.DagsterRun(job_name=SEARCH_JOB, status=dg.DagsterRunStatus.STARTED))

    result = tick(hawk)

    assert not result.run_requests
    assert "a run is at them" in result.skip_reason.skip_message
