"""What all callers of a model or a group may do at once and in a minute, and who goes first when that is too little.

High goes before medium before low. Within a class the caller with the fewest calls under way goes next, so that each
gets an equal share, and what one does not use is there for the others (max-min fairness).
"""

import asyncio
import heapq
import itertools
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from proxy.calls import Call
from proxy.refusals import Reason, Refusal
from proxy.registered import LimitScope, Registered, UsageLimit
from proxy.shares import Share

RANKS = {"high": 0, "medium": 1, "low": 2}
MAX_WAITING = 5_000
DISPATCH_SECONDS = 0.005
FORGET_SECONDS = 60.0  # how long a caller's past calls weigh against it
MIN_RETRY_SECONDS = 1.0

Clock = Callable[[], float]


class Bucket:
    """A minute's allowance that refills steadily; a call that is larger than all of it takes it below nothing."""

    def __init__(self, per_minute: float, clock: Clock) -> None:
        self._clock = clock
        self._per_minute = per_minute
        self._level = per_minute
        self._at = clock()

    def resize(self, per_minute: float) -> None:
        level = self.level()
        self._level = level * per_minute / self._per_minute if self._per_minute else per_minute
        self._per_minute = per_minute

    def level(self) -> float:
        now = self._clock()
        self._level = min(self._level + (now - self._at) * self._per_minute / 60, self._per_minute)
        self._at = now
        return self._level

    def has(self, amount: float) -> bool:
        return self.level() >= min(amount, self._per_minute)

    def take(self, amount: float) -> None:
        self._level = self.level() - amount

    def seconds_until(self, amount: float) -> float:
        missing = min(amount, self._per_minute) - self.level()
        return max(missing, 0) * 60 / self._per_minute if self._per_minute else FORGET_SECONDS


class Gate:
    """The limit of one model or group, and who is behind it."""

    def __init__(self, limit: UsageLimit, clock: Clock) -> None:
        self._clock = clock
        self._share = Share(limit.concurrency, 1.0)
        self.limit = limit
        self.in_flight: Counter[str] = Counter()
        self.count = 0
        self._requests = _bucket(limit.requests_per_minute, 1.0, clock)
        self._tokens = _bucket(limit.tokens_per_minute, 1.0, clock)

    def change(self, limit: UsageLimit, share: Share) -> None:
        if (limit, share) == (self.limit, self._share):
            return
        self.limit, self._share = limit, share
        self._requests = _resized(self._requests, limit.requests_per_minute, share.fraction, self._clock)
        self._tokens = _resized(self._tokens, limit.tokens_per_minute, share.fraction, self._clock)

    def admits(self, tokens: int) -> bool:
        return (
            (self._share.concurrency is None or self.count < self._share.concurrency)
            and (self._requests is None or self._requests.has(1))
            and (self._tokens is None or self._tokens.has(tokens))
        )

    def seconds_until(self, tokens: int) -> float:
        """Return when the minute's allowance is enough; 0 where it is only the calls under way that are too many."""
        waits = [0.0]
        if self._requests is not None:
            waits.append(self._requests.seconds_until(1))
        if self._tokens is not None:
            waits.append(self._tokens.seconds_until(tokens))
        return max(waits)

    def enter(self, user: str, tokens: int) -> None:
        self.count += 1
        self.in_flight[user] += 1
        if self._requests is not None:
            self._requests.take(1)
        if self._tokens is not None:
            self._tokens.take(tokens)

    def leave(self, user: str, unused_tokens: int) -> None:
        self.count -= 1
        self.in_flight[user] -= 1
        if not self.in_flight[user]:
            del self.in_flight[user]
        if self._tokens is not None:
            self._tokens.take(-unused_tokens)


class Grant(NamedTuple):
    """A call's way through its gates, to be given back."""

    gates: tuple[Gate, ...]
    user: str
    tokens: int


