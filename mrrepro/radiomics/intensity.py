"""Intensity statistics of a region, and their discretisation into grey levels.

Definitions and names follow the Image Biomarker Standardisation Initiative (IBSI), reference manual, chapter 3
(Zwanenburg et al., arXiv:1612.07003), sections 'Intensity-based statistical features' and 'Intensity histogram
features'; variances are of the population.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int

Intensities = Float[np.ndarray, " voxels"]


def intensity_statistics(values: Intensities) -> dict[str, float]:
    """Compute the 18 statistics of a region's intensities; a constant region has no skewness and no kurtosis.

    Parameters
    ----------
    values : ndarray
        Intensities of the region's voxels, at least one.
    """
    mean, median = float(values.mean()), float(np.median(values))
    deviation = values - mean
    variance = float(np.mean(deviation**2))
    p10, p25, p75, p90 = (float(value) for value in np.percentile(values, [10, 25, 75, 90]))
    core = values[(values >= p10) & (values <= p90)]
    constant = variance == 0.0
    return {
        "mean": mean,
        "variance": variance,
        "skewness": 0.0 if constant else float(np.mean(deviation**3)) / variance**1.5,
        "excess_kurtosis": 0.0 if constant else float(np.mean(deviation**4)) / variance**2 - 3.0,
        "median": median,
        "minimum": float(values.min()),
        "percentile_10": p10,
        "percentile_90": p90,
        "maximum": float(values.max()),
        "interquartile_range": p75 - p25,
        "range": float(np.ptp(values)),
        "mean_absolute_deviation": float(np.abs(deviation).mean()),
        "robust_mean_absolute_deviation": float(np.abs(core - core.mean()).mean()),
        "median_absolute_deviation": float(np.abs(values - median).mean()),
        "coefficient_of_variation": _ratio(math.sqrt(variance), mean),
        "quartile_coefficient_of_dispersion": _ratio(p75 - p25, p75 + p25),
        "energy": float(np.sum(values**2)),
        "root_mean_square": math.sqrt(float(np.mean(values**2))),
    }


def histogram_statistics(levels: Int[np.ndarray, " voxels"]) -> dict[str, float]:
    """Compute entropy [bit] and uniformity of the grey levels of a region."""
    counts = np.bincount(levels)
    probability = counts[counts > 0] / levels.size
    return {
        "entropy": float(-np.sum(probability * np.log2(probability))) + 0.0,
        "uniformity": float(np.sum(probability**2)),
    }


def grey_levels(values: Intensities, number: int) -> Int[np.ndarray, " voxels"]:
    """Discretise intensities into a fixed number of bins of equal width, levels 1 to ``number``.

    ``min(number, floor(number (x - min) / (max - min)) + 1)``; a constant region has level 1. A fixed number of bins
    makes features insensitive to the unit of MR intensities, which is arbitrary.
    """
    if number < 2:
        raise ValueError(f"number must be at least 2 grey levels, but is {number!r}.")
    low, high = values.min(), values.max()
    if low == high:
        return np.ones(values.shape, dtype=np.int64)
    return np.minimum(number, np.floor(number * (values - low) / (high - low)).astype(np.int64) + 1)


def _ratio(numerator: float, denominator: float) -> float:
    """Divide; a mean or a sum of quartiles of exactly zero, where the ratio has no meaning, gives zero."""
    return numerator / denominator if denominator != 0.0 else 0.0
