"""Statistics against values by hand, SciPy's own, and coverage."""

import numpy as np
import pytest
from scipy import stats

from mrrepro.metrics.statistics import (
    bca_interval,
    equivalence,
    mean_interval,
    percentile_interval,
    rank_correlation,
    regression_line,
)

SKEWED = np.random.default_rng(5).lognormal(0.0, 0.7, 40)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("ours", "method"), [(percentile_interval, "percentile"), (bca_interval, "BCa")])
@pytest.mark.parametrize("statistic", [np.mean, np.median])
def test_bootstrap_against_scipy(ours, method, statistic):
    found = ours(SKEWED, rng(), statistic=statistic, level=0.9, resamples=20000)
    peer = stats.bootstrap(
        (SKEWED,), statistic, n_resamples=20000, confidence_level=0.9, method=method, rng=rng(1), vectorized=True
    ).confidence_interval
    width = peer.high - peer.low
    assert found.estimate == statistic(SKEWED)
    assert found.low == pytest.approx(peer.low, abs=0.03 * width)
    assert found.high == pytest.approx(peer.high, abs=0.03 * width)


def test_bca_is_moved_towards_the_long_tail():
    plain, corrected = percentile_interval(SKEWED, rng()), bca_interval(SKEWED, rng())
    assert corrected.low > plain.low
    assert corrected.high > plain.high


def test_coverage_of_the_percentile_interval():
    generator = rng(2)
    hits = [0.0 in percentile_interval(generator.normal(size=30), generator, resamples=300) for _ in range(300)]
    assert 0.89 < np.mean(hits) < 0.98


def test_intervals_are_repeatable_and_degenerate_ones_have_no_length():
    assert bca_interval(SKEWED, rng(3)) == bca_interval(SKEWED, rng(3))
    assert bca_interval(SKEWED, rng(3)) != bca_interval(SKEWED, rng(4))
    for interval in (percentile_interval, bca_interval):
        constant = interval(np.full(5, 2.5), rng())
        assert (constant.low, constant.estimate, constant.high) == (2.5, 2.5, 2.5)
        assert 2.5 in constant
        assert 2.6 not in constant


def test_rank_correlation_by_hand():
    # ranks 1 2 3 4 5 and 2 1 4 3 5: rho = 1 - 6 * 4 / (5 * 24)
    found = rank_correlation(np.array([1.0, 2, 3, 4, 5]), np.array([20.0, 10, 45, 30, 99]), rng())
    assert found.estimate == pytest.approx(0.8)
    assert rank_correlation(np.arange(9.0), np.exp(np.arange(9.0)), rng()).estimate == pytest.approx(1.0)


def test_rank_correlation_against_scipy():
    generator = rng(1)
    x = np.round(generator.normal(size=60), 1)  # with ties
    y = np.round(x + generator.normal(size=60), 1)
    found = rank_correlation(x, y, rng(2), resamples=5000)
    assert found.estimate == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    peer = stats.bootstrap(
        (x, y),
        lambda first, second: stats.spearmanr(first, second).statistic,
        paired=True,
        vectorized=False,
        n_resamples=1000,
        method="percentile",
        rng=rng(3),
    ).confidence_interval
    assert found.low == pytest.approx(peer.low, abs=0.04)
    assert found.high == pytest.approx(peer.high, abs=0.04)


def test_independent_samples_include_zero():
    generator = rng(7)
    found = rank_correlation(generator.normal(size=200), generator.normal(size=200), generator)
    assert 0.0 in found


def test_equivalence_by_hand():
    differences = np.array([-1.0, 0.0, 1.0, 0.0])  # mean 0, s = sqrt(2/3), standard error sqrt(1/6)
    found = equivalence(differences, np.zeros(4), margin=1.0)
    error = np.sqrt(1.0 / 6.0)
    # 2.353363 is the 95% quantile of Student's t with 3 degrees of freedom
    assert found.difference.low == pytest.approx(-2.353363 * error, rel=1e-6)
    assert found.difference.high == pytest.approx(2.353363 * error, rel=1e-6)
    assert found.difference.level == pytest.approx(0.9)
    assert found.equivalent
    assert not equivalence(differences, np.zeros(4), margin=0.9).equivalent
    one_sided = stats.ttest_1samp(differences + 0.2, -1.0, alternative="greater").pvalue
    other = stats.ttest_1samp(differences + 0.2, 1.0, alternative="less").pvalue
    assert equivalence(differences + 0.2, np.zeros(4), 1.0).p_value == pytest.approx(max(one_sided, other))


def test_the_tests_agree_with_the_interval():
    generator = rng(9)
    for _ in range(50):
        found = equivalence(generator.normal(0.2, 1.0, 8), generator.normal(0.0, 1.0, 8), margin=1.0)
        inside = found.difference.low > -1.0 and found.difference.high < 1.0
        assert found.equivalent == inside


def test_regression_by_hand():
    # x = 0 1 2, y = 0 2 3: slope 3/2, intercept 1/6, residual sum of squares 1/6, t(0.975; 1) = 12.7062
    found = regression_line(np.array([0.0, 1.0, 2.0]), np.array([0.0, 2.0, 3.0]))
    assert found.slope.estimate == pytest.approx(1.5)
    assert found.intercept == pytest.approx(1.0 / 6.0)
    half_width = 12.7062047 * np.sqrt((1.0 / 6.0) / 2.0)
    assert found.slope.high - 1.5 == pytest.approx(half_width, rel=1e-6)
    assert 1.5 - found.slope.low == pytest.approx(half_width, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: mean_interval(np.array([1.0])), "values must be a list of at least 2"),
        (lambda: percentile_interval(np.array([1.0, np.nan]), rng()), "values must be finite"),
        (lambda: percentile_interval(SKEWED, rng(), resamples=5), "resamples"),
        (lambda: percentile_interval(SKEWED, rng(), level=1.5), "level"),
        (lambda: bca_interval(SKEWED, rng(), level=0.0), "level"),
        (lambda: rank_correlation(np.ones(5), np.arange(5.0), rng()), "first must not be constant"),
        (lambda: rank_correlation(np.arange(4.0), np.arange(5.0), rng()), "paired"),
        (lambda: equivalence(np.ones(4), np.zeros(4), 1.0), "must vary"),
        (lambda: equivalence(SKEWED, SKEWED[::-1], 0.0), "margin"),
        (lambda: regression_line(np.ones(4), np.arange(4.0)), "x must not be constant"),
    ],
)
def test_refusals(call, named):
    with pytest.raises(ValueError, match=named):
        call()
