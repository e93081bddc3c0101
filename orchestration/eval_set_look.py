"""The job that shows how a set stands and what its runner printed, as `hawk status` and `hawk logs` do."""

from datetime import UTC, datetime

import dagster as dg
from psycopg import Connection
from psycopg.rows import DictRow

from assets.eval_set_metadata import is_described, set_metadata
from assets.failures import shown_failures
from assets.markdown import markdown_table
from hawk.errors import Upstream
from hawk.eval_sets import EvalSetRow, eval_set_row
from hawk.ids import parse_job_id
from hawk.job_launcher import AttemptStatus, JobLauncher
from hawk.job_status import ImportFacts, StatusWord, Verdict, eval_set_status, present_job
from hawk.naming import EVAL_SET_TAG, SHOW_JOB
from hawk.settings import OrchestrationSettings
from hawk.warehouse.connection import connect
from orchestration.one_op_job import one_op_job
from orchestration.reconcile import keep_attempts

LINES = 200
_ID = {"eval_set_id": dg.Field(str, description="Id of the eval set, as `hawk list eval-sets` shows it.")}
_ATTEMPTS = """
select attempt_number, phase, exit_code, reason, message, started_at, ended_at, peak_memory_bytes, last_log_lines
from ops.attempt where eval_set_id = %s
order by started_at nulls last, job_name, attempt_number
"""


@dg.op(name="show_set", config_schema=_ID)
def show_set_op(
    context: dg.OpExecutionContext,
    settings: dg.ResourceParam[OrchestrationSettings],
    launcher: dg.ResourceParam[JobLauncher],
) -> None:
    """Look at the set's job, and show its status, its attempts and the last lines of the newest."""
    with shown_failures():
        eval_set_id = parse_job_id(context.op_config["eval_set_id"])
        context.instance.add_run_tags(context.run_id, {EVAL_SET_TAG: eval_set_id})
        with connect(settings, autocommit=True) as connection:
            row = eval_set_row(connection, eval_set_id)
            _look(context, connection, launcher, row, settings)
            attempts = [AttemptStatus.model_validate(found) for found in connection.execute(_ATTEMPTS, [eval_set_id])]
    verdict = status_by_attempts(row, attempts)
    context.log.info("%s is %s.", eval_set_id, verdict.state)
    context.add_output_metadata(_shown(row, attempts, verdict, settings))


def status_by_attempts(row: EvalSetRow, attempts: list[AttemptStatus]) -> Verdict[StatusWord]:
    """Return the word for a set by its row and its attempts, oldest first; how far its logs came is not looked at."""
    return eval_set_status(
        row.status,
        row.status_reason,
        since=row.status_changed_at,
        now=datetime.now(UTC),
        job=present_job(row.eval_set_id, row.status, attempts, since=row.status_changed_at),
        logs=(),
        imports=ImportFacts(),
    )


def _look(
    context: dg.OpExecutionContext,
    connection: Connection[DictRow],
    launcher: JobLauncher,
    row: EvalSetRow,
    settings: OrchestrationSettings,
) -> None:
    """Write down how the job now stands; where the launcher does not answer, what is known is shown."""
    try:
        job = launcher.status(row.eval_set_id) if row.is_active else None
    except Upstream as error:
        context.log.warning("The launcher was not asked: %s", error)
        return
    if job is not None:
        keep_attempts(connection, job, launcher=settings.launcher)


def _shown(
    row: EvalSetRow, attempts: list[AttemptStatus], verdict: Verdict[StatusWord], settings: OrchestrationSettings
) -> dict[str, dg.MetadataValue]:
    shown = {**set_metadata(row, settings), "status": dg.MetadataValue.text(verdict.state)}
    is_open = is_described(row, settings)
    table = [
        {
            "attempt": attempt.attempt_number,
            "phase": attempt.phase.value,
            "exit code": attempt.exit_code,
            "reason": attempt.reason,
            "message": attempt.message if is_open else "",
        }
        for attempt in attempts
    ]
    if table:
        shown["attempts"] = dg.MetadataValue.md(markdown_table(table))
    if is_open and verdict.reason:
        shown["reason"] = dg.MetadataValue.text(verdict.reason)
    if is_open and attempts and attempts[-1].last_log_lines:
        lines = "\n".join(attempts[-1].last_log_lines.splitlines()[-LINES:]).replace("```", "'''")
        shown["last_lines"] = dg.MetadataValue.md(f"```\n{lines}\n```")
    return shown


show_eval_set = one_op_job(
    show_set_op,
    SHOW_JOB,
    _ID,
    "Shows how an eval set stands: its status and why, its attempts, the last lines that its runner printed. "
    "Changes nothing.",
)
