"""What has to go after a time: events by the setting of retention, and uploads that nobody went on with."""

from datetime import UTC, datetime

import dagster as dg

from assets.failures import shown_failures
from assets.keys import OWNERS, PENDING_UPLOADS, RETENTION, UPKEEP_GROUP, UPKEEP_POOL, raw_key
from assets.markdown import markdown_table
from hawk.log_import.uploads import KEPT_FOR, expire_uploads
from hawk.object_store import s3_client
from hawk.settings import OrchestrationSettings
from hawk.warehouse.connection import connect
from hawk.warehouse.retention import DroppablePartition, apply_retention

RETENTION_DESCRIPTION = """\
Events of old imports, dropped a month's partition at a time once the month is older than
`HAWK_EVENT_RETENTION_DAYS`. **Unset, which is the default, nothing is ever dropped.**

Evals, samples, scores, messages and marts stay, and so do logs on S3: importing one again (`reimport_eval_set` with
`force`) brings its events back. What was dropped is listed in each run, in `ops.retention_drop`, and at each import
as `events_dropped_at`."""
UPLOADS_DESCRIPTION = f"""\
Files under `pending/` that people began to bring with `hawk import`. Those of which nothing has come for
{KEPT_FOR.total_seconds() / 3600:.0f} hours are given up, and their bytes removed; until then the same command goes on
where it stopped."""


@dg.asset(
    key=RETENTION,
    deps=[raw_key("event"), raw_key("event_pool")],
    group_name=UPKEEP_GROUP,
    owners=list(OWNERS),
    kinds={"postgres"},
    description=RETENTION_DESCRIPTION,
    pool=UPKEEP_POOL,
)
def retention(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[OrchestrationSettings]
) -> dg.MaterializeResult[None]:
    """Drop what is old enough, if the setting says so."""
    days = settings.event_retention_days
    with shown_failures(), connect(settings, autocommit=True) as connection:
        dropped = apply_retention(connection, days=days, now=datetime.now(UTC))
    for partition in dropped:
        context.log.warning(
            "Dropped %s: %d events of %d imports.",
            partition.partition_name,
            partition.event_count,
            partition.import_count,
        )
    return dg.MaterializeResult(
        metadata={
            "event_retention_days": dg.MetadataValue.text("never" if days is None else f"{days:g}"),
            "partitions_dropped": dg.MetadataValue.int(len(dropped)),
            "bytes_dropped": dg.MetadataValue.int(sum(partition.size_bytes for partition in dropped)),
            "dropped": dg.MetadataValue.md(markdown_table([_row(partition) for partition in dropped]) or "Nothing."),
        }
    )


@dg.asset(
    key=PENDING_UPLOADS,
    group_name=UPKEEP_GROUP,
    owners=list(OWNERS),
    kinds={"s3"},
    description=UPLOADS_DESCRIPTION,
    pool=UPKEEP_POOL,
)
def pending_uploads(settings: dg.ResourceParam[OrchestrationSettings]) -> dg.MaterializeResult[None]:
    """Give up what was left alone."""
    with shown_failures(), connect(settings, autocommit=True) as connection:
        expired = expire_uploads(connection, s3_client(settings), settings.bucket, now=datetime.now(UTC))
        left = connection.execute(
            "select count(*) as files, coalesce(sum(size_bytes), 0)::bigint as size_bytes"
            " from ops.log_upload where state = 'open'"
        ).fetchone() or {"files": 0, "size_bytes": 0}
    return dg.MaterializeResult(
        metadata={
            "given_up": dg.MetadataValue.int(expired),
            "open": dg.MetadataValue.int(left["files"]),
            "open_bytes": dg.MetadataValue.int(left["size_bytes"]),
        }
    )


upkeep_assets = [retention, pending_uploads]


def _row(partition: DroppablePartition) -> dict[str, object]:
    return {
        "partition": partition.partition_name,
        "imports": partition.import_count,
        "eval sets": partition.eval_set_count,
        "events": partition.event_count,
        "bytes": partition.size_bytes,
        "last imported": partition.last_imported_at,
    }
