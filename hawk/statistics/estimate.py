"""What a statistic answers: a number with how sure one is of it, or none with the reason."""

from dataclasses import dataclass
from typing import Literal

from hawk.errors import UserError

IntervalMethod = Literal["t", "wilson"]
DEFAULT_LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval; a bound is None where data do not bound it on that side."""

    lower: float | None
    upper: float | None
    level: float = DEFAULT_LEVEL


@dataclass(frozen=True)
class Estimate:
    """A mean over samples. What could not be computed is None, and `reason` says why."""

    count: int
    missing: int  # samples without a score; they count in nothing
    mean: float | None = None
    standard_error: float | None = None
    interval: Interval | None = None
    method: IntervalMethod | None = None
    clusters: int | None = None
    reason: str = ""


def checked_level(level: float) -> float:
    """Return a confidence level. Raises UserError unless it lies between 0 and 1."""
    if not 0.0 < level < 1.0:
        raise UserError(f"Confidence level {level} is not between 0 and 1.", hint="Use 0.95, say.", value=level)
    return level
