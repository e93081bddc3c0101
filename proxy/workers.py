"""The proxies of one database: who is at work, whose open calls nobody will end, and how they share limits."""

import json
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg

from hawk.naming import OPS_SCHEMA
from proxy.limits import Limits, scope_of_text, text_of_scope
from proxy.registered import LimitScope
from proxy.shares import Share, shares_of

# A worker that was not seen for so long has ended. If it was only cut off, its calls' real ends come later.
GONE_SECONDS = 300
SEEN_SECONDS = 10  # who counts when limits are shared
CLEAN_SECONDS = 60.0

_BEAT = f"""
insert into {OPS_SCHEMA}.proxy_worker (worker_id, started_at, seen_at, demand)
values (%(worker_id)s, %(started_at)s, clock_timestamp(), %(demand)s)
on conflict (worker_id) do update set seen_at = excluded.seen_at, demand = excluded.demand
"""  # noqa: S608  # a name of ours
_AT_WORK = f"""
select worker_id, demand from {OPS_SCHEMA}.proxy_worker
where seen_at > clock_timestamp() - make_interval(secs => {SEEN_SECONDS})
"""  # noqa: S608  # a name of ours
_LOCK = "select pg_advisory_xact_lock(hashtext('hawk.ledger'))"
_INTERRUPT = f"""
with interrupted as (
    update {OPS_SCHEMA}.model_call set state = 'interrupted', usage_state = 'missing'
    where state = 'open' and started_at < clock_timestamp() - make_interval(secs => {GONE_SECONDS})
        and worker_id not in (
            select worker_id from {OPS_SCHEMA}.proxy_worker
            where seen_at > clock_timestamp() - make_interval(secs => {GONE_SECONDS})
        )
    returning (started_at at time zone 'UTC')::date as day, eval_set_id, user_name, model_name
)
update {OPS_SCHEMA}.model_spend set missing_count = model_spend.missing_count + counted.calls
from (select day, eval_set_id, user_name, model_name, count(*) as calls from interrupted group by 1, 2, 3, 4) as counted
where (model_spend.day, model_spend.eval_set_id, model_spend.user_name, model_spend.model_name)
    = (counted.day, counted.eval_set_id, counted.user_name, counted.model_name)
"""  # noqa: S608  # names of ours
_FORGET = f"delete from {OPS_SCHEMA}.proxy_worker where seen_at < clock_timestamp() - interval '1 day'"  # noqa: S608
_LEAVE = f"delete from {OPS_SCHEMA}.proxy_worker where worker_id = %s"  # noqa: S608  # a name of ours

logger = logging.getLogger(__name__)


class Workers:
    """This worker among its likes."""

    def __init__(self, worker_id: str, limits: Limits, *, share_limits: bool) -> None:
        self._worker_id = worker_id
        self._limits = limits
        self._share_limits = share_limits
        self._started_at = datetime.now(UTC)
        self._cleaned_at = float("-inf")

    async def beat(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Say that we are at work and what we could use, and take our share of the limits. Raises psycopg.Error."""
        demand = self._limits.demand() if self._share_limits else {}
        said = json.dumps({text_of_scope(scope): calls for scope, calls in demand.items()})
        await connection.execute(_BEAT, {"worker_id": self._worker_id, "started_at": self._started_at, "demand": said})
        if self._share_limits:
            self._limits.take_shares(self._shares(await (await connection.execute(_AT_WORK)).fetchall()))
        if time.monotonic() - self._cleaned_at > CLEAN_SECONDS:
            self._cleaned_at = time.monotonic()
            async with connection.transaction():
                await connection.execute(_LOCK)
                await connection.execute(_INTERRUPT)
            await connection.execute(_FORGET)

    async def leave(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Say that this worker has ended and left no call open."""
        await connection.execute(_LEAVE, [self._worker_id])

    def _shares(self, rows: list[Any]) -> Mapping[LimitScope, Share]:
        demands: dict[LimitScope, dict[str, int]] = {}
        at_work = sorted(str(worker_id) for worker_id, _ in rows)
        for worker_id, demand in rows:
            for text, calls in demand.items():
                demands.setdefault(scope_of_text(text), {})[str(worker_id)] = int(calls)
        return {
            scope: shares_of(limit.concurrency, demands.get(scope, {}), at_work)[self._worker_id]
            for scope, limit in self._limits.scopes.items()
        }
