"""How fast time horizons grow: log2 of the horizon on release date, and the time in which it doubles."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from hawk.statistics.estimate import DEFAULT_LEVEL, Interval, checked_level
from hawk.statistics.observations import Flags, Floats, as_floats, same_length

DAYS_PER_YEAR = 365.25


@dataclass(frozen=True)
class HorizonTrend:
    """A straight line through log2(minutes) by date. What could not be computed is None, and `reason` says why."""

    count: int
    doublings_per_year: float | None = None
    slope_interval: Interval | None = None  # of doublings per year
    doubling_days: float | None = None
    doubling_days_interval: Interval | None = None  # upper None: that it does not grow at all is not excluded
    log2_minutes_at_start: float | None = None  # on the earliest release date
    start: date | None = None
    r_squared: float | None = None
    reason: str = ""


def horizon_trend(
    released: Sequence[date], minutes: ArrayLike, *, draws: ArrayLike | None = None, level: float = DEFAULT_LEVEL
) -> HorizonTrend:
    """Return the trend over models, one row each; NaN for no horizon.

    `draws` (draws × models, log2 of minutes, as the bootstrap gives them) makes the interval one of percentiles, which
    holds how sure each horizon is; without, it is that of the least-squares line, Student's t with n - 2 degrees of
    freedom, which holds only how far horizons lie from the line. https://arxiv.org/abs/2503.14499
    """
    checked_level(level)
    same_length(released=list(released), minutes=minutes)
    values = as_floats(minutes)
    kept = np.isfinite(values) & (values > 0)
    days = np.array([day.toordinal() for day, keep in zip(released, kept, strict=True) if keep], dtype=np.float64)
    if len(days) < 2 or np.ptp(days) == 0:
        return HorizonTrend(len(days), reason="Horizons of at least two release dates are needed.")
    years = (days - days.min()) / DAYS_PER_YEAR
    log2_minutes = np.log2(values[kept])
    slope, intercept = _line(years, log2_minutes[None, :])
    residual = log2_minutes - intercept[0] - slope[0] * years
    drawn = None if draws is None else np.asarray(draws, dtype=np.float64)[:, kept]
    interval = _slope_interval(years, residual, float(slope[0]), drawn, level)
    spread = float(((log2_minutes - log2_minutes.mean()) ** 2).sum())
    grows = slope[0] > 0
    return HorizonTrend(
        count=len(days),
        doublings_per_year=float(slope[0]),
        slope_interval=interval,
        doubling_days=DAYS_PER_YEAR / float(slope[0]) if grows else None,
        doubling_days_interval=_doubling_interval(interval) if grows else None,
        log2_minutes_at_start=float(intercept[0]),
        start=date.fromordinal(int(days.min())),
        r_squared=1 - float(residual @ residual) / spread if spread else None,
        reason=_reason(grows=bool(grows), has_interval=interval is not None),
    )


def is_at_frontier(released: Sequence[date], minutes: ArrayLike) -> Flags:
    """Return of each model whether no other of its date or before had a longer horizon."""
    same_length(released=list(released), minutes=minutes)
    values = as_floats(minutes)
    days = np.array([day.toordinal() for day in released], dtype=np.int64)
    known = np.where(np.isfinite(values), values, -np.inf)
    best = np.array([known[days <= day].max() for day in days], dtype=np.float64)
    return np.isfinite(values) & (values >= best)


def _reason(*, grows: bool, has_interval: bool) -> str:
    if not grows:
        return "Horizons do not grow with the release date: they never double."
    return "" if has_interval else "No interval: too few models, or too many draws in which one has no horizon."


def _line(years: Floats, log2_minutes: Floats) -> tuple[Floats, Floats]:
    """Return slope and intercept of the least-squares line of each row."""
    centred = years - years.mean()
    slopes = (log2_minutes - log2_minutes.mean(axis=1, keepdims=True)) @ centred / float(centred @ centred)
    return slopes, log2_minutes.mean(axis=1) - slopes * years.mean()


def _slope_interval(
    years: Floats, residual: Floats, slope: float, drawn: Floats | None, level: float
) -> Interval | None:
    tail = (1 - level) / 2
    if drawn is not None:
        finite = drawn[np.isfinite(drawn).all(axis=1)]
        if len(finite) < 0.9 * len(drawn) or not len(finite):  # too many draws without a line to speak of the rest
            return None
        lower, upper = np.quantile(_line(years, finite)[0], [tail, 1 - tail])
        return Interval(float(lower), float(upper), level)
    if len(years) < 3:
        return None
    centred = years - years.mean()
    error = float(np.sqrt(residual @ residual / (len(years) - 2) / (centred @ centred)))
    reach = float(stdtrit(len(years) - 2, 1 - tail)) * error
    return Interval(slope - reach, slope + reach, level)


def _doubling_interval(slope: Interval | None) -> Interval | None:
    """Turn doublings a year into days a doubling; the fastest growth is the lower bound."""
    if slope is None or slope.upper is None or slope.lower is None:
        return None
    upper = DAYS_PER_YEAR / slope.lower if slope.lower > 0 else None
    return Interval(DAYS_PER_YEAR / slope.upper, upper, slope.level)
