import math
from datetime import date, timedelta

import numpy as np
import pytest

from hawk.errors import UserError
from hawk.statistics import horizon as horizons
from hawk.statistics.horizon import count_runs, fit_horizons
from hawk.statistics.horizon_bootstrap import bootstrap_horizons, draw_tasks, horizons_with_intervals
from hawk.statistics.horizon_trend import horizon_trend, is_at_frontier

LENGTHS = [1, 2, 4, 8, 16, 32, 64, 128]


def runs_of(model, passed_of_four, *, lengths=LENGTHS, families=None):
    """Four runs at each task; `passed_of_four` says how many pass at each."""
    return [
        (model, f"task-{index}", (families or list(range(len(lengths))))[index], lengths[index], float(run < passed))
        for index, passed in enumerate(passed_of_four)
        for run in range(4)
    ]


def counted(*runs, **options):
    models, tasks, families, minutes, scores = zip(*[row for part in runs for row in part], strict=True)
    return count_runs(models, tasks, families, minutes, scores, **options)


def test_success_symmetric_about_a_length_has_its_horizon_there():
    # 4, 4, 3, 3 | 1, 1, 0, 0 of 4 about 2^3.5 minutes; 80 % is ln 4 / slope earlier.
    half, most = fit_horizons(counted(runs_of("m", [4, 4, 3, 3, 1, 1, 0, 0])))

    assert half.minutes == pytest.approx(2**3.5, rel=1e-4)
    assert most.minutes == pytest.approx(2 ** (3.5 + math.log(4) / half.slope), rel=1e-4)
    assert (half.runs, half.tasks, half.mean_success, half.is_extrapolated) == (32, 8, 0.5, False)


@pytest.mark.parametrize(
    ("passed", "lengths", "reason"),
    [
        ([0] * 8, LENGTHS, horizons.NO_SUCCESS),
        ([4] * 8, LENGTHS, horizons.NO_FAILURE),
        ([0, 0, 0, 0, 4, 4, 4, 4], LENGTHS, horizons.NOT_FALLING),
        ([2, 2, 2, 2], [5, 5, 5, 5], horizons.ONE_LENGTH),
    ],
)
def test_without_a_horizon_the_reason_is_said(passed, lengths, reason):
    for horizon in fit_horizons(counted(runs_of("m", passed, lengths=lengths))):
        assert (horizon.minutes, horizon.slope, horizon.reason) == (None, None, reason)


def test_perfect_separation_has_a_horizon_between_the_last_success_and_the_first_failure():
    half, most = fit_horizons(counted(runs_of("m", [4, 4, 4, 4, 0, 0, 0, 0])))

    assert 8 < most.minutes < half.minutes < 16


def test_a_horizon_beyond_all_tasks_is_marked():
    half, _ = fit_horizons(counted(runs_of("m", [4, 4, 4, 4, 4, 4, 3, 3])))

    assert half.minutes > 128
    assert half.is_extrapolated


def test_tasks_of_a_large_family_weigh_less_each():
    one_family = counted(runs_of("m", [4, 3, 3, 2, 2, 1, 1, 0], families=[0, 0, 0, 0, 1, 2, 3, 4]))

    assert one_family.weights[0].tolist() == [0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0]


def test_more_runs_at_a_task_do_not_weigh_more():
    few = counted(runs_of("m", [4, 4, 2, 4, 0, 2, 0, 0]))
    many = counted(*[runs_of("m", [4, 4, 2, 4, 0, 2, 0, 0])] + [runs_of("m", [4, 0, 0, 0, 0, 0, 0, 0])[:4]] * 9)

    assert fit_horizons(many)[0].minutes == pytest.approx(fit_horizons(few)[0].minutes, rel=1e-9)


def test_guessing_is_taken_off_where_the_chance_is_known():
    passed = [4, 4, 4, 4, 1, 1, 1, 1]  # a quarter even where it is too long: four choices

    without = fit_horizons(counted(runs_of("m", passed)))[0]
    floor = {f"task-{index}": 0.25 for index in range(8)}
    with_floor = fit_horizons(counted(runs_of("m", passed), floors=floor))[0]

    assert 8 < with_floor.minutes < 16
    assert with_floor.minutes < without.minutes


