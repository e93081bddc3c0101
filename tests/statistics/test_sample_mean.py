import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hawk.errors import UserError
from hawk.statistics.proportion import wilson_interval
from hawk.statistics.sample_mean import mean_estimate


def test_mean_of_four_by_hand():
    estimate = mean_estimate([10.0, 20.0, 20.0, 30.0])

    assert estimate.mean == 20.0
    assert estimate.standard_error == pytest.approx(math.sqrt(200 / 3) / 2)
    assert estimate.interval.upper == pytest.approx(20 + 3.182446305 * math.sqrt(200 / 3) / 2)
    assert (estimate.method, estimate.count, estimate.missing) == ("t", 4, 0)


def test_clustered_error_of_two_clusters_by_hand():
    # Deviations 1, 1 and -1, -1: sums 2 and -2, so sqrt((4 + 4) · 2 / 1) / 4 = 1; unclustered sqrt(4 / 3) / 2.
    estimate = mean_estimate([13.0, 13.0, 11.0, 11.0], clusters=["a", "a", "b", "b"])

    assert estimate.standard_error == pytest.approx(1.0)
    assert mean_estimate([13.0, 13.0, 11.0, 11.0]).standard_error == pytest.approx(math.sqrt(4 / 3) / 2)


@pytest.mark.parametrize(
    ("scores", "clusters", "expected"),
    [
        ([], None, {"count": 0, "mean": None, "standard_error": None, "interval": None, "reason": "No sample"}),
        ([math.nan, None], None, {"count": 0, "missing": 2, "mean": None, "reason": "No sample has a score"}),
        ([5.0], None, {"mean": 5.0, "standard_error": None, "interval": None, "reason": "One sample"}),
        ([5.0, 5.0], None, {"standard_error": 0.0, "interval": None, "reason": "All scores are equal"}),
        ([0.1 + 0.2, 0.3], ["a", "b"], {"standard_error": 0.0, "method": "wilson", "reason": ""}),
        ([1.0, 5.0, math.inf], None, {"count": 2, "missing": 1, "mean": 3.0, "method": "t", "reason": ""}),
        (
            [1.0, 5.0],
            ["a", "a"],
            {"standard_error": None, "interval": None, "reason": "All samples are of one"},
        ),
        (
            [1.0, 0.0],
            ["a", "a"],
            {"standard_error": None, "interval": None, "reason": "All samples are of one"},
        ),
    ],
)
def test_what_cannot_be_said_is_none_with_a_reason(scores, clusters, expected):
    estimate = mean_estimate(scores, clusters=clusters)

    assert estimate.reason.startswith(expected.pop("reason"))
    assert {name: getattr(estimate, name) for name in expected} == expected


def test_one_sample_that_passed_has_wilsons_interval_and_no_standard_error():
    estimate = mean_estimate([1.0])

    assert estimate.standard_error is None
    assert (estimate.interval.lower, estimate.interval.upper) == pytest.approx((0.206549, 1.0), abs=1e-6)


def test_many_graded_scores_between_0_and_1_have_a_t_interval_and_few_wilsons():
    assert mean_estimate([0.25, 0.75] * 15).method == "t"
    assert mean_estimate([0.25, 0.75] * 14).method == "wilson"
    assert mean_estimate([0.25] * 40).method == "wilson"
    assert mean_estimate([0.0, 1.0] * 500).method == "wilson"


@pytest.mark.parametrize("clusters", [["a"], ["a", None], ["a", math.nan]])
def test_a_score_without_a_cluster_is_refused(clusters):
    with pytest.raises(UserError, match="cluster"):
        mean_estimate([1.0, 0.0], clusters=clusters)


def test_a_missing_score_needs_no_cluster():
    assert mean_estimate([1.0, 0.0, None], clusters=["a", "b", None]).clusters == 2


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, math.nan])
def test_a_level_that_is_none_is_refused(level):
    with pytest.raises(UserError, match="between 0 and 1"):
        mean_estimate([1.0], level=level)


@pytest.mark.parametrize(("scores", "message"), [(["C"], "numbers"), ([[1.0, 0.0]], "dimensions")])
def test_scores_that_are_no_numbers_are_refused(scores, message):
    with pytest.raises(UserError, match=message):
        mean_estimate(scores)


@pytest.mark.parametrize(("successes", "count"), [(2, 1), (-1, 3), (0, -1), (math.nan, 3)])
def test_what_is_no_proportion_is_refused(successes, count):
    with pytest.raises(UserError, match="no proportion"):
        wilson_interval(successes, count)


def test_no_sample_has_no_wilson_interval():
    assert wilson_interval(0, 0) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30), st.randoms(use_true_random=False))
def test_order_does_not_matter_and_singleton_clusters_change_nothing(scores, random):
    shuffled = random.sample(scores, len(scores))
    estimate, other = mean_estimate(scores), mean_estimate(shuffled, clusters=range(len(scores)))

    assert other.mean == pytest.approx(estimate.mean, rel=1e-6, abs=1e-6)
    assert other.standard_error == pytest.approx(estimate.standard_error, rel=1e-6, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_an_interval_of_scores_from_0_to_1_holds_the_mean_and_never_leaves_0_to_1_when_wilsons(scores):
    estimate = mean_estimate(scores)

    if estimate.method == "wilson":
        assert 0.0 <= estimate.interval.lower <= estimate.mean + 1e-12
        assert estimate.mean - 1e-12 <= estimate.interval.upper <= 1.0
