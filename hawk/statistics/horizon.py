"""Time horizons after METR: how long tasks take people that a model solves half, or 80 %, of the time.

https://arxiv.org/abs/2503.14499. Runs are first counted by model and task, since all that follows depends on counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logit

from hawk.errors import UserError
from hawk.statistics.logistic import LogisticFits, fit_logistic
from hawk.statistics.observations import Floats, Integers, Labels, as_floats, codes_of, same_length

LEVELS = (0.5, 0.8)
SLOPE_PENALTY = 1e-5  # as METR's fits have it: only where nothing failed after something passed does it matter
NO_SUCCESS = "No run succeeded: the horizon is below the tasks that were tried."
NO_FAILURE = "No run failed: the horizon is beyond the tasks that were tried."
NOT_FALLING = "Success does not fall with the length of tasks."
ONE_LENGTH = "All tasks that were tried take equally long: no curve can be fitted."


@dataclass(frozen=True)
class HorizonRuns:
    """Counts of runs, models × tasks, with what is known of the tasks; `left_out` runs had no minutes or no score."""

    models: list[str]
    tasks: list[object]
    log2_minutes: Floats
    families: Integers  # of each task, numbered
    runs: Integers
    passed: Integers
    left_out: int
    floors: Floats  # chance to pass each task by guessing

    @property
    def weights(self) -> Floats:
        """Weight of all runs of a model at a task together: 1 / sqrt(tasks in its family), 0 where it has no run."""
        in_family = np.bincount(self.families)[self.families] if len(self.families) else np.zeros(0)
        return (self.runs > 0) / np.sqrt(in_family)[None, :]

    @property
    def floor(self) -> Floats | float:
        """The chance floors, or 0.0 where there are none, which is faster to fit."""
        return self.floors if self.floors.any() else 0.0


@dataclass(frozen=True)
class Horizon:
    """One model's horizon at one success level. None where there is none, and `reason` says why."""

    model: str
    success: float
    minutes: float | None
    lower_minutes: float | None = None  # None: not bounded below, or not bootstrapped
    upper_minutes: float | None = None
    is_extrapolated: bool = False  # longer or shorter than any task that was tried
    runs: int = 0
    tasks: int = 0
    mean_success: float | None = None  # weighted as the fit
    intercept: float | None = None  # of logit(success) = intercept + slope · log2(minutes)
    slope: float | None = None
    reason: str = ""


def count_runs(
    models: Labels,
    tasks: Labels,
    families: Labels,
    minutes: ArrayLike,
    scores: ArrayLike,
    *,
    threshold: float = 1.0,
    floors: Mapping[object, float] | None = None,
) -> HorizonRuns:
    """Return the counts; one row a run, passed if its score is at least `threshold`.

    Runs without a score, or at a task without human minutes, are left out and counted. `floors` gives the chance to
    pass a task by guessing. Raises UserError where a task has two lengths or families, or minutes or floors are out of
    bounds.
    """
    same_length(models=models, tasks=tasks, families=families, minutes=minutes, scores=scores)
    lengths, values = as_floats(minutes), as_floats(scores)
    kept = np.isfinite(lengths) & np.isfinite(values)
    if (lengths[kept] <= 0).any():
        raise UserError("A task takes people 0 minutes or less.", hint="Give positive minutes, or none if unknown.")
    model_codes, model_labels = codes_of([label for label, keep in zip(models, kept, strict=True) if keep])
    task_codes, task_labels = codes_of([label for label, keep in zip(tasks, kept, strict=True) if keep])
    family_codes, _ = codes_of([label for label, keep in zip(families, kept, strict=True) if keep])
    shape = (len(model_labels), len(task_labels))
    cells = model_codes * shape[1] + task_codes
    passed = (values[kept] >= threshold).astype(np.float64)
    return HorizonRuns(
        models=[str(label) for label in model_labels],
        tasks=task_labels,
        log2_minutes=_one_of_each(task_codes, np.log2(lengths[kept]), task_labels, "length"),
        families=_one_of_each(task_codes, family_codes.astype(np.float64), task_labels, "family").astype(np.int64),
        runs=np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape).astype(np.int64),
        passed=np.bincount(cells, passed, minlength=shape[0] * shape[1]).reshape(shape).astype(np.int64),
        left_out=int((~kept).sum()),
        floors=_floors(task_labels, floors or {}),
    )


