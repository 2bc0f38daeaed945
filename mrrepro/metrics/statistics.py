"""Statistics that decide claims: intervals, rank correlation, slopes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats

from mrrepro.validation import require_finite, require_range

Sample = Float[np.ndarray, " n"]


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
    generator : np.random.Generator
        Draws the resamples.
    level : float
        Nominal coverage, in (0, 1).
    resamples : int
        Number of resamples, at least 100.

    Raises
    ------
    ValueError
        If lengths differ or all values of one sample are equal, which leaves the correlation undefined.

    Notes
    -----
    Resamples in which all values of one sample are equal, frequent only for a handful of pairs, count as 0.
    """
    x, y = _pairs(first, second)
    require_range("level", level, 0.0, 1.0, low_open=True)
    require_range("resamples", resamples, 100, remedy="fewer give no usable quantiles")
    for name, values in (("first", x), ("second", y)):
        if np.ptp(values) == 0.0:
            raise ValueError(
                f"{name} must not be constant, but is {values[0]:g} throughout: no correlation is defined."
            )
    chosen = generator.integers(x.size, size=(resamples, x.size))
    low, high = np.quantile(_spearman(x[chosen], y[chosen]), [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(_spearman(x, y)), float(low), float(high), level)


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
