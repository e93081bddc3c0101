"""The audit: who did what, or was denied it, from where and when; rows of ops.audit, which nobody can change.

Written in the transaction of the act where there is one, so that neither is there without the other.
"""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict, Field

Action = Literal[
    "eval_set.launch",
    "eval_set.resume",
    "eval_set.stop",
    "eval_set.retry",
    "eval_set.delete",
    "eval_set.stacktrace",
    "log.view",
    "log.download",
    "transcript.view",
    "log.import",
    "log.reimport",
    "sample.edit",
    "sample.edit_approve",
    "sample.edit_reject",
    "artifact.download",
    "credentials.grant",
    "benchmark.set_group",
    "benchmark.open",
    "model.add",
    "model.update",
    "model.activate",
    "model.deactivate",
    "provider.set",
    "provider.remove",
    "provider_key.set",
    "provider_key.remove",
    "limit.set",
    "limit.remove",
    "budget.set",
    "budget.remove",
    "team.set",
    "dagster.launch",
    "dagster.terminate",
    "dagster.wipe",
    "dagster.change",
    "request",
]
MAX_TEXT = 500

_NEWEST = """
select * from ops.audit_trail
where (%(before)s::bigint is null or audit_id < %(before)s)
  and (%(subject)s::text is null or subject = %(subject)s)
  and (%(action)s::text is null or action = %(action)s)
  and (%(outcome)s::text is null or outcome = %(outcome)s)
  and (%(object_id)s::text is null or object_id = %(object_id)s)
  and (%(request_id)s::text is null or request_id = %(request_id)s)
  and (%(since)s::timestamptz is null or occurred_at >= %(since)s)
order by audit_id desc
limit %(limit)s
"""
_FILTERS = ("before", "subject", "action", "outcome", "object_id", "request_id", "since")


class Actor(Protocol):
    """The part of hawk.auth.Principal that is written down."""

    @property
    def subject(self) -> str: ...
    @property
    def email(self) -> str | None: ...
    @property
    def kind(self) -> str: ...


class AuditEntry(BaseModel):
    """One act or denial; texts are cut at 500 characters, and hold no secrets and no prompts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    door: Literal["api", "broker", "dagster"]
    action: Action
    outcome: Literal["allowed", "denied"] = "allowed"
    object_kind: str = ""
    object_id: str = ""
    client_address: str = ""
    request_id: str = ""
    detail: Mapping[str, Any] = Field(default_factory=dict)


def record(connection: Connection[DictRow], entry: AuditEntry, actor: Actor | None) -> None:
    """Write one row."""
    connection.execute(
        """
        insert into ops.audit (door, action, outcome, subject, email, principal_kind, object_kind, object_id,
                               client_address, request_id, detail)
        values (%(door)s, %(action)s, %(outcome)s, %(subject)s, %(email)s, %(principal_kind)s, %(object_kind)s,
                %(object_id)s, %(client_address)s, %(request_id)s, %(detail)s)
        """,
        {
            **{name: _storable(value) for name, value in entry.model_dump(exclude={"detail"}).items()},
            "detail": Jsonb({name: _storable(value) for name, value in entry.detail.items()}),
            "subject": _storable(actor.subject) if actor else None,
            "email": _storable(actor.email) if actor else None,
            "principal_kind": actor.kind if actor else None,
        },
    )


def newest_entries(connection: Connection[DictRow], *, limit: int, **filters: Any) -> tuple[list[DictRow], int | None]:
    """Return rows of ops.audit_trail that meet all filters, newest first, and `before` of the next page if any.

    Filters that are None do not count: before, subject, action, outcome, object_id, request_id, since.
    """
    values = {**dict.fromkeys(_FILTERS), **filters, "limit": limit + 1}
    rows = connection.execute(_NEWEST, values).fetchall()
    return rows[:limit], rows[limit - 1]["audit_id"] if len(rows) > limit else None


def _storable(value: Any) -> Any:
    """Return the value without what Postgres cannot hold, and short: some of it is what strangers sent."""
    if isinstance(value, str):
        text = value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
    if isinstance(value, list | tuple | set | frozenset):
        return [_storable(item) for item in list(value)[:100]]
    return value
