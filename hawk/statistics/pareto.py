"""Which of several models are best for their cost."""

import numpy as np
from numpy.typing import ArrayLike

from hawk.statistics.observations import Flags, as_floats, same_length


def pareto_front(costs: ArrayLike, qualities: ArrayLike) -> Flags:
    """Return of each whether none is both as cheap and as good, and cheaper or better.

    Equal ones stand or fall together; one whose cost or quality is not known is on no front.
    https://en.wikipedia.org/wiki/Pareto_front
    """
    same_length(costs=costs, qualities=qualities)
    cost, quality = as_floats(costs), as_floats(qualities)
    known = np.flatnonzero(np.isfinite(cost) & np.isfinite(quality))
    is_on_front = np.zeros(len(cost), dtype=np.bool_)
    if not len(known):
        return is_on_front
    order = known[np.lexsort((-quality[known], cost[known]))]
    steps, group = np.unique(cost[order], return_inverse=True)
    best = np.full(len(steps), -np.inf)
    np.maximum.at(best, group, quality[order])
    cheaper_best = np.concatenate([[-np.inf], np.maximum.accumulate(best)[:-1]])
    is_on_front[order] = (quality[order] == best[group]) & (quality[order] > cheaper_best[group])
    return is_on_front
