"""What models were used for and what may be: usage, live usage, limits, budgets, teams."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from hawk.api.request_audit import Audit
from hawk.api.services import Admin, ServicesHere, User
from hawk.errors import NotFound
from hawk.model_registry.contracts import (
    BudgetKind,
    BudgetResponse,
    LimitKind,
    LimitResponse,
    LiveUsageResponse,
    Period,
    SetBudgetRequest,
    SetLimitRequest,
    SetTeamRequest,
    TeamResponse,
    UsageLimitsResponse,
    UsageResponse,
)
from hawk.model_registry.use import By, budgets, live_models, usage_limits, usage_rows

router = APIRouter(tags=["usage"])

Name = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]


@router.get("/usage")
def usage(
    services: ServicesHere,
    user: User,
    by: By = "model",
    days: Annotated[int, Query(ge=1, le=3660)] = 30,
    eval_set_id: Annotated[str | None, Query(max_length=200)] = None,
) -> UsageResponse:
    """Return what the caller used of the models they may see; for administrators, what everybody used of them."""
    with services.database.connection() as connection:
        return UsageResponse(
            by=by, days=days, rows=usage_rows(connection, user, by=by, days=days, eval_set_id=eval_set_id)
        )


@router.get("/usage/live")
def live(services: ServicesHere, user: User) -> LiveUsageResponse:
    """Return what goes through the proxies now; a second or two behind."""
    with services.database.connection() as connection:
        return LiveUsageResponse(models=live_models(connection, user))


@router.get("/usage/limits")
def limits(services: ServicesHere, user: User) -> UsageLimitsResponse:
    """Return limits and budgets that concern the caller, and what providers last said of their own."""
    with services.database.connection() as connection:
        return usage_limits(connection, user)


@router.put("/admin/limits/{scope}/{name:path}")
def set_limit(
    scope: LimitKind, name: Name, request: SetLimitRequest, services: ServicesHere, admin: Admin, audit: Audit
) -> LimitResponse:
    """Set what all callers of a model or group together may do, in place of what it was."""
    values = {"scope": scope, "name": name, **request.model_dump()}
    with services.database.connection() as connection, connection.transaction():
        audit.record(connection, admin, "limit.set", object_kind=scope, object_id=name, **request.model_dump())
        connection.execute(
            """
            insert into ops.usage_limit (scope, name, concurrency, requests_per_minute, tokens_per_minute)
            values (%(scope)s, %(name)s, %(concurrency)s, %(requests_per_minute)s, %(tokens_per_minute)s)
            on conflict (scope, name) do update set
                concurrency = excluded.concurrency, requests_per_minute = excluded.requests_per_minute,
                tokens_per_minute = excluded.tokens_per_minute
            """,
            values,
        )
    return LimitResponse.model_validate(values)


@router.delete("/admin/limits/{scope}/{name:path}")
def remove_limit(scope: LimitKind, name: Name, services: ServicesHere, admin: Admin, audit: Audit) -> LimitResponse:
    """Remove a limit. 404 where there is none."""
    with services.database.connection() as connection, connection.transaction():
        audit.record(connection, admin, "limit.remove", object_kind=scope, object_id=name)
        row = connection.execute(
            "delete from ops.usage_limit where scope = %s and name = %s returning *", [scope, name]
        ).fetchone()
        if row is None:
            raise NotFound(f"The {scope} {name!r} has no limit.", value=name)
    return LimitResponse.model_validate(row)


@router.put("/admin/budgets/{scope}/{period}/{name:path}")
def set_budget(
    scope: BudgetKind,
    period: Period,
    name: Name,
    request: SetBudgetRequest,
    services: ServicesHere,
    admin: Admin,
    audit: Audit,
) -> BudgetResponse:
    """Set what may be spent; calls that could go over it are refused from now on."""
    with services.database.connection() as connection, connection.transaction():
        audit.record(
            connection,
            admin,
            "budget.set",
            object_kind=scope,
            object_id=name,
            period=period,
            limit_usd=str(request.limit_usd),
        )
        connection.execute(
            """
            insert into ops.usage_budget (scope, name, period, limit_usd) values (%s, %s, %s, %s)
            on conflict (scope, name, period) do update set limit_usd = excluded.limit_usd
            """,
            [scope, name, period, request.limit_usd],
        )
        [budget] = [
            budget
            for budget in budgets(connection, None)
            if (budget.scope, budget.name, budget.period) == (scope, name, period)
        ]
    return budget


@router.delete("/admin/budgets/{scope}/{period}/{name:path}")
def remove_budget(
    scope: BudgetKind, period: Period, name: Name, services: ServicesHere, admin: Admin, audit: Audit
) -> BudgetResponse:
    """Remove a budget. 404 where there is none."""
    with services.database.connection() as connection, connection.transaction():
        audit.record(connection, admin, "budget.remove", object_kind=scope, object_id=name, period=period)
        row = connection.execute(
            "delete from ops.usage_budget where scope = %s and name = %s and period = %s returning *",
            [scope, name, period],
        ).fetchone()
        if row is None:
            raise NotFound(f"The {scope.replace('_', ' ')} {name!r} has no such budget.", value=name)
    return BudgetResponse.model_validate(row)


@router.put("/admin/teams/{team}")
def set_team(team: Name, request: SetTeamRequest, services: ServicesHere, admin: Admin, audit: Audit) -> TeamResponse:
    """Say who belongs to a team, whose budget they share; nobody: the team is no more."""
    members = sorted(set(request.members))
    with services.database.connection() as connection, connection.transaction():
        audit.record(connection, admin, "team.set", object_kind="team", object_id=team, members=members)
        connection.execute("delete from ops.team_member where team = %s", [team])
        connection.cursor().executemany(
            "insert into ops.team_member (team, user_name) values (%s, %s)", [(team, member) for member in members]
        )
    return TeamResponse(team=team, members=members)
