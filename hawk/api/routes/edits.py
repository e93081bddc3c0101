"""Edits of samples in their logs: asking for them, following them, and agreeing to another's."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from psycopg import Connection
from psycopg.rows import DictRow

from hawk.api.edit_contracts import (
    DecideEditRequest,
    EditedLogResponse,
    EditListResponse,
    EditResponse,
    EditSamplesRequest,
)
from hawk.api.edits import hand_over, place_edits, require_change, require_second_person, visible_logs
from hawk.api.launch import Launch
from hawk.api.request_audit import Audit, RequestAudit
from hawk.api.services import Services, ServicesHere, User
from hawk.audit import Action
from hawk.auth import Principal
from hawk.edit_requests import (
    EditLogRow,
    EditRequestRow,
    create_request,
    decide,
    newest_requests,
    request_row,
)
from hawk.errors import NotFound
from hawk.ids import new_job_id

router = APIRouter(prefix="/edits", tags=["edits"])

RequestId = Annotated[str, Path(pattern=r"^edit-[a-z0-9]{16}$")]
MAX_LISTED = 100


@router.post("", status_code=202)
def edit_samples(request: EditSamplesRequest, services: ServicesHere, user: User, audit: Audit) -> EditResponse:
    """Edit samples in their logs. 403 unless all of their eval sets are the caller's, or he is an administrator."""
    with services.database.reading_as(user) as connection:
        logs = place_edits(connection, request.edits)
    with services.database.connection() as connection:
        require_change(connection, user, (log.eval_set_id for log in logs))
        with connection.transaction():
            made = create_request(
                connection,
                new_job_id("edit"),
                logs,
                created_by=user.subject,
                email=user.email,
                needs_approval=services.settings.edits_need_approval,
            )
            for eval_set_id in sorted({log.eval_set_id for log in logs}):
                audit.record(
                    connection,
                    user,
                    "sample.edit",
                    object_id=eval_set_id,
                    edit_request_id=made.edit_request_id,
                    samples=[edit.sample_uuid for log in logs if log.eval_set_id == eval_set_id for edit in log.edits],
                )
        return _begun(connection, services, made, user)


@router.get("")
def list_edits(
    services: ServicesHere,
    user: User,
    waiting: Annotated[bool, Query(description="Those that wait for the caller's approval, of whoever.")] = False,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 20,
) -> EditListResponse:
    """Return the caller's newest requests, without their logs."""
    with services.database.connection() as connection:
        if not waiting:
            found = newest_requests(connection, created_by=user.subject, limit=limit)
            return EditListResponse(edits=[_response(services, row, []) for row in found])
        found = [
            row
            for row in newest_requests(connection, waiting=True, limit=MAX_LISTED)
            if _may_decide(connection, user, row)
        ]
    return EditListResponse(edits=[_response(services, row, []) for row in found[:limit]])


@router.get("/{edit_request_id}")
def show_edit(edit_request_id: RequestId, services: ServicesHere, user: User) -> EditResponse:
    """Return a request and what came of each log. 404 also where it is another's."""
    with services.database.connection() as connection:
        row = request_row(connection, edit_request_id)
        logs = visible_logs(connection, user, row)
    return _response(services, row, logs)


@router.post("/{edit_request_id}/approve", status_code=202)
def approve(
    edit_request_id: RequestId, request: DecideEditRequest, services: ServicesHere, user: User, audit: Audit
) -> EditResponse:
    """Agree to another's edits, which are then made. 409 where they wait for nobody."""
    with services.database.connection() as connection:
        made = _decided(connection, user, audit, edit_request_id, approve=True, reason=request.reason)
        return _begun(connection, services, made, user)


@router.post("/{edit_request_id}/reject")
def reject(
    edit_request_id: RequestId, request: DecideEditRequest, services: ServicesHere, user: User, audit: Audit
) -> EditResponse:
    """Refuse another's edits, which are then never made. 409 where they wait for nobody."""
    with services.database.connection() as connection:
        made = _decided(connection, user, audit, edit_request_id, approve=False, reason=request.reason)
        return _response(services, made, visible_logs(connection, user, made))


def _decided(
    connection: Connection[DictRow],
    user: Principal,
    audit: RequestAudit,
    edit_request_id: str,
    *,
    approve: bool,
    reason: str,
) -> EditRequestRow:
    row = request_row(connection, edit_request_id)
    visible_logs(connection, user, row)
    require_second_person(connection, user, row)
    with connection.transaction():
        decided = decide(connection, edit_request_id, approve=approve, decided_by=user.subject, reason=reason)
        action: Action = "sample.edit_approve" if approve else "sample.edit_reject"
        audit.record(connection, user, action, object_kind="edit_request", object_id=edit_request_id, reason=reason)
    return decided


def _may_decide(connection: Connection[DictRow], user: Principal, row: EditRequestRow) -> bool:
    try:
        visible_logs(connection, user, row)
    except NotFound:
        return False
    return user.subject != row.created_by


def _begun(connection: Connection[DictRow], services: Services, row: EditRequestRow, user: Principal) -> EditResponse:
    launch = hand_over(services.dagster, row) if row.state == "accepted" else Launch(None)
    return _response(services, row, visible_logs(connection, user, row), launch)


def _response(
    services: Services, row: EditRequestRow, logs: list[EditLogRow], launch: Launch | None = None
) -> EditResponse:
    run_id = (launch.run_id if launch else None) or row.dagster_run_id
    return EditResponse(
        **row.model_dump(exclude={"email", "decided_at", "dagster_run_id", "state_changed_at"}),
        dagster_run_url=services.dagster.run_url(run_id) if run_id else None,
        logs=[EditedLogResponse.model_validate(log.model_dump(exclude={"edits", "job_id"})) for log in logs],
        warnings=[launch.warning] if launch and launch.warning else [],
    )
