"""Copies the ledger's lines to Postgres in batches, each in one transaction, so often as it takes, once in effect."""

import asyncio
import contextlib
import logging
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from hawk.naming import OPS_SCHEMA
from hawk.settings import ProxySettings
from proxy.budgets import Budgets, period_start
from proxy.ledger import Ledger
from proxy.ledger_lines import COLUMNS, END_COLUMNS
from proxy.provider_limits import ProviderLimits
from proxy.registered import BudgetScope
from proxy.segments import Segment
from proxy.workers import Workers

CONNECT_SECONDS = 5
STATEMENT_MILLISECONDS = 60_000
LONGEST_WAIT_SECONDS = 30.0
REJECTED_FILE = "rejected.lines"

_TOKENS = (
    "input_tokens",
    "output_tokens",
    "input_tokens_cache_read",
    "input_tokens_cache_write",
    "reasoning_tokens",
)
_SUMS = (*_TOKENS, "cost_usd", "charged_usd")
# All writers of the ledger take turns, so that sums meet neither deadlocks nor half a batch of another.
_LOCK = "select pg_advisory_xact_lock(hashtext('hawk.ledger'))"
_BATCH = f"""
create temporary table if not exists ledger_batch (like {OPS_SCHEMA}.model_call including defaults)
on commit delete rows
"""
_COPY = f"copy ledger_batch ({', '.join(COLUMNS)}) from stdin"
_MERGE = f"""
with newest as (
    select distinct on (call_id) * from ledger_batch
    order by call_id, array_position(array['open', 'interrupted'], state) desc nulls first
),
before as (
    select model_call.* from {OPS_SCHEMA}.model_call join newest using (call_id)
),
written as (
    insert into {OPS_SCHEMA}.model_call ({", ".join(COLUMNS)}) select {", ".join(COLUMNS)} from newest
    on conflict (call_id) do update set {", ".join(f"{name} = excluded.{name}" for name in END_COLUMNS)}
    where model_call.state in ('open', 'interrupted') and excluded.state <> 'open'
        and model_call.state <> excluded.state
    returning *
)
insert into {OPS_SCHEMA}.model_spend as model_spend
    (day, eval_set_id, user_name, model_name, call_count, missing_count, {", ".join(_SUMS)})
select
    (written.started_at at time zone 'UTC')::date, written.eval_set_id, written.user_name, written.model_name,
    count(*) filter (where before.call_id is null),
    count(*) filter (where written.usage_state = 'missing') - count(*) filter (where before.usage_state = 'missing'),
    {", ".join(f"sum(coalesce(written.{name}, 0) - coalesce(before.{name}, 0))" for name in _SUMS)}
from written left join before on before.call_id = written.call_id
group by 1, 2, 3, 4
on conflict (day, eval_set_id, user_name, model_name) do update set
    {", ".join(f"{name} = model_spend.{name} + excluded.{name}" for name in ("call_count", "missing_count", *_SUMS))}
"""  # noqa: S608  # names of ours
_LIMITS = f"""
insert into {OPS_SCHEMA}.provider_limit (provider, model_name, observed_at, http_status, headers)
values (%s, %s, %s, %s, %s)
on conflict (provider, model_name) do update set
    observed_at = excluded.observed_at, http_status = excluded.http_status, headers = excluded.headers
where provider_limit.observed_at < excluded.observed_at
"""  # noqa: S608  # names of ours
_SPENT = f"""
select scope, name, period, coalesce((
    select sum(charged_usd) from {OPS_SCHEMA}.model_spend as spend
    where day >= case period when 'day' then %(day)s when 'month' then %(month)s else '-infinity' end
        and case scope
            when 'eval_set' then spend.eval_set_id = usage_budget.name
            when 'user' then spend.user_name = usage_budget.name
            else spend.user_name in (select user_name from {OPS_SCHEMA}.team_member where team = usage_budget.name)
        end
), 0)
from {OPS_SCHEMA}.usage_budget
"""  # noqa: S608  # names of ours

logger = logging.getLogger(__name__)


