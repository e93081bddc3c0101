"""The job that has an eval set's logs imported again."""

import dagster as dg

from assets.described_sets import shown_rows
from assets.failures import shown_failures
from assets.markdown import markdown_table
from hawk.eval_sets import eval_set_row
from hawk.ids import MAX_SCANNED_ID, parse_job_id
from hawk.log_import.import_states import log_imports, retry_imports
from hawk.naming import EVAL_SET_TAG, REIMPORT_JOB
from hawk.settings import OrchestrationSettings
from hawk.warehouse import inbox
from hawk.warehouse.connection import connect
from orchestration.one_op_job import one_op_job

_CONFIG = {
    "eval_set_id": dg.Field(str, description="Id of the eval set, as `hawk list eval-sets` shows it."),
    "force": dg.Field(
        bool,
        default_value=False,
        is_required=False,
        description=(
            "`false`: only logs that were set aside (quarantined, dead letters). `true`: all of the set's logs, also "
            "those that are imported as they are; their rows are replaced, each log's in one transaction."
        ),
    ),
}


@dg.op(name="reimport", config_schema=_CONFIG)
def reimport_op(context: dg.OpExecutionContext, settings: dg.ResourceParam[OrchestrationSettings]) -> None:
    """Put the set's logs back into the inbox; `log_sensor` starts the import itself within seconds."""
    with shown_failures():
        eval_set_id = parse_job_id(context.op_config["eval_set_id"], longest=MAX_SCANNED_ID)
        context.instance.add_run_tags(context.run_id, {EVAL_SET_TAG: eval_set_id})
        with connect(settings, autocommit=True) as connection:
            eval_set_row(connection, eval_set_id)
            if context.op_config["force"]:
                reopened = inbox.reopen(connection, eval_set_id, force=True)
            else:
                reopened = retry_imports(connection, eval_set_id)
            logs = log_imports(connection, eval_set_id)
            rows = [{"eval_set_id": eval_set_id, "log": log.log, "state": log.state, "why": log.reason} for log in logs]
            rows = shown_rows(connection, settings, rows)
    context.log.info("%d logs of %s wait for their import.", reopened, eval_set_id)
    context.add_output_metadata(
        {
            "reopened": dg.MetadataValue.int(reopened),
            "logs": dg.MetadataValue.md(markdown_table(rows) or "The set has no log."),
        }
    )


reimport_eval_set = one_op_job(
    reimport_op,
    REIMPORT_JOB,
    _CONFIG,
    "Has an eval set's logs imported again: those that were set aside, after somebody has mended why; or all of them, "
    "after the importer has learned more. Give the set's id and launch; an `import_logs` run follows by itself, and "
    "`hawk imports list ID` shows how far each log is. Nothing that is in the warehouse goes before what replaces it "
    "is there.",
)
