import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hawk.errors import UserError
from hawk.statistics.mcnemar import mcnemar_test
from hawk.statistics.multiplicity import benjamini_hochberg, holm
from hawk.statistics.paired import compare_pairs, pair_samples
from hawk.statistics.pareto import pareto_front


def test_comparison_of_four_by_hand():
    # Differences 1, 1, 0, -1: mean 1/4, deviations squared 9/16 · 2 + 1/16 + 25/16 = 11/4, so SE = sqrt(11/12) / 2.
    comparison = compare_pairs([1, 1, 1, 0], [0, 0, 1, 1])

    assert comparison.difference == 0.25
    assert comparison.standard_error == pytest.approx(math.sqrt(11 / 12) / 2)
    assert comparison.detectable_effect == pytest.approx((1.959964 + 0.841621) * comparison.standard_error, rel=1e-6)
    assert comparison.p_value == pytest.approx(0.637618, abs=1e-6)
    assert (comparison.first_mean, comparison.second_mean) == (0.75, 0.5)


@pytest.mark.parametrize(
    ("first", "second", "clusters", "expected"),
    [
        ([], [], None, {"count": 0, "difference": None, "reason": "No sample has a score of both."}),
        ([1.0, None], [None, 1.0], None, {"count": 0, "missing": 2, "difference": None}),
        ([1.0], [0.0], None, {"difference": 1.0, "standard_error": None, "p_value": None, "reason": "One shared"}),
        ([0.3, 0.8], [0.1, 0.6], None, {"standard_error": 0.0, "p_value": None, "reason": "Every sample has the same"}),
        ([1, 0, 1], [1, 0, 1], None, {"difference": 0.0, "p_value": None, "correlation": pytest.approx(1.0)}),
        ([1, 1, 1], [1, 0, 1], None, {"correlation": None, "reason": ""}),
        ([1, 0], [0, 0], ["x", "x"], {"standard_error": None, "p_value": None, "clusters": 1, "reason": "All samples"}),
        ([1, 0, None], [0, 0, 1], ["x", "y", None], {"count": 2, "missing": 1, "clusters": 2}),
    ],
)
def test_what_cannot_be_said_is_none_with_a_reason(first, second, clusters, expected):
    comparison = compare_pairs(first, second, clusters=clusters)

    assert comparison.reason.startswith(expected.pop("reason", ""))
    assert {name: getattr(comparison, name) for name in expected} == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=2, max_size=20))
def test_swapping_both_turns_the_sign_and_nothing_else(pairs):
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    there, back = compare_pairs(first, second), compare_pairs(second, first)

    assert back.difference == pytest.approx(-there.difference)
    assert back.standard_error == there.standard_error
    assert back.p_value == there.p_value


def test_shared_samples_are_paired_by_id_whatever_the_order():
    pairs = pair_samples(["a", "b", "c"], [1, 2, 3], ["c", "a", "d", "e"], [30, 10, 40, 50])

    assert (pairs.sample_ids, pairs.first.tolist(), pairs.second.tolist()) == (["a", "c"], [1, 3], [10, 30])
    assert (pairs.only_first, pairs.only_second) == (1, 2)


def test_a_sample_twice_is_refused_rather_than_paired_with_itself():
    with pytest.raises(UserError, match="'a' is there twice"):
        pair_samples(["a", "a"], [1, 0], ["a"], [1])


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ([], [], "No sample has both scores."),
        ([1, 0], [1, 0], "No sample is passed by one and failed by the other."),
        ([0.5, 0], [1, 0], "Not every score is 0 or 1."),
    ],
)
def test_mcnemar_without_an_answer_says_why(first, second, reason):
    assert mcnemar_test(first, second).reason == reason
    assert mcnemar_test(first, second).exact_p is None


def test_mcnemar_by_hand():
    test = mcnemar_test([1, 1, 1, 1, 0, math.nan], [0, 0, 0, 1, 0, 1])

    assert (test.both, test.only_first, test.only_second, test.neither, test.missing) == (1, 3, 0, 1, 1)
    assert test.exact_p == pytest.approx(2 / 8)
    assert test.chi_squared == pytest.approx(4 / 3)


def test_holm_and_benjamini_hochberg_by_hand():
    assert holm([0.01, 0.04, None, 0.03]) == [pytest.approx(0.03), pytest.approx(0.06), None, pytest.approx(0.06)]
    assert benjamini_hochberg([0.01, 0.04, None, 0.03]) == [
        pytest.approx(0.03),
        pytest.approx(0.04),
        None,
        pytest.approx(0.04),
    ]
    assert holm([]) == benjamini_hochberg([]) == []


def test_a_p_value_out_of_range_is_refused():
    with pytest.raises(UserError, match="between 0 and 1"):
        holm([1.5])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=12))
def test_adjusting_never_lowers_and_holm_is_the_stricter(p_values):
    for raw, false_rate, familywise in zip(p_values, benjamini_hochberg(p_values), holm(p_values), strict=True):
        assert raw <= false_rate + 1e-15
        assert false_rate <= familywise + 1e-15


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_the_pareto_front_is_what_nothing_dominates(points):
    expected = [
        not any((c <= cost and q >= quality and (c < cost or q > quality)) for c, q in points)
        for cost, quality in points
    ]

    assert pareto_front([c for c, _ in points], [q for _, q in points]).tolist() == expected


def test_a_model_of_unknown_cost_is_on_no_front_and_hides_nobody():
    assert pareto_front([None, 1.0, 2.0], [0.9, 0.5, math.nan]).tolist() == [False, True, False]
