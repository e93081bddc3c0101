"""What the page of imports reads: the newest version of every log in the inbox, and what waits there."""

from viewer.database import Row, fetch

# The newest version of each log counts; what an older one came to is history.
NEWEST_LOGS = """(
    select distinct on (inbox.bucket, inbox.key)
        inbox.eval_set_id, regexp_replace(inbox.key, '^.*/', '') as log, inbox.state as status,
        coalesce(nullif(inbox.reason, ''), imported.damage) as reason, inbox.attempts, imported.sample_count,
        inbox.size_bytes, inbox.source, inbox.last_modified, inbox.discovered_at, inbox.state_changed_at,
        inbox.log_inbox_id, inbox.state = 'imported' and imported.damage is not null as is_in_part
    from ops.log_inbox as inbox
    left join raw.eval_import as imported on imported.import_id = inbox.import_id
    order by inbox.bucket, inbox.key, inbox.last_modified desc, inbox.log_inbox_id desc
) as newest_log"""
COLUMNS = """log, status, reason, eval_set_id, attempts, sample_count, size_bytes, source, last_modified,
    discovered_at, state_changed_at"""
OPTION_SOURCES = {
    (NEWEST_LOGS, "eval_set_id"): "select distinct eval_set_id as option from ops.log_inbox",
    (NEWEST_LOGS, "status"): "select distinct state as option from ops.log_inbox",
    (NEWEST_LOGS, "source"): "select distinct source as option from ops.log_inbox",
}

_STATE_OF_INBOX = f"""
select
    count(*) filter (where status in ('pending', 'importing')) as waiting,
    extract(epoch from now() - min(discovered_at) filter (where status in ('pending', 'importing'))) as oldest_seconds,
    count(*) filter (where status in ('quarantined', 'dead_letter')) as set_aside,
    count(*) filter (where is_in_part) as in_part,
    count(*) filter (where status = 'imported' and state_changed_at > now() - interval '1 day') as imported_today,
    percentile_cont(0.5) within group (order by extract(epoch from state_changed_at - last_modified))
        filter (where status = 'imported' and state_changed_at > now() - interval '1 day') as median_lag_seconds
from {NEWEST_LOGS}
"""  # noqa: S608  # a query of ours
_SET_ASIDE = f"""
select log, reason from {NEWEST_LOGS}
where eval_set_id = %(eval_set_id)s and status in ('quarantined', 'dead_letter')
order by state_changed_at desc
limit %(limit)s
"""  # noqa: S608  # a query of ours


def state_of_inbox() -> Row:
    """Return how much waits and how long, what was set aside, and what was imported within a day."""
    return fetch(_STATE_OF_INBOX, {})[0]


def set_aside(eval_set_id: str, *, limit: int) -> list[Row]:
    """Return logs of a set that could not be imported, with their reasons, those of last first."""
    return fetch(_SET_ASIDE, {"eval_set_id": eval_set_id, "limit": limit})
