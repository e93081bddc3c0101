"""What may still be spent: sums of the ledger in Postgres, and beside them what is not copied there yet."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from proxy.calls import NOTHING, Call
from proxy.refusals import Reason, Refusal
from proxy.registered import BudgetScope, Registered

MAX_REMEMBERED = 10_000
_WORDS = {"eval_set": "eval set", "user": "user", "team": "team"}
_UNKNOWN = "The proxy does not know yet what was spent of a budget. Try again in a moment."
_PERIOD_WORDS = {"total": "", "month": " for this month", "day": " for today"}


class Budgets:
    """Refuses calls that could overspend. A call counts with its reserve until it is known what it used."""

    def __init__(self) -> None:
        self._limits: Mapping[BudgetScope, Decimal] = {}
        self._teams: Mapping[str, tuple[str, ...]] = {}
        self._copied: Mapping[BudgetScope, Decimal] = {}  # those that are missing here are not known yet
        self._uncopied: defaultdict[BudgetScope, Decimal] = defaultdict(Decimal)
        self._being_copied: Mapping[BudgetScope, Decimal] = {}
        self._scopes_of: dict[tuple[str, str], tuple[BudgetScope, ...]] = {}

    @property
    def exist(self) -> bool:
        return bool(self._limits)

    def replace(self, registered: Registered) -> None:
        """Go by another reading of the registry."""
        self._limits, self._teams = registered.budgets, registered.teams_of_user
        self._scopes_of = {}

    def check(self, call: Call) -> None:
        """Raise Refusal where what the call may use is over what is left of a budget, or nobody knows what is left."""
        for scope in self._scopes(call):
            if scope not in self._copied:
                raise Refusal(Reason.UNAVAILABLE, _UNKNOWN, retry_after_seconds=1)
            limit, spent = self._limits[scope], self.spent(scope)
            if spent + call.reserved_usd > limit or spent >= limit:
                raise Refusal(Reason.OVER_BUDGET, _message(scope, limit, spent, call.reserved_usd))

    def spent(self, scope: BudgetScope) -> Decimal:
        """Return what was spent of a budget and what is reserved of it."""
        return (
            self._copied.get(scope, NOTHING)
            + self._uncopied.get(scope, NOTHING)
            + self._being_copied.get(scope, NOTHING)
        )

    def reserve(self, call: Call) -> None:
        for scope in self._scopes(call):
            self._uncopied[scope] += call.reserved_usd

    def settle(self, call: Call) -> None:
        for scope in self._scopes(call):
            self._uncopied[scope] += call.charged_usd - call.reserved_usd

    def begin_copy(self) -> None:
        """Set apart what has been written so far: it is about to stand in Postgres."""
        self._being_copied, self._uncopied = self._uncopied, defaultdict(Decimal)

    def end_copy(self, copied: Mapping[BudgetScope, Decimal] | None) -> None:
        """Take the sums that Postgres now has; None where copying failed, so that they stay as they were."""
        if copied is not None:
            self._copied = copied
        else:
            for scope, amount in self._being_copied.items():
                self._uncopied[scope] += amount
        self._being_copied = {}

    def _scopes(self, call: Call) -> tuple[BudgetScope, ...]:
        if not self._limits:
            return ()
        key = (call.user_name, call.eval_set_id)
        scopes = self._scopes_of.get(key)
        if scopes is None:
            if len(self._scopes_of) >= MAX_REMEMBERED:
                self._scopes_of.clear()
            scopes = self._scopes_of[key] = self._found_scopes(*key)
        return scopes

    def _found_scopes(self, user: str, eval_set_id: str) -> tuple[BudgetScope, ...]:
        named = [("user", user), *(("team", team) for team in self._teams.get(user, ()))]
        if eval_set_id:
            named.append(("eval_set", eval_set_id))
        scopes = [(kind, name, period) for kind, name in named for period in _PERIOD_WORDS]
        return tuple(scope for scope in scopes if scope in self._limits)


def _message(scope: BudgetScope, limit: Decimal, spent: Decimal, reserve: Decimal) -> str:
    kind, name, period = scope
    return (
        f"The budget of {_WORDS[kind]} {name}{_PERIOD_WORDS[period]} is ${limit:.2f}; ${spent:.2f} of it are spent or "
        f"reserved, and this call may cost ${reserve:.4f}. Ask an administrator to raise it (hawk usage shows it)."
    )


def period_start(period: str, now: datetime) -> datetime | None:
    """Return the day, UTC, from which a budget's spending counts; None: all of it."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return {"day": today, "month": today.replace(day=1)}.get(period)
