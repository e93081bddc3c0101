"""How hard tasks or samples are, given which models tried them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from hawk.errors import UserError
from hawk.statistics.observations import Floats, Integers, Labels, as_floats, codes_of, same_length, sums_by_code
from hawk.statistics.paired import correlation

# Standard deviation of the prior of abilities and difficulties, in logits: wide enough that it hardly moves what data
# tell, and what all or none have solved stays finite.
PRIOR_LOGITS = 3.0
MAX_STEPS = 100
TOLERANCE = 1e-10


@dataclass(frozen=True)
class Difficulty:
    """One row per task. 0 logits is the mean task; a model whose ability equals the difficulty passes half the time."""

    task: object
    models: int
    mean_score: float  # over models, each counting once
    difficulty_logits: float
    standard_error: float
    discrimination: float | None  # correlation over models of the score here with the mean score elsewhere
    is_extreme: bool  # all or none passed: the prior alone keeps the logits finite


@dataclass(frozen=True)
class Difficulties:
    """Tasks, hardest first, and each model's ability on the same scale."""

    tasks: list[Difficulty]
    abilities: dict[object, float]


def task_difficulties(
    tasks: Labels, models: Labels, scores: ArrayLike, *, prior_logits: float = PRIOR_LOGITS
) -> Difficulties:
    """Return the difficulties of a Rasch model: logit of the chance to pass = ability of the model - difficulty.

    One row per task and model, or more (epochs, samples), with scores from 0 to 1; NaN is left out. Fitted as the mode
    of the posterior with a normal prior of mean 0. Raises UserError for scores outside 0 to 1.
    https://en.wikipedia.org/wiki/Rasch_model
    """
    same_length(tasks=tasks, models=models, scores=scores)
    values = as_floats(scores)
    kept = np.isfinite(values)
    if ((values[kept] < 0) | (values[kept] > 1)).any():
        raise UserError("A score is not between 0 and 1.", hint="Scale scores to 0 to 1 to compare difficulties.")
    task_codes, task_labels = codes_of([task for task, keep in zip(tasks, kept, strict=True) if keep])
    model_codes, model_labels = codes_of([model for model, keep in zip(models, kept, strict=True) if keep])
    if not task_labels:
        return Difficulties([], {})
    shape = (len(task_labels), len(model_labels))
    cells = task_codes * shape[1] + model_codes
    counts = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
    passed = sums_by_code(cells, values[kept], count=shape[0] * shape[1]).reshape(shape)
    abilities, difficulties, errors = _fit(counts, passed, prior_logits)
    rows = _rows(task_labels, counts, passed, difficulties, errors)
    return Difficulties(
        sorted(rows, key=lambda row: -row.difficulty_logits),
        {label: float(ability) for label, ability in zip(model_labels, abilities, strict=True)},
    )


def _fit(counts: Floats, passed: Floats, prior_logits: float) -> tuple[Floats, Floats, Floats]:
    """Return abilities, difficulties (both shifted so that difficulties have mean 0) and difficulties' errors."""
    tasks, models = counts.shape
    parameters = np.zeros(models + tasks)
    precision = 1 / prior_logits**2
    for _ in range(MAX_STEPS):
        gradient, information = _derivatives(parameters, counts, passed, precision)
        step = cho_solve(cho_factor(information), gradient)
        step *= min(1.0, 4.0 / max(float(np.abs(step).max()), 1e-300))
        parameters = parameters + step
        if float(np.abs(step).max()) < TOLERANCE:
            break
    _, information = _derivatives(parameters, counts, passed, precision)
    covariance = cho_solve(cho_factor(information), np.eye(models + tasks))
    abilities, difficulties = parameters[:models], parameters[models:]
    middle = float(difficulties.mean())
    centring = np.eye(tasks) - 1 / tasks
    errors = np.sqrt(np.maximum(np.diag(centring @ covariance[models:, models:] @ centring), 0.0))
    return abilities - middle, difficulties - middle, errors


def _derivatives(parameters: Floats, counts: Floats, passed: Floats, precision: float) -> tuple[Floats, Floats]:
    tasks, models = counts.shape
    chance = expit(parameters[None, :models] - parameters[models:, None])
    residual = passed - counts * chance
    weight = counts * chance * (1 - chance)
    gradient = np.concatenate([residual.sum(axis=0), -residual.sum(axis=1)]) - precision * parameters
    information = np.zeros((models + tasks, models + tasks))
    information[:models, models:] = -weight.T
    information[models:, :models] = -weight
    np.fill_diagonal(information, np.concatenate([weight.sum(axis=0), weight.sum(axis=1)]) + precision)
    return gradient, information


def _rows(
    labels: list[object], counts: Floats, passed: Floats, difficulties: Floats, errors: Floats
) -> list[Difficulty]:
    there = counts > 0
    means = np.divide(passed, counts, out=np.full(counts.shape, np.nan), where=there)
    tried: Integers = there.sum(axis=1)
    filled = np.where(there, means, 0.0)
    elsewhere_count = there.sum(axis=0)[None, :] - there
    others = filled.sum(axis=0)[None, :] - filled
    elsewhere = np.divide(others, elsewhere_count, out=np.full(counts.shape, np.nan), where=elsewhere_count > 0)
    rows: list[Difficulty] = []
    for index, label in enumerate(labels):
        both = there[index] & np.isfinite(elsewhere[index])
        score = float(filled[index].sum() / tried[index])
        rows.append(
            Difficulty(
                task=label,
                models=int(tried[index]),
                mean_score=score,
                difficulty_logits=float(difficulties[index]),
                standard_error=float(errors[index]),
                discrimination=_correlation(means[index][both], elsewhere[index][both]),
                is_extreme=score in (0.0, 1.0),
            )
        )
    return rows


def _correlation(here: Floats, elsewhere: Floats) -> float | None:
    return correlation(here, elsewhere) if len(here) > 2 else None
