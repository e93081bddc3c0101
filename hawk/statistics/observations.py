"""Scores as arrays: which of them count, and which cluster each belongs to."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hawk.errors import UserError

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]
type Flags = NDArray[np.bool_]
type Labels = Sequence[object] | NDArray[np.generic]


def as_floats(values: ArrayLike) -> Floats:
    """Return one dimension of floats; None becomes NaN. Raises UserError where something is not a number."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"Scores must be numbers: {error}.", hint="Map words to numbers first.") from error
    if array.ndim != 1:
        raise UserError(f"Scores have {array.ndim} dimensions.", hint="Give one score a sample.", value=array.shape)
    return array


def codes_of(labels: Labels) -> tuple[Integers, list[object]]:
    """Return labels as numbers from 0, in order of first sight, and the labels themselves."""
    codes: dict[object, int] = {}
    numbered = [codes.setdefault(label, len(codes)) for label in _listed(labels)]
    return np.asarray(numbered, dtype=np.int64), list(codes)


def cluster_codes(clusters: Labels, kept: Flags) -> Integers:
    """Return the clusters of the kept scores as numbers from 0.

    Raises UserError where lengths differ, or a kept score's cluster is missing: None, or NaN.
    """
    labels = _listed(clusters)
    if len(labels) != len(kept):
        raise UserError(f"There are {len(kept)} scores and {len(labels)} clusters.", hint="Give one cluster a score.")
    chosen = [label for label, keep in zip(labels, kept, strict=True) if keep]
    if any(label is None or label != label for label in chosen):  # only NaN differs from itself
        raise UserError("A score has no cluster.", hint="Give each sample a cluster, or leave clusters out.")
    return codes_of(chosen)[0]


def is_constant(values: Floats) -> bool:
    """Say whether values differ by no more than rounding does."""
    return not len(values) or float(np.ptp(values)) <= 1e-12 * float(np.abs(values).max())


def sums_by_code(codes: Integers, values: Floats, *, count: int | None = None) -> Floats:
    """Return the sum of values of each code, by code."""
    minimum = 0 if count is None else count
    return np.bincount(codes, weights=values, minlength=minimum).astype(np.float64)


def same_length(**arrays: ArrayLike | Labels) -> None:
    """Raise UserError unless all have one length; names are those of the arguments."""
    lengths = {name: len(_listed(array)) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise UserError(f"Lengths differ: {counts}.", hint="Give one value a score in each.")


def _listed(values: object) -> list[object]:
    if isinstance(values, np.ndarray):
        return list(values.tolist())
    return list(values)  # type: ignore[call-overload,no-any-return]  # whatever can be listed: a Series, a tuple
