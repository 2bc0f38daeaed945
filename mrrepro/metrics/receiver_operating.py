"""Receiver operating characteristic: the curve, the area under it, and their spread over repeated splits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata, t

from mrrepro.validation import require_finite, require_range

Scores = Float[np.ndarray, " cases"]
Labels = Bool[np.ndarray, " cases"]


def area_under_curve(labels: Labels, scores: Scores) -> float:
    """Compute the probability that a positive case scores above a negative one, ties counting one half.

    This is the Mann-Whitney statistic ``U / (n_1 n_0)``, from ranks.

    Raises
    ------
    ValueError
        When the lengths differ, a score is not finite, or a class is missing: then the area is undefined.
    """
    labels, scores = _require_classes(labels, scores)
    positives = int(labels.sum())
    negatives = labels.size - positives
    rank_sum = float(rankdata(scores)[labels].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def roc_curve(
    labels: Labels, scores: Scores
) -> tuple[Float[np.ndarray, " thresholds"], Float[np.ndarray, " thresholds"]]:
    """Return false and true positive rates as the threshold falls, from (0, 0) to (1, 1); ties move together."""
    labels, scores = _require_classes(labels, scores)
    order = np.argsort(-scores, kind="stable")
    ranked = labels[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), labels.size - 1)
    true_positives = np.cumsum(ranked)[last_of_tie]
    false_positives = np.cumsum(~ranked)[last_of_tie]
    return (
        np.concatenate([[0.0], false_positives / false_positives[-1]]),
        np.concatenate([[0.0], true_positives / true_positives[-1]]),
    )


@dataclass(frozen=True)
class MeanInterval:
    """A mean over repeated random splits and its confidence interval."""

    mean: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval."""
        return (self.high - self.low) / 2


def corrected_interval(
    scores: Sequence[float], train_size: int, test_size: int, confidence: float = 0.95
) -> MeanInterval:
    """Compute a confidence interval of a score's mean over random splits of one data set.

    The splits share their cases, so that the standard error ``s / sqrt(J)`` of J independent scores is far too
    small. The corrected resampled t interval takes ``s sqrt(1 / J + n_test / n_train)`` with J - 1 degrees of freedom.

    Parameters
    ----------
    scores : sequence of float
        One score a split, at least two.
    train_size, test_size : int
        Cases in the training and in the test part of a split.
    confidence : float
        Coverage, in (0, 1).

    Notes
    -----
    Source: Nadeau, Bengio, Mach. Learn. 52, 239 (2003), eq. 10. The interval may leave [0, 1]; it is not clipped.
    """
    values = np.asarray(scores, dtype=float)
    if values.ndim != 1 or values.size < 2:
        raise ValueError(f"scores must hold at least two splits, but has shape {values.shape}.")
    require_finite("scores", values)
    require_range("confidence", confidence, 0.0, 1.0, low_open=True)
    if train_size < 1 or test_size < 1:
        raise ValueError(f"train_size and test_size must be positive, but are {train_size} and {test_size}.")
    error = values.std(ddof=1) * math.sqrt(1 / values.size + test_size / train_size)
    half = float(t.ppf((1 + confidence) / 2, values.size - 1)) * float(error)
    mean = float(values.mean())
    return MeanInterval(mean, mean - half, mean + half)


@dataclass(frozen=True)
class RocBand:
    """The mean curve over splits on a fixed axis of false positive rates, with its corrected interval at each."""

    false_positive_rate: Float[np.ndarray, " points"]
    mean: Float[np.ndarray, " points"]
    low: Float[np.ndarray, " points"]
    high: Float[np.ndarray, " points"]


def roc_band(
    splits: Sequence[tuple[Labels, Scores]], train_size: int, points: int = 101, confidence: float = 0.95
) -> RocBand:
    """Average the curves of repeated splits vertically and give the band of the mean (Fig. 9).

    Each curve is interpolated linearly at ``points`` false positive rates in [0, 1]; the band is
    `corrected_interval` at each rate, cut to [0, 1], which a rate cannot leave.
    """
    if not splits:
        raise ValueError("splits must hold at least two pairs of labels and scores, but is empty.")
    axis = np.linspace(0.0, 1.0, points)
    curves = np.stack([_at_rates(axis, *roc_curve(labels, scores)) for labels, scores in splits])
    test_size = len(splits[0][0])
    intervals = [corrected_interval(column.tolist(), train_size, test_size, confidence) for column in curves.T]
    low, mean, high = (
        np.clip([getattr(interval, name) for interval in intervals], 0.0, 1.0) for name in ("low", "mean", "high")
    )
    return RocBand(axis, mean, low, high)


def _at_rates(
    axis: Float[np.ndarray, " points"],
    false_positive_rate: Float[np.ndarray, " thresholds"],
    true_positive_rate: Float[np.ndarray, " thresholds"],
) -> Float[np.ndarray, " points"]:
    """Interpolate a curve; where it rises vertically take the top, but start from the origin."""
    last = np.append(np.flatnonzero(np.diff(false_positive_rate)), false_positive_rate.size - 1)
    values = np.interp(axis, false_positive_rate[last], true_positive_rate[last])
    values[0] = 0.0
    return values


def _require_classes(labels: Labels, scores: Scores) -> tuple[Labels, Scores]:
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=float)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise ValueError(
            f"labels and scores must be two lists of one length, but have shapes {labels.shape}, {scores.shape}."
        )
    if labels.dtype != bool:
        raise ValueError(f"labels must be boolean, but is {labels.dtype}: compare with the positive label first.")
    require_finite("scores", scores)
    if not labels.any() or labels.all():
        raise ValueError(f"labels must hold both classes, but all {labels.size} are {bool(labels.all())}.")
    return labels, scores
