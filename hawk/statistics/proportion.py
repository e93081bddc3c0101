"""Wilson's interval of a proportion, which holds for few samples and near 0 and 1.

https://doi.org/10.1080/01621459.1927.10502953; with clusters https://pmc.ncbi.nlm.nih.gov/articles/PMC6690503/
"""

import math

from scipy.special import ndtri, stdtrit

from hawk.errors import UserError
from hawk.statistics.estimate import DEFAULT_LEVEL, Interval, checked_level


def wilson_interval(
    successes: float,
    count: float,
    *,
    level: float = DEFAULT_LEVEL,
    clustered_error: float | None = None,
    clusters: int | None = None,
) -> Interval | None:
    """Return Wilson's score interval of successes / count; None for no sample.

    `successes` need not be whole: a sum of scores from 0 to 1 gives an interval that is too wide, if anything.
    With a clustered standard error, the count is Korn and Graubard's effective one, at most the real one, and the
    critical value that of Student's t with clusters - 1 degrees of freedom.
    """
    checked_level(level)
    if count < 0 or not 0 <= successes <= count * (1 + 1e-12):
        raise UserError(f"{successes:g} successes of {count:g} are no proportion.", hint="Give scores from 0 to 1.")
    if count == 0:
        return None
    share = min(successes / count, 1.0)
    critical = float(ndtri(0.5 + level / 2))
    if clusters is not None:
        if clusters < 2:
            return None
        critical = float(stdtrit(clusters - 1, 0.5 + level / 2))
        variance = share * (1 - share)
        if clustered_error and variance > 0:
            count = min(variance / clustered_error**2, count)
    square = critical * critical
    middle = (share + square / (2 * count)) / (1 + square / count)
    reach = critical * math.sqrt(share * (1 - share) / count + square / (4 * count * count)) / (1 + square / count)
    return Interval(max(middle - reach, 0.0), min(middle + reach, 1.0), level)
