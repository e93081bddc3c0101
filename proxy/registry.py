"""Reads the registry from Postgres when it changes, so that no call waits for the database."""

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from hawk.model_registry.prices import Price
from hawk.naming import OPS_SCHEMA, REGISTRY_CHANNEL
from hawk.settings import ProxySettings
from proxy.registered import ProviderRow, Registered, RegisteredModel, UsageLimit

CONNECT_SECONDS = 5
STATEMENT_MILLISECONDS = 5000
# A model that was just added is found at once; made-up names must not become a query each.
UNKNOWN_MODEL_SECONDS = 1.0
RETRY_SECONDS = 1.0
# A person's change is often several statements; they are read together.
SETTLE_SECONDS = 0.05

_MODELS = f"""
select model_group.model_name, model_group.model_group, model.provider_model, coalesce(model.is_active, true),
    model.context_tokens, model.output_tokens
from {OPS_SCHEMA}.model_group left join {OPS_SCHEMA}.model using (model_name)
"""  # noqa: S608  # a name of ours
_PRICES = f"""
select model_name, effective_at, from_input_tokens, input_usd, output_usd, cache_read_usd, cache_write_usd,
    cache_write_1h_usd
from {OPS_SCHEMA}.model_price
"""  # noqa: S608  # a name of ours
_PROVIDERS = f"select provider, dialect, upstream, key_reference, is_active from {OPS_SCHEMA}.model_provider"  # noqa: S608  # a name of ours
_KEYS = f"select provider, ciphertext from {OPS_SCHEMA}.provider_key"  # noqa: S608  # a name of ours
_LIMITS = f"""
select scope, name, concurrency, requests_per_minute, tokens_per_minute from {OPS_SCHEMA}.usage_limit
"""  # noqa: S608  # a name of ours
_BUDGETS = f"select scope, name, period, limit_usd from {OPS_SCHEMA}.usage_budget"  # noqa: S608  # a name of ours
_TEAMS = f"select user_name, array_agg(team order by team) from {OPS_SCHEMA}.team_member group by user_name"  # noqa: S608  # a name of ours
_PRIORITIES = f"""
select eval_set_id, priority from {OPS_SCHEMA}.eval_set where status in ('claimed', 'launched') and priority <> 'medium'
"""  # noqa: S608  # a name of ours

logger = logging.getLogger(__name__)

OnChange = Callable[[Registered], Awaitable[None]]


class Registry:
    """The registry as last read; stays in force while Postgres is away."""

    def __init__(self, settings: ProxySettings, on_change: OnChange) -> None:
        self._url = settings.database_url.get_secret_value()
        self._seconds = settings.registry_seconds
        self._on_change = on_change
        self.now = Registered()
        self.is_known = False
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._follower: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read once, then follow changes until `stop`."""
        await self._read_anew()
        self._follower = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        if self._follower is not None:
            self._follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._follower

    async def model(self, names: tuple[str, ...]) -> RegisteredModel | None:
        """Return what is registered under the first of these names that is, or None."""
        found = self._find(names)
        if found is None and time.monotonic() - self._read_at > UNKNOWN_MODEL_SECONDS:
            await self._read_anew()
            found = self._find(names)
        return found

    def _find(self, names: tuple[str, ...]) -> RegisteredModel | None:
        models = self.now.models
        for name in names:
            if name in models:
                return models[name]
        return None

    async def _follow(self) -> None:
        while True:
            try:
                await self._follow_while_connected()
            except (psycopg.Error, OSError, TimeoutError):
                logger.warning("the registry's database is away")
            except Exception:  # outermost: a proxy that no longer hears of changes must not go unnoticed
                logger.exception("the registry could not be read")
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow_while_connected(self) -> None:
        async with await self._connect() as connection:
            await connection.execute(f"listen {REGISTRY_CHANNEL}")
            while True:
                await self._read(connection)
                async for _ in connection.notifies(timeout=self._seconds, stop_after=1):
                    await asyncio.sleep(SETTLE_SECONDS)

    async def _read_anew(self) -> None:
        asked_at = time.monotonic()
        async with self._reading:
            if self._read_at >= asked_at:
                return
            try:
                async with await self._connect() as connection:
                    await self._read(connection)
            except (psycopg.Error, OSError, TimeoutError) as error:
                logger.warning("could not read the registry", extra={"error_type": type(error).__name__})
            self._read_at = time.monotonic()

    async def _connect(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await psycopg.AsyncConnection.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                application_name="hawk-proxy",
                options=f"-c statement_timeout={STATEMENT_MILLISECONDS}",
                row_factory=tuple_row,
            )

    async def _read(self, connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
        async with asyncio.timeout(CONNECT_SECONDS + STATEMENT_MILLISECONDS / 1000), connection.pipeline():
            cursors = [
                await connection.execute(query)
                for query in (_MODELS, _PRICES, _PROVIDERS, _KEYS, _LIMITS, _BUDGETS, _TEAMS, _PRIORITIES)
            ]
            rows = [await cursor.fetchall() for cursor in cursors]
        registered = _registered(*rows)
        self._read_at = time.monotonic()
        self.is_known = True
        if registered != self.now:
            self.now = registered
            await self._on_change(registered)


def _registered(
    models: list[Any],
    prices: list[Any],
    providers: list[Any],
    keys: list[Any],
    limits: list[Any],
    budgets: list[Any],
    teams: list[Any],
    priorities: list[Any],
) -> Registered:
    prices_of: defaultdict[str, list[Price]] = defaultdict(list)
    for name, *price in prices:
        prices_of[name].append(Price(*price))
    return Registered(
        models={row[0]: RegisteredModel(*row, prices=_ordered(prices_of[row[0]])) for row in models},  # type: ignore[misc]  # rows have no types
        provider_rows=tuple(sorted((ProviderRow(*row) for row in providers), key=lambda row: row.name)),
        stored_keys={name: bytes(ciphertext) for name, ciphertext in keys},
        limits={(scope, name): UsageLimit(*limit) for scope, name, *limit in limits},
        budgets={(scope, name, period): limit for scope, name, period, limit in budgets},
        teams_of_user={user: tuple(names) for user, names in teams},
        priorities=dict(priorities),
    )


def _ordered(prices: list[Price]) -> tuple[Price, ...]:
    return tuple(sorted(prices, key=lambda price: price[:2]))
