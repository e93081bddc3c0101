"""Where a set's runner is: a run of Dagster asks it, and the answer is read here when it has come."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from psycopg import Connection
from psycopg.rows import DictRow

from hawk.api.contracts import EvalSetActionResponse, StackTraceResponse
from hawk.api.eval_set_access import changeable_row, visible_row
from hawk.api.eval_set_facts import load_facts, status_of
from hawk.api.launch import launch_action
from hawk.api.request_audit import Audit
from hawk.api.services import Caller, Services, ServicesHere, User
from hawk.errors import Conflict
from hawk.job_launcher import JobPhase
from hawk.naming import STACKTRACE_JOB

router = APIRouter(prefix="/eval_sets", tags=["eval sets"])

_ENDED_IN_VAIN = frozenset({"FAILURE", "CANCELED"})


@router.post("/{eval_set_id}/stacktrace", status_code=202)
def ask_for_stacktrace(eval_set_id: str, services: ServicesHere, user: User, audit: Audit) -> EvalSetActionResponse:
    """Ask the set's runner where its threads are. 409 where it does not run."""
    with services.database.connection() as connection:
        row = changeable_row(connection, user, eval_set_id)
    with services.database.reading_as(user) as connection:
        facts = load_facts(connection, [row.eval_set_id])[row.eval_set_id]
    if not row.is_active or not facts.attempts or facts.attempts[-1].phase is not JobPhase.RUNNING:
        status = status_of(row, facts, datetime.now(UTC)).state
        raise Conflict(
            f"No runner of eval set {row.eval_set_id} runs: the set is {status}.",
            hint="See hawk status.",
            value=status,
        )
    with services.database.connection() as connection:
        audit.record(connection, user, "eval_set.stacktrace", object_id=row.eval_set_id)
    run_id = launch_action(
        services.dagster, row.eval_set_id, job_name=STACKTRACE_JOB, options={}, created_by=user.subject
    )
    return EvalSetActionResponse(
        eval_set_id=row.eval_set_id, dagster_run_id=run_id, dagster_run_url=services.dagster.run_url(run_id)
    )


@router.get("/{eval_set_id}/stacktrace")
def stacktrace(
    eval_set_id: str,
    services: ServicesHere,
    caller: Caller,
    run_id: Annotated[
        str, Query(max_length=100, description="Run that was answered to the POST; none: the last.")
    ] = "",
) -> StackTraceResponse:
    """Return the stacks that the runner showed; `pending` until it has, `failed` where it could not."""
    with services.database.connection() as connection:
        row = visible_row(connection, caller, eval_set_id)
        kept = _kept(connection, row.eval_set_id, run_id)
    if kept is not None:
        return StackTraceResponse(eval_set_id=row.eval_set_id, state="ready", **kept)
    state = _state_of_run(services, run_id) if run_id else "none"
    return StackTraceResponse(eval_set_id=row.eval_set_id, state=state)


def _kept(connection: Connection[DictRow], eval_set_id: str, run_id: str) -> DictRow | None:
    return connection.execute(
        """
        select attempt_number, stack_traced_at as taken_at, stack_trace as text from ops.attempt
        where eval_set_id = %(id)s and stack_traced_at is not null and %(run)s in ('', stack_trace_run_id)
        order by stack_traced_at desc limit 1
        """,
        {"id": eval_set_id, "run": run_id.replace("\0", "")},
    ).fetchone()


def _state_of_run(services: Services, run_id: str) -> Literal["pending", "failed"]:
    status = services.dagster.run_status(run_id)
    return "failed" if status is None or status in _ENDED_IN_VAIN else "pending"
