"""Statistics against values by hand and SciPy's own."""

import numpy as np
import pytest
from scipy import stats

from mrrepro.metrics.statistics import mean_interval, rank_correlation, regression_line


def rng(seed=0):
    return np.random.default_rng(seed)


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
    assert found.low < 0.0 < found.high


def test_the_generator_decides_the_interval():
    x, y = np.arange(12.0), rng(1).normal(size=12)
    assert rank_correlation(x, y, rng(3)) == rank_correlation(x, y, rng(3))
    assert rank_correlation(x, y, rng(3)) != rank_correlation(x, y, rng(4))


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
        (lambda: mean_interval(np.array([1.0, np.nan])), "values must be finite"),
        (lambda: mean_interval(np.arange(4.0), level=0.0), "level"),
        (lambda: rank_correlation(np.arange(4.0), np.arange(4.0), rng(), resamples=5), "resamples"),
        (lambda: rank_correlation(np.arange(4.0), np.arange(4.0), rng(), level=1.5), "level"),
        (lambda: rank_correlation(np.ones(5), np.arange(5.0), rng()), "first must not be constant"),
        (lambda: rank_correlation(np.arange(4.0), np.arange(5.0), rng()), "paired"),
        (lambda: regression_line(np.ones(4), np.arange(4.0)), "x must not be constant"),
    ],
)
def test_refusals(call, named):
    with pytest.raises(ValueError, match=named):
        call()
