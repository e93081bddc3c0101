"""What the API writes into the audit: acts by its routes, denials by its error handler."""

import logging
from typing import Annotated, Any

from fastapi import Depends, Request
from psycopg import Connection
from psycopg.rows import DictRow

from hawk.audit import Action, AuditEntry, record
from hawk.auth import Principal
from hawk.errors import HawkError, NotFound

logger = logging.getLogger(__name__)


class Withheld(NotFound):
    """It exists, and the caller may not know: answered as any NotFound, written down as what it is."""

    def __init__(self, answer: NotFound, *, object_kind: str, object_id: str, missing_groups: list[str]) -> None:
        super().__init__(answer.message, hint=answer.hint, value=answer.value, field=answer.field)
        self.object_kind = object_kind
        self.object_id = object_id
        self.missing_groups = missing_groups


class RequestAudit:
    """Writes rows that know the request they come from."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def entry(self, action: Action, *, object_kind: str = "", object_id: str = "", **detail: Any) -> AuditEntry:
        return AuditEntry(
            door="api",
            action=action,
            object_kind=object_kind,
            object_id=object_id,
            client_address=self._request.client.host if self._request.client else "",
            request_id=str(self._request.scope.get("hawk.request_id", "")),
            detail=detail,
        )

    def record(
        self,
        connection: Connection[DictRow],
        principal: Principal,
        action: Action,
        *,
        object_kind: str = "eval_set",
        object_id: str = "",
        **detail: Any,
    ) -> None:
        """Write down an act that is allowed; before it is done, so that none goes unwritten."""
        record(connection, self.entry(action, object_kind=object_kind, object_id=object_id, **detail), principal)


def record_denial(request: Request, error: HawkError) -> None:
    """Write down that a signed-in caller was denied. A denial stands though it cannot be written down."""
    principal: Principal | None = request.scope.get("hawk.principal")
    if principal is None:  # anybody can send bad tokens, as many as they like
        return
    method, path = request.method, request.scope.get("path", "")
    detail: dict[str, Any] = {"method": method, "path": path, "reason": error.message}
    if isinstance(error, Withheld):
        detail["missing_groups"] = error.missing_groups
    entry = RequestAudit(request).entry("request", **detail)
    outcome: dict[str, Any] = {"outcome": "denied"}
    if isinstance(error, Withheld):
        outcome |= {"object_kind": error.object_kind, "object_id": error.object_id}
    elif "eval_set_id" in request.path_params:
        outcome |= {"object_kind": "eval_set", "object_id": str(request.path_params["eval_set_id"])}
    try:
        with request.app.state.services.database.connection() as connection:
            record(connection, entry.model_copy(update=outcome), principal)
    except Exception:
        logger.exception("a denial was not written into the audit", extra={"path": path})


Audit = Annotated[RequestAudit, Depends(RequestAudit)]
