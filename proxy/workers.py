"""The proxies of one database: who is at work, whose open calls nobody will end, and how they share limits."""

import json
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg

from hawk.naming import OPS_SCHEMA
from proxy.limits import Claim, Limits, text_of_scope
from proxy.registered import LimitScope
from proxy.shares import Share, safe_claim, shares_of

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
where worker_id <> %s and seen_at > clock_timestamp() - make_interval(secs => {SEEN_SECONDS})
"""  # noqa: S608  # a name of ours
_LOCK_LIMITS = "select pg_advisory_xact_lock(hashtext('hawk.limits'))"
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
_FORGET = f"delete from {OPS_SCHEMA}.proxy_worker where seen_at < clock_timestamp() - interval '1 day'"  # noqa: S608  # ours
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
        if self._share_limits:
            await self._claim(connection)
        else:
            await self._say(connection, {})
        if time.monotonic() - self._cleaned_at > CLEAN_SECONDS:
            self._cleaned_at = time.monotonic()
            async with connection.transaction():
                await connection.execute(_LOCK)
                await connection.execute(_INTERRUPT)
            await connection.execute(_FORGET)

    async def leave(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Say that this worker has ended and left no call open."""
        await connection.execute(_LEAVE, [self._worker_id])

    async def _say(self, connection: psycopg.AsyncConnection[Any], claims: Mapping[str, Any]) -> None:
        values = {"worker_id": self._worker_id, "started_at": self._started_at, "demand": json.dumps(claims)}
        await connection.execute(_BEAT, values)

    async def _claim(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Take our share of each limit. Workers take turns, and each leaves alone what another has claimed."""
        async with connection.transaction():
            await connection.execute(_LOCK_LIMITS)
            rows = await (await connection.execute(_AT_WORK, [self._worker_id])).fetchall()
            ours = self._limits.claims()
            shares = self._shares(ours, {str(worker_id): claims for worker_id, claims in rows})
            # What we give up we give up before others may know of it; what we gain we use after.
            self._limits.take_shares({scope: _lower(ours[scope], share) for scope, share in shares.items()})
            await self._say(
                connection,
                {
                    text_of_scope(scope): {"wanted": ours[scope].wanted, "claim": share.concurrency}
                    for scope, share in shares.items()
                },
            )
        self._limits.take_shares(shares)

    def _shares(
        self, ours: Mapping[LimitScope, Claim], others: Mapping[str, Mapping[str, Any]]
    ) -> dict[LimitScope, Share]:
        workers = sorted([*others, self._worker_id])
        shares: dict[LimitScope, Share] = {}
        for scope, limit in self._limits.scopes.items():
            said = [(worker, claims.get(text_of_scope(scope), {})) for worker, claims in others.items()]
            wanted = {worker: int(claim.get("wanted", 0)) for worker, claim in said}
            wanted[self._worker_id] = ours[scope].wanted
            share = shares_of(limit.concurrency, wanted, workers)[self._worker_id]
            if limit.concurrency is not None and share.concurrency is not None:
                claimed = sum(int(claim.get("claim") or 0) for _, claim in said)
                share = share._replace(
                    concurrency=safe_claim(
                        share.concurrency, limit=limit.concurrency, held=ours[scope].held, claims_of_others=claimed
                    )
                )
            shares[scope] = share
        return shares


def _lower(claim: Claim, share: Share) -> Share:
    if share.concurrency is None or claim.allowed is None:
        return share
    return share._replace(concurrency=min(claim.allowed, share.concurrency))
