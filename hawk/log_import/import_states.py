"""How far the logs of an eval set have come on their way into the warehouse, one by one, and how to try again."""

from collections.abc import Sequence
from datetime import datetime

from psycopg import Connection
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict

from hawk.errors import NotFound
from hawk.naming import MARTS_SCHEMA, eval_set_key
from hawk.warehouse.inbox import InboxState

_NEWEST = """
select distinct on (bucket, key) *
from ops.log_inbox where eval_set_id = %(eval_set_id)s
order by bucket, key, last_modified desc, log_inbox_id desc
"""
_IMPORTS = f"""
select newest.key, newest.state, newest.reason, newest.attempts, newest.size_bytes, newest.last_modified,
    newest.state_changed_at, imported.sample_count, imported.damage,
    {{is_in_marts}} as is_in_marts
from ({_NEWEST}) as newest
left join raw.eval_import as imported
    on imported.eval_set_id = newest.eval_set_id and imported.location = 's3://' || newest.bucket || '/' || newest.key
order by newest.state_changed_at desc, newest.key
"""  # noqa: S608  # queries of ours
# Not while dbt has never built it, and not for a role that reads no results.
_SEES_MART = "select coalesce(has_table_privilege(to_regclass(%s), 'select'), false) as there"
_IN_MARTS = """exists (
    select 1 from marts.fct_eval as shown
    where shown.eval_id = imported.eval_id and shown.import_id = imported.import_id
)"""
_REOPEN = f"""
update ops.log_inbox as entry
set state = 'pending', reason = '', attempts = 0, worker_deaths = 0, state_changed_at = now()
from ({_NEWEST}) as newest
where entry.log_inbox_id = newest.log_inbox_id and entry.state not in ('pending', 'importing')
    and case
        when %(keys)s::text[] is null then entry.state in ('quarantined', 'dead_letter')
        else entry.key = any(%(keys)s)
    end
"""  # noqa: S608  # queries of ours


class LogImport(BaseModel):
    """The newest version of one log in the inbox."""

    model_config = ConfigDict(frozen=True)

    key: str
    state: InboxState
    reason: str
    attempts: int
    size_bytes: int
    last_modified: datetime
    state_changed_at: datetime
    sample_count: int | None
    damage: str | None
    is_in_marts: bool

    @property
    def log(self) -> str:
        return self.key.rpartition("/")[2]


def log_imports(connection: Connection[DictRow], eval_set_id: str) -> list[LogImport]:
    """Return the set's logs, each in its newest version, those that changed last first."""
    mart = connection.execute(_SEES_MART, [f"{MARTS_SCHEMA}.fct_eval"]).fetchone()
    query = _IMPORTS.format(is_in_marts=_IN_MARTS if mart and mart["there"] else "false")
    rows = connection.execute(query.encode(), {"eval_set_id": eval_set_id})
    return [LogImport.model_validate(row) for row in rows]


def retry_imports(connection: Connection[DictRow], eval_set_id: str, logs: Sequence[str] = ()) -> int:
    """Let the named logs be imported again, or else all that were set aside; return how many wait now.

    Raises NotFound for a name that is none of the set's logs.
    """
    if logs:
        known = {found.log for found in log_imports(connection, eval_set_id)}
        unknown = sorted(set(logs) - known)
        if unknown:
            raise NotFound(
                f"Eval set {eval_set_id} has no log {unknown[0]!r}.",
                hint=f"List them: hawk imports list {eval_set_id}.",
                value=unknown,
                field="logs",
            )
    keys = [eval_set_key(eval_set_id, name) for name in logs] if logs else None
    return connection.execute(_REOPEN.encode(), {"eval_set_id": eval_set_id, "keys": keys}).rowcount
