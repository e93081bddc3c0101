"""The job behind Dagster's launchpad: its whole run config is an eval set's YAML, pasted as it stands."""

from typing import Any

import dagster as dg

from assets.eval_set_metadata import launch_metadata
from assets.failures import shown_failures
from assets.keys import EVAL_JOBS
from assets.launch import LaunchedEvalSet, launch_eval_set
from assets.launched_by import launchpad_config, stamp_of
from assets.partitions import eval_set_partitions
from hawk.audit import AuditEntry
from hawk.config.eval_set import EvalSetConfig
from hawk.eval_set_claim import EvalSetOrder, EvalSetStores, create_eval_set, operator
from hawk.job_launcher import JobLauncher
from hawk.naming import CREATED_BY_TAG, EVAL_SET_TAG, PROMPT_TAG, SUBMIT_JOB
from hawk.object_store import s3_client
from hawk.settings import OrchestrationSettings
from hawk.warehouse.connection import connect

DESCRIPTION = """\
Starts an eval set from its YAML.

Open **Launchpad**, paste the YAML file as it stands, and launch. The config is checked first: what is wrong is shown
on the run's page, key by key, and nothing is started. With a top-level `eval_set_id` that exists, that set is run
again in its folder, and samples that succeeded are kept; without one an id is made.

Secrets that a config asks for cannot be given here, where everybody could read them: use `hawk eval-set --secret`.
You launch as who you are signed in at Dagster's door, and need the groups of all models; a launch past the door, on
the machine itself, is an operator's, who may use the models of every group.
"""
_OP = "submit"


def _schema() -> dg.Permissive:
    """Return a schema that helps the editor to complete keys, and refuses nothing: the op says better what is wrong."""
    return dg.Permissive(  # type: ignore[no-untyped-call]  # Dagster's own; not annotated
        {
            name: dg.Field(dg.Any, is_required=False, description=field.description or name)
            for name, field in EvalSetConfig.model_fields.items()
        }
    )


def _as_op_config(mapping: dict[str, Any]) -> dict[str, Any]:
    return {"ops": {_OP: {"config": mapping}}}


@dg.op(
    name=_OP,
    config_schema=dg.Permissive(),  # type: ignore[no-untyped-call]  # as above
    description="Checks the config, claims the id, and starts the job.",
)
def submit(
    context: dg.OpExecutionContext,
    settings: dg.ResourceParam[OrchestrationSettings],
    launcher: dg.ResourceParam[JobLauncher],
) -> None:
    """Create and launch the eval set that the run config describes."""
    with shown_failures():
        launched = _submit(context, dict(context.op_config), settings, launcher)
    context.log_event(
        dg.AssetMaterialization(
            asset_key=EVAL_JOBS, partition=launched.row.eval_set_id, metadata=launch_metadata(launched, settings)
        )
    )
    context.add_output_metadata(launch_metadata(launched, settings))


def _submit(
    context: dg.OpExecutionContext,
    mapping: dict[str, Any],
    settings: OrchestrationSettings,
    launcher: JobLauncher,
) -> LaunchedEvalSet:
    stamp = stamp_of(context.run.tags, settings)
    order = EvalSetOrder(origin="launchpad", config=launchpad_config(mapping, stamp, settings))
    stores = EvalSetStores(s3_client(settings), settings.bucket, settings.secret_key)
    with connect(settings) as connection:
        principal = stamp.principal if stamp else operator(connection)
        connection.commit()
        claimed = create_eval_set(
            connection,
            order,
            principal=principal,
            stores=stores,
            allow_local_packages=settings.allow_local_packages,
            audit_entry=AuditEntry(door="dagster", action="eval_set.launch", detail={"run": context.run_id}),
        )
    for warning in claimed.warnings:
        context.log.warning("%s", warning)
    eval_set_id = claimed.eval_set_id
    context.log.info("Eval set %s %s.", eval_set_id, "is run again" if claimed.is_relaunch else "was created")
    tags = {EVAL_SET_TAG: eval_set_id, CREATED_BY_TAG: principal.subject}
    context.instance.add_run_tags(context.run_id, tags)
    context.instance.add_dynamic_partitions(str(eval_set_partitions.name), [eval_set_id])
    return launch_eval_set(settings, launcher, eval_set_id, dagster_run_id=context.run_id)


@dg.graph(name=SUBMIT_JOB)
def _submit_graph() -> None:
    submit()


submit_eval_set = _submit_graph.to_job(
    name=SUBMIT_JOB,
    description=DESCRIPTION,
    config=dg.ConfigMapping(config_schema=_schema(), config_fn=_as_op_config, receive_processed_config_values=False),
    executor_def=dg.in_process_executor,
    tags={PROMPT_TAG: "true"},
)
