"""Statistics that decide claims: intervals, rank correlation, paired differences, equivalence, slopes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats

from mrrepro.validation import require_finite, require_range

Sample = Float[np.ndarray, " n"]
Statistic = Callable[..., Any]
"""From an array and its ``axis`` to the statistic along it, for instance ``np.mean`` or ``np.median``."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval.

    Parameters
    ----------
    estimate : float
        The statistic of the sample.
    low, high : float
        Limits of the interval.
    level : float
        Its nominal coverage, in (0, 1).
    """

    estimate: float
    low: float
    high: float
    level: float

    def __contains__(self, value: float) -> bool:
        """Whether the value lies within the interval, limits included."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Equivalence:
    """Outcome of two one-sided tests.

    Parameters
    ----------
    difference : Interval
        Mean difference with the interval of level 1 - 2 alpha, which lies within the margin if and only if both
        tests reject.
    margin : float
        Differences of a smaller size count as none.
    p_value : float
        The larger one of the two.
    equivalent : bool
        Whether ``p_value`` is below alpha.
    """

    difference: Interval
    margin: float
    p_value: float
    equivalent: bool


@dataclass(frozen=True)
class Line:
    """A fitted straight line: slope with its interval, and intercept."""

    slope: Interval
    intercept: float


def mean_interval(values: Sample, *, level: float = 0.95) -> Interval:
    """Mean with Student's t interval.

    Parameters
    ----------
    values : Float[np.ndarray, "n"]
        At least 2 values.
    level : float
        Nominal coverage, in (0, 1).

    >>> interval = mean_interval(np.array([1.0, 2.0, 3.0]))
    >>> print(f"{interval.estimate:.0f} from {interval.low:.2f} to {interval.high:.2f}")
    2 from -0.48 to 4.48
    """
    sample = _sample("values", values)
    require_range("level", level, 0.0, 1.0, low_open=True)
    half_width = float(stats.sem(sample)) * float(stats.t.ppf((1.0 + level) / 2.0, sample.size - 1))
    mean = float(sample.mean())
    return Interval(mean, mean - half_width, mean + half_width, level)


