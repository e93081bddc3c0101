import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hawk.errors import UserError
from hawk.statistics.epochs import pass_at_k, pass_k, reduce_epochs

SAMPLES = ["b", "a", "b", "b", "c", "a", "d"]
SCORES = [1.0, 0.0, 0.0, 1.0, math.nan, 0.5, 1.0]


@pytest.mark.parametrize(
    ("reducer", "expected"),
    [
        ("mean", [2 / 3, 0.25, None, 1.0]),
        ("median", [1.0, 0.25, None, 1.0]),
        ("mode", [1.0, 0.0, None, 1.0]),
        ("max", [1.0, 0.5, None, 1.0]),
        ("at_least_1", [1.0, 0.0, None, 1.0]),
        ("at_least_3", [0.0, 0.0, None, 0.0]),
        ("pass_at_2", [1.0, 0.0, None, None]),
        ("pass_k_2", [1 / 3, 0.0, None, None]),
    ],
)
def test_reduced_by_hand(reducer, expected):
    reduced = reduce_epochs(SAMPLES, SCORES, reducer)

    assert reduced.sample_ids == ["b", "a", "c", "d"]
    assert reduced.epochs.tolist() == [3, 2, 0, 1]
    assert [None if math.isnan(score) else score for score in reduced.scores] == pytest.approx(expected)


def test_the_threshold_says_what_passes():
    assert reduce_epochs(SAMPLES, SCORES, "pass_k_1", threshold=0.5).scores.tolist()[1] == 0.5


def test_no_epoch_at_all_gives_no_row():
    assert reduce_epochs([], []).sample_ids == []


@pytest.mark.parametrize("reducer", ["average", "pass_at", "pass_at_0", "pass^k", "at_least_-1", "mean_2", ""])
def test_an_unknown_reducer_is_refused_with_the_names(reducer):
    with pytest.raises(UserError, match="pass_at_<k>"):
        reduce_epochs(SAMPLES, SCORES, reducer)


def test_lengths_that_differ_are_refused():
    with pytest.raises(UserError, match="sample_ids 1, scores 2"):
        reduce_epochs(["a"], [1.0, 0.0])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=7), st.integers(1, 8))
def test_pass_at_k_and_pass_k_are_shares_of_all_draws_of_k(passed, k):
    draws = list(itertools.combinations(passed, k))
    counts = ([len(passed)], [sum(passed)], k)

    if not draws:
        assert math.isnan(pass_at_k(*counts)[0])
        assert math.isnan(pass_k(*counts)[0])
        return
    assert pass_at_k(*counts)[0] == pytest.approx(sum(any(draw) for draw in draws) / len(draws))
    assert pass_k(*counts)[0] == pytest.approx(sum(all(draw) for draw in draws) / len(draws))


def test_a_thousand_epochs_do_not_overflow():
    assert pass_at_k([1000], [3], 500)[0] == pytest.approx(1 - 500 * 499 * 498 / (1000 * 999 * 998))
    assert pass_k([1000], [1000], 900)[0] == 1.0
