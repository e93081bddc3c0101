"""Two models, or two eval sets, compared on the samples that both have. https://arxiv.org/abs/2411.00640, section 4"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr

from hawk.errors import UserError
from hawk.statistics.estimate import DEFAULT_LEVEL, Interval, checked_level
from hawk.statistics.observations import Floats, Labels, as_floats, cluster_codes, codes_of, is_constant, same_length
from hawk.statistics.power import DEFAULT_POWER, detectable_effect
from hawk.statistics.sample_mean import clustered_standard_error, standard_error, t_interval


@dataclass(frozen=True)
class Pairs:
    """One row per sample that both have, in the first's order, and how many only one has."""

    sample_ids: list[object]
    first: Floats
    second: Floats
    only_first: int
    only_second: int


@dataclass(frozen=True)
class PairedComparison:
    """First minus second on shared samples. What could not be computed is None, and `reason` says why."""

    count: int
    missing: int  # pairs of which one has no score
    first_mean: float | None = None
    second_mean: float | None = None
    difference: float | None = None
    standard_error: float | None = None  # over samples, or clustered where clusters were given
    interval: Interval | None = None
    p_value: float | None = None
    correlation: float | None = None
    detectable_effect: float | None = None  # at this standard error, in 80 % of experiments
    clusters: int | None = None
    reason: str = ""


def pair_samples(first_ids: Labels, first_scores: ArrayLike, second_ids: Labels, second_scores: ArrayLike) -> Pairs:
    """Return the scores of shared samples side by side. Raises UserError where an id is there twice: reduce epochs."""
    same_length(first_ids=first_ids, first_scores=first_scores)
    same_length(second_ids=second_ids, second_scores=second_scores)
    first = _by_id(first_ids, as_floats(first_scores))
    second = _by_id(second_ids, as_floats(second_scores))
    shared = [sample_id for sample_id in first if sample_id in second]
    return Pairs(
        shared,
        np.array([first[sample_id] for sample_id in shared], dtype=np.float64),
        np.array([second[sample_id] for sample_id in shared], dtype=np.float64),
        len(first) - len(shared),
        len(second) - len(shared),
    )


def compare_pairs(
    first: ArrayLike,
    second: ArrayLike,
    *,
    clusters: Labels | None = None,
    level: float = DEFAULT_LEVEL,
    power: float = DEFAULT_POWER,
) -> PairedComparison:
    """Return the mean difference of one score a sample each, with its standard error and a two-sided t-test.

    Pairs with a NaN are missing. Degrees of freedom are samples - 1, or clusters - 1.
    """
    checked_level(level)
    same_length(first=first, second=second)
    a, b = as_floats(first), as_floats(second)
    kept = np.isfinite(a) & np.isfinite(b)
    codes = None if clusters is None else cluster_codes(clusters, kept)
    a, b, missing = a[kept], b[kept], int((~kept).sum())
    if not len(a):
        return PairedComparison(0, missing, reason="No sample has a score of both.")
    differences = a - b
    difference = float(differences.mean())
    cluster_count = None if codes is None else int(codes.max()) + 1
    error = standard_error(differences) if codes is None else clustered_standard_error(differences, codes)
    reason = _reason(len(a), error, cluster_count)
    degrees = (cluster_count or len(a)) - 1
    is_testable = error is not None and error > 0
    return PairedComparison(
        count=len(a),
        missing=missing,
        first_mean=float(a.mean()),
        second_mean=float(b.mean()),
        difference=difference,
        standard_error=error,
        interval=t_interval(difference, error, degrees=degrees, level=level) if error and is_testable else None,
        p_value=min(1.0, 2 * float(stdtr(degrees, -abs(difference) / error))) if error and is_testable else None,
        correlation=correlation(a, b),
        detectable_effect=detectable_effect(error, level=level, power=power) if error and is_testable else None,
        clusters=cluster_count,
        reason=reason,
    )


def correlation(first: Floats, second: Floats) -> float | None:
    """Return Pearson's correlation; None for fewer than two pairs, or where one of both does not vary."""
    if len(first) < 2 or is_constant(first) or is_constant(second):
        return None
    return float(np.clip(np.corrcoef(first, second)[0, 1], -1.0, 1.0))


def _reason(count: int, error: float | None, clusters: int | None) -> str:
    if clusters == 1:
        return "All samples are of one cluster, which says nothing of how clusters differ."
    if count == 1:
        return "One shared sample: no standard error."
    return "Every sample has the same difference: nothing to test." if not error else ""


def _by_id(sample_ids: Labels, scores: Floats) -> dict[object, float]:
    codes, labels = codes_of(sample_ids)
    if len(labels) != len(codes):
        twice = labels[int(np.argmax(np.bincount(codes)))]
        raise UserError(f"Sample {twice!r} is there twice.", hint="Reduce its epochs to one score first.", value=twice)
    return dict(zip(labels, scores.tolist(), strict=True))
