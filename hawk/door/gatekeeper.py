"""Who may do what at Dagster's door, and the record of it."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hawk.api.database import Database
from hawk.audit import Action, AuditEntry, record
from hawk.auth import Principal
from hawk.door.rules import Asked, Right, asked_of
from hawk.door.stamping import stamped
from hawk.errors import NotAllowed, UserError
from hawk.launch_stamps import write_stamp
from hawk.permissions import may_use, may_view
from hawk.settings import DoorSettings

ACTION_OF_RIGHT: Mapping[Right, Action] = {
    Right.LAUNCH: "dagster.launch",
    Right.TERMINATE: "dagster.terminate",
    Right.WIPE: "dagster.wipe",
    Right.CHANGE: "dagster.change",
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gatekeeper:
    """Decides over one request after the other; its methods block."""

    settings: DoorSettings
    database: Database

    def may(self, principal: Principal, right: Right) -> bool:
        """Say whether one of the right's groups is held; no groups at all means nobody."""
        groups = {
            Right.VIEW: self.settings.dagster_view_groups,
            Right.LAUNCH: self.settings.dagster_launch_groups,
            Right.TERMINATE: self.settings.dagster_terminate_groups,
            Right.WIPE: self.settings.dagster_wipe_groups,
            Right.CHANGE: self.settings.dagster_change_groups,
        }[right]
        holds = may_view if right is Right.VIEW else may_use
        return any(holds(principal, [group]) for group in groups)

    def require(self, principal: Principal, right: Right, *, address: str, what: str) -> None:
        """Raise NotAllowed, and write that down, unless the right is held."""
        if self.may(principal, right):
            return
        self._record(principal, "request", address, outcome="denied", detail={"right": str(right), "path": what})
        raise NotAllowed(
            f"You may not {right} here: you hold none of the groups for it.", hint="Ask an administrator.", value=right
        )

    def require_admin(self, principal: Principal, *, address: str, what: str) -> None:
        """Raise NotAllowed, and write that down, unless the principal is an administrator."""
        if principal.is_admin:
            return
        self._record(principal, "request", address, outcome="denied", detail={"path": what})
        raise NotAllowed("This is for administrators.", hint="Ask one of them.")

    def admit(self, principal: Principal, body: Mapping[str, Any], *, address: str) -> dict[str, Any]:
        """Return the GraphQL request to send on. Raises UserError, and NotAllowed where a right is missing."""
        query, variables = _query_of(body)
        asked = self._asked(principal, query, address)
        for right in sorted(asked.rights):
            names = ", ".join(call.name for call in asked.calls if call.right is right) or "query"
            self.require(principal, right, address=address, what=names)
        if asked.calls:
            variables = self._stamped(principal, asked, variables, address)
        return {"query": query, "variables": variables, "operationName": body.get("operationName")}

    def _asked(self, principal: Principal, query: str, address: str) -> Asked:
        try:
            return asked_of(query)
        except NotAllowed as error:
            detail = {"path": str(error.value)}
            self._record(principal, "request", address, outcome="denied", detail=detail)
            raise

    def _stamped(self, principal: Principal, asked: Asked, variables: dict[str, Any], address: str) -> dict[str, Any]:
        with self.database.connection() as connection, connection.transaction():
            for call in asked.calls:
                if call.right is Right.LAUNCH:
                    variables = stamped(
                        call, variables, principal, lambda config: write_stamp(connection, principal, config)
                    )
                action = ACTION_OF_RIGHT.get(call.right)
                if action is not None:
                    entry = AuditEntry(
                        door="dagster", action=action, client_address=address, detail=_shown(call.name, variables)
                    )
                    record(connection, entry, principal)
        return variables

    def _record(
        self, principal: Principal, action: Action, address: str, *, outcome: Any, detail: Mapping[str, Any]
    ) -> None:
        entry = AuditEntry(door="dagster", action=action, outcome=outcome, client_address=address, detail=detail)
        try:
            with self.database.connection() as connection:
                record(connection, entry, principal)
        except Exception:
            if outcome != "denied":
                raise
            logger.exception("a denial was not written into the audit")


def _query_of(body: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    query, variables = body.get("query"), body.get("variables")
    if isinstance(variables, str):
        try:
            variables = json.loads(variables)
        except (ValueError, RecursionError) as error:
            raise UserError("The variables cannot be read.", field="variables") from error
    if not isinstance(query, str) or not isinstance(variables, dict | None):
        raise UserError("The request has no GraphQL query.", field="query")
    name = body.get("operationName")
    if name is not None and not isinstance(name, str):
        raise UserError("The operation's name is no text.", field="operationName")
    return query, dict(variables or {})


def _shown(name: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the audit keeps of a mutation: which, and of what, never a run's config."""
    kept: dict[str, Any] = {"mutation": name}
    for key in ("runId", "runIds", "backfillId", "partitionKey", "partitionKeys"):
        if key in variables:
            kept[key] = variables[key]
    for params in variables.values():
        selector = params.get("selector") if isinstance(params, dict) else None
        if isinstance(selector, dict):
            kept["job"] = selector.get("jobName") or selector.get("pipelineName") or ""
    return kept
