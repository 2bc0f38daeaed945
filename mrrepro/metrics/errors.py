"""Errors of estimated concentration maps, and the baselines that a network has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import binary_erosion, generate_binary_structure

from mrrepro.validation import require_finite, require_range, require_shape

Maps = np.ndarray[Any, Any] | torch.Tensor
"""Maps of shape (batch, height, width), as an array or as a tensor on any device."""


def nmae(estimate: Maps, truth: Maps) -> Float[np.ndarray, " batch"]:
    """Normalised mean absolute error of each map, ||e - t||_1 / ||t||_1.

    Parameters
    ----------
    estimate, truth : Float[Maps, "batch height width"]
        e and t, in the same unit.

    Returns
    -------
    Float[np.ndarray, "batch"]
        [1]. An estimate of zero has the error 1.

    Raises
    ------
    ValueError
        If shapes differ, a value is not finite or a true map is zero everywhere.

    References
    ----------
    G. della Maggiora et al., DeepSPIO, IEEE TPAMI 2020, section 5.

    Examples
    --------
    >>> nmae(np.array([[[1.0, 3.0]]]), np.array([[[2.0, 2.0]]]))
    array([0.5])
    """
    estimates, truths = _comparable(estimate, truth)
    norms = np.abs(truths).sum(axis=(1, 2))
    _require_objects(norms, "truth")
    return np.asarray(np.abs(estimates - truths).sum(axis=(1, 2)) / norms)


def region_of_interest(truth: Maps, erosion: int = 0) -> Bool[np.ndarray, "batch height width"]:
    """Pixels that belong to an object, without a rim.

    Parameters
    ----------
    truth : Float[Maps, "batch height width"]
        True maps; an object is where they are above zero.
    erosion : int
        Width of the rim that is left out [pixels], at least 0, in steps between neighbours that share an edge; what
        lies beyond the border does not belong to the object.

    Returns
    -------
    Bool[np.ndarray, "batch height width"]
        Small objects may vanish: ``region.any(axis=(1, 2))`` says which are left.
    """
    require_range("erosion", erosion, 0, remedy="give the width of the rim in whole pixels")
    region = _as_array("truth", truth) > 0
    if erosion:
        neighbours = generate_binary_structure(2, 1)
        region = np.stack([binary_erosion(each, neighbours, iterations=int(erosion)) for each in region])
    return region


def region_mean(maps: Maps, region: Bool[np.ndarray, "batch height width"]) -> Float[np.ndarray, " batch"]:
    """Mean of each map over its region [unit of the maps].

    Raises
    ------
    ValueError
        If shapes differ or a region is empty.
    """
    values = _as_array("maps", maps)
    require_shape("region", region, values.shape, "make it of the true maps with region_of_interest")
    counts = region.sum(axis=(1, 2))
    _require_objects(counts, "region")
    return np.asarray(np.where(region, values, 0.0).sum(axis=(1, 2)) / counts)


def region_mean_error(estimate: Maps, truth: Maps, erosion: int = 0) -> Float[np.ndarray, " batch"]:
    """Mean of the estimate minus mean of the truth over each object, eroded by some pixels [unit of the maps].

    The concentration's error apart from the shape's. Raises as `nmae` and `region_mean` do.
    """
    estimates, truths = _comparable(estimate, truth)
    region = region_of_interest(truths, erosion)
    return region_mean(estimates, region) - region_mean(truths, region)


@dataclass(frozen=True)
class ConstantBaseline:
    """The estimate that knows every shape and one number.

    Parameters
    ----------
    constant : float
        The number inside every object [unit of the maps].
    errors : Float[np.ndarray, "batch"]
        NMAE of each map [1].
    """

    constant: float
    errors: Float[np.ndarray, " batch"]


def best_constant_baseline(truth: Maps) -> ConstantBaseline:
    """Constant inside the true shapes with the smallest mean NMAE over a set, and the errors that it leaves.

    With the estimate c inside object i and zero outside, the mean error of n maps is

        (1/n) sum_i sum_{p in object i} |c - t_ip| / ||t_i||_1,

    a sum of |c - t| over all pixels of all objects with the weights 1 / ||t_i||_1. It is convex and piecewise
    linear in c, with the slope sum(weights below c) - sum(weights above c), so that the weighted median of
    the pixels is a minimum.

    Parameters
    ----------
    truth : Float[Maps, "batch height width"]
        True maps, not negative.

    Raises
    ------
    ValueError
        If a map is zero everywhere, negative somewhere, or not finite.
    """
    truths = _as_array("truth", truth)
    if (truths < 0).any():
        raise ValueError(f"truth must not be negative, but its minimum is {truths.min():g}: it is no concentration.")
    norms = truths.sum(axis=(1, 2))
    _require_objects(norms, "truth")
    inside = truths > 0
    weights = np.broadcast_to(1.0 / norms[:, None, None], truths.shape)[inside]
    constant = weighted_median(truths[inside], weights)
    return ConstantBaseline(constant, nmae(np.where(inside, constant, 0.0), truths))


def weighted_median(values: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"]) -> float:
    """Smallest value at which the weights up to and including it reach half of the total.

    >>> weighted_median(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 3.0]))
    2.0
    """
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulative, 0.5 * cumulative[-1])])


def _as_array(name: str, maps: Maps) -> Float[np.ndarray, "batch height width"]:
    array = np.asarray(maps.detach().cpu().double() if isinstance(maps, torch.Tensor) else maps, dtype=np.float64)
    require_shape(name, array, (None, None, None), "pass maps of shape (batch, height, width)")
    require_finite(name, array)
    return array


def _comparable(estimate: Maps, truth: Maps) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    truths = _as_array("truth", truth)
    estimates = _as_array("estimate", estimate)
    require_shape("estimate", estimates, truths.shape, "compare maps of the same cases")
    return estimates, truths


def _require_objects(sizes: np.ndarray[Any, Any], name: str) -> None:
    empty = np.flatnonzero(sizes == 0)
    if empty.size:
        shown = ", ".join(str(index) for index in empty[:5]) + (", ..." if empty.size > 5 else "")
        raise ValueError(f"{name} has no object in map {shown}: leave out maps without an object.")
