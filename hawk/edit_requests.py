"""Requests to edit logs, as the platform holds them: their rows and states, and what an edit job is given.

Who may ask is decided in hawk.api; Dagster starts the jobs and settles the rows.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict

from hawk.config.load import validate_eval_set_mapping
from hawk.errors import Conflict, NotFound
from hawk.eval_sets import EvalSetRow
from hawk.ids import JobId
from hawk.job_spec import InfraConfig, JobSpec
from hawk.log_edits import EditOrder, EditRequestState, LogEditResult, LogEdits, PlacedEdit
from hawk.naming import eval_set_prefix
from hawk.settings import OrchestrationSettings

DUE_STATES: frozenset[EditRequestState] = frozenset({"accepted", "running"})
MAX_ATTEMPTS = 3  # of a job whose store is in trouble, or that was killed
# A set that was imported has no config of its own; what its venv needs then is Inspect.
NO_CONFIG: dict[str, Any] = {"tasks": [{"package": "inspect-ai", "items": [{"name": "unknown"}]}]}

_INSERT_LOG = """
insert into ops.edit_log (edit_request_id, eval_set_id, log, eval_id, job_id, edits, edit_count, state)
values (%(id)s, %(eval_set_id)s, %(log)s, %(eval_id)s, %(job_id)s, %(edits)s, %(edit_count)s, 'waiting')
"""
_SETTLE_LOG = """
update ops.edit_log
set state = %(state)s, reason = %(reason)s, etag_before = %(etag_before)s, etag_after = %(etag_after)s,
    metrics = %(metrics)s, metrics_reason = %(metrics_reason)s, tries = %(tries)s, settled_at = now()
where edit_request_id = %(id)s and job_id = %(job_id)s and log = %(log)s and state = 'waiting'
"""
_SETTLE_REQUEST = """
update ops.edit_request as request
set state_changed_at = now(),
    state = case when logs.failed = 0 then 'applied' when logs.applied = 0 then 'failed' else 'partly_applied' end
from (
    select count(*) filter (where state = 'applied') as applied, count(*) filter (where state = 'failed') as failed,
        count(*) filter (where state = 'waiting') as waiting
    from ops.edit_log where edit_request_id = %(id)s
) as logs
where request.edit_request_id = %(id)s and request.state = 'running' and logs.waiting = 0
"""


class EditRequestRow(BaseModel):
    """One row of ops.edit_request."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    edit_request_id: str
    created_by: str
    email: str | None
    state: EditRequestState
    edit_count: int
    log_count: int
    decided_by: str | None
    decision_reason: str
    decided_at: datetime | None
    dagster_run_id: str | None
    created_at: datetime
    state_changed_at: datetime


class EditLogRow(BaseModel):
    """One row of ops.edit_log."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    eval_set_id: str
    log: str
    eval_id: str
    job_id: JobId
    edits: tuple[PlacedEdit, ...]
    edit_count: int
    state: Literal["waiting", "applied", "failed"]
    reason: str
    metrics: str
    metrics_reason: str
    settled_at: datetime | None


class EditedLog(BaseModel):
    """A log that a request is to edit, looked up."""

    model_config = ConfigDict(frozen=True)

    eval_set_id: str
    log: str
    eval_id: str
    edits: tuple[PlacedEdit, ...]


def create_request(
    connection: Connection[DictRow],
    edit_request_id: str,
    logs: Sequence[EditedLog],
    *,
    created_by: str,
    email: str | None,
    needs_approval: bool,
) -> EditRequestRow:
    """Keep a request; each set that it touches gets a job of its own, since each has its own venv."""
    numbers = {set_id: number for number, set_id in enumerate(dict.fromkeys(log.eval_set_id for log in logs), start=1)}
    with connection.transaction():
        connection.execute(
            """
            insert into ops.edit_request
                (edit_request_id, created_by, email, state, edit_count, log_count, created_at, state_changed_at)
            values (%s, %s, %s, %s, %s, %s, now(), now())
            """,
            [
                edit_request_id,
                created_by,
                email,
                "waiting_for_approval" if needs_approval else "accepted",
                sum(len(log.edits) for log in logs),
                len(logs),
            ],
        )
        for log in logs:
            values = {
                "id": edit_request_id,
                "eval_set_id": log.eval_set_id,
                "log": log.log,
                "eval_id": log.eval_id,
                "job_id": f"{edit_request_id}-{numbers[log.eval_set_id]}",
                "edits": Jsonb([edit.model_dump(mode="json") for edit in log.edits]),
                "edit_count": len(log.edits),
            }
            connection.execute(_INSERT_LOG, values)
    return request_row(connection, edit_request_id)


def find_request(connection: Connection[DictRow], edit_request_id: str) -> EditRequestRow | None:
    """Return the request's row, or None if there is none."""
    query = "select * from ops.edit_request where edit_request_id = %s"
    row = connection.execute(query, [edit_request_id]).fetchone()
    return EditRequestRow.model_validate(row) if row else None


