"""Divides a limit among proxies: each can work out the same division from what all have said."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Share(NamedTuple):
    """What one worker may do: calls at once (None: no such limit), and which fraction of what a minute allows."""

    concurrency: int | None
    fraction: float


def shares_of(concurrency: int | None, demands: Mapping[str, int], workers: Sequence[str]) -> dict[str, Share]:
    """Return each worker's share; the shares of calls at once add up to the limit, the fractions to one.

    Nobody gets less for another's greater demand than an even division gives; what is left over is spread evenly,
    so that a worker's next calls need not wait for the next division.
    """
    calls = {worker: demands.get(worker, 0) for worker in workers}
    total = sum(calls.values()) + len(workers)
    at_once = _divided(concurrency, calls) if concurrency is not None else {}
    return {
        worker: Share(at_once[worker] if concurrency is not None else None, (wanted + 1) / total)
        for worker, wanted in calls.items()
    }


def safe_claim(target: int, *, limit: int, held: int, claims_of_others: int) -> int:
    """Return how many calls a worker may have, however soon others learn of it: never more than they leave.

    Calls that are under way stay counted when the target falls, so it takes their end to make room for another's.
    """
    return max(held, min(target, limit - claims_of_others), 0)


def max_min_fair(amount: int, demands: Mapping[str, int]) -> dict[str, int]:
    """Return how much each gets: the smallest demands whole, the others even parts of what remains, to a unit."""
    given: dict[str, int] = {}
    rest = amount
    for position, (name, wanted) in enumerate(sorted(demands.items(), key=lambda item: (item[1], item[0]))):
        given[name] = min(wanted, rest // (len(demands) - position))
        rest -= given[name]
    for name in sorted(demands):
        if rest and given[name] < demands[name]:
            given[name] += 1
            rest -= 1
    return given


def _divided(amount: int, demands: Mapping[str, int]) -> dict[str, int]:
    given = max_min_fair(amount, demands)
    rest = amount - sum(given.values())
    names = sorted(demands)
    return {name: given[name] + rest // len(names) + (place < rest % len(names)) for place, name in enumerate(names)}