def percentile_interval(
    values: Sample,
    generator: np.random.Generator,
    *,
    statistic: Statistic = np.mean,
    level: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Bootstrap interval between quantiles of the resampled statistic.

    Parameters
    ----------
    values : Float[np.ndarray, "n"]
        Independent observations, at least 2.
    generator : np.random.Generator
        Draws the resamples.
    statistic : callable
        Takes ``axis``; default: the mean.
    level : float
        Nominal coverage, in (0, 1).
    resamples : int
        Number of resamples.

    References
    ----------
    B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    sample = _sample("values", values)
    draws = statistic(sample[generator.integers(sample.size, size=(_count(resamples), sample.size))], axis=-1)
    return _percentiles(float(statistic(sample, axis=-1)), draws, level)


def bca_interval(
    values: Sample,
    generator: np.random.Generator,
    *,
    statistic: Statistic = np.mean,
    level: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Bootstrap interval corrected for bias and acceleration; parameters as in `percentile_interval`.

    The quantiles a1 and a2 of the resampled statistic are taken, with the normal distribution Phi and its quantiles
    z, the bias z0 = Phi^-1(fraction of resamples below the estimate, ties counting half) and the acceleration a
    from the jackknife's third moment:

        a_k = Phi(z0 + (z0 + z_k) / (1 - a (z0 + z_k))).

    A sample of equal values has an interval of length zero.

    References
    ----------
    B. Efron, JASA 82, 171 (1987); Efron and Tibshirani (1993), equations 14.9 to 14.15.
    """
    sample = _sample("values", values)
    require_range("level", level, 0.0, 1.0, low_open=True)
    estimate = float(statistic(sample, axis=-1))
    draws = statistic(sample[generator.integers(sample.size, size=(_count(resamples), sample.size))], axis=-1)
    left_out = np.array([statistic(np.delete(sample, index), axis=-1) for index in range(sample.size)])
    deviations = left_out.mean() - left_out
    spread = (deviations**2).sum()
    if spread == 0.0:
        return Interval(estimate, estimate, estimate, level)
    acceleration = (deviations**3).sum() / (6.0 * spread**1.5)
    below = ((draws < estimate).mean() + (draws <= estimate).mean()) / 2.0
    bias = stats.norm.ppf(np.clip(below, 0.5 / draws.size, 1.0 - 0.5 / draws.size))
    shifted = bias + stats.norm.ppf([(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    low, high = np.quantile(draws, stats.norm.cdf(bias + shifted / (1.0 - acceleration * shifted)))
    return Interval(estimate, float(low), float(high), level)


def rank_correlation(
    first: Sample,
    second: Sample,
    generator: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Spearman's rank correlation with the percentile interval of resampled pairs.

    Parameters
    ----------
    first, second : Float[np.ndarray, "n"]
        Pairs, at least 3; ties get their mean rank.
    generator, level, resamples
        As in `percentile_interval`.

    Raises
    ------
    ValueError
        If lengths differ or all values of one sample are equal, which leaves the correlation undefined.

    Notes
    -----
    Resamples in which all values of one sample are equal, frequent only for a handful of pairs, count as 0.
    """
    x, y = _pairs(first, second)
    for name, values in (("first", x), ("second", y)):
        if np.ptp(values) == 0.0:
            raise ValueError(
                f"{name} must not be constant, but is {values[0]:g} throughout: no correlation is defined."
            )
    chosen = generator.integers(x.size, size=(_count(resamples), x.size))
    return _percentiles(float(_spearman(x, y)), _spearman(x[chosen], y[chosen]), level)


def equivalence(first: Sample, second: Sample, margin: float, *, alpha: float = 0.05) -> Equivalence:
    """Two one-sided paired t tests of whether the mean of first - second is within +-margin.

    Parameters
    ----------
    first, second : Float[np.ndarray, "n"]
        Pairs, at least 3 and not all of the same difference.
    margin : float
        Positive [unit of the samples].
    alpha : float
        Level of each test, in (0, 0.5).

    References
    ----------
    D. Schuirmann, J. Pharmacokinet. Biopharm. 15, 657 (1987).
    """
    x, y = _pairs(first, second)
    require_range("margin", margin, 0.0, low_open=True)
    require_range("alpha", alpha, 0.0, 0.5, low_open=True)
    differences = x - y
    mean, standard_error = float(differences.mean()), float(stats.sem(differences))
    if standard_error == 0.0:
        raise ValueError(f"first - second must vary, but is {mean:g} throughout: a t test needs a spread.")
    freedom = differences.size - 1
    p_above_lower = float(stats.t.sf((mean + margin) / standard_error, freedom))
    p_below_upper = float(stats.t.cdf((mean - margin) / standard_error, freedom))
    p_value = max(p_above_lower, p_below_upper)
    half_width = standard_error * float(stats.t.ppf(1.0 - alpha, freedom))
    interval = Interval(mean, mean - half_width, mean + half_width, 1.0 - 2.0 * alpha)
    return Equivalence(interval, margin, p_value, p_value < alpha)


def regression_line(x: Sample, y: Sample, *, level: float = 0.95) -> Line:
    """Least-squares line of y on x, with Student's interval of the slope.

    Parameters
    ----------
    x, y : Float[np.ndarray, "n"]
        At least 3 points; x not constant.
    level : float
        Nominal coverage, in (0, 1).
    """
    abscissae, ordinates = _pairs(x, y)
    require_range("level", level, 0.0, 1.0, low_open=True)
    if np.ptp(abscissae) == 0.0:
        raise ValueError(f"x must not be constant, but is {abscissae[0]:g} throughout: no slope is defined.")
    fit = stats.linregress(abscissae, ordinates)
    half_width = float(fit.stderr) * float(stats.t.ppf((1.0 + level) / 2.0, abscissae.size - 2))
    slope = float(fit.slope)
    return Line(Interval(slope, slope - half_width, slope + half_width, level), float(fit.intercept))


def _spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's correlation of ranks along the last axis, 0 where one of them is constant."""
    ranks = [stats.rankdata(values, axis=-1) - (values.shape[-1] + 1) / 2.0 for values in (x, y)]
    covariance = (ranks[0] * ranks[1]).sum(axis=-1)
    norms = np.sqrt((ranks[0] ** 2).sum(axis=-1) * (ranks[1] ** 2).sum(axis=-1))
    return np.divide(covariance, norms, out=np.zeros_like(covariance), where=norms > 0)


def _percentiles(estimate: float, draws: np.ndarray, level: float) -> Interval:
    require_range("level", level, 0.0, 1.0, low_open=True)
    low, high = np.quantile(draws, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(estimate, float(low), float(high), level)


def _sample(name: str, values: Any, least: int = 2) -> np.ndarray:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or sample.size < least:
        raise ValueError(f"{name} must be a list of at least {least} numbers, but has shape {sample.shape}.")
    require_finite(name, sample)
    return sample


def _pairs(first: Any, second: Any) -> tuple[np.ndarray, np.ndarray]:
    x, y = _sample("The first sample", first, 3), _sample("The second sample", second, 3)
    if x.size != y.size:
        raise ValueError(f"Both samples must be paired, but have {x.size} and {y.size} values.")
    return x, y


def _count(resamples: int) -> int:
    require_range("resamples", resamples, 100, remedy="fewer give no usable quantiles")
    return int(resamples)
