"""Numbers are those of inspect_ai's own metrics and reducers."""

import math
from collections import defaultdict

import numpy as np
import pytest
from inspect_ai.scorer import (
    SampleScore,
    Score,
    at_least,
    bootstrap_stderr,
    ci,
    ci_wilson,
    max_score,
    mean_score,
    median_score,
    mode_score,
    pass_at,
    pass_k,
    stderr,
)

from hawk.statistics.epochs import reduce_epochs
from hawk.statistics.sample_mean import mean_estimate

GENERATOR = np.random.default_rng(11)
BINARY = GENERATOR.integers(0, 2, 60).astype(float)
GRADED = GENERATOR.normal(0.4, 2.0, 60)
CLUSTERS = [f"family-{index}" for index in GENERATOR.integers(0, 9, 60)]
EPOCHS = [
    (f"sample-{index}", value)
    for index in range(12)
    for value in [*GENERATOR.choice([0.0, 0.5, 1.0], 6).tolist(), *([math.nan] if index % 3 == 0 else [])]
]
REDUCERS = {
    "mean": mean_score(),
    "median": median_score(),
    "mode": mode_score(),
    "max": max_score(),
    "at_least_2": at_least(2),
    "at_least_7": at_least(7),
    "pass_at_1": pass_at(1),
    "pass_at_3": pass_at(3),
    "pass_at_7": pass_at(7),
    "pass_k_2": pass_k(2),
    "pass_k_7": pass_k(7),
}


def sample_scores(values, clusters=CLUSTERS):
    return [
        SampleScore(score=Score(value=float(value)), sample_id=str(index), sample_metadata={"family": cluster})
        for index, (value, cluster) in enumerate(zip(values, clusters, strict=True))
    ]


@pytest.mark.parametrize("values", [BINARY, GRADED], ids=["binary", "graded"])
def test_standard_error_is_inspects(values):
    assert mean_estimate(values).standard_error == pytest.approx(stderr()(sample_scores(values)), rel=1e-12)


@pytest.mark.parametrize("values", [BINARY, GRADED], ids=["binary", "graded"])
def test_clustered_standard_error_is_inspects(values):
    expected = stderr(cluster="family")(sample_scores(values))

    assert mean_estimate(values, clusters=CLUSTERS).standard_error == pytest.approx(expected, rel=1e-12)


def test_standard_error_is_near_inspects_bootstrap():
    np.random.seed(3)  # Inspect draws from the old generator

    bootstrapped = bootstrap_stderr(num_samples=2000)(sample_scores(GRADED))

    assert mean_estimate(GRADED).standard_error == pytest.approx(bootstrapped, rel=0.08)


@pytest.mark.parametrize("cluster", [None, "family"])
def test_t_interval_is_inspects(cluster):
    expected = ci(cluster=cluster)(sample_scores(GRADED))

    interval = mean_estimate(GRADED, clusters=CLUSTERS if cluster else None).interval

    assert (interval.lower, interval.upper) == pytest.approx((expected["lower"], expected["upper"]), rel=1e-9)


@pytest.mark.parametrize("cluster", [None, "family"])
@pytest.mark.parametrize("count", [2, 5, 60])
def test_wilson_interval_is_inspects(count, cluster):
    values, clusters = BINARY[:count], ["a", "b", *CLUSTERS[2:count]]
    expected = ci_wilson(cluster=cluster)(sample_scores(values, clusters))

    estimate = mean_estimate(values, clusters=clusters if cluster else None)

    assert estimate.method == "wilson"
    assert (estimate.interval.lower, estimate.interval.upper) == pytest.approx(
        (expected["lower"], expected["upper"]), rel=1e-9, abs=1e-12
    )


@pytest.mark.parametrize("name", REDUCERS)
def test_epochs_are_reduced_as_inspect_does(name):
    by_sample = defaultdict(list)
    for sample_id, value in EPOCHS:
        by_sample[sample_id].append(Score(value=value))
    expected = {sample_id: REDUCERS[name](scores).value for sample_id, scores in by_sample.items()}

    reduced = reduce_epochs([sample_id for sample_id, _ in EPOCHS], [value for _, value in EPOCHS], name)

    assert dict(zip(reduced.sample_ids, reduced.scores, strict=True)) == pytest.approx(expected, nan_ok=True)
