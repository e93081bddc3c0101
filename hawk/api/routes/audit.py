"""The audit, for administrators."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from hawk.api.contracts import AuditListResponse, AuditResponse
from hawk.api.services import Admin, ServicesHere
from hawk.audit import newest_entries

router = APIRouter(prefix="/audit", tags=["audit"])

Filter = Annotated[str | None, Query(max_length=300, pattern="^[^\\x00]*$")]


@router.get("")
def list_audit(
    services: ServicesHere,
    admin: Admin,
    subject: Filter = None,
    action: Filter = None,
    outcome: Annotated[Literal["allowed", "denied"] | None, Query()] = None,
    object_id: Filter = None,
    request_id: Filter = None,
    since: Annotated[datetime | None, Query(description="No rows from before this moment.")] = None,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="`next_before` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> AuditListResponse:
    """Return what was done and denied, newest first."""
    with services.database.connection() as connection:
        rows, next_before = newest_entries(
            connection,
            limit=limit,
            subject=subject,
            action=action,
            outcome=outcome,
            object_id=object_id,
            request_id=request_id,
            since=since,
            before=before,
        )
    return AuditListResponse(entries=[AuditResponse.model_validate(row) for row in rows], next_before=next_before)
