"""What changed between two versions of the same eval set: which samples got worse, and whether the whole did."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from hawk.statistics.estimate import DEFAULT_LEVEL
from hawk.statistics.mcnemar import McNemarTest, mcnemar_test
from hawk.statistics.multiplicity import benjamini_hochberg
from hawk.statistics.observations import Floats, Labels, as_floats, codes_of, is_constant, same_length
from hawk.statistics.paired import PairedComparison, compare_pairs, pair_samples

Verdict = Literal["worse", "better", "same"]


@dataclass(frozen=True)
class SampleChange:
    """One shared sample: mean scores before and after, and how likely so large a change is if nothing changed."""

    sample_id: object
    before: float
    after: float
    before_epochs: int
    after_epochs: int
    difference: float  # after minus before
    verdict: Verdict
    p_value: float | None  # None where its epochs are too few to tell chance from change
    adjusted_p: float | None  # Benjamini and Hochberg's, over the samples with a p-value


@dataclass(frozen=True)
class VersionChange:
    """All shared samples, worst first, with the test of the whole: after minus before, paired by sample."""

    samples: list[SampleChange]
    overall: PairedComparison
    mcnemar: McNemarTest | None  # where each sample has one score, 0 or 1, in both
    only_before: int
    only_after: int

    @property
    def worse(self) -> list[SampleChange]:
        return [sample for sample in self.samples if sample.verdict == "worse"]


def compare_versions(
    before_ids: Labels,
    before_scores: ArrayLike,
    after_ids: Labels,
    after_scores: ArrayLike,
    *,
    level: float = DEFAULT_LEVEL,
) -> VersionChange:
    """Return how each sample and the whole changed; one row an epoch, NaN for no score.

    Of one sample the epochs are compared by Fisher's exact test where all are 0 or 1, else by Welch's t-test.
    """
    before, after = _epochs_by_sample(before_ids, before_scores), _epochs_by_sample(after_ids, after_scores)
    pairs = pair_samples(
        list(after),
        [float(epochs.mean()) for epochs in after.values()],
        list(before),
        [float(epochs.mean()) for epochs in before.values()],
    )
    p_values = [_sample_p(before[sample_id], after[sample_id]) for sample_id in pairs.sample_ids]
    adjusted = benjamini_hochberg(p_values)
    changes = [
        _change(sample_id, before[sample_id], after[sample_id], p_value, adjusted_p)
        for sample_id, p_value, adjusted_p in zip(pairs.sample_ids, p_values, adjusted, strict=True)
    ]
    return VersionChange(
        sorted(changes, key=lambda change: change.difference),
        compare_pairs(pairs.first, pairs.second, level=level),
        _mcnemar(changes, pairs.first, pairs.second),
        only_before=pairs.only_second,
        only_after=pairs.only_first,
    )


def _epochs_by_sample(sample_ids: Labels, scores: ArrayLike) -> dict[object, Floats]:
    same_length(sample_ids=sample_ids, scores=scores)
    codes, labels = codes_of(sample_ids)
    values = as_floats(scores)
    order = np.argsort(codes, kind="stable")
    parts = np.split(values[order], np.cumsum(np.bincount(codes, minlength=len(labels)))[:-1])
    scored = {label: part[np.isfinite(part)] for label, part in zip(labels, parts, strict=True)} if labels else {}
    return {label: part for label, part in scored.items() if len(part)}


def _sample_p(before: Floats, after: Floats) -> float | None:
    if len(before) < 2 or len(after) < 2:
        return None
    if np.isin(before, (0.0, 1.0)).all() and np.isin(after, (0.0, 1.0)).all():
        return _fisher(int(before.sum()), len(before), int(after.sum()), len(after))
    if is_constant(before) and is_constant(after):
        return None
    from scipy.stats import ttest_ind

    return float(ttest_ind(after, before, equal_var=False).pvalue)


@lru_cache(maxsize=4096)
def _fisher(passed_before: int, before: int, passed_after: int, after: int) -> float:
    from scipy.stats import fisher_exact

    table = [[passed_before, before - passed_before], [passed_after, after - passed_after]]
    return float(fisher_exact(table).pvalue)


def _change(
    sample_id: object, before: Floats, after: Floats, p_value: float | None, adjusted_p: float | None
) -> SampleChange:
    difference = float(after.mean() - before.mean())
    if abs(difference) < 1e-12:
        difference = 0.0
    verdict: Verdict = "same" if difference == 0 else "worse" if difference < 0 else "better"
    return SampleChange(
        sample_id,
        float(before.mean()),
        float(after.mean()),
        len(before),
        len(after),
        difference,
        verdict,
        p_value,
        adjusted_p,
    )


def _mcnemar(changes: Sequence[SampleChange], after: Floats, before: Floats) -> McNemarTest | None:
    if not changes or any(change.before_epochs > 1 or change.after_epochs > 1 for change in changes):
        return None
    test = mcnemar_test(after, before)
    return test if test.exact_p is not None or not test.reason.startswith("Not every") else None
