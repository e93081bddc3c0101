"""Jobs that stop, delete and retry an eval set; the CLI launches them, and so may anybody in Dagster's UI."""

import dagster as dg

from assets.eval_set_metadata import launch_metadata, set_metadata
from assets.failures import shown_failures
from assets.keys import EVAL_JOBS
from assets.launch import delete_eval_set as delete
from assets.launch import kubernetes_config, launch_eval_set, stop_sample
from assets.launch import stop_eval_set as stop
from assets.launched_by import require_may_change
from assets.partitions import eval_set_partitions
from hawk.ids import parse_job_id
from hawk.job_launcher import JobLauncher
from hawk.naming import DELETE_JOB, EVAL_SET_TAG, RETRY_JOB, STOP_JOB
from hawk.settings import OrchestrationSettings
from orchestration.edits import apply_edits
from orchestration.eval_set_look import show_eval_set
from orchestration.one_op_job import one_op_job
from orchestration.stack_trace import show_stack_trace

_ID = {"eval_set_id": dg.Field(str, description="Id of the eval set, as `hawk list eval-sets` shows it.")}
_ACTION = {
    "action": dg.Field(
        dg.Enum("StopAction", [dg.EnumValue("score"), dg.EnumValue("error")]),
        default_value="score",
        is_required=False,
        description="Samples that run: `score` scores them as they are, `error` has a retry run them again.",
    )
}


_SAMPLE = {
    "sample_uuid": dg.Field(
        str, default_value="", is_required=False, description="End only this sample; the set goes on."
    )
}


@dg.op(name="stop", config_schema={**_ID, **_ACTION, **_SAMPLE})
def stop_op(
    context: dg.OpExecutionContext,
    settings: dg.ResourceParam[OrchestrationSettings],
    launcher: dg.ResourceParam[JobLauncher],
) -> None:
    """Ask the set's job to end; its samples are scored first, so it may take minutes until it has."""
    eval_set_id = _tagged_id(context)
    with shown_failures():
        require_may_change(context.run.tags, settings, eval_set_id)
        action, sample_uuid = context.op_config["action"], context.op_config["sample_uuid"]
        if sample_uuid:
            row = stop_sample(settings, eval_set_id, sample_uuid, action=action)
        else:
            row = stop(settings, launcher, eval_set_id, action=action)
    context.log.info("%s was asked to stop%s.", eval_set_id, f" sample {sample_uuid}" if sample_uuid else "")
    context.add_output_metadata(set_metadata(row, settings))


@dg.op(name="delete", config_schema=_ID)
def delete_op(
    context: dg.OpExecutionContext,
    settings: dg.ResourceParam[OrchestrationSettings],
    launcher: dg.ResourceParam[JobLauncher],
) -> None:
    """End the set at once and remove its job and secrets; its logs and results stay."""
    eval_set_id = _tagged_id(context)
    with shown_failures():
        require_may_change(context.run.tags, settings, eval_set_id)
        row = delete(settings, launcher, eval_set_id)
    context.log.info("%s was deleted.", eval_set_id)
    context.add_output_metadata(set_metadata(row, settings))


@dg.op(name="retry", config_schema=_ID)
def retry_op(
    context: dg.OpExecutionContext,
    settings: dg.ResourceParam[OrchestrationSettings],
    launcher: dg.ResourceParam[JobLauncher],
) -> None:
    """Run the set again in its folder, as it was last given; samples that succeeded are kept."""
    eval_set_id = _tagged_id(context)
    context.instance.add_dynamic_partitions(str(eval_set_partitions.name), [eval_set_id])
    with shown_failures():
        require_may_change(context.run.tags, settings, eval_set_id)
        launched = launch_eval_set(
            settings,
            launcher,
            eval_set_id,
            dagster_run_id=context.run_id,
            may_revive=True,
            kubernetes=kubernetes_config(context.run.tags),
        )
    metadata = launch_metadata(launched, settings)
    context.log_event(dg.AssetMaterialization(asset_key=EVAL_JOBS, partition=eval_set_id, metadata=metadata))
    context.add_output_metadata(metadata)


def _tagged_id(context: dg.OpExecutionContext) -> str:
    with shown_failures():
        eval_set_id = parse_job_id(context.op_config["eval_set_id"])
    context.instance.add_run_tags(context.run_id, {EVAL_SET_TAG: eval_set_id})
    return eval_set_id


stop_eval_set = one_op_job(
    stop_op,
    STOP_JOB,
    {**_ID, **_ACTION, **_SAMPLE},
    "Asks an eval set, or one sample of it, to end early. What has run is kept: partial work is scored, or marked as "
    "an error that a retry runs again. The set is `stopped` when its job has ended.",
)
delete_eval_set = one_op_job(
    delete_op,
    DELETE_JOB,
    _ID,
    "Ends an eval set at once and removes its job and its secrets. **Logs on S3 and results in the warehouse stay.**",
)
retry_eval_set = one_op_job(
    retry_op,
    RETRY_JOB,
    _ID,
    "Runs an eval set again in its folder. Samples that succeeded are kept; errors, cancelled and missing ones run.",
)

eval_set_jobs = [show_eval_set, stop_eval_set, delete_eval_set, retry_eval_set, show_stack_trace, apply_edits]
