"""How an estimated map differs from the map of uniform tissues that it was trained towards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage

from mrrepro.validation import require_shape

Map = Float[np.ndarray, "x y z"]
Mask = Bool[np.ndarray, "x y z"]


@dataclass(frozen=True)
class ValueSummary:
    """Distribution of a map within a region [unit of the map]."""

    mean: float
    sd: float
    median: float
    low: float
    high: float
    voxels: int


def summary_of(values: Map, region: Mask) -> ValueSummary:
    """Mean, standard deviation, median and quartiles of a map in a region.

    Raises
    ------
    ValueError
        If the region is empty.
    """
    require_shape("region", region, values.shape)
    inside = np.asarray(values[region], np.float64)
    if inside.size == 0:
        raise ValueError("region must hold a voxel, but is empty: check the labels and the grid.")
    low, median, high = np.percentile(inside, [25.0, 50.0, 75.0])
    return ValueSummary(float(inside.mean()), float(inside.std()), float(median), float(low), float(high), inside.size)


def relative_map_error(estimate: Map, truth: Map, region: Mask) -> float:
    """||estimate - truth||_2 / ||truth||_2 over a region.

    Raises
    ------
    ValueError
        If the truth is zero throughout the region.
    """
    norm = float(np.linalg.norm(truth[region].astype(np.float64)))
    if norm == 0.0:
        raise ValueError("truth must not be zero throughout the region: check the mask.")
    return float(np.linalg.norm((estimate[region] - truth[region]).astype(np.float64))) / norm


def boundary_voxels(labels: UInt8[np.ndarray, "x y z"]) -> Mask:
    """Voxels that have a face in common with one of another label."""
    found = np.zeros(labels.shape, bool)
    for axis in range(labels.ndim):
        first = tuple(slice(None, -1) if a == axis else slice(None) for a in range(labels.ndim))
        second = tuple(slice(1, None) if a == axis else slice(None) for a in range(labels.ndim))
        differs = labels[first] != labels[second]
        found[first] |= differs
        found[second] |= differs
    return found


def boundary_gradient_ratio(estimate: Map, uniform: Map, labels: UInt8[np.ndarray, "x y z"]) -> float:
    """Mean gradient (central differences) at tissue boundaries, of one map over the other; 1 for equally sharp ones.

    Raises
    ------
    ValueError
        If there is no boundary.
    """
    where = boundary_voxels(labels)
    if not where.any():
        raise ValueError("labels must have a boundary, but are all one.")
    means = []
    for values in (estimate, uniform):
        parts = np.gradient(values.astype(np.float32))
        means.append(float(np.sqrt(parts[0] ** 2 + parts[1] ** 2 + parts[2] ** 2)[where].mean()))
    return means[0] / means[1]


def best_blur(
    estimate: Map, uniform: Map, region: Mask, widths: Sequence[float] = (0.0, 0.4, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0)
) -> tuple[float, float]:
    """Standard deviation [voxels] of the Gaussian that makes the uniform map most like the estimate, and how like.

    The second number is the squared correlation within the region: the share of the estimate's variance that the
    blurred uniform map explains.
    """
    inside = estimate[region].astype(np.float64)
    shares = []
    for width in widths:
        blurred = ndimage.gaussian_filter(uniform.astype(np.float32), width) if width else uniform
        shares.append(float(np.corrcoef(inside, blurred[region].astype(np.float64))[0, 1] ** 2))
    best = int(np.argmax(shares))
    return float(widths[best]), shares[best]
