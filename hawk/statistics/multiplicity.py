"""p-values of many comparisons, adjusted for their number."""

from collections.abc import Callable, Sequence

import numpy as np

from hawk.errors import UserError
from hawk.statistics.observations import Floats

type PValues = Sequence[float | None]
type _Adjustment = Callable[[Floats], Floats]


def holm(p_values: PValues) -> list[float | None]:
    """Return p-values that bound the chance of any false finding. https://www.jstor.org/stable/4615733

    None stays None and counts as no comparison.
    """

    def adjust(ordered: Floats) -> Floats:
        return np.maximum.accumulate(ordered * np.arange(len(ordered), 0, -1))

    return _adjusted(p_values, adjust)


def benjamini_hochberg(p_values: PValues) -> list[float | None]:
    """Return p-values that bound the share of false findings. https://doi.org/10.1111/j.2517-6161.1995.tb02031.x

    None stays None and counts as no comparison.
    """

    def adjust(ordered: Floats) -> Floats:
        scaled = ordered * len(ordered) / np.arange(1, len(ordered) + 1)
        return np.minimum.accumulate(scaled[::-1])[::-1]

    return _adjusted(p_values, adjust)


def _adjusted(p_values: PValues, adjust: _Adjustment) -> list[float | None]:
    values = np.array([np.nan if p is None else p for p in p_values], dtype=np.float64)
    if ((values < 0) | (values > 1)).any():
        raise UserError("A p-value is not between 0 and 1.", hint="Give p-values.", value=list(p_values))
    there = np.flatnonzero(~np.isnan(values))
    order = there[np.argsort(values[there], kind="stable")]
    values[order] = np.minimum(adjust(values[order]), 1.0)
    return [None if np.isnan(value) else float(value) for value in values]
