"""Numbers are those of statsmodels and scipy."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize
from statsmodels.api import GLM, OLS, add_constant, families
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_confint

from hawk.statistics.difficulty import task_difficulties
from hawk.statistics.logistic import fit_logistic
from hawk.statistics.mcnemar import mcnemar_test
from hawk.statistics.multiplicity import benjamini_hochberg, holm
from hawk.statistics.paired import compare_pairs
from hawk.statistics.power import DifferenceVariance, power_to_see, samples_needed
from hawk.statistics.proportion import wilson_interval
from hawk.statistics.sample_mean import mean_estimate

GENERATOR = np.random.default_rng(5)
FIRST = GENERATOR.normal(0.6, 0.3, 80)
SECOND = 0.5 * FIRST + GENERATOR.normal(0.2, 0.2, 80)
CLUSTERS = GENERATOR.integers(0, 12, 80)


@pytest.mark.parametrize(("passed", "count"), [(0, 1), (1, 1), (3, 9), (0, 40), (812, 1000)])
def test_wilson_interval_is_statsmodels(passed, count):
    interval = wilson_interval(passed, count, level=0.9)

    assert (interval.lower, interval.upper) == pytest.approx(
        proportion_confint(passed, count, alpha=0.1, method="wilson"), abs=1e-12
    )


def test_clustered_standard_error_is_that_of_a_regression_on_a_constant():
    fitted = OLS(FIRST, np.ones(80)).fit(cov_type="cluster", cov_kwds={"groups": CLUSTERS, "use_correction": True})

    # Of statsmodels' correction G / (G - 1) · (N - 1) / (N - K) the second part is 1 with one constant.
    assert mean_estimate(FIRST, clusters=CLUSTERS).standard_error == pytest.approx(fitted.bse[0], rel=1e-12)


def test_paired_comparison_is_scipys_t_test():
    expected = stats.ttest_rel(FIRST, SECOND)
    interval = expected.confidence_interval(0.95)

    comparison = compare_pairs(FIRST, SECOND)

    assert comparison.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert comparison.difference / comparison.standard_error == pytest.approx(expected.statistic, rel=1e-12)
    assert (comparison.interval.lower, comparison.interval.upper) == pytest.approx((interval.low, interval.high))
    assert comparison.correlation == pytest.approx(stats.pearsonr(FIRST, SECOND).statistic, rel=1e-12)


def test_clustered_paired_comparison_is_statsmodels_with_few_cluster_correction():
    fitted = OLS(FIRST - SECOND, np.ones(80)).fit(
        cov_type="cluster", cov_kwds={"groups": CLUSTERS, "df_correction": True}, use_t=True
    )

    comparison = compare_pairs(FIRST, SECOND, clusters=CLUSTERS)

    assert comparison.standard_error == pytest.approx(fitted.bse[0], rel=1e-12)
    assert comparison.p_value == pytest.approx(fitted.pvalues[0], rel=1e-9)


@pytest.mark.parametrize(("adjust", "method"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh")])
def test_adjusted_p_values_are_statsmodels(adjust, method):
    p_values = [0.2, 0.001, 0.04, 0.04, 0.9, 0.012]

    assert adjust(p_values) == pytest.approx(multipletests(p_values, method=method)[1])
    assert adjust([None, *p_values])[1:] == pytest.approx(multipletests(p_values, method=method)[1])


@pytest.mark.parametrize(("only_first", "only_second"), [(1, 0), (4, 4), (3, 12), (40, 22)])
def test_mcnemar_is_statsmodels(only_first, only_second):
    first = [1] * 5 + [1] * only_first + [0] * only_second + [0] * 7
    second = [1] * 5 + [0] * only_first + [1] * only_second + [0] * 7
    table = [[5, only_first], [only_second, 7]]

    test = mcnemar_test(first, second)

    assert test.exact_p == pytest.approx(mcnemar(table, exact=True).pvalue)
    if only_first != only_second:  # statsmodels lets the correction make 0 into 1
        assert test.chi_squared == pytest.approx(mcnemar(table, exact=False, correction=True).statistic)
        assert test.chi_squared_p == pytest.approx(mcnemar(table, exact=False, correction=True).pvalue)


def test_power_and_samples_are_statsmodels():
    variance = DifferenceVariance(between_samples=0.25)
    expected = NormalIndPower(ddof=0).solve_power(effect_size=0.05 / 0.5, alpha=0.05, power=0.8, ratio=0)

    assert samples_needed(0.05, variance).count == int(np.ceil(expected))
    assert power_to_see(0.05, 0.5 / np.sqrt(300)) == pytest.approx(
        NormalIndPower(ddof=0).power(0.1, 300, 0.05, ratio=0), rel=1e-9
    )


def test_logistic_fits_are_statsmodels():
    x = np.linspace(-3, 9, 25)
    runs = GENERATOR.integers(1, 9, (4, 25))
    passed = GENERATOR.binomial(runs, 1 / (1 + np.exp(0.7 * (x - np.array([[0], [2], [4], [7]])))))
    weights = GENERATOR.uniform(0.2, 2.0, (4, 25))

    fits = fit_logistic(x, weights * passed / runs, weights)

    for row in range(4):
        expected = GLM(passed[row] / runs[row], add_constant(x), families.Binomial(), freq_weights=weights[row]).fit(
            tol=1e-12
        )
        assert (fits.intercepts[row], fits.slopes[row]) == pytest.approx(tuple(expected.params), rel=1e-6)
    assert fits.is_converged.all()


@pytest.mark.parametrize("floors", [0.25, "by task"])
def test_logistic_fit_with_a_chance_floor_has_the_greatest_likelihood(floors):
    x = np.linspace(-3, 9, 40)
    floor = np.where(np.arange(40) % 2, 0.25, 0.0) if floors == "by task" else np.full(40, floors)
    passed = GENERATOR.binomial(12, floor + (1 - floor) / (1 + np.exp(0.8 * (x - 3)))) / 12

    def loss(parameters):
        chance = floor + (1 - floor) / (1 + np.exp(-parameters[0] - parameters[1] * x))
        return -np.mean(passed * np.log(chance) + (1 - passed) * np.log(1 - chance))

    expected = minimize(loss, [2.0, -0.7], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14}).x

    fits = fit_logistic(x, passed[None], np.ones((1, 40)), floor=floor)

    assert (fits.intercepts[0], fits.slopes[0]) == pytest.approx(tuple(expected), rel=1e-5)


def test_difficulties_with_a_wide_prior_are_those_of_a_logistic_regression_on_task_and_model():
    tasks, models = np.divmod(np.arange(6 * 5 * 8), 40)
    models //= 8
    chance = 1 / (1 + np.exp(np.linspace(-1, 1, 6)[tasks] - np.linspace(-1, 1, 5)[models]))
    scores = (GENERATOR.random(len(tasks)) < chance).astype(float)
    design = np.concatenate([np.eye(5)[models], -np.eye(6)[tasks][:, 1:]], axis=1)
    fitted = GLM(scores, design, families.Binomial()).fit(tol=1e-12)
    expected = np.concatenate([[0.0], fitted.params[5:]])

    found = task_difficulties(tasks, models, scores, prior_logits=1000.0).tasks

    by_task = {row.task: row.difficulty_logits for row in found}
    assert [by_task[task] for task in range(6)] == pytest.approx(list(expected - expected.mean()), abs=1e-4)
