"""The job that carries out edits of logs, and the sensor that starts it where nobody else did."""

from datetime import UTC, datetime

import dagster as dg
from dagster import RunsFilter

from assets.edit_logs import apply_edit_request
from assets.failures import shown_failures
from assets.keys import EVAL_LOGS
from assets.markdown import markdown_table
from hawk.edit_requests import EditLogRow, EditRequestRow, due_requests
from hawk.job_launcher import JobLauncher
from hawk.naming import EDIT_JOB, EDIT_REQUEST_TAG
from hawk.settings import OrchestrationSettings, SensorSettings
from hawk.warehouse.connection import connect
from orchestration.claimed_sets import LaunchRun, decide
from orchestration.job_sensor import UNFINISHED
from orchestration.one_op_job import one_op_job

LONGEST_LIST = 100

_ID = {"edit_request_id": dg.Field(str, description="Id of the request, as `hawk edits list` shows it.")}


@dg.op(name="edit", config_schema=_ID)
def edit_op(
    context: dg.OpExecutionContext,
    settings: dg.ResourceParam[OrchestrationSettings],
    launcher: dg.ResourceParam[JobLauncher],
) -> None:
    """Have a runner of each set that the request touches rewrite its logs, and write down what came of each."""
    edit_request_id = str(context.op_config["edit_request_id"])
    context.instance.add_run_tags(context.run_id, {EDIT_REQUEST_TAG: edit_request_id})
    with shown_failures():
        request, logs = apply_edit_request(settings, launcher, edit_request_id, dagster_run_id=context.run_id)
    for eval_set_id in sorted({log.eval_set_id for log in logs if log.state == "applied"}):
        context.log_event(_observation(request, eval_set_id, logs))
    context.log.info("%s: %s.", edit_request_id, request.state)
    context.add_output_metadata(_metadata(request, logs))


def edit_sensor(sensor_settings: SensorSettings) -> dg.SensorDefinition:
    """Return the sensor, with its interval from the settings."""

    @dg.sensor(
        name="edit_sensor",
        jobs=[apply_edits],
        minimum_interval_seconds=sensor_settings.reconcile_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Starts `apply_edits` for requests that nobody carries out: Dagster was away when they were made, or the "
            "run that did has died. Jobs that it had started are adopted."
        ),
    )
    def sensor(
        context: dg.SensorEvaluationContext, settings: dg.ResourceParam[OrchestrationSettings]
    ) -> dg.SensorResult | dg.SkipReason:
        return evaluate(context, settings)

    return sensor


def evaluate(context: dg.SensorEvaluationContext, settings: OrchestrationSettings) -> dg.SensorResult | dg.SkipReason:
    """Start runs for what is due and has none, with growing pauses; after five failures people are to look."""
    with connect(settings, autocommit=True) as connection:
        due = due_requests(connection)
    asked = [
        dg.RunRequest(
            job_name=EDIT_JOB,
            run_config={"edit_request_id": request.edit_request_id},
            tags={EDIT_REQUEST_TAG: request.edit_request_id},
        )
        for request in due
        if decide(request.state_changed_at, _runs(context.instance, request), now=datetime.now(UTC)) == "launch"
    ]
    return dg.SensorResult(run_requests=asked) if asked else dg.SkipReason(f"{len(due)} requests are under way.")


def _runs(instance: dg.DagsterInstance, request: EditRequestRow) -> list[LaunchRun]:
    records = instance.get_run_records(RunsFilter(tags={EDIT_REQUEST_TAG: request.edit_request_id}), limit=50)
    return [
        LaunchRun(
            is_unfinished=record.dagster_run.status in UNFINISHED,
            has_failed=record.dagster_run.is_failure_or_canceled,
            ended_at=datetime.fromtimestamp(record.end_time, UTC) if record.end_time else None,
        )
        for record in records
    ]


def _observation(request: EditRequestRow, eval_set_id: str, logs: list[EditLogRow]) -> dg.AssetObservation:
    edited = [log for log in logs if log.eval_set_id == eval_set_id and log.state == "applied"]
    return dg.AssetObservation(
        asset_key=EVAL_LOGS,
        partition=eval_set_id,
        description=f"{len(edited)} logs were edited; they are imported anew.",
        metadata={
            "edit_request_id": dg.MetadataValue.text(request.edit_request_id),
            "edited_logs": dg.MetadataValue.int(len(edited)),
            "edits": dg.MetadataValue.int(sum(log.edit_count for log in edited)),
        },
    )


def _metadata(request: EditRequestRow, logs: list[EditLogRow]) -> dict[str, dg.MetadataValue]:
    """Return counts and states; reasons may quote what people wrote, and are for those who may see the sets."""
    rows = [
        {"eval_set_id": log.eval_set_id, "eval_id": log.eval_id, "edits": log.edit_count, "state": log.state}
        for log in logs[:LONGEST_LIST]
    ]
    return {
        "state": dg.MetadataValue.text(request.state),
        "edits": dg.MetadataValue.int(request.edit_count),
        "logs": dg.MetadataValue.md(markdown_table(rows)),
    }


apply_edits = one_op_job(
    edit_op,
    EDIT_JOB,
    _ID,
    "Carries out a request to edit logs: `hawk edit-samples` launches this. A runner job of each eval set that it "
    "touches rewrites the logs, each whole or not at all; their new content is imported by itself. Launching it twice "
    "is harmless.",
)
