"""Intervals of time horizons by a hierarchical bootstrap: of families, of tasks in each, of runs at each.

As METR draws: what is drawn twice counts twice, and weights stay those of the data. https://arxiv.org/abs/2503.14499
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from hawk.errors import UserError
from hawk.statistics.estimate import DEFAULT_LEVEL, checked_level
from hawk.statistics.horizon import (
    LEVELS,
    SLOPE_PENALTY,
    Horizon,
    HorizonRuns,
    fit_counts,
    fit_horizons,
    log2_horizon,
    minutes_of,
    success_shares,
)
from hawk.statistics.observations import Floats, Integers

DRAWS = 1000
THREADS = 2
CELLS_AT_ONCE = 200_000  # numbers in one array: it stays in a core's cache, which halves the time
# Above this share of draws whose curve does not fall, a percentile of the others would say too much.
MAX_UNDEFINED = 0.05


@dataclass(frozen=True)
class HorizonDraws:
    """log2 of horizon minutes, levels × draws × models: -inf where nothing passed, inf where nothing failed, or NaN."""

    models: list[str]
    levels: tuple[float, ...]
    log2_minutes: Floats


def bootstrap_horizons(
    counts: HorizonRuns,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    levels: Sequence[float] = LEVELS,
    slope_penalty: float = SLOPE_PENALTY,
) -> HorizonDraws:
    """Return the horizons of every draw and model; equal for equal seeds, however many threads there are."""
    if draws < 1:
        raise UserError(f"{draws} draws are too few.", hint="Use 1000, say.", value=draws)
    models, tasks = counts.runs.shape
    horizons = np.full((len(levels), draws, models), np.nan)
    if not tasks:
        return HorizonDraws(counts.models, tuple(levels), horizons)

    def compute(part: tuple[int, int, np.random.SeedSequence]) -> None:
        first, last, part_seed = part
        horizons[:, first:last] = _draw_part(
            counts, last - first, np.random.default_rng(part_seed), levels, slope_penalty
        )

    with ThreadPoolExecutor(THREADS) as threads:
        for _ in threads.map(compute, _parts(draws, max(1, CELLS_AT_ONCE // (models * tasks)), seed)):
            pass
    return HorizonDraws(counts.models, tuple(levels), horizons)


def horizons_with_intervals(
    counts: HorizonRuns,
    drawn: HorizonDraws,
    *,
    level: float = DEFAULT_LEVEL,
    slope_penalty: float = SLOPE_PENALTY,
) -> list[Horizon]:
    """Return each model's horizons with percentile intervals from draws of the same counts."""
    tail = (1 - checked_level(level)) / 2
    horizons = fit_horizons(counts, levels=drawn.levels, slope_penalty=slope_penalty)
    place = {model: index for index, model in enumerate(drawn.models)}
    return [
        _with_interval(horizon, drawn.log2_minutes[drawn.levels.index(horizon.success), :, place[horizon.model]], tail)
        for horizon in horizons
    ]


def draw_tasks(families: Integers, draws: int, generator: np.random.Generator) -> Integers:
    """Return how often each task is drawn (draws × tasks): families with replacement, in each its tasks likewise."""
    count = int(families.max()) + 1
    members = [np.flatnonzero(families == family) for family in range(count)]
    times = generator.multinomial(count, np.full(count, 1 / count), size=draws)
    drawn = np.zeros((draws, len(families)), dtype=np.int64)
    for family, tasks in enumerate(members):
        # A family drawn m times draws its tasks m times anew: m · n draws with equal chances.
        drawn[:, tasks] = generator.multinomial(times[:, family] * len(tasks), np.full(len(tasks), 1 / len(tasks)))
    return drawn


def _parts(draws: int, size: int, seed: int) -> Iterator[tuple[int, int, np.random.SeedSequence]]:
    starts = range(0, draws, size)
    seeds = np.random.SeedSequence(seed).spawn(len(starts))
    for start, part_seed in zip(starts, seeds, strict=True):
        yield start, min(start + size, draws), part_seed


def _draw_part(
    counts: HorizonRuns,
    draws: int,
    generator: np.random.Generator,
    levels: Sequence[float],
    slope_penalty: float,
) -> Floats:
    models, tasks = counts.runs.shape
    times = draw_tasks(counts.families, draws, generator)
    runs = times[:, None, :] * counts.runs[None]
    # Runs drawn with replacement from those of a model at a task: as many successes as a binomial gives.
    passed = generator.binomial(runs, success_shares(counts.runs, counts.passed)[None])
    weights = (times[:, None, :] * counts.weights[None]).reshape(draws * models, tasks)
    runs, passed = runs.reshape(draws * models, tasks), passed.reshape(draws * models, tasks)
    fits = fit_counts(counts, weights, success_shares(runs, passed), slope_penalty=slope_penalty)
    has_none, has_all = ~passed.any(axis=1), (passed == runs).all(axis=1)
    has_runs = runs.any(axis=1)
    found = []
    for level in levels:
        horizon = log2_horizon(fits.intercepts, fits.slopes, level)
        horizon[has_none] = -np.inf
        horizon[has_all] = np.inf
        horizon[~has_runs] = np.nan
        found.append(horizon.reshape(draws, models))
    return np.stack(found)


def _with_interval(horizon: Horizon, log2_minutes: Floats, tail: float) -> Horizon:
    defined = log2_minutes[~np.isnan(log2_minutes)]
    undefined = 1 - len(defined) / len(log2_minutes)
    if undefined > MAX_UNDEFINED:
        reason = f"In {undefined:.0%} of the draws success does not fall with the length of tasks: no interval."
        return replace(horizon, reason=horizon.reason or reason)
    # Without interpolation, which has no answer between an infinite and a finite draw.
    lower, upper = np.quantile(defined, [tail, 1 - tail], method="inverted_cdf")
    return replace(horizon, lower_minutes=_bound(float(lower)), upper_minutes=_bound(float(upper)))


def _bound(log2_minutes: float) -> float | None:
    return minutes_of(log2_minutes) if np.isfinite(log2_minutes) else None
