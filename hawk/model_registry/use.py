"""What was used and what may be: sums of the ledger, limits and budgets, as far as a caller may see them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.auth import Principal
from hawk.model_registry.contracts import (
    BudgetResponse,
    LimitResponse,
    LiveModel,
    ProviderLimitResponse,
    UsageLimitsResponse,
    UsageRow,
)
from hawk.permissions import may_view

By = Literal["day", "model", "eval_set", "user"]
_COLUMN_OF: dict[By, str] = {
    "day": "day::text",
    "model": "model_name",
    "eval_set": "eval_set_id",
    "user": "user_name",
}
_SUMS = (
    "call_count",
    "missing_count",
    "input_tokens",
    "output_tokens",
    "input_tokens_cache_read",
    "input_tokens_cache_write",
    "reasoning_tokens",
    "cost_usd",
    "charged_usd",
)
_LIVE = """
select
    model_name,
    count(*) filter (where state = 'open') as open_calls,
    count(*) filter (where started_at > %(since)s) as calls_last_minute,
    coalesce(sum(input_tokens + output_tokens + input_tokens_cache_read + input_tokens_cache_write)
        filter (where ended_at > %(since)s), 0) as tokens_last_minute,
    count(*) filter (where http_status in (429, 503, 529) and ended_at > %(since)s) as refused_by_provider_last_minute,
    coalesce(avg(waited_seconds) filter (where started_at > %(since)s), 0) as waited_seconds
from ops.model_call
where (state = 'open' or ended_at > %(since)s) and started_at > %(oldest)s and model_name = any(%(models)s)
    and (%(user)s::text is null or user_name = %(user)s)
group by model_name order by model_name
"""
_BUDGETS = """
select scope, name, period, limit_usd, coalesce((
    select sum(charged_usd) from ops.model_spend as spend
    where day >= case period when 'day' then %(day)s when 'month' then %(month)s else '-infinity' end
        and case scope
            when 'eval_set' then spend.eval_set_id = usage_budget.name
            when 'user' then spend.user_name = usage_budget.name
            else spend.user_name in (select user_name from ops.team_member where team = usage_budget.name)
        end
), 0) as spent_usd
from ops.usage_budget
where %(user)s::text is null
    or (scope = 'user' and name = %(user)s)
    or (scope = 'team' and name in (select team from ops.team_member where user_name = %(user)s))
    or (scope = 'eval_set' and name in (select eval_set_id from ops.eval_set where created_by = %(user)s))
order by scope, name, period
"""
LONGEST_CALL = timedelta(days=1)


def visible_models(connection: Connection[DictRow], caller: Principal) -> dict[str, str]:
    """Return model -> group of the models that the caller may see."""
    rows = connection.execute("select model_name, model_group from ops.model_group").fetchall()
    return {row["model_name"]: row["model_group"] for row in rows if may_view(caller, [row["model_group"]])}


def usage_rows(
    connection: Connection[DictRow], caller: Principal, *, by: By, days: int, eval_set_id: str | None = None
) -> list[UsageRow]:
    """Return what the caller used of models that they may see, or all users where the caller is an administrator."""
    first_day = (datetime.now(UTC) - timedelta(days=days - 1)).date()
    rows = connection.execute(
        f"""
        select {_COLUMN_OF[by]} as name, {", ".join(f"sum({column}) as {column}" for column in _SUMS)}
        from ops.model_spend
        where day >= %(first_day)s and model_name = any(%(models)s)
            and (%(user)s::text is null or user_name = %(user)s)
            and (%(eval_set_id)s::text is null or eval_set_id = %(eval_set_id)s)
        group by 1
        order by sum(charged_usd) desc, 1
        """,  # noqa: S608  # columns of ours
        {
            "first_day": first_day,
            "models": list(visible_models(connection, caller)),
            "user": None if caller.is_admin else name_of(caller),
            "eval_set_id": eval_set_id,
        },
    ).fetchall()
    return [UsageRow.model_validate(row) for row in rows]


def live_models(connection: Connection[DictRow], caller: Principal) -> list[LiveModel]:
    """Return what goes through the proxies now, of the caller's calls, or of all where they are an administrator."""
    now = datetime.now(UTC)
    values = {
        "since": now - timedelta(minutes=1),
        "oldest": now - LONGEST_CALL,
        "models": list(visible_models(connection, caller)),
        "user": None if caller.is_admin else name_of(caller),
    }
    return [LiveModel.model_validate(row) for row in connection.execute(_LIVE, values)]


def usage_limits(connection: Connection[DictRow], caller: Principal) -> UsageLimitsResponse:
    """Return limits of what the caller may see, budgets that concern them, and what providers say of their limits."""
    models = visible_models(connection, caller)
    limits = connection.execute("select * from ops.usage_limit order by scope, name").fetchall()
    said = connection.execute("select * from ops.provider_limit order by provider, model_name").fetchall()
    names = {"model": set(models), "group": set(models.values())}
    return UsageLimitsResponse(
        limits=[LimitResponse.model_validate(row) for row in limits if row["name"] in names[row["scope"]]],
        budgets=budgets(connection, None if caller.is_admin else name_of(caller)),
        provider_limits=[ProviderLimitResponse.model_validate(row) for row in said if row["model_name"] in models],
    )


def budgets(connection: Connection[DictRow], user: str | None) -> Sequence[BudgetResponse]:
    """Return the budgets that concern a user, or all, and what is spent of each."""
    today = datetime.now(UTC).date()
    values = {"user": user, "day": today, "month": today.replace(day=1)}
    return [BudgetResponse.model_validate(row) for row in connection.execute(_BUDGETS, values)]


def name_of(caller: Principal) -> str:
    """Return the name under which the ledger has the caller's calls."""
    return caller.created_by or caller.subject
