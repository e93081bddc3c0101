import numpy as np
import pytest

from hawk.errors import UserError
from hawk.statistics.power import (
    DifferenceVariance,
    detectable_effect,
    difference_variance,
    epochs_needed,
    power_to_see,
    samples_needed,
)

VARIANCE = DifferenceVariance(between_samples=1 / 9, within_first=1 / 6, within_second=1 / 6)


def test_samples_needed_by_hand():
    # Omega² = 1/9, sigma² = 1/6 for both models, effect 0.03; without chance between epochs 969.
    assert samples_needed(0.03, DifferenceVariance(1 / 9)).count == 969
    expected = (1.959964 + 0.841621) ** 2 * (1 / 9 + 1 / 3) / 0.03**2

    assert samples_needed(0.03, VARIANCE).count == int(np.ceil(expected))
    assert samples_needed(-0.03, VARIANCE, epochs=10).count == pytest.approx(
        (1.959964 + 0.841621) ** 2 * (1 / 9 + 1 / 30) / 0.03**2, abs=1
    )


def test_what_is_needed_is_enough_and_one_less_is_not():
    samples = samples_needed(0.05, VARIANCE, epochs=2).count
    epochs = epochs_needed(0.05, VARIANCE, samples=600).count

    def power(samples, epochs):
        return power_to_see(0.05, np.sqrt(VARIANCE.of_sample(epochs) / samples))

    assert power(samples, 2) >= 0.8 > power(samples - 1, 2)
    assert power(600, epochs) >= 0.8 > power(600, epochs - 1)


def test_the_detectable_effect_is_seen_with_the_power_asked_for():
    assert power_to_see(detectable_effect(0.02, power=0.9), 0.02) == pytest.approx(0.9, abs=1e-6)
    assert power_to_see(0.0, 0.02) == pytest.approx(0.05)


def test_where_no_number_is_enough_the_reason_is_said():
    needed = epochs_needed(0.01, VARIANCE, samples=100)

    assert needed.count is None
    assert "8721 samples may do" in needed.reason
    assert epochs_needed(0.01, VARIANCE, samples=8721).count is not None
    assert samples_needed(0.0, VARIANCE).count is None
    assert epochs_needed(0.0, VARIANCE, samples=10).count is None


def test_without_chance_between_epochs_one_is_enough():
    assert epochs_needed(0.5, DifferenceVariance(0.1), samples=50).count == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: samples_needed(0.1, VARIANCE, power=1.0),
        lambda: samples_needed(0.1, VARIANCE, epochs=0),
        lambda: power_to_see(0.1, 0.0),
        lambda: detectable_effect(0.1, level=95),
    ],
)
def test_what_means_nothing_is_refused(call):
    with pytest.raises(UserError):
        call()


def test_variance_parts_by_hand():
    # Within: a 0 and 1/2 over two samples, b none. Means .5, 1 and 0, 0; differences .5, 1 vary by 1/8; noise 1/4 / 2.
    parts = difference_variance(["x", "x", "y", "y"], [0, 1, 1, 1], ["x", "y"], [0, 0])

    assert (parts.within_first, parts.within_second) == (0.25, 0.0)
    assert parts.between_samples == pytest.approx(0.125 - 0.125)


def test_variance_parts_of_simulated_epochs_are_those_they_were_made_with():
    generator = np.random.default_rng(2)
    ids = np.repeat(np.arange(4000), 4)
    effect = np.repeat(generator.normal(0.1, 0.3, 4000), 4)
    first = effect + generator.normal(0, 0.5, 16000)
    second = generator.normal(0, 0.2, 16000)

    parts = difference_variance(ids, first, ids, second)

    assert parts.between_samples == pytest.approx(0.09, rel=0.1)
    assert parts.within_first == pytest.approx(0.25, rel=0.05)
    assert parts.within_second == pytest.approx(0.04, rel=0.05)


def test_one_shared_sample_has_no_variance_to_speak_of():
    assert difference_variance(["x"], [1.0], ["x", "y"], [0.0, 0.0]) is None
