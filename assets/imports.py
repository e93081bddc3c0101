"""The raw tables: what logs said, copied into Postgres. One step fills them all, since one log fills them all."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
from sqlalchemy import Table

from assets.described_sets import shown_rows
from assets.failures import shown_failures
from assets.import_logs import ImportSummary, import_pending_logs
from assets.keys import EVAL_LOGS, IMPORT_POOL, OWNERS, RAW_GROUP, raw_key
from assets.markdown import MAX_ROWS, markdown_table
from assets.mart_news import marts_lack_news_of_sets
from hawk.naming import NEWS_ONLY_TAG
from hawk.settings import OrchestrationSettings
from hawk.warehouse.connection import connect
from hawk.warehouse.tables import RAW_TABLES

DESCRIPTIONS = {
    "eval_import": "Imports that stand; deleting one deletes all its raw rows. One row per eval.",
    "eval": "Headers of logs: task, model, config, results. One row per eval.",
    "eval_metric": "Metrics that Inspect computed itself. One row per eval, score, reducer and metric.",
    "eval_model": "Models that an eval names or calls, with their canonical names. One row per eval and model.",
    "eval_model_role": "Models in roles. One row per eval, role and model.",
    "eval_model_usage": "Tokens of a whole eval, as its log's statistics say. One row per eval and model.",
    "sample": "Samples, every attempt that a log has. One row per eval and sample uuid.",
    "sample_model_usage": "Tokens of a sample. One row per eval, sample uuid and model.",
    "score": "Scores, intermediate ones too. One row per eval, sample uuid, scorer and index.",
    "earlier_score": (
        "Scores that an earlier version of a log had and the one that stands lacks; history, which does not count. "
        "One row per eval, sample uuid, scorer and index."
    ),
    "message": "Messages of conversations. One row per eval, sample uuid and place.",
    "event": "Events of transcripts. One row per eval, sample uuid and place.",
    "event_pool": "Messages and model calls that many events share. One row per eval, sample uuid, pool and place.",
    "attachment": "Long values that messages and events refer to. One row per eval, sample uuid and hash.",
    "sample_owner": "Which log's copy counts of a sample that several logs hold. One row per sample uuid.",
}
HOW = """

Written by the importer, one transaction a log, again with the same result however often: a log is whole here or not
at all. `log_sensor` starts a run while logs are pending in `ops/log_inbox`."""


def _spec(table: Table) -> dg.AssetSpec:
    columns = [dg.TableColumn(column.name, str(column.type).lower()) for column in table.columns]
    return dg.AssetSpec(
        key=raw_key(table.name),
        deps=[EVAL_LOGS],
        group_name=RAW_GROUP,
        owners=list(OWNERS),
        kinds={"python", "postgres"},
        tags={"hawk/layer": "raw"},
        description=DESCRIPTIONS[table.name] + HOW,
        skippable=True,
        metadata={
            "dagster/column_schema": dg.TableSchema(columns=columns),
            "dagster/table_name": f"{table.schema}.{table.name}",
        },
    )


@dg.multi_asset(name="import_logs_of_inbox", specs=[_spec(table) for table in RAW_TABLES], pool=IMPORT_POOL)
def raw_tables(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[OrchestrationSettings]
) -> Iterator[dg.MaterializeResult[None]]:
    """Import every pending log. Where the run is for news only and there are none, nothing that follows runs."""
    with shown_failures():
        summary = import_pending_logs(settings)
        if context.has_tag(NEWS_ONLY_TAG) and not summary.has_news:
            with connect(settings) as connection:
                if not marts_lack_news_of_sets(connection):
                    context.log.info("Nothing new was imported; the marts stay as they are.")
                    return
    context.log.info(
        "Imported %d logs, %.1f MB/s; set aside %d.",
        len(summary.imported),
        summary.megabytes_per_second,
        len(summary.failed),
    )
    for lost in summary.lost_workers:
        context.log.warning(lost)
    if summary.damaged:
        context.log.warning(
            "Of %d logs only a part could be read; their remarks say what is missing.", len(summary.damaged)
        )
    for table in RAW_TABLES:
        metadata: dict[str, dg.MetadataValue] = {}
        if table.name != "sample_owner":  # decided, not imported
            metadata["rows_imported"] = dg.MetadataValue.int(summary.rows_of_table[table.name])
        if table.name == "eval_import":
            metadata |= _import_metadata(summary, settings)
        yield dg.MaterializeResult(asset_key=raw_key(table.name), metadata=metadata)


def _import_metadata(summary: ImportSummary, settings: OrchestrationSettings) -> dict[str, dg.MetadataValue]:
    imported = [
        {
            "eval_set_id": outcome.entry.eval_set_id,
            "log": outcome.entry.key.rpartition("/")[2],
            "samples": outcome.sample_count,
            "messages": outcome.message_count,
            "events": outcome.event_count,
            "rows": outcome.row_count,
            "seconds": f"{outcome.seconds:.2f}",
            "remark": outcome.reason,
        }
        for outcome in summary.imported[: MAX_ROWS + 1]
    ]
    left = [
        {
            "eval_set_id": outcome.entry.eval_set_id,
            "log": outcome.entry.key.rpartition("/")[2],
            "state": outcome.state,
            "why": outcome.reason,
        }
        for outcome in summary.outcomes
        if outcome.state != "imported"
    ]
    with connect(settings) as connection:
        imported, left = (shown_rows(connection, settings, rows) for rows in (imported, left))
    return {
        "files": dg.MetadataValue.int(len(summary.imported)),
        "rows": dg.MetadataValue.int(summary.rows_of_table.total()),
        "samples": dg.MetadataValue.int(summary.rows_of_table["sample"]),
        "size_bytes": dg.MetadataValue.int(summary.size_bytes),
        "seconds": dg.MetadataValue.float(round(summary.seconds, 3)),
        "workers": dg.MetadataValue.int(summary.workers),
        "megabytes_per_second": dg.MetadataValue.float(round(summary.megabytes_per_second, 2)),
        "files_per_second": dg.MetadataValue.float(round(summary.files_per_second, 2)),
        "lag_seconds": dg.MetadataValue.float(round(summary.lag_seconds(datetime.now(UTC)), 1)),
        "failed": dg.MetadataValue.int(len(summary.failed)),
        "imported_in_part": dg.MetadataValue.int(len(summary.damaged)),
        "imported": dg.MetadataValue.md(markdown_table(imported) or "Nothing was pending."),
        "not_imported": dg.MetadataValue.md(markdown_table(left) or "Every log was imported."),
    }
