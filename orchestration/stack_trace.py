"""The job that shows where a set's runner is; the command line launches it, and so may anybody in Dagster's UI."""

import dagster as dg
from psycopg import Connection
from psycopg.rows import DictRow

from assets.eval_set_metadata import is_described, set_metadata
from assets.failures import shown_failures
from assets.launched_by import require_may_change
from hawk.errors import Conflict
from hawk.eval_sets import eval_set_row
from hawk.ids import parse_job_id
from hawk.job_launcher import JobLauncher
from hawk.naming import EVAL_SET_TAG, STACKTRACE_JOB
from hawk.settings import OrchestrationSettings
from hawk.warehouse.connection import connect
from orchestration.one_op_job import one_op_job
from orchestration.reconcile import keep_attempts

MAX_CHARACTERS = 200_000
MAX_SHOWN_CHARACTERS = 20_000  # of Dagster's metadata

_ID = {"eval_set_id": dg.Field(str, description="Id of the eval set, as `hawk list eval-sets` shows it.")}
_KEEP = """
update ops.attempt as newest
set stack_trace = %(text)s, stack_trace_run_id = %(run_id)s, stack_traced_at = now()
where newest.eval_set_id = %(eval_set_id)s
  and newest.attempt_number = (
      select max(attempt_number) from ops.attempt where eval_set_id = %(eval_set_id)s and job_name = newest.job_name
  )
"""


@dg.op(name="show_stack", config_schema=_ID)
def show_stack_op(
    context: dg.OpExecutionContext,
    settings: dg.ResourceParam[OrchestrationSettings],
    launcher: dg.ResourceParam[JobLauncher],
) -> None:
    """Ask the set's runner where its threads are, and keep the answer with its newest attempt."""
    with shown_failures():
        eval_set_id = parse_job_id(context.op_config["eval_set_id"])
        context.instance.add_run_tags(context.run_id, {EVAL_SET_TAG: eval_set_id})
        require_may_change(context.run.tags, settings, eval_set_id)
        with connect(settings, autocommit=True) as connection:
            row = eval_set_row(connection, eval_set_id)
            text = take_stack_trace(connection, launcher, eval_set_id, settings=settings, run_id=context.run_id)
    shown = set_metadata(row, settings)
    if is_described(row, settings):
        fenced = text[:MAX_SHOWN_CHARACTERS].replace("```", "'''")
        shown["stack"] = dg.MetadataValue.md(f"```\n{fenced}\n```")
    context.log.info("The runner of %s showed its stack.", eval_set_id)
    context.add_output_metadata(shown)


def take_stack_trace(
    connection: Connection[DictRow],
    launcher: JobLauncher,
    eval_set_id: str,
    *,
    settings: OrchestrationSettings,
    run_id: str,
) -> str:
    """Return the stacks of the runner's threads, kept under the run that asked for them.

    Raises Conflict where the set's job does not run, and Upstream where its runner does not answer.
    """
    job_id = parse_job_id(eval_set_id)
    job = launcher.status(job_id)
    if job is None:
        raise Conflict(f"Eval set {eval_set_id} has no job that runs.", hint="See hawk status.", value=eval_set_id)
    keep_attempts(connection, job, launcher=settings.launcher)
    text = launcher.stacktrace(job_id)[:MAX_CHARACTERS].replace("\0", "")
    connection.execute(_KEEP, {"text": text, "run_id": run_id, "eval_set_id": eval_set_id})
    return text


show_stack_trace = one_op_job(
    show_stack_op,
    STACKTRACE_JOB,
    _ID,
    "Shows where the threads of an eval set's runner are, as `hawk stacktrace` does. The eval goes on undisturbed.",
)
