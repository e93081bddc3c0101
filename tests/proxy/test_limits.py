"""Who goes next when a model or group has too little room, and how a limit is divided among proxies."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from hawk.auth import Principal
from proxy.calls import Call
from proxy.limits import Bucket, Claim, Grant, Limits
from proxy.providers import provider_of
from proxy.refusals import Refusal
from proxy.registered import Registered, RegisteredModel, UsageLimit
from proxy.shares import Share, max_min_fair, safe_claim, shares_of

PROVIDER = provider_of("openai", "openai", "https://api.openai.com", SecretStr("k"))
MODEL = RegisteredModel("openai/m", "public")


def call(user: str, *, priority: str = "medium", tokens: int = 100, model: RegisteredModel = MODEL) -> Call:
    principal = Principal(subject=user)
    return Call(provider=PROVIDER, principal=principal, model=model, priority=priority, reserved_tokens=tokens)


def limits_of(*, wait: float = 5.0, **scopes: UsageLimit) -> Limits:
    limits = Limits(wait)
    names = {"model": ("model", "openai/m"), "other": ("model", "openai/other"), "group": ("group", "public")}
    limits.replace(Registered(limits={names[name]: limit for name, limit in scopes.items()}))
    return limits


@dataclass
class Queue:
    """Calls that wait, and the order in which they got their turn."""

    limits: Limits
    turns: list[str] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    tasks: list[asyncio.Task] = field(default_factory=list)

    async def join(self, name: str, waiting: Call) -> None:
        async def wait() -> None:
            self.grants.append(await self.limits.enter(waiting))
            self.turns.append(name)

        self.tasks.append(asyncio.create_task(wait()))
        await asyncio.sleep(0)

    async def serve(self, count: int) -> None:
        """Let calls end one after another, each making room for the next."""
        for _ in range(count):
            await until(lambda: self.grants)
            self.limits.leave(self.grants.pop(0), used_tokens=100)
        await until(lambda: all(task.done() for task in self.tasks))


async def until(is_true) -> None:
    async with asyncio.timeout(5):
        while not is_true():
            await asyncio.sleep(0.002)


def test_calls_without_a_limit_do_not_wait():
    async def scenario():
        limits = limits_of(other=UsageLimit(concurrency=1))
        return [await limits.enter(call("alice")) for _ in range(3)]

    assert [grant.gates for grant in asyncio.run(scenario())] == [(), (), ()]


def test_more_calls_at_once_than_the_limit_wait_for_one_that_ends():
    async def scenario():
        limits = limits_of(model=UsageLimit(concurrency=2))
        held = [await limits.enter(call("alice")) for _ in range(2)]
        queue = Queue(limits)
        await queue.join("third", call("alice"))
        await asyncio.sleep(0.03)
        before = list(queue.turns)
        limits.leave(held[0], used_tokens=1)
        await until(lambda: queue.turns)
        return before, queue.turns

    assert asyncio.run(scenario()) == ([], ["third"])


def test_high_goes_before_medium_before_low_and_first_come_first_served_within():
    async def scenario():
        limits = limits_of(model=UsageLimit(concurrency=1))
        queue = Queue(limits, grants=[await limits.enter(call("root"))])
        for name, priority in (("low", "low"), ("odd", "?"), ("medium", "medium"), ("high", "high")):
            await queue.join(name, call(name, priority=priority))
        await queue.serve(4)
        return queue.turns

    assert asyncio.run(scenario()) == ["high", "odd", "medium", "low"]


def test_callers_share_equally_however_many_calls_each_has_waiting():
    async def scenario():
        limits = limits_of(model=UsageLimit(concurrency=2))
        held = [await limits.enter(call("root")) for _ in range(2)]
        queue = Queue(limits, grants=held)
        for number in range(6):
            await queue.join(f"alice{number}", call("alice"))
        for number in range(2):
            await queue.join(f"bob{number}", call("bob"))
        await queue.serve(8)
        return queue.turns

    turns = asyncio.run(scenario())

    assert {"bob0", "bob1"} < set(turns[:4])
    assert [turn for turn in turns if turn.startswith("alice")] == [f"alice{number}" for number in range(6)]


def test_limit_of_a_group_holds_for_all_its_models_together():
    async def scenario():
        limits = limits_of(group=UsageLimit(concurrency=1), wait=0.02)
        await limits.enter(call("alice"))
        with pytest.raises(Refusal) as caught:
            await limits.enter(call("bob", model=RegisteredModel("openai/other", "public")))
        free = await limits.enter(call("bob", model=RegisteredModel("openai/free", "another")))
        return caught.value, free.gates

    refusal, gates = asyncio.run(scenario())

    assert refusal.status == 429
    assert "openai/other (public)" in refusal.message
    assert gates == ()


def test_who_waits_at_one_gate_does_not_hold_up_those_of_another():
    async def scenario():
        limits = limits_of(model=UsageLimit(concurrency=1), other=UsageLimit(concurrency=1))
        other = RegisteredModel("openai/other", "public")
        held = [await limits.enter(call("root")), await limits.enter(call("root", model=other))]
        queue = Queue(limits)
        await queue.join("first", call("alice"))
        await queue.join("second", call("alice", model=other))
        limits.leave(held[1], used_tokens=1)
        await until(lambda: queue.turns)
        return queue.turns

    assert asyncio.run(scenario()) == ["second"]


def test_tokens_of_a_minute_are_reserved_and_what_was_not_used_is_given_back():
    async def scenario():
        limits = limits_of(model=UsageLimit(tokens_per_minute=1000), wait=0.05)
        first = await limits.enter(call("alice", tokens=900))
        with pytest.raises(Refusal) as caught:
            await limits.enter(call("alice", tokens=900))
        limits.leave(first, used_tokens=10)
        return caught.value, await limits.enter(call("alice", tokens=900))

    refusal, grant = asyncio.run(scenario())

    assert 40 < refusal.retry_after_seconds < 60
    assert grant.gates


def test_reserve_of_a_call_whose_use_nobody_knows_is_not_given_back():
    async def scenario():
        limits = limits_of(model=UsageLimit(tokens_per_minute=1000), wait=0.02)
        limits.leave(await limits.enter(call("alice", tokens=900)), used_tokens=None)
        with pytest.raises(Refusal):
            await limits.enter(call("alice", tokens=900))

    asyncio.run(scenario())


def test_call_larger_than_a_whole_minute_goes_when_the_minute_is_unused():
    async def scenario():
        limits = limits_of(model=UsageLimit(tokens_per_minute=1000), wait=0.02)
        limits.leave(await limits.enter(call("alice", tokens=5000)), used_tokens=5000)
        with pytest.raises(Refusal) as caught:
            await limits.enter(call("alice", tokens=1))
        return caught.value.retry_after_seconds

    assert 230 < asyncio.run(scenario()) < 245


def test_waiting_call_goes_by_itself_when_the_allowance_has_refilled():
    async def scenario():
        limits = limits_of(model=UsageLimit(requests_per_minute=1200))
        for _ in range(1200):
            await limits.enter(call("alice"))
        await limits.enter(call("alice"))

    asyncio.run(scenario())


def test_client_that_leaves_the_queue_takes_no_turn():
    async def scenario():
        limits = limits_of(model=UsageLimit(concurrency=1))
        held = await limits.enter(call("root"))
        queue = Queue(limits)
        await queue.join("gone", call("alice"))
        await queue.join("next", call("bob"))
        queue.tasks[0].cancel()
        await asyncio.sleep(0)
        limits.leave(held, used_tokens=1)
        await until(lambda: queue.turns)
        return queue.turns, limits.waiting_count, limits.demand()

    turns, waiting, demand = asyncio.run(scenario())

    assert turns == ["next"]
    assert waiting == 0
    assert demand == {("model", "openai/m"): 1}


def test_limit_that_is_raised_or_removed_lets_those_who_wait_go():
    async def scenario():
        limits = limits_of(model=UsageLimit(concurrency=1))
        await limits.enter(call("root"))
        queue = Queue(limits)
        await queue.join("second", call("alice"))
        await queue.join("third", call("alice"))
        limits.replace(Registered(limits={("model", "openai/m"): UsageLimit(concurrency=2)}))
        await until(lambda: queue.turns)
        first = list(queue.turns)
        limits.replace(Registered())
        await until(lambda: len(queue.turns) == 2)
        return first

    assert asyncio.run(scenario()) == ["second"]


def test_proxy_among_others_does_nothing_under_a_limit_before_it_has_a_share():
    async def scenario():
        scope = ("model", "openai/m")
        limits = Limits(5.0, is_shared=True)
        limits.replace(Registered(limits={scope: UsageLimit(concurrency=4)}))
        queue = Queue(limits)
        for name in ("first", "second"):
            await queue.join(name, call(name))
        await asyncio.sleep(0.03)
        before = list(queue.turns)
        limits.take_shares({scope: Share(1, 0.5)})
        await until(lambda: queue.turns)
        return before, queue.turns, limits.claims()[scope]

    assert asyncio.run(scenario()) == ([], ["first"], Claim(2, 1, 1))


claimed = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=5)


@given(st.integers(0, 20), claimed)
def test_claims_never_exceed_the_limit_whatever_the_order_of_those_who_claim(limit, rounds):
    claims = [0, 0]
    held = [0, 0]
    for target, calls in rounds:
        for worker in (0, 1):
            held[worker] = min(calls, claims[worker])
            claims[worker] = safe_claim(target, limit=limit, held=held[worker], claims_of_others=claims[1 - worker])
            assert sum(claims) <= limit
            assert held[worker] <= claims[worker]


def test_bucket_refills_steadily_up_to_a_minute():
    now = [0.0]
    bucket = Bucket(60, lambda: now[0])
    bucket.take(60)

    now[0] = 10.0
    after_ten = bucket.level()
    now[0] = 1000.0

    assert after_ten == pytest.approx(10)
    assert bucket.level() == 60
    assert not Bucket(0, lambda: 0.0).has(1) or Bucket(0, lambda: 0.0).seconds_until(1) == 60


demands = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 50), min_size=1)


@given(st.integers(0, 100), demands)
def test_max_min_division_wastes_nothing_and_favours_nobody(amount, wanted):
    given_out = max_min_fair(amount, wanted)

    assert sum(given_out.values()) == min(amount, sum(wanted.values()))
    for name, got in given_out.items():
        assert 0 <= got <= wanted[name]
        # Whoever wants more has at most one more than any other: the last unit cannot be halved.
        assert got == wanted[name] or all(got >= other - 1 for other in given_out.values())


@given(st.none() | st.integers(0, 100), demands, st.lists(st.sampled_from("abcdefghij"), min_size=1, unique=True))
def test_shares_of_all_proxies_add_up_to_the_limit(concurrency, wanted, workers):
    shares = shares_of(concurrency, wanted, workers)

    assert set(shares) == set(workers)
    assert sum(share.fraction for share in shares.values()) == pytest.approx(1)
    if concurrency is None:
        assert {share.concurrency for share in shares.values()} == {None}
    else:
        assert sum(share.concurrency for share in shares.values()) == concurrency
