"""Losses between estimated and true channels, relative to the true ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mrrepro.validation import require_range

NORM_FLOOR = 1e-3
"""Default of the floor of ||a||_1 [unit of the channel times pixels], far below that of any object of one pixel."""


def normalised_absolute_deviation(
    estimate: Float[Tensor, "batch channels height width"],
    truth: Float[Tensor, "batch channels height width"],
    floor: float = NORM_FLOOR,
) -> Float[Tensor, ""]:
    """Sum over channels of the mean over images of the relative absolute deviation,

        (1/N) sum_i sum_j ||a_ij - e_ij||_1 / (||a_ij||_1 + floor).

    Parameters
    ----------
    estimate, truth : Float[Tensor, "batch channels height width"]
        e and a.
    floor : float
        Keeps the quotient finite for a channel that is zero; positive [unit of the channel times pixels]. A channel
        of norm ``floor`` has half the weight of the printed loss. An image without any object should not be trained
        on: its loss is ||e||_1 / floor.

    Returns
    -------
    Float[Tensor, ""]
        In float32 or better. An estimate of zero gives the number of channels that are not zero.

    References
    ----------
    G. della Maggiora et al., DeepSPIO, IEEE TPAMI 2020, section 4.4, without the term in the weights and with the
    floor added.
    """
    estimate, truth = _comparable(estimate, truth)
    deviation = (truth - estimate).abs().sum(dim=(2, 3))
    return (deviation / (truth.abs().sum(dim=(2, 3)) + floor)).mean(dim=0).sum()


def normalised_square_deviation(
    estimate: Float[Tensor, "batch channels height width"],
    truth: Float[Tensor, "batch channels height width"],
    floor: float = NORM_FLOOR,
) -> Float[Tensor, ""]:
    """Sum over channels of the mean over images of ||a_ij - e_ij||_2^2 / (||a_ij||_2^2 + floor^2).

    Parameters and result as in `normalised_absolute_deviation`. Unlike it, the gradient at an estimate of zero
    points to the truth wherever most pixels are zero, so that a training from there does not stay at zero.
    """
    estimate, truth = _comparable(estimate, truth)
    deviation = (truth - estimate).square().sum(dim=(2, 3))
    return (deviation / (truth.square().sum(dim=(2, 3)) + floor**2)).mean(dim=0).sum()


@dataclass(frozen=True)
class SquareThenAbsolute:
    """The normalised square deviation for the first part of a run, the absolute one for the rest.

    The absolute deviation from the start gets stuck at an estimate of zero, where the median of a map that is
    mostly zero lies.

    Parameters
    ----------
    steps : int
        Steps of the whole run, at least 1.
    square_fraction : float
        Fraction of the run with the square deviation, in [0, 1]; 0 is the printed loss from the start.
    floor : float
        See `normalised_absolute_deviation`.
    """

    steps: int
    square_fraction: float = 0.6
    floor: float = NORM_FLOOR

    def __post_init__(self) -> None:
        require_range("steps", self.steps, 1)
        require_range("square_fraction", self.square_fraction, 0.0, 1.0)
        require_range("floor", self.floor, 0.0, low_open=True)

    @property
    def first_absolute_step(self) -> int:
        """First step, counted from 0, with the absolute deviation."""
        return math.ceil(self.square_fraction * self.steps)

    def __call__(
        self,
        estimate: Float[Tensor, "batch channels height width"],
        truth: Float[Tensor, "batch channels height width"],
        step: int,
    ) -> Float[Tensor, ""]:
        """Return the loss of this step."""
        if step < self.first_absolute_step:
            return normalised_square_deviation(estimate, truth, self.floor)
        return normalised_absolute_deviation(estimate, truth, self.floor)


def _comparable(estimate: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    if estimate.shape != truth.shape or estimate.ndim != 4:
        raise ValueError(
            "estimate and truth must have the same shape (batch, channels, height, width), but have "
            f"{tuple(estimate.shape)} and {tuple(truth.shape)}: compare the network's output with its target(maps)."
        )
    dtype = torch.promote_types(torch.promote_types(estimate.dtype, truth.dtype), torch.float32)
    return estimate.to(dtype), truth.to(dtype)
