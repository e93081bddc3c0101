"""The audit, for administrators."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from hawk.api.contracts import AuditListResponse, AuditResponse
from hawk.api.services import Admin, ServicesHere

router = APIRouter(prefix="/audit", tags=["audit"])

Filter = Annotated[str | None, Query(max_length=300, pattern="^[^\\x00]*$")]

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
    filters = {
        "subject": subject,
        "action": action,
        "outcome": outcome,
        "object_id": object_id,
        "request_id": request_id,
        "since": since,
        "before": before,
        "limit": limit + 1,
    }
    with services.database.connection() as connection:
        rows = connection.execute(_NEWEST, filters).fetchall()
    shown = [AuditResponse.model_validate(row) for row in rows[:limit]]
    return AuditListResponse(entries=shown, next_before=shown[-1].audit_id if len(rows) > limit else None)
