"""Texture of a region from the co-occurrence of grey levels in neighbouring voxels.

Definitions follow the Image Biomarker Standardisation Initiative (IBSI), reference manual, chapter 3 (Zwanenburg et
al., arXiv:1612.07003), section 'Grey level co-occurrence based features', aggregated by '3D, merged' (IAZD): the
symmetric matrices of the 13 directions at Chebyshev distance 1 are summed before the features are formed.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from jaxtyping import Bool, Float, Int

DIRECTIONS = tuple(d for d in itertools.product((-1, 0, 1), repeat=3) if d > (0, 0, 0))
"""The 13 directions to the 26 neighbours, one of each opposite pair."""


def cooccurrence_matrix(
    levels: Int[np.ndarray, "depth height width"], mask: Bool[np.ndarray, "depth height width"], number: int
) -> Float[np.ndarray, "number number"]:
    """Count pairs of grey levels of neighbouring voxels inside the mask, in both orders, over all 13 directions.

    Parameters
    ----------
    levels : ndarray
        Grey levels, 1 to ``number`` inside the mask; anything outside.
    mask : ndarray
        The region.
    number : int
        Number of grey levels.
    """
    counts = np.zeros(number * number)
    for direction in DIRECTIONS:
        steps = tuple(zip(direction, mask.shape, strict=True))
        here = tuple(slice(max(0, -step), side - max(0, step)) for step, side in steps)
        there = tuple(slice(max(0, step), side - max(0, -step)) for step, side in steps)
        pair = mask[here] & mask[there]
        first, second = levels[here][pair] - 1, levels[there][pair] - 1
        counts += np.bincount(first * number + second, minlength=number * number)
    matrix = counts.reshape(number, number)
    return matrix + matrix.T


def cooccurrence_features(matrix: Float[np.ndarray, "number number"]) -> dict[str, float]:
    """Compute the 25 features of a symmetric co-occurrence matrix; entropies are in bit.

    A region without neighbours (a matrix of zeros) raises ``ValueError``. A region of one grey level is perfectly
    correlated: correlation 1, information correlations 0.
    """
    total = float(matrix.sum())
    if total == 0.0:
        raise ValueError("matrix must hold a pair of neighbouring voxels, but is zero: the region is too small.")
    joint = matrix / total
    number = len(joint)
    level = np.arange(1, number + 1, dtype=float)
    row, column = np.meshgrid(level, level, indexing="ij")
    marginal = joint.sum(1)
    distance = np.abs(row - column)
    difference = np.bincount(distance.astype(int).ravel(), weights=joint.ravel(), minlength=number)
    total_level = np.bincount((row + column).astype(int).ravel(), weights=joint.ravel(), minlength=2 * number + 1)
    mean = float(level @ marginal)
    variance = float((level - mean) ** 2 @ marginal)
    steps, sums = np.arange(len(difference), dtype=float), np.arange(len(total_level), dtype=float)
    difference_mean, sum_mean = float(steps @ difference), float(sums @ total_level)
    autocorrelation = float(np.sum(row * column * joint))
    centred = row + column - 2.0 * mean
    features = {
        "joint_maximum": float(joint.max()),
        "joint_average": mean,
        "joint_variance": variance,
        "joint_entropy": _entropy(joint),
        "difference_average": difference_mean,
        "difference_variance": float((steps - difference_mean) ** 2 @ difference),
        "difference_entropy": _entropy(difference),
        "sum_average": sum_mean,
        "sum_variance": float((sums - sum_mean) ** 2 @ total_level),
        "sum_entropy": _entropy(total_level),
        "angular_second_moment": float(np.sum(joint**2)),
        "contrast": float(np.sum(distance**2 * joint)),
        "dissimilarity": float(np.sum(distance * joint)),
        "inverse_difference": float(np.sum(joint / (1.0 + distance))),
        "normalised_inverse_difference": float(np.sum(joint / (1.0 + distance / number))),
        "inverse_difference_moment": float(np.sum(joint / (1.0 + distance**2))),
        "normalised_inverse_difference_moment": float(np.sum(joint / (1.0 + (distance / number) ** 2))),
        "inverse_variance": float(np.sum(difference[1:] / steps[1:] ** 2)),
        "correlation": 1.0 if variance == 0.0 else (autocorrelation - mean**2) / variance,
        "autocorrelation": autocorrelation,
        "cluster_tendency": float(np.sum(centred**2 * joint)),
        "cluster_shade": float(np.sum(centred**3 * joint)),
        "cluster_prominence": float(np.sum(centred**4 * joint)),
    }
    return features | _information_correlations(joint, marginal)


def _information_correlations(
    joint: Float[np.ndarray, "number number"], marginal: Float[np.ndarray, " number"]
) -> dict[str, float]:
    independent = np.outer(marginal, marginal)
    log_independent = np.log2(independent, where=independent > 0, out=np.zeros_like(independent))
    entropy, entropy_marginal = _entropy(joint), _entropy(marginal)
    cross = -float(np.sum(joint * log_independent))
    excess = -float(np.sum(independent * log_independent)) - entropy
    return {
        "information_correlation_1": 0.0 if entropy_marginal == 0.0 else (entropy - cross) / entropy_marginal,
        "information_correlation_2": math.sqrt(max(0.0, 1.0 - math.exp(-2.0 * excess))),
    }


def _entropy(probability: Float[np.ndarray, "*any"]) -> float:
    positive = probability[probability > 0]
    return float(-np.sum(positive * np.log2(positive))) + 0.0