def test_runs_without_minutes_or_score_are_left_out_and_counted():
    counts = count_runs(["m"] * 3, ["a", "b", "c"], [0] * 3, [1.0, None, 3.0], [1.0, 1.0, math.nan])

    assert (counts.tasks, counts.left_out) == (["a"], 2)


def test_no_run_at_all_gives_no_horizon():
    counts = count_runs(["m"], ["a"], [0], [None], [1.0])

    assert fit_horizons(counts) == []
    assert horizons_with_intervals(counts, bootstrap_horizons(counts, draws=5)) == []


@pytest.mark.parametrize(
    ("minutes", "families", "options", "message"),
    [
        ([1.0, 2.0], [0, 0], {}, "more than one length"),
        ([1.0, 1.0], [0, 1], {}, "more than one family"),
        ([0.0, 0.0], [0, 0], {}, "0 minutes or less"),
        ([1.0, 1.0], [0, 0], {"floors": {"a": 1.0}}, "chance floor"),
    ],
)
def test_tasks_that_contradict_themselves_are_refused(minutes, families, options, message):
    with pytest.raises(UserError, match=message):
        count_runs(["m", "m"], ["a", "a"], families, minutes, [1, 0], **options)


@pytest.fixture(scope="module")
def counts():
    generator = np.random.default_rng(4)
    lengths = 2.0 ** generator.uniform(-2, 9, 40)
    families = (np.arange(40) // 4).tolist()
    rows = []
    for model, middle in [("a", 2.0), ("b", 5.0)]:
        for task in range(40):
            chance = 1 / (1 + math.exp(0.9 * (math.log2(lengths[task]) - middle)))
            rows += [(model, task, families[task], lengths[task], float(generator.random() < chance)) for _ in range(5)]
    return counted(rows, runs_of("none", [0] * 8))


def test_intervals_hold_the_horizon_and_what_the_runs_were_made_with(counts):
    found = {
        (horizon.model, horizon.success): horizon
        for horizon in horizons_with_intervals(counts, bootstrap_horizons(counts, draws=400, seed=1))
    }

    for model, true in [("a", 4.0), ("b", 32.0)]:
        horizon = found[model, 0.5]
        assert horizon.lower_minutes < horizon.minutes < horizon.upper_minutes
        assert horizon.lower_minutes < true < horizon.upper_minutes
    assert (found["none", 0.5].lower_minutes, found["none", 0.5].upper_minutes) == (None, None)


def test_the_same_seed_draws_the_same(counts):
    first, second = (bootstrap_horizons(counts, draws=30, seed=9).log2_minutes for _ in range(2))

    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, bootstrap_horizons(counts, draws=30, seed=8).log2_minutes, equal_nan=True)


def test_the_bootstrap_is_that_of_rows_drawn_one_by_one(counts):
    """Draw families, tasks and runs as the definition says, in plain loops, and compare the spread."""
    generator = np.random.default_rng(12)
    members = [np.flatnonzero(counts.families == family) for family in range(counts.families.max() + 1)]
    shares = counts.passed / np.maximum(counts.runs, 1)
    drawn = []
    for _ in range(300):
        weights, passed = np.zeros_like(counts.weights), np.zeros_like(counts.weights)
        for family in generator.integers(0, len(members), len(members)):
            for task in generator.choice(members[family], len(members[family])):
                each_model = zip(counts.runs[:, task], shares[:, task], strict=True)
                runs = [generator.random(n) < share for n, share in each_model]
                weights[:, task] += counts.weights[:, task]
                passed[:, task] += counts.weights[:, task] * [run.mean() if len(run) else 0.0 for run in runs]
        fits = horizons.fit_logistic(counts.log2_minutes, passed, weights, slope_penalty=horizons.SLOPE_PENALTY)
        drawn.append(horizons.log2_horizon(fits.intercepts, fits.slopes, 0.5)[:2])
    fast = bootstrap_horizons(counts, draws=1000, seed=3).log2_minutes[0, :, :2]

    assert fast.mean(axis=0) == pytest.approx(np.mean(drawn, axis=0), abs=0.1)
    assert fast.std(axis=0) == pytest.approx(np.std(drawn, axis=0), rel=0.2)


