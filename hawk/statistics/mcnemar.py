"""McNemar's test of two models that pass or fail the same samples. https://doi.org/10.1007/BF02295996"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, chdtrc

from hawk.statistics.observations import as_floats, same_length


@dataclass(frozen=True)
class McNemarTest:
    """How often only one of two passed, and how likely so uneven a count is if both are as good."""

    both: int
    only_first: int
    only_second: int
    neither: int
    missing: int
    exact_p: float | None = None
    chi_squared: float | None = None  # with Edwards's correction for continuity
    chi_squared_p: float | None = None
    reason: str = ""


def mcnemar_test(first: ArrayLike, second: ArrayLike) -> McNemarTest:
    """Return the exact (binomial) and the chi-squared test on pairs of 0 and 1; pairs with a NaN are missing."""
    same_length(first=first, second=second)
    a, b = as_floats(first), as_floats(second)
    kept = np.isfinite(a) & np.isfinite(b)
    missing = int((~kept).sum())
    a, b = a[kept], b[kept]
    if not (np.isin(a, (0.0, 1.0)).all() and np.isin(b, (0.0, 1.0)).all()):
        return McNemarTest(0, 0, 0, 0, missing, reason="Not every score is 0 or 1.")
    both, only_first, only_second = (int(x.sum()) for x in (a * b, a * (1 - b), (1 - a) * b))
    neither = len(a) - both - only_first - only_second
    differing = only_first + only_second
    if not differing:
        reason = "No sample is passed by one and failed by the other." if len(a) else "No sample has both scores."
        return McNemarTest(both, 0, 0, neither, missing, reason=reason)
    exact = min(1.0, 2.0 * float(bdtr(min(only_first, only_second), differing, 0.5)))
    statistic = max(abs(only_first - only_second) - 1, 0) ** 2 / differing
    return McNemarTest(both, only_first, only_second, neither, missing, exact, statistic, float(chdtrc(1, statistic)))
