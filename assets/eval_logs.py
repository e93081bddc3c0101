"""The logs of eval sets on S3, one partition a set; runners write them, the sensor `job_sensor` reports them."""

from collections.abc import Sequence

import dagster as dg

from assets.eval_set_metadata import is_described, set_metadata
from assets.keys import EVAL_JOBS, EVAL_LOGS, EVAL_SET_GROUP, OWNERS
from assets.log_folder import LogFolder
from assets.markdown import markdown_table
from assets.partitions import eval_set_partitions
from hawk.eval_sets import EvalSetRow
from hawk.job_status import LogFact
from hawk.settings import OrchestrationSettings

DESCRIPTION = """\
The `.eval` logs of each eval set, as they lie on S3. **A partition is an eval set.**

Nothing in Dagster makes them: runner jobs write them while they run. `job_sensor` observes a running set's folder
about once a minute, and reports a materialization when the set has ended. A single log is a row of `ops/log_inbox`,
never an event of Dagster.
"""

eval_logs = dg.AssetSpec(
    key=EVAL_LOGS,
    deps=[EVAL_JOBS],
    partitions_def=eval_set_partitions,
    group_name=EVAL_SET_GROUP,
    owners=list(OWNERS),
    kinds={"s3", "inspect"},
    tags={"hawk/layer": "logs"},
    description=DESCRIPTION,
)


def logs_materialization(
    row: EvalSetRow, folder: LogFolder, logs: Sequence[LogFact], settings: OrchestrationSettings
) -> dg.AssetMaterialization:
    """Return the event that a set has ended with these logs."""
    statuses = [log.status for log in logs]
    by_status = {f"logs_{status}": dg.MetadataValue.int(statuses.count(status)) for status in sorted(set(statuses))}
    rows = [
        {
            "task": log.task_name,
            "status": log.status,
            "created_at": f"{log.created_at:%Y-%m-%d %H:%M}",
            "error": log.error,
        }
        for log in logs
    ]
    described = is_described(row, settings)
    tasks = {"tasks": dg.MetadataValue.md(markdown_table(rows) or "No log.")} if described else {}
    reason = row.status_reason if described else ""
    return dg.AssetMaterialization(
        asset_key=EVAL_LOGS,
        partition=row.eval_set_id,
        description=f"The eval set has ended: {row.status}. {reason}".strip(),
        metadata={
            **set_metadata(row, settings),
            **_folder_metadata(folder, named=described),
            **by_status,
            **tasks,
        },
    )


def logs_observation(row: EvalSetRow, folder: LogFolder, settings: OrchestrationSettings) -> dg.AssetObservation:
    """Return the event that a running set has these logs so far."""
    return dg.AssetObservation(
        asset_key=EVAL_LOGS,
        partition=row.eval_set_id,
        description="The eval set runs.",
        metadata={
            **set_metadata(row, settings),
            **_folder_metadata(folder, named=is_described(row, settings)),
        },
    )


def _folder_metadata(folder: LogFolder, *, named: bool) -> dict[str, dg.MetadataValue]:
    rows = [
        {"log": log.name, "bytes": log.size_bytes, "last_modified": f"{log.last_modified:%Y-%m-%d %H:%M:%S}"}
        for log in folder.logs
    ]
    counts: dict[str, dg.MetadataValue] = {
        "files": dg.MetadataValue.int(len(folder.logs)),
        "size_bytes": dg.MetadataValue.int(sum(log.size_bytes for log in folder.logs)),
    }
    # Names of logs have those of their tasks in them.
    return counts | ({"files_on_s3": dg.MetadataValue.md(markdown_table(rows) or "None yet.")} if named else {})