class LedgerCopier:
    """Copies every second; while Postgres is away, lines wait in their segments."""

    def __init__(
        self, settings: ProxySettings, ledger: Ledger, budgets: Budgets, limits: ProviderLimits, workers: Workers
    ) -> None:
        self._url = settings.database_url.get_secret_value()
        self._seconds = settings.ledger_copy_seconds
        self._folder = settings.ledger_path
        self._ledger = ledger
        self._budgets = budgets
        self._limits = limits
        self._workers = workers
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._task: asyncio.Task[None] | None = None
        self.is_current = False

    async def start(self) -> None:
        await self._try_once()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Copy what is left, then leave; what cannot be copied now the next process will."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if await self._try_once():
            await self._workers.leave(await self._connected())
        await self._disconnect()

    async def _run(self) -> None:
        wait = self._seconds
        while True:
            await asyncio.sleep(wait)
            try:
                is_done = await self._try_once()
            except Exception:  # outermost: a ledger that is no longer copied must not go unnoticed
                logger.exception("the ledger could not be copied")
                self.is_current = is_done = False
            wait = self._seconds if is_done else min(wait * 2, LONGEST_WAIT_SECONDS)

    async def _try_once(self) -> bool:
        try:
            async with asyncio.timeout(2 * STATEMENT_MILLISECONDS / 1000):
                await self.copy()
        except (psycopg.Error, OSError, TimeoutError) as error:
            logger.warning("the ledger could not be copied", extra={"error_type": type(error).__name__})
            await self._disconnect()
            self.is_current = False
            return False
        self.is_current = True
        return True

    async def copy(self) -> None:
        """Copy all that stands in the segments now. Raises psycopg.Error or OSError."""
        self._ledger.tidy()
        connection = await self._connected()
        await self._workers.beat(connection)
        ends = [(segment, segment.size_bytes) for segment in self._ledger.segments]
        self._budgets.begin_copy()
        spent = None
        try:
            for segment, end in ends:
                while text := segment.uncopied(end):
                    await self._copy(connection, text, segment)
            spent = await self._spent(connection) if self._budgets.exist else {}
        finally:
            self._budgets.end_copy(spent)
        if rows := self._limits.take():
            async with connection.transaction(), connection.cursor() as cursor:
                await cursor.executemany(_LIMITS, rows)
        self._ledger.tidy()

    async def _copy(self, connection: psycopg.AsyncConnection[Any], text: bytes, segment: Segment) -> None:
        try:
            async with connection.transaction():
                await connection.execute(_LOCK)
                async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                    await copy.write(text)
                await connection.execute(_MERGE)
        except psycopg.DataError:
            await self._copy_in_halves(connection, text, segment)
            return
        segment.copied_bytes += len(text)

    async def _copy_in_halves(self, connection: psycopg.AsyncConnection[Any], text: bytes, segment: Segment) -> None:
        """Copy all lines but those that Postgres cannot read, which are set aside."""
        lines = text.splitlines(keepends=True)
        if len(lines) == 1:
            logger.error("a line of the ledger cannot be read", extra={"file": REJECTED_FILE})
            with (self._folder / REJECTED_FILE).open("ab") as file:
                file.write(text)
            segment.copied_bytes += len(text)
            return
        middle = len(lines) // 2
        await self._copy(connection, b"".join(lines[:middle]), segment)
        await self._copy(connection, b"".join(lines[middle:]), segment)

    async def _spent(self, connection: psycopg.AsyncConnection[Any]) -> dict[BudgetScope, Decimal]:
        now = datetime.now(UTC)
        days = {"day": period_start("day", now), "month": period_start("month", now)}
        cursor = await connection.execute(_SPENT, days)
        return {(scope, name, period): spent for scope, name, period, spent in await cursor.fetchall()}

    async def _connected(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                application_name="hawk-proxy-ledger",
                options=f"-c statement_timeout={STATEMENT_MILLISECONDS} -c synchronous_commit=on",
                row_factory=tuple_row,
            )
            await self._connection.execute(_BATCH)
        return self._connection

    async def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await self._connection.close()
            self._connection = None
