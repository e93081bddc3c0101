"""Eval sets: launch, list, look at."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from psycopg import Connection
from psycopg.rows import DictRow

from hawk.api.contracts import (
    CreateEvalSetRequest,
    CreateEvalSetResponse,
    EvalSetConfigResponse,
    EvalSetListResponse,
    EvalSetStatusResponse,
    LogsResponse,
)
from hawk.api.eval_set_access import list_rows, visible_row
from hawk.api.eval_set_facts import load_facts
from hawk.api.eval_set_view import Links, list_entry, status_response
from hawk.api.launch import launch_eval_set
from hawk.api.request_audit import Audit
from hawk.api.services import Caller, Services, ServicesHere, User
from hawk.errors import NotFound
from hawk.eval_set_claim import EvalSetOrder, create_eval_set
from hawk.eval_sets import EvalSetRow
from hawk.progress import read_progress

router = APIRouter(prefix="/eval_sets", tags=["eval sets"])

MAX_LOG_LINES = 10_000


@router.post("", status_code=201)
def create(request: CreateEvalSetRequest, services: ServicesHere, user: User, audit: Audit) -> CreateEvalSetResponse:
    """Launch a set, or relaunch one that has ended. 409 where it is active or its id is taken."""
    order = EvalSetOrder(
        origin="api",
        config=request.config,
        eval_set_id=request.eval_set_id,
        secrets=request.secrets,
        priority=request.priority,
        log_dir_allow_dirty=request.log_dir_allow_dirty,
    )
    with services.database.connection() as connection:
        claimed = create_eval_set(
            connection,
            order,
            principal=user,
            stores=services.stores,
            allow_local_packages=services.settings.allow_local_packages,
            audit_entry=audit.entry("eval_set.launch", force=request.force),
            max_unfinished=None if request.force else services.settings.max_unfinished_sets,
        )
        launch = launch_eval_set(connection, services.dagster, claimed.eval_set_id, created_by=user.subject)
    return CreateEvalSetResponse(
        eval_set_id=claimed.eval_set_id,
        dagster_run_id=launch.run_id,
        dagster_run_url=services.dagster.run_url(launch.run_id) if launch.run_id else None,
        viewer_url=services.viewer_url(claimed.eval_set_id),
        warnings=[*claimed.warnings, *([launch.warning] if launch.warning else [])],
    )


@router.get("")
def list_eval_sets(
    services: ServicesHere,
    caller: Caller,
    limit: Annotated[int, Query(ge=1, le=500)] = 20,
    search: Annotated[str, Query(max_length=200, description="Part of the id, the name or the owner.")] = "",
    mine: Annotated[bool, Query(description="Only sets that the caller made.")] = False,
) -> EvalSetListResponse:
    """Return the newest sets that the caller may see."""
    with services.database.connection() as connection:
        rows = list_rows(connection, caller, limit=limit, search=search, mine=mine)
        facts = load_facts(connection, [row.eval_set_id for row in rows])
    now = datetime.now(UTC)
    return EvalSetListResponse(eval_sets=[list_entry(row, facts[row.eval_set_id], now=now) for row in rows])


@router.get("/{eval_set_id}/status")
def status(
    eval_set_id: str,
    services: ServicesHere,
    caller: Caller,
    samples: Annotated[int, Query(ge=0, le=100_000, description="Most samples of each task.")] = 100,
) -> EvalSetStatusResponse:
    """Return how the set stands: its tasks and samples, its attempts, and its logs' way into the warehouse."""
    with services.database.connection() as connection:
        row = visible_row(connection, caller, eval_set_id)
        facts = load_facts(connection, [row.eval_set_id])[row.eval_set_id]
    progress = read_progress(services.s3, services.settings.bucket, row.eval_set_id)
    links = _links(services, row)
    return status_response(row, facts, progress, now=datetime.now(UTC), sample_limit=samples, links=links)


@router.get("/{eval_set_id}/config")
def config(eval_set_id: str, services: ServicesHere, caller: Caller) -> EvalSetConfigResponse:
    """Return the config of the last launch. 404 also for a set that is known by its logs only."""
    with services.database.connection() as connection:
        row = visible_row(connection, caller, eval_set_id)
    if row.config is None:
        raise NotFound(f"Eval set {eval_set_id} was not launched here; its config is not known.", field="eval_set_id")
    return EvalSetConfigResponse(eval_set_id=row.eval_set_id, config=row.config)


@router.get("/{eval_set_id}/logs")
def logs(
    eval_set_id: str,
    services: ServicesHere,
    caller: Caller,
    lines: Annotated[int, Query(ge=1, le=MAX_LOG_LINES)] = 100,
) -> LogsResponse:
    """Return the end of what the newest attempt of the runner printed, as far as it was collected."""
    with services.database.connection() as connection:
        row = visible_row(connection, caller, eval_set_id)
        attempt = _newest_attempt(connection, row)
    if attempt is None:
        return LogsResponse(eval_set_id=row.eval_set_id, attempt_number=None, text="")
    text = "\n".join(attempt["last_log_lines"].splitlines()[-lines:])
    return LogsResponse(eval_set_id=row.eval_set_id, attempt_number=attempt["attempt_number"], text=text)


def _newest_attempt(connection: Connection[DictRow], row: EvalSetRow) -> DictRow | None:
    return connection.execute(
        """
        select attempt_number, last_log_lines from ops.attempt where eval_set_id = %s
        order by started_at desc nulls last, attempt_number desc limit 1
        """,
        [row.eval_set_id],
    ).fetchone()


def _links(services: Services, row: EvalSetRow) -> Links:
    run_url = services.dagster.run_url(row.dagster_run_id) if row.dagster_run_id else None
    return Links(dagster_run_url=run_url, viewer_url=services.viewer_url(row.eval_set_id))
