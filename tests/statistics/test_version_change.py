import math

import pytest

from hawk.statistics.version_change import compare_versions


def epochs(**scores):
    return [name for name, values in scores.items() for _ in values], [v for values in scores.values() for v in values]


def test_samples_that_got_worse_come_first_with_fishers_test():
    before = epochs(broken=[1, 1, 1, 1], steady=[1, 0, 1, 0], mended=[0, 0, 0, 0], gone=[1])
    after = epochs(broken=[0, 0, 0, 0], steady=[0, 1, 0, 1], mended=[0, 0, 1, 1], new=[1])

    change = compare_versions(*before, *after)

    assert [(sample.sample_id, sample.verdict) for sample in change.samples] == [
        ("broken", "worse"),
        ("steady", "same"),
        ("mended", "better"),
    ]
    assert [sample.p_value for sample in change.samples] == pytest.approx([2 / 70, 1.0, 30 / 70])
    assert [sample.adjusted_p for sample in change.samples] == pytest.approx([6 / 70, 1.0, 45 / 70])
    assert [sample.sample_id for sample in change.worse] == ["broken"]
    assert (change.only_before, change.only_after) == (1, 1)
    assert change.overall.difference == pytest.approx((-1 + 0 + 0.5) / 3)
    assert change.mcnemar is None


def test_one_epoch_each_is_tested_as_a_whole_by_mcnemar_alone():
    ids = [f"sample-{index}" for index in range(10)]

    change = compare_versions(ids, [1] * 9 + [0], ids, [1] * 3 + [0] * 6 + [1])

    assert change.mcnemar.only_first == 1
    assert change.mcnemar.only_second == 6
    assert change.mcnemar.exact_p == pytest.approx(0.125)
    assert all(sample.p_value is None for sample in change.samples)


def test_graded_epochs_are_compared_by_welch():
    change = compare_versions(*epochs(a=[0.1, 0.2, 0.3]), *epochs(a=[0.7, 0.8, 0.9]))

    assert change.samples[0].p_value == pytest.approx(0.0018, abs=1e-4)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (epochs(), epochs()),
        (epochs(a=[1]), epochs(b=[1])),
        (epochs(a=[math.nan]), epochs(a=[1])),
    ],
    ids=["nothing", "nothing shared", "no score"],
)
def test_nothing_to_compare_is_said(before, after):
    change = compare_versions(*before, *after)

    assert change.samples == []
    assert change.overall.reason == "No sample has a score of both."
    assert change.mcnemar is None


def test_equal_graded_epochs_have_no_p_value():
    assert compare_versions(*epochs(a=[0.5, 0.5]), *epochs(a=[0.7, 0.7])).samples[0].p_value is None