def test_as_many_families_and_tasks_are_drawn_as_there_are():
    families = np.array([0, 0, 0, 1, 2, 2])
    drawn = draw_tasks(families, 500, np.random.default_rng(1))
    per_family = np.stack([drawn[:, families == family].sum(axis=1) for family in range(3)], axis=1)

    assert (per_family % [3, 1, 2] == 0).all()
    assert ((per_family / [3, 1, 2]).sum(axis=1) == 3).all()
    assert drawn.mean(axis=0) == pytest.approx(np.ones(6), abs=0.15)


def test_no_draws_are_refused(counts):
    with pytest.raises(UserError, match="draws"):
        bootstrap_horizons(counts, draws=0)


def half_yearly(count):
    return [date(2024, 1, 1) + timedelta(days=round(182.625 * index)) for index in range(count)]


def test_a_horizon_that_doubles_each_half_year_is_found_to():
    trend = horizon_trend(half_yearly(5), [10, 20, 40, 80, 160])

    assert trend.doubling_days == pytest.approx(182.6, abs=0.5)
    assert trend.doublings_per_year == pytest.approx(2.0, abs=0.01)
    assert trend.r_squared == pytest.approx(1.0, abs=1e-4)
    assert 2**trend.log2_minutes_at_start == pytest.approx(10, rel=0.01)


def test_the_interval_of_the_line_is_scipys():
    from scipy import stats

    released, minutes = half_yearly(6), [10, 25, 30, 100, 130, 400]
    years = np.array([(day - released[0]).days for day in released]) / 365.25
    expected = stats.linregress(years, np.log2(minutes))
    reach = stats.t.ppf(0.975, 4) * expected.stderr

    trend = horizon_trend(released, minutes)

    assert trend.doublings_per_year == pytest.approx(expected.slope)
    assert trend.r_squared == pytest.approx(expected.rvalue**2)
    assert trend.slope_interval.lower == pytest.approx(expected.slope - reach)
    assert trend.doubling_days_interval.upper == pytest.approx(365.25 / (expected.slope - reach))


def test_the_interval_of_draws_is_of_percentiles_of_their_slopes():
    draws = np.array([[0.0, slope / 2] for slope in range(1, 101)])

    trend = horizon_trend(half_yearly(2), [1, 2], draws=draws, level=0.9)

    assert trend.slope_interval.lower == pytest.approx(5.95, rel=0.01)
    assert trend.slope_interval.upper == pytest.approx(95.05, rel=0.01)


@pytest.mark.parametrize(
    ("released", "minutes", "reason"),
    [
        ([], [], "at least two release dates"),
        (half_yearly(2), [5.0, None], "at least two release dates"),
        ([date(2024, 1, 1)] * 3, [1, 2, 3], "at least two release dates"),
        (half_yearly(3), [30, 20, 10], "never double"),
        (half_yearly(2), [10, 20], "No interval"),
    ],
)
def test_without_a_trend_the_reason_is_said(released, minutes, reason):
    trend = horizon_trend(released, minutes)

    assert reason in trend.reason
    assert trend.doubling_days_interval is None


def test_growth_that_is_not_sure_has_no_upper_bound():
    trend = horizon_trend(half_yearly(4), [10, 40, 12, 50])

    assert trend.doubling_days_interval.upper is None
    assert trend.slope_interval.lower < 0


def test_too_many_draws_without_a_horizon_give_no_interval():
    assert horizon_trend(half_yearly(2), [1, 2], draws=[[0.0, -np.inf], [0.0, 1.0]]).slope_interval is None


def test_the_frontier_is_what_was_longest_on_its_day():
    assert is_at_frontier(half_yearly(4), [10, 5, 20, None]).tolist() == [True, False, True, False]
