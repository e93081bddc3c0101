"""Starting and ending the jobs of eval sets: what Dagster's assets and jobs do, without Dagster."""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.errors import Conflict, NotFound, UserError
from hawk.eval_set_folder import EvalSetFolder
from hawk.eval_sets import EvalSetRow, eval_set_row, job_environment, job_spec_for, mark_status
from hawk.ids import parse_job_id
from hawk.job_launcher import JobLauncher, SubmitOutcome
from hawk.job_manifest.namespaces import LOCAL_QUEUE
from hawk.job_secrets import delete_secrets
from hawk.job_spec import JobSpec, SandboxRules
from hawk.naming import COMMANDS_FOLDER, JOB_ID_LABEL, NAMESPACE_PREFIX_LABEL, eval_set_key
from hawk.object_store import s3_client
from hawk.settings import OrchestrationSettings
from hawk.warehouse.connection import connect

STOP_COMMAND = f"{COMMANDS_FOLDER}/stop.json"

KUBERNETES_TAG = "dagster-k8s/config"

StopAction = Literal["score", "error"]
_SAMPLE_UUID = re.compile(r"[A-Za-z0-9_-]{1,100}")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LaunchedEvalSet:
    """A set whose job a launcher has."""

    row: EvalSetRow
    spec: JobSpec
    outcome: SubmitOutcome


def launch_eval_set(
    settings: OrchestrationSettings,
    launcher: JobLauncher,
    eval_set_id: str,
    *,
    dagster_run_id: str,
    may_revive: bool = False,
    kubernetes: Mapping[str, Any] | None = None,
) -> LaunchedEvalSet:
    """Submit the set's job, or adopt it where it runs, or resume it where it has ended; the set is then launched.

    `kubernetes` is a `dagster-k8s/config` that shapes the job's pod, where it gets one.

    A set that cannot be run as it is becomes failed, with the reason. Raises UserError for that, Conflict for a
    deleted set unless `may_revive`, and Upstream where something does not answer: then the set stays as it was.
    """
    with connect(settings) as connection:
        row = eval_set_row(connection, eval_set_id)
        if row.status == "deleted" and not may_revive:
            raise Conflict(
                f"Eval set {eval_set_id} was deleted.",
                hint="Retry it, or launch it again from its YAML file with this eval_set_id.",
                value=row.status,
            )
        try:
            seen_by_job = settings.as_jobs_see_it()
            spec = job_spec_for(row, seen_by_job)
            if settings.launcher == "kubernetes":
                pods = {"kubernetes": dict(kubernetes or {}), "sandboxes": sandbox_rules(row, settings)}
                spec = spec.model_copy(update={"infra": spec.infra.model_copy(update=pods)})
            secrets = job_environment(row, seen_by_job, connection)
            outcome = launcher.submit(spec, secrets)
        except UserError as error:
            _note_failure(connection, row, error)
            raise
        mark_status(connection, eval_set_id, "launched", dagster_run_id=dagster_run_id)
        return LaunchedEvalSet(eval_set_row(connection, eval_set_id), spec, outcome)


def kubernetes_config(tags: Mapping[str, str]) -> Mapping[str, Any]:
    """Return what a run's tag says of its job's pod, or {}. Raises UserError where it is no mapping."""
    text = tags.get(KUBERNETES_TAG)
    if not text:
        return {}
    try:
        config = json.loads(text)
    except ValueError as error:
        raise UserError(f"The tag {KUBERNETES_TAG} is no JSON: {error}.", value=text, field=KUBERNETES_TAG) from error
    if not isinstance(config, dict):
        raise UserError(f"The tag {KUBERNETES_TAG} is no mapping.", value=text, field=KUBERNETES_TAG)
    return config


def sandbox_rules(row: EvalSetRow, settings: OrchestrationSettings) -> SandboxRules:
    """Return what the deployment lays down for the set's sandboxes."""
    labels = {JOB_ID_LABEL: row.eval_set_id, NAMESPACE_PREFIX_LABEL: settings.namespace_prefix}
    if settings.kueue_sandbox_queue:
        labels |= {
            "kueue.x-k8s.io/queue-name": LOCAL_QUEUE,
            "kueue.x-k8s.io/priority-class": f"hawk-{row.priority}",
        }
    return SandboxRules(
        runtime_class=settings.sandbox_runtime_class,
        strict_runtime_class=settings.sandbox_strict_runtime_class,
        architecture=settings.runner_architecture,
        labels=labels,
        values=settings.sandbox_values,
    )


def stop_eval_set(
    settings: OrchestrationSettings, launcher: JobLauncher, eval_set_id: str, *, action: StopAction
) -> EvalSetRow:
    """Ask the set's job to end, its partial work scored or recorded as an error; returns before it has.

    Raises Conflict where the set has ended already.
    """
    with connect(settings) as connection:
        row = eval_set_row(connection, eval_set_id)
        if not row.is_active:
            raise Conflict(f"Eval set {eval_set_id} has ended: it is {row.status}.", value=row.status)
        # The command lies on S3 before the job is told, since the job reads there how to end.
        _write_stop_command(settings, eval_set_id, action)
        try:
            launcher.stop(parse_job_id(eval_set_id))
        except NotFound:
            mark_status(connection, eval_set_id, "stopped", reason="Stopped before it began.")
        return eval_set_row(connection, eval_set_id)


def stop_sample(
    settings: OrchestrationSettings, eval_set_id: str, sample_uuid: str, *, action: StopAction
) -> EvalSetRow:
    """Ask the set's job to end one of its samples; the others go on. Raises UserError where that is no uuid.

    Raises Conflict where the set has ended already.
    """
    if not _SAMPLE_UUID.fullmatch(sample_uuid):
        raise UserError(
            f"{sample_uuid[:100]!r} is no sample's uuid.",
            hint="`hawk list samples` and the viewer show them.",
            value=sample_uuid[:100],
            field="sample_uuid",
        )
    with connect(settings) as connection:
        row = eval_set_row(connection, eval_set_id)
        if not row.is_active:
            raise Conflict(f"Eval set {eval_set_id} has ended: it is {row.status}.", value=row.status)
    EvalSetFolder(s3_client(settings), settings.bucket, eval_set_id).write_stop_of_sample(sample_uuid, action)
    return row


def delete_eval_set(settings: OrchestrationSettings, launcher: JobLauncher, eval_set_id: str) -> EvalSetRow:
    """End the set at once and remove its job and secrets; its logs and results stay. Idempotent."""
    with connect(settings) as connection:
        eval_set_row(connection, eval_set_id)
        launcher.delete(parse_job_id(eval_set_id))
        delete_secrets(connection, eval_set_id)
        mark_status(connection, eval_set_id, "deleted", reason="Deleted; its logs and results stay.")
        return eval_set_row(connection, eval_set_id)


def _note_failure(connection: Connection[DictRow], row: EvalSetRow, error: UserError) -> None:
    # A set that ended earlier keeps how it ended: only the attempt to resume it failed.
    if row.status == "claimed":
        mark_status(connection, row.eval_set_id, "failed", reason=str(error))
        connection.commit()


def _write_stop_command(settings: OrchestrationSettings, eval_set_id: str, action: StopAction) -> None:
    command = {"type": "stop", "action": action, "requested_at": datetime.now(UTC).isoformat()}
    s3_client(settings).put_object(
        Bucket=settings.bucket,
        Key=eval_set_key(eval_set_id, STOP_COMMAND),
        Body=json.dumps(command).encode(),
        ContentType="application/json",
    )
