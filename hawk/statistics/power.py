"""How large a difference can be seen, and with how many samples or epochs.

https://arxiv.org/abs/2411.00640, section 5
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from hawk.errors import UserError
from hawk.statistics.epochs import reduce_epochs
from hawk.statistics.estimate import DEFAULT_LEVEL, checked_level
from hawk.statistics.observations import Labels, as_floats, codes_of, sums_by_code

DEFAULT_POWER = 0.8


@dataclass(frozen=True)
class DifferenceVariance:
    """Why a sample's difference of two models varies: which sample it is, and chance within each model's epochs."""

    between_samples: float
    within_first: float = 0.0  # of one epoch
    within_second: float = 0.0

    def of_sample(self, epochs: int) -> float:
        """Return the variance of one sample's difference of means over that many epochs."""
        return self.between_samples + (self.within_first + self.within_second) / epochs


@dataclass(frozen=True)
class Needed:
    """How many are needed; None where no number is enough, and `reason` says why."""

    count: int | None
    reason: str = ""


def detectable_effect(error: float, *, level: float = DEFAULT_LEVEL, power: float = DEFAULT_POWER) -> float:
    """Return the smallest true difference that is found significant with this chance, at this standard error."""
    return _critical(level, power) * error


def power_to_see(effect: float, error: float, *, level: float = DEFAULT_LEVEL) -> float:
    """Return the chance that a true difference is found significant (two-sided, by the normal distribution)."""
    if error <= 0:
        raise UserError(f"A standard error of {error:g} tells nothing.", hint="Give one above 0.", value=error)
    critical = float(ndtri(0.5 + checked_level(level) / 2))
    size = abs(effect) / error
    return float(ndtr(size - critical) + ndtr(-size - critical))


def samples_needed(
    effect: float,
    variance: DifferenceVariance,
    *,
    epochs: int = 1,
    level: float = DEFAULT_LEVEL,
    power: float = DEFAULT_POWER,
) -> Needed:
    """Return how many samples, of that many epochs each for both models, make the difference be seen."""
    _checked_epochs(epochs)
    if effect == 0:
        return Needed(None, "No number of samples shows a difference of 0.")
    total = _critical(level, power) ** 2 * variance.of_sample(epochs) / effect**2
    return Needed(max(2, math.ceil(total - 1e-9)))


def epochs_needed(
    effect: float,
    variance: DifferenceVariance,
    *,
    samples: int,
    level: float = DEFAULT_LEVEL,
    power: float = DEFAULT_POWER,
) -> Needed:
    """Return how many epochs of each of `samples` samples make the difference be seen."""
    if effect == 0:
        return Needed(None, "No number of epochs shows a difference of 0.")
    room = samples * effect**2 / _critical(level, power) ** 2 - variance.between_samples
    within = variance.within_first + variance.within_second
    if room < 0 or (room == 0 and within > 0):
        least = math.floor(_critical(level, power) ** 2 * variance.between_samples / effect**2) + 1
        return Needed(None, f"{samples} samples differ too much for any number of epochs; {least} samples may do.")
    return Needed(max(1, math.ceil(within / room - 1e-9)) if within else 1)


def difference_variance(
    sample_ids: Labels, first_scores: ArrayLike, second_ids: Labels, second_scores: ArrayLike
) -> DifferenceVariance | None:
    """Return the parts of the variance from epochs of two models, one row an epoch; None for under two shared samples.

    Within: mean over samples of the variance of epochs (0 where no sample has two). Between: variance of the
    differences of means, less what the epochs' chance adds to it, at least 0. A one-way analysis of variance.
    """
    first = _by_sample(sample_ids, first_scores)
    second = _by_sample(second_ids, second_scores)
    shared = [sample_id for sample_id in first if sample_id in second]
    if len(shared) < 2:
        return None
    means = np.array([first[sample_id][0] - second[sample_id][0] for sample_id in shared])
    within_first, noise_first = _within([first[sample_id] for sample_id in shared])
    within_second, noise_second = _within([second[sample_id] for sample_id in shared])
    between = float(means.var(ddof=1)) - noise_first - noise_second
    return DifferenceVariance(max(between, 0.0), within_first, within_second)


type _SampleSpread = tuple[float, float, int]  # mean, sum of squared deviations, epochs


def _by_sample(sample_ids: Labels, scores: ArrayLike) -> dict[object, _SampleSpread]:
    reduced = reduce_epochs(sample_ids, scores)
    values = as_floats(scores)
    codes, _ = codes_of(sample_ids)
    kept = np.isfinite(values)
    deviations = (values[kept] - reduced.scores[codes[kept]]) ** 2
    squares = sums_by_code(codes[kept], deviations, count=len(reduced.scores))
    rows = zip(reduced.sample_ids, reduced.scores.tolist(), squares.tolist(), reduced.epochs.tolist(), strict=True)
    return {sample_id: (mean, square, epochs) for sample_id, mean, square, epochs in rows if epochs}


def _within(samples: list[_SampleSpread]) -> tuple[float, float]:
    """Return the variance of one epoch (pooled over samples), and what it adds to the variance of sample means."""
    epochs = np.array([sample[2] for sample in samples], dtype=np.float64)
    squares = sum(sample[1] for sample in samples)
    degrees = float((epochs - 1).sum())
    within = squares / degrees if degrees else 0.0
    return within, within * float((1 / epochs).mean())


def _critical(level: float, power: float) -> float:
    if not 0.0 < power < 1.0:
        raise UserError(f"Power {power} is not between 0 and 1.", hint="Use 0.8, say.", value=power)
    return float(ndtri(0.5 + checked_level(level) / 2) + ndtri(power))


def _checked_epochs(epochs: int) -> None:
    if epochs < 1:
        raise UserError(f"{epochs} epochs are too few.", hint="Give at least 1.", value=epochs)
