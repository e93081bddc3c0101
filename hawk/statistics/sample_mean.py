"""The mean of scores over samples, with its standard error and interval.

https://inspect.aisi.org.uk/scorers.html#built-in-metrics, https://arxiv.org/abs/2411.00640
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from hawk.statistics.estimate import DEFAULT_LEVEL, Estimate, Interval, IntervalMethod, checked_level
from hawk.statistics.observations import Floats, Integers, Labels, as_floats, cluster_codes, is_constant, sums_by_code
from hawk.statistics.proportion import wilson_interval

# Below this many samples the t interval of bounded scores is off by more than a point: https://arxiv.org/abs/2503.01747
SMALL_COUNT = 30


def mean_estimate(scores: ArrayLike, *, clusters: Labels | None = None, level: float = DEFAULT_LEVEL) -> Estimate:
    """Return the mean of one score a sample; NaN and infinite scores are missing.

    The interval is Wilson's where scores are 0 or 1, and where they lie between and are few or all equal; else
    Student's t. With `clusters` (one label a sample) both allow for samples of a cluster being alike.
    """
    checked_level(level)
    values = as_floats(scores)
    kept = np.isfinite(values)
    values, missing = values[kept], int((~kept).sum())
    codes = None if clusters is None else cluster_codes(clusters, kept)
    count = len(values)
    if count == 0:
        return Estimate(0, missing, reason="No sample has a score.")
    cluster_count = None if codes is None else int(codes.max()) + 1
    mean = float(values.mean())
    error = standard_error(values) if codes is None else clustered_standard_error(values, codes)
    method, reason = _method(values, error, cluster_count)
    interval = None
    if method == "wilson":
        interval = wilson_interval(
            mean * count, count, level=level, clustered_error=None if codes is None else error, clusters=cluster_count
        )
    elif method == "t" and error is not None:
        interval = t_interval(mean, error, degrees=(cluster_count or count) - 1, level=level)
    return Estimate(count, missing, mean, error, interval, method, cluster_count, reason)


def standard_error(values: Floats) -> float | None:
    """Return the standard deviation (n - 1) by the square root of n; None for fewer than two values."""
    if len(values) < 2:
        return None
    if is_constant(values):
        return 0.0
    return float(values.std(ddof=1) / math.sqrt(len(values)))


def clustered_standard_error(values: Floats, codes: Integers) -> float | None:
    """Return the standard error that allows for correlation within clusters; None for fewer than two clusters.

    The square root of C / (C - 1) times the sum over clusters of (sum of deviations from the mean) squared, by n:
    appendix A of https://arxiv.org/abs/2411.00640 with the correction for few clusters that Inspect applies.
    """
    clusters = int(codes.max()) + 1 if len(codes) else 0
    if clusters < 2:
        return None
    if is_constant(values):
        return 0.0
    sums = sums_by_code(codes, values - values.mean())
    return float(math.sqrt(float(sums @ sums) * clusters / (clusters - 1)) / len(values))


def t_interval(mean: float, error: float, *, degrees: int, level: float) -> Interval:
    """Return mean ± t · error, t of that many degrees of freedom."""
    reach = float(stdtrit(degrees, 0.5 + level / 2)) * error
    return Interval(mean - reach, mean + reach, level)


def _method(values: Floats, error: float | None, clusters: int | None) -> tuple[IntervalMethod | None, str]:
    is_bounded = bool(((values >= 0) & (values <= 1)).all())
    is_binary = is_bounded and bool(((values == 0) | (values == 1)).all())
    if clusters == 1:
        return None, "All samples are of one cluster, which says nothing of how clusters differ."
    if is_bounded and (is_binary or len(values) < SMALL_COUNT or not error):
        reason = "One sample: no standard error." if error is None else ""
        return "wilson", reason
    if error is None:
        return None, "One sample: no standard error."
    if error == 0:
        return None, "All scores are equal, so their spread says nothing of how far the mean may be off."
    return "t", ""