def request_row(connection: Connection[DictRow], edit_request_id: str) -> EditRequestRow:
    """Return the request's row. Raises NotFound."""
    row = find_request(connection, edit_request_id)
    if row is None:
        raise no_such_request(edit_request_id)
    return row


def no_such_request(edit_request_id: str) -> NotFound:
    return NotFound(
        f"There is no request to edit {edit_request_id[:100]!r} that you may see.",
        hint="List yours: hawk edits list.",
        value=edit_request_id[:100],
        field="edit_request_id",
    )


def logs_of_request(connection: Connection[DictRow], edit_request_id: str) -> list[EditLogRow]:
    """Return the logs of a request, by set and name."""
    query = "select * from ops.edit_log where edit_request_id = %s order by job_id, log"
    return [EditLogRow.model_validate(row) for row in connection.execute(query, [edit_request_id])]


def newest_requests(
    connection: Connection[DictRow], *, created_by: str | None = None, waiting: bool = False, limit: int
) -> list[EditRequestRow]:
    """Return requests, newest first: of one person, or of everybody; all of them or those that wait for approval."""
    query = """
        select * from ops.edit_request
        where (%(created_by)s::text is null or created_by = %(created_by)s)
            and (not %(waiting)s or state = 'waiting_for_approval')
        order by created_at desc, edit_request_id limit %(limit)s
    """
    rows = connection.execute(query, {"created_by": created_by, "waiting": waiting, "limit": limit})
    return [EditRequestRow.model_validate(row) for row in rows]


def due_requests(connection: Connection[DictRow]) -> list[EditRequestRow]:
    """Return the requests that are to be carried out, oldest first."""
    query = "select * from ops.edit_request where state = any(%s) order by created_at"
    return [EditRequestRow.model_validate(row) for row in connection.execute(query, [list(DUE_STATES)])]


def decide(
    connection: Connection[DictRow], edit_request_id: str, *, approve: bool, decided_by: str, reason: str
) -> EditRequestRow:
    """Approve or reject a request that waits for it. Raises Conflict where it does not wait (any more)."""
    query = """
        update ops.edit_request
        set state = %s, decided_by = %s, decision_reason = %s, decided_at = now(), state_changed_at = now()
        where edit_request_id = %s and state = 'waiting_for_approval'
    """
    changed = connection.execute(
        query, ["accepted" if approve else "rejected", decided_by, reason, edit_request_id]
    ).rowcount
    row = request_row(connection, edit_request_id)
    if not changed:
        raise Conflict(f"The request {edit_request_id} waits for no approval: it is {row.state}.", value=row.state)
    return row


def begin(connection: Connection[DictRow], edit_request_id: str, *, dagster_run_id: str) -> EditRequestRow:
    """Let a request be running, which it may be already. Raises NotFound, and Conflict where it is not due."""
    query = """
        update ops.edit_request
        set state = 'running', dagster_run_id = %s,
            state_changed_at = case when state = 'running' then state_changed_at else now() end
        where edit_request_id = %s and state = any(%s)
    """
    changed = connection.execute(query, [dagster_run_id, edit_request_id, list(DUE_STATES)]).rowcount
    row = request_row(connection, edit_request_id)
    if not changed:
        raise Conflict(f"The request {edit_request_id} is not to be carried out: it is {row.state}.", value=row.state)
    return row


def settle_logs(
    connection: Connection[DictRow], edit_request_id: str, job_id: str, results: Iterable[LogEditResult]
) -> None:
    """Write down what came of a job's logs; what is settled stays as it is."""
    for result in results:
        connection.execute(_SETTLE_LOG, {"id": edit_request_id, "job_id": job_id, **result.model_dump()})


def settle_request(connection: Connection[DictRow], edit_request_id: str) -> EditRequestRow:
    """Return the request, ended if all of its logs are settled."""
    connection.execute(_SETTLE_REQUEST, {"id": edit_request_id})
    return request_row(connection, edit_request_id)


def edit_job_spec(
    request: EditRequestRow, row: EvalSetRow, logs: Sequence[EditLogRow], settings: OrchestrationSettings
) -> JobSpec:
    """Return what the runner of one set's edits is told; the same rows give the same bytes."""
    order = EditOrder(
        edit_request_id=request.edit_request_id,
        author=request.email or request.created_by,
        approved_by=request.decided_by,
        memory_bytes=settings.edit_memory_bytes,
        logs=tuple(LogEdits(log=log.log, edits=log.edits) for log in logs),
    )
    infra = InfraConfig(
        created_by=request.created_by,
        email=request.email,
        model_groups=row.model_groups,
        log_dir=f"s3://{settings.bucket}/{eval_set_prefix(row.eval_set_id)}".rstrip("/"),
        max_attempts=MAX_ATTEMPTS,
    )
    config = validate_eval_set_mapping(row.config or NO_CONFIG).config
    runner = config.runner.model_copy(update={"memory": str(2 * settings.edit_memory_bytes), "cpu": None})
    return JobSpec(
        job_id=logs[0].job_id,
        job_type="edit",
        config=config.model_copy(update={"runner": runner}),
        infra=infra,
        edits=order,
    )