def fit_horizons(
    counts: HorizonRuns, *, levels: Sequence[float] = LEVELS, slope_penalty: float = SLOPE_PENALTY
) -> list[Horizon]:
    """Return each model's horizons, in order of models and levels, without intervals (see horizon_bootstrap)."""
    weights = counts.weights
    fits = fit_counts(counts, weights, success_shares(counts.runs, counts.passed), slope_penalty=slope_penalty)
    reasons = [_reason(counts, index, fits) for index in range(len(counts.models))]
    return [
        _horizon(counts, index, fits, success=level, reason=reasons[index])
        for index in range(len(counts.models))
        for level in levels
    ]


def fit_counts(counts: HorizonRuns, weights: Floats, shares: Floats, *, slope_penalty: float) -> LogisticFits:
    """Return a fit of each row of weights and shares of success (rows × tasks)."""
    return fit_logistic(counts.log2_minutes, weights * shares, weights, floor=counts.floor, slope_penalty=slope_penalty)


def success_shares(runs: Integers, passed: Integers) -> Floats:
    """Return passed / runs, 0 where there is no run."""
    return np.divide(passed, runs, out=np.zeros(runs.shape), where=runs > 0)


def log2_horizon(intercepts: Floats, slopes: Floats, success: float) -> Floats:
    """Return log2 of the minutes at which skill, guessing apart, succeeds with this chance; NaN if it does not fall."""
    falling = slopes < 0
    reach = float(logit(success)) - intercepts
    horizons: Floats = np.divide(reach, slopes, out=np.full(len(slopes), np.nan), where=falling)
    return horizons


def _horizon(counts: HorizonRuns, index: int, fits: LogisticFits, *, success: float, reason: str) -> Horizon:
    tried = counts.runs[index] > 0
    weights = counts.weights[index]
    shares = success_shares(counts.runs[index], counts.passed[index])
    at = log2_horizon(fits.intercepts[index : index + 1], fits.slopes[index : index + 1], success)[0]
    lengths = counts.log2_minutes[tried]
    is_known = not reason
    return Horizon(
        model=counts.models[index],
        success=success,
        minutes=minutes_of(float(at)) if is_known else None,
        is_extrapolated=is_known and not lengths.min() <= at <= lengths.max(),
        runs=int(counts.runs[index].sum()),
        tasks=int(tried.sum()),
        mean_success=float(np.average(shares, weights=weights)),
        intercept=float(fits.intercepts[index]) if is_known else None,
        slope=float(fits.slopes[index]) if is_known else None,
        reason=reason,
    )


def minutes_of(log2_minutes: float) -> float | None:
    """Return the minutes; None where they are beyond what a number holds."""
    return float(2.0**log2_minutes) if abs(log2_minutes) < 1000 else None


def _reason(counts: HorizonRuns, index: int, fits: LogisticFits) -> str:
    passed, runs = counts.passed[index], counts.runs[index]
    if not passed.any():
        return NO_SUCCESS
    if (passed == runs).all():
        return NO_FAILURE
    if len(np.unique(counts.log2_minutes[runs > 0])) < 2:
        return ONE_LENGTH
    if not fits.slopes[index] < 0:
        return NOT_FALLING
    return "" if fits.is_converged[index] else "The fit did not converge."


def _one_of_each(task_codes: Integers, values: Floats, labels: list[object], what: str) -> Floats:
    lowest, highest = np.full(len(labels), np.inf), np.full(len(labels), -np.inf)
    np.minimum.at(lowest, task_codes, values)
    np.maximum.at(highest, task_codes, values)
    differing = np.flatnonzero(lowest != highest)
    if len(differing):
        task = labels[int(differing[0])]
        raise UserError(f"Task {task!r} has more than one {what}.", hint=f"Give each task one {what}.", value=task)
    return lowest


def _floors(tasks: list[object], floors: Mapping[object, float]) -> Floats:
    values = np.array([floors.get(task, 0.0) for task in tasks], dtype=np.float64)
    if ((values < 0) | (values >= 1)).any():
        raise UserError("A chance floor is not from 0 up to 1.", hint="Of four choices it is 0.25.", value=floors)
    return values
