"""Several epochs of a sample as one score, by Inspect's reducers. https://inspect.aisi.org.uk/scorers.html#reducing-epochs"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hawk.errors import UserError
from hawk.statistics.observations import Floats, Integers, Labels, as_floats, codes_of, same_length, sums_by_code

NAMES = "mean, median, mode, max, at_least_<k>, pass_at_<k>, pass_k_<k>"
_WITH_K = re.compile(r"(at_least|pass_at|pass_k)_([1-9][0-9]{0,5})")


@dataclass(frozen=True)
class ReducedSamples:
    """One row per sample, in order of first sight; NaN where its epochs give no score."""

    sample_ids: list[object]
    scores: Floats
    epochs: Integers  # how many of its epochs have a score


def reduce_epochs(
    sample_ids: Labels, scores: ArrayLike, reducer: str = "mean", *, threshold: float = 1.0
) -> ReducedSamples:
    """Return one score a sample. Epochs without a score (NaN) are left out, as Inspect does.

    `reducer` is as Inspect names it: mean, median, mode, max, at_least_2, pass_at_5, pass_k_5. Of the last three an
    epoch has passed whose score is at least `threshold`, and NaN says that fewer than k epochs have a score (of
    at_least: none has). Raises UserError for another name.
    """
    same_length(sample_ids=sample_ids, scores=scores)
    values = as_floats(scores)
    codes, labels = codes_of(sample_ids)
    kept = np.isfinite(values)
    codes, values = codes[kept], values[kept]
    count = len(labels)
    epochs = np.bincount(codes, minlength=count).astype(np.int64)
    match = _WITH_K.fullmatch(reducer)
    if match:
        passed = np.bincount(codes[values >= threshold], minlength=count).astype(np.int64)
        reduced = _COUNTED[match[1]](epochs, passed, int(match[2]))
    elif reducer in _PLAIN:
        reduced = _PLAIN[reducer](codes, values, count)
    else:
        raise UserError(f"There is no reducer {reducer!r}.", hint=f"Use one of {NAMES}.", value=reducer)
    return ReducedSamples(labels, reduced, epochs)


def pass_at_k(epochs: ArrayLike, passed: ArrayLike, k: int) -> Floats:
    """Return 1 - C(n - c, k) / C(n, k): the unbiased chance that one of k attempts passes; NaN where n < k.

    https://arxiv.org/abs/2107.03374
    """
    total, good = np.asarray(epochs, dtype=np.float64), np.asarray(passed, dtype=np.float64)
    return 1.0 - _share_of_draws(total, total - good, k)


def pass_k(epochs: ArrayLike, passed: ArrayLike, k: int) -> Floats:
    """Return C(c, k) / C(n, k), pass^k: the unbiased chance that all of k attempts pass; NaN where n < k.

    https://arxiv.org/abs/2406.12045
    """
    return _share_of_draws(np.asarray(epochs, dtype=np.float64), np.asarray(passed, dtype=np.float64), k)


def at_least_k(epochs: ArrayLike, passed: ArrayLike, k: int) -> Floats:
    """Return 1 where at least k epochs passed, else 0; NaN where no epoch has a score."""
    total = np.asarray(epochs, dtype=np.float64)
    return np.where(total > 0, np.asarray(passed) >= k, np.nan).astype(np.float64)


def _share_of_draws(total: Floats, good: Floats, k: int) -> Floats:
    """Return C(good, k) / C(total, k), factor by factor so that no factorial overflows."""
    share = np.where(total >= k, 1.0, np.nan)
    for taken in range(min(k, int(total.max(initial=0)))):
        share *= np.clip(good - taken, 0.0, None) / np.maximum(total - taken, 1.0)
    return share.astype(np.float64)


def _mean(codes: Integers, values: Floats, count: int) -> Floats:
    return _divided(sums_by_code(codes, values, count=count), np.bincount(codes, minlength=count))


def _median(codes: Integers, values: Floats, count: int) -> Floats:
    ordered = values[np.lexsort((values, codes))]
    epochs = np.bincount(codes, minlength=count)
    first = np.cumsum(epochs) - epochs
    there = epochs > 0
    reduced = np.full(count, np.nan)
    low, high = first + (epochs - 1) // 2, first + epochs // 2
    reduced[there] = (ordered[low[there]] + ordered[high[there]]) / 2
    return reduced


def _mode(codes: Integers, values: Floats, count: int) -> Floats:
    """Of equally frequent values the one that comes first, as Inspect takes it."""
    reduced = np.full(count, np.nan)
    if not len(codes):
        return reduced
    pairs = np.stack([codes.astype(np.float64), values])
    unique, first_seen, seen = np.unique(pairs, axis=1, return_index=True, return_counts=True)
    best_last = np.lexsort((-first_seen, seen, unique[0]))
    reduced[unique[0, best_last].astype(np.int64)] = unique[1, best_last]
    return reduced


def _max(codes: Integers, values: Floats, count: int) -> Floats:
    reduced = np.full(count, -np.inf)
    np.maximum.at(reduced, codes, values)
    return np.where(np.isfinite(reduced), reduced, np.nan).astype(np.float64)


def _divided(sums: Floats, counts: Integers) -> Floats:
    means: Floats = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    return means


_PLAIN: dict[str, Callable[[Integers, Floats, int], Floats]] = {
    "mean": _mean,
    "median": _median,
    "mode": _mode,
    "max": _max,
}
_COUNTED: dict[str, Callable[[Integers, Integers, int], Floats]] = {
    "at_least": at_least_k,
    "pass_at": pass_at_k,
    "pass_k": pass_k,
}
