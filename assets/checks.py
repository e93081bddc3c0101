"""Checks of what the warehouse must hold whatever the logs say.

Those that cost next to nothing run after every import; those that count rows run by a schedule. Both can be run from
Dagster's UI.
"""

import dagster as dg

from assets.keys import EVAL_LOGS, MESSAGE_SEARCH, raw_key
from assets.mart_checks import mart_checks
from assets.warehouse_check import FOUND_AT_MOST, WarehouseCheck, checks_definition
from hawk.warehouse.tables import RAW_TABLES

MAX_LAG_MINUTES = 30
MAX_FAILED_MINUTES = 10
COUNTED_IMPORTS = 200  # the newest; older ones were counted when they were

_FAILED = """
select eval_set_id, key as log, state, reason, attempts, state_changed_at
from (
    select distinct on (bucket, key) * from ops.log_inbox
    order by bucket, key, last_modified desc, log_inbox_id desc
) as newest
where state in ('quarantined', 'dead_letter')
"""

QUICK_CHECKS = (
    WarehouseCheck(
        name="no_log_is_set_aside",
        asset=raw_key("eval_import"),
        description=(
            "No log's newest version was set aside: as broken (quarantined), or after too many tries (dead letter). "
            "Each row says why and what to do; then `hawk imports retry`."
        ),
        severity=dg.AssetCheckSeverity.WARN,
        query=f"{_FAILED} order by state_changed_at desc limit {FOUND_AT_MOST}",
    ),
    WarehouseCheck(
        name="landed_logs_are_imported_soon",
        asset=raw_key("eval_import"),
        description=f"No log waits for its import longer than {MAX_LAG_MINUTES} minutes after it was found.",
        severity=dg.AssetCheckSeverity.WARN,
        query=f"""
            select eval_set_id, key as log, state, reason, attempts, discovered_at
            from ops.log_inbox
            where state in ('pending', 'importing')
                and discovered_at < now() - interval '{MAX_LAG_MINUTES} minutes'
            order by discovered_at
            limit {FOUND_AT_MOST}
        """,  # noqa: S608  # numbers of ours
    ),
    WarehouseCheck(
        name="status_agrees_with_logs",
        asset=EVAL_LOGS,
        description="A set that is complete has no task whose newest imported log says otherwise.",
        query=f"""
            select newest.eval_set_id, newest.task_name, newest.status, newest.error_message
            from (
                select distinct on (eval_set_id, coalesce(task_id, eval_id)) *
                from raw.eval
                order by eval_set_id, coalesce(task_id, eval_id), created_at desc nulls last
            ) as newest
            inner join ops.eval_set as eval_set on eval_set.eval_set_id = newest.eval_set_id
            where eval_set.status = 'complete' and eval_set.origin in ('api', 'launchpad')
                and newest.status <> 'success'
            order by newest.created_at desc
            limit {FOUND_AT_MOST}
        """,  # noqa: S608  # a number of ours
    ),
)

# Rows are found by jumping from import to import along the primary key, not by reading the table.
_ORPHANS_OF = """
select '{table}' as raw_table, ids.import_id
from (
    with recursive present as (
        (select import_id from raw.{table} order by import_id limit 1)
        union all
        select (
            select later.import_id from raw.{table} as later
            where later.import_id > present.import_id order by later.import_id limit 1
        )
        from present where present.import_id is not null
    )
    select import_id from present
) as ids
where ids.import_id is not null
    and not exists (select 1 from raw.eval_import as import where import.import_id = ids.import_id)
"""
_KEYED_BY_IMPORT = [table.name for table in RAW_TABLES if table.name not in ("eval_import", "sample_owner")]

_COUNTED = f"""
with newest as (
    select * from raw.eval_import order by import_id desc limit {COUNTED_IMPORTS}
),
counted as (
    select
        newest.*, eval.total_samples, eval.completed_samples,
        (select count(*) from raw.sample as row where row.import_id = newest.import_id) as samples,
        (select count(*) from raw.message as row where row.import_id = newest.import_id) as messages,
        case when newest.events_dropped_at is null
            then (select count(*) from raw.event as row where row.import_id = newest.import_id)
            else newest.event_count
        end as events
    from newest
    left join raw.eval as eval on eval.import_id = newest.import_id
)
select eval_set_id, location as log, log_status, sample_count, samples, message_count, messages, event_count, events,
    total_samples as total_in_header, completed_samples as completed_in_header
from counted
where samples <> sample_count or messages <> message_count or events <> event_count
    or (log_status = 'success' and damage is null
        and (samples < completed_samples or samples > greatest(total_samples, completed_samples)))
limit {FOUND_AT_MOST}
"""  # noqa: S608  # numbers of ours

THOROUGH_CHECKS = (
    WarehouseCheck(
        name="no_import_failed_for_10_minutes",
        asset=raw_key("eval_import"),
        description=(
            f"No log has been set aside for over {MAX_FAILED_MINUTES} minutes without anybody having mended it, "
            "deleted it, or let it be tried again."
        ),
        query=f"""
            {_FAILED} and state_changed_at < now() - interval '{MAX_FAILED_MINUTES} minutes'
            order by state_changed_at limit {FOUND_AT_MOST}
        """,
    ),
    WarehouseCheck(
        name="messages_are_searchable_soon",
        asset=MESSAGE_SEARCH,
        description=f"No imported message waits longer than {MAX_FAILED_MINUTES} minutes until it can be searched.",
        severity=dg.AssetCheckSeverity.WARN,
        query=f"""
            select eval_set_id, location as log, queue.message_count, queue.indexed_count, queue.queued_at
            from raw.search_queue as queue
            inner join raw.eval_import as import on import.import_id = queue.import_id
            where queue.queued_at < now() - interval '{MAX_FAILED_MINUTES} minutes'
            order by queue.queued_at
            limit {FOUND_AT_MOST}
        """,  # noqa: S608  # numbers of ours
    ),
    WarehouseCheck(
        name="rows_equal_counts",
        asset=raw_key("sample"),
        description=(
            f"Of the newest {COUNTED_IMPORTS} imports there are as many samples, messages and events as were "
            "imported, and of logs that succeeded as many samples as their headers say."
        ),
        query=_COUNTED,
    ),
    WarehouseCheck(
        name="no_orphan_rows",
        asset=raw_key("eval_import"),
        description="Every raw row belongs to an import that stands.",
        query=" union all ".join(_ORPHANS_OF.format(table=name) for name in _KEYED_BY_IMPORT)
        + f" limit {FOUND_AT_MOST}",
    ),
    WarehouseCheck(
        name="every_sample_has_its_eval",
        asset=raw_key("sample"),
        description="Every sample's import has its eval, and both name the same one.",
        query=f"""
            select sample.eval_id, sample.import_id, count(*) as samples
            from raw.sample as sample
            left join raw.eval as eval on eval.import_id = sample.import_id
            where eval.eval_id is distinct from sample.eval_id
            group by sample.eval_id, sample.import_id
            limit {FOUND_AT_MOST}
        """,  # noqa: S608  # a number of ours
    ),
)
CHECKS = (*QUICK_CHECKS, *THOROUGH_CHECKS)

warehouse_checks = checks_definition(
    "warehouse_checks", QUICK_CHECKS, "Look for logs that did not come through, after every import."
)
thorough_warehouse_checks = checks_definition(
    "thorough_warehouse_checks", THOROUGH_CHECKS, "Count rows, and look for failures that nobody has seen to."
)
all_checks = [warehouse_checks, thorough_warehouse_checks, mart_checks]
