"""Many weighted logistic fits of success on one variable at once: one per model, or per model and draw.

The model is p = c + (1 - c) · sigmoid(a + b · x), c the chance to pass by guessing (0 where there is none).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from hawk.statistics.observations import Flags, Floats

MAX_STEPS = 60
# Of a step against the size of the parameters, in logits at the mean x and per standard deviation of x: where a fit is
# done, and below which it is good to three digits although it creeps, as with a chance floor and perfect separation.
TOLERANCE = 1e-9
GOOD_ENOUGH = 1e-3
MAX_STEP = 3.0  # logits; longer steps overshoot where most have passed or failed
MAX_LOGITS = 40.0  # beyond, a probability is 0 or 1 to all digits
SMALLEST = 1e-12


@dataclass(frozen=True)
class LogisticFits:
    """One row per fit; NaN where there was nothing to fit."""

    intercepts: Floats
    slopes: Floats
    is_converged: Flags


def fit_logistic(
    x: Floats, passed: Floats, weights: Floats, *, floor: Floats | float = 0.0, slope_penalty: float = 0.0
) -> LogisticFits:
    """Return the fits that maximise the weighted likelihood, less `slope_penalty` / 2 · b².

    `x` (items) is shared; `passed` and `weights` (fits × items) are the weighted successes and the weights of all
    tries, 0 where an item was not tried. Weights count relative to their sum, as the penalty does. Fisher scoring,
    all fits together; a fit that has converged is not computed further.
    """
    centre, scale = _standard(x, weights)
    standard = (x - centre) / scale
    total = weights.sum(axis=1)
    is_fit = total > 0
    intercepts, slopes = np.full(len(total), np.nan), np.full(len(total), np.nan)
    last_steps = np.full(len(total), np.inf)
    open_fits = np.flatnonzero(is_fit)
    share = np.divide(1.0, total, out=np.zeros_like(total), where=is_fit)[:, None]
    passed, weights = passed * share, weights * share
    parameters = _start(passed, floor)
    penalty = slope_penalty / scale**2
    for _ in range(MAX_STEPS):
        step = _step(standard, passed[open_fits], weights[open_fits], parameters[open_fits], floor, penalty)
        largest = np.abs(step).max(axis=1, initial=0.0)
        step *= np.minimum(1.0, MAX_STEP / np.maximum(largest, SMALLEST))[:, None]
        parameters[open_fits] += step
        last_steps[open_fits] = largest / np.maximum(np.abs(parameters[open_fits]).max(axis=1), 1.0)
        open_fits = open_fits[last_steps[open_fits] >= TOLERANCE]
        if not len(open_fits):
            break
    slopes[is_fit] = parameters[is_fit, 1] / scale
    intercepts[is_fit] = parameters[is_fit, 0] - slopes[is_fit] * centre
    return LogisticFits(intercepts, slopes, last_steps < GOOD_ENOUGH)


def _standard(x: Floats, weights: Floats) -> tuple[float, float]:
    """Return mean and standard deviation of x over all tries, so that both parameters are of one size."""
    tried = weights.sum(axis=0)
    if not tried.sum() > 0:
        return 0.0, 1.0
    centre = float(np.average(x, weights=tried))
    return centre, float(np.sqrt(np.average((x - centre) ** 2, weights=tried))) or 1.0


def _start(passed: Floats, floor: Floats | float) -> Floats:
    mean = np.clip(passed.sum(axis=1), 0.02, 0.98)
    above = np.clip((mean - np.mean(floor)) / (1 - np.mean(floor)), 0.02, 0.98)
    return np.stack([np.log(above / (1 - above)), np.zeros(len(above))], axis=1)


def _step(
    x: Floats, passed: Floats, weights: Floats, parameters: Floats, floor: Floats | float, penalty: float
) -> Floats:
    """Return the step of Fisher scoring of each fit, by the inverse of its 2 × 2 information."""
    logits = parameters[:, 1:] * x + parameters[:, :1]
    np.clip(logits, -MAX_LOGITS, MAX_LOGITS, out=logits)
    skill = expit(logits, out=logits)
    if isinstance(floor, float) and floor == 0.0:
        residual = passed - weights * skill
        information = weights * skill * (1 - skill)
    else:
        chance = floor + (1 - floor) * skill
        rate = (1 - floor) * skill * (1 - skill) / np.maximum(chance * (1 - chance), SMALLEST)
        residual = (passed - weights * chance) * rate
        information = weights * rate * (1 - floor) * skill * (1 - skill)
    powers = np.stack([np.ones_like(x), x, x * x], axis=1)
    gradient = residual @ powers[:, :2]
    gradient[:, 1] -= penalty * parameters[:, 1]
    sums = information @ powers
    low, cross, high = sums[:, 0] + SMALLEST, sums[:, 1], sums[:, 2] + penalty + SMALLEST
    determinant = np.maximum(low * high - cross * cross, SMALLEST * low)
    return np.stack(
        [
            (high * gradient[:, 0] - cross * gradient[:, 1]) / determinant,
            (low * gradient[:, 1] - cross * gradient[:, 0]) / determinant,
        ],
        axis=1,
    )