class Claim(NamedTuple):
    """What one proxy says of a limit: calls it has or would like, calls it has, and how many it may have."""

    wanted: int
    held: int
    allowed: int | None


class _Waiting(NamedTuple):
    rank: int
    number: int
    grant: Grant
    turn: asyncio.Future[None]


NO_GATES = Grant((), "", 0)


class Limits:
    """Lets calls through, or makes them wait for their turn."""

    def __init__(self, wait_seconds: float, *, is_shared: bool = False, clock: Clock = time.monotonic) -> None:
        self._wait_seconds = wait_seconds
        self._clock = clock
        # Until its share is known, a proxy among others may do nothing under a new limit.
        self._is_shared = is_shared
        self._gates: dict[LimitScope, Gate] = {}
        self._shares: Mapping[LimitScope, Share] = {}
        self._waiting: dict[int, _Waiting] = {}
        self._numbers = itertools.count()
        self._recent: dict[str, tuple[float, float]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.scopes: Mapping[LimitScope, UsageLimit] = {}

    @property
    def waiting_count(self) -> int:
        return len(self._waiting)

    def replace(self, registered: Registered) -> None:
        """Go by another reading of the registry."""
        self.scopes = registered.limits
        self._renew()

    def take_shares(self, shares: Mapping[LimitScope, Share]) -> None:
        """Go by another division of limits among proxies."""
        self._shares = shares
        self._renew()

    def claims(self) -> dict[LimitScope, Claim]:
        """Return what this proxy holds of each limit, and what it would like."""
        calls = self.demand()
        return {
            scope: Claim(calls[scope], gate.count, self._share(scope, gate.limit).concurrency)
            for scope, gate in self._gates.items()
        }

    def demand(self) -> dict[LimitScope, int]:
        """Return how many calls go through each gate or would like to."""
        calls = {scope: gate.count for scope, gate in self._gates.items()}
        scope_of = {id(gate): scope for scope, gate in self._gates.items()}
        for waiting in self._waiting.values():
            for gate in waiting.grant.gates:
                if id(gate) in scope_of:
                    calls[scope_of[id(gate)]] += 1
        return calls

    async def enter(self, call: Call) -> Grant:
        """Return when it is the call's turn. Raises Refusal with 429 where that takes too long."""
        gates = self._gates_of(call) if self._gates else ()
        if not gates:
            return NO_GATES
        grant = Grant(gates, call.user_name, call.reserved_tokens)
        if not self._waiting and all(gate.admits(grant.tokens) for gate in gates):
            self._admit(grant)
            return grant
        if len(self._waiting) >= MAX_WAITING:
            raise self._refusal(call, grant)
        number = next(self._numbers)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[number] = _Waiting(RANKS.get(call.priority, 1), number, grant, turn)
        self._dispatch_soon()
        try:
            async with asyncio.timeout(self._wait_seconds):
                await turn
        except TimeoutError:
            raise self._refusal(call, grant) from None
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(grant, used_tokens=0)
            raise
        finally:
            self._waiting.pop(number, None)
        return grant

    def leave(self, grant: Grant, *, used_tokens: int | None) -> None:
        """Give back what a call held; None: it is not known what it used, so its reserve stands."""
        if not grant.gates:
            return
        unused = 0 if used_tokens is None else grant.tokens - used_tokens
        for gate in grant.gates:
            gate.leave(grant.user, unused)
        if self._waiting:
            self._dispatch_soon()

    def _renew(self) -> None:
        for scope in self._gates.keys() - self.scopes.keys():
            self._gates.pop(scope).change(UsageLimit(), Share(None, 1.0))  # for those who wait at it
        for scope, limit in self.scopes.items():
            gate = self._gates.setdefault(scope, Gate(limit, self._clock))
            gate.change(limit, self._share(scope, limit))
        if self._waiting:
            self._dispatch_soon()

    def _share(self, scope: LimitScope, limit: UsageLimit) -> Share:
        share = self._shares.get(scope)
        if not self._is_shared:
            return Share(limit.concurrency, 1.0)
        if share is None or (share.concurrency is None) != (limit.concurrency is None):
            return Share(None if limit.concurrency is None else 0, share.fraction if share else 0.0)
        return share

    def _gates_of(self, call: Call) -> tuple[Gate, ...]:
        model = call.model
        assert model is not None
        found = (self._gates.get(("model", model.name)), self._gates.get(("group", model.group)))
        return tuple(gate for gate in found if gate is not None)

    def _admit(self, grant: Grant) -> None:
        for gate in grant.gates:
            gate.enter(grant.user, grant.tokens)
        now = self._clock()
        self._recent[grant.user] = (self._weight(grant.user, now) + grant.tokens, now)
        if len(self._recent) > MAX_WAITING:
            self._recent.clear()

    def _weight(self, user: str, now: float) -> float:
        tokens, at = self._recent.get(user, (0.0, now))
        return float(tokens * 0.5 ** (max(now - at, 0.0) / FORGET_SECONDS))

    def _dispatch_soon(self) -> None:
        """Look at all who wait, once for what happens meanwhile."""
        self._wake_in(DISPATCH_SECONDS)

    def _dispatch(self) -> None:
        """Let through whom the gates admit, in order; who must wait at a gate lets nobody behind pass it."""
        self._timer = None
        shut: set[int] = set()
        soonest: float | None = None
        now = self._clock()  # the same for all, so that an order changes by admissions only
        queue = [(self._order(waiting, now), waiting) for waiting in self._waiting.values()]
        heapq.heapify(queue)
        while queue and (not shut or len(shut) < len(self._gates)):
            order, waiting = heapq.heappop(queue)
            gates = waiting.grant.gates
            if waiting.turn.done() or any(id(gate) in shut for gate in gates):
                continue
            if (order_now := self._order(waiting, now)) != order:  # another call of the same caller went meanwhile
                heapq.heappush(queue, (order_now, waiting))
                continue
            blocking = [gate for gate in gates if not gate.admits(waiting.grant.tokens)]
            if not blocking:
                self._admit(waiting.grant)
                waiting.turn.set_result(None)
                continue
            shut.update(map(id, blocking))
            wait = max(gate.seconds_until(waiting.grant.tokens) for gate in blocking)
            if wait:
                soonest = wait if soonest is None else min(soonest, wait)
        if soonest is not None:
            self._wake_in(soonest + DISPATCH_SECONDS)

    def _order(self, waiting: _Waiting, now: float) -> tuple[int, int, float, int]:
        user = waiting.grant.user
        return (
            waiting.rank,
            max(gate.in_flight[user] for gate in waiting.grant.gates),
            self._weight(user, now),
            waiting.number,
        )

    def _wake_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer.when() <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._dispatch)

    def _refusal(self, call: Call, grant: Grant) -> Refusal:
        wait = max([MIN_RETRY_SECONDS, *(gate.seconds_until(grant.tokens) for gate in grant.gates)])
        assert call.model is not None
        return Refusal(
            Reason.RATE_LIMITED,
            f"Hawk's limit for {call.model.name} ({call.model.group}) is reached; the call waited "
            f"{time.monotonic() - call.began_at:.0f} seconds for its turn. Run less at once, or ask an administrator.",
            retry_after_seconds=wait,
        )


def text_of_scope(scope: LimitScope) -> str:
    """Return a scope as one text, for JSON."""
    return f"{scope[0]}:{scope[1]}"


def _bucket(per_minute: int | None, fraction: float, clock: Clock) -> Bucket | None:
    return None if per_minute is None else Bucket(per_minute * fraction, clock)


def _resized(bucket: Bucket | None, per_minute: int | None, fraction: float, clock: Clock) -> Bucket | None:
    if bucket is None or per_minute is None:
        return _bucket(per_minute, fraction, clock)
    bucket.resize(per_minute * fraction)
    return bucket
