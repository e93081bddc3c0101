"""Eval sets: launch, list, look at."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from hawk.api import listings
from hawk.api.contracts import (
    CreateEvalSetRequest,
    CreateEvalSetResponse,
    EvalSetConfigResponse,
    EvalSetListResponse,
    EvalSetStatusResponse,
    ResumeEvalSetRequest,
)
from hawk.api.eval_set_access import changeable_row, visible_row
from hawk.api.eval_set_facts import load_facts
from hawk.api.eval_set_view import Links, list_entry, status_response
from hawk.api.launch import launch_eval_set
from hawk.api.query_parameters import Cursor, Limit, Text
from hawk.api.request_audit import Audit
from hawk.api.resume import order_to_resume
from hawk.api.services import Caller, Services, ServicesHere, User
from hawk.audit import AuditEntry
from hawk.auth import Principal
from hawk.errors import NotFound
from hawk.eval_set_claim import EvalSetOrder, create_eval_set
from hawk.eval_sets import EvalSetRow, EvalSetState
from hawk.progress import read_progress

router = APIRouter(prefix="/eval_sets", tags=["eval sets"])


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
    return _launch(order, services, user, audit.entry("eval_set.launch", force=request.force), force=request.force)


@router.post("/{eval_set_id}/resume", status_code=201)
def resume(
    eval_set_id: str,
    services: ServicesHere,
    user: User,
    audit: Audit,
    request: ResumeEvalSetRequest | None = None,
) -> CreateEvalSetResponse:
    """Launch a set that has ended again, as stored or with another config; what succeeded is kept. 409 if active."""
    asked = request or ResumeEvalSetRequest()
    with services.database.connection() as connection:
        row = changeable_row(connection, user, eval_set_id)
    order = order_to_resume(row, asked)
    entry = audit.entry("eval_set.resume", force=asked.force, other_config=asked.config is not None)
    return _launch(order, services, user, entry, force=asked.force)


@router.get("")
def list_eval_sets(
    services: ServicesHere,
    caller: Caller,
    search: Annotated[Text, Query(description="Words of the id, the name or the owner; all must be found.")] = None,
    mine: Annotated[bool, Query(description="Only sets that the caller made.")] = False,
    created_by: Text = None,
    status: Annotated[list[EvalSetState] | None, Query(description="As stored; any of these.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> EvalSetListResponse:
    """Return the newest sets that the caller may see."""
    filters = {"search": search, "mine": mine, "created_by": created_by, "status": status}
    with services.database.connection() as connection:
        page = listings.list_eval_sets(connection, caller, filters, limit=limit, cursor=cursor)
        rows = [EvalSetRow.model_validate(row) for row in page.rows]
    with services.database.reading_as(caller) as connection:
        facts = load_facts(connection, [row.eval_set_id for row in rows])
    now = datetime.now(UTC)
    return EvalSetListResponse(
        eval_sets=[list_entry(row, facts[row.eval_set_id], now=now) for row in rows],
        total=page.total,
        total_is_capped=page.total_is_capped,
        next_cursor=page.next_cursor,
    )


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
    with services.database.reading_as(caller) as connection:
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


def _launch(
    order: EvalSetOrder, services: Services, user: Principal, entry: AuditEntry, *, force: bool
) -> CreateEvalSetResponse:
    with services.database.connection() as connection:
        claimed = create_eval_set(
            connection,
            order,
            principal=user,
            stores=services.stores,
            allow_local_packages=services.settings.allow_local_packages,
            audit_entry=entry,
            max_unfinished=None if force else services.settings.max_unfinished_sets,
        )
        launch = launch_eval_set(connection, services.dagster, claimed.eval_set_id, created_by=user.subject)
    return CreateEvalSetResponse(
        eval_set_id=claimed.eval_set_id,
        dagster_run_id=launch.run_id,
        dagster_run_url=services.dagster.run_url(launch.run_id) if launch.run_id else None,
        viewer_url=services.viewer_url(claimed.eval_set_id),
        warnings=[*claimed.warnings, *([launch.warning] if launch.warning else [])],
    )


def _links(services: Services, row: EvalSetRow) -> Links:
    run_url = services.dagster.run_url(row.dagster_run_id) if row.dagster_run_id else None
    return Links(dagster_run_url=run_url, viewer_url=services.viewer_url(row.eval_set_id))
