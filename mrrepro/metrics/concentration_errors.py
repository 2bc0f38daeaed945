"""How far an estimated concentration map is from the true one, and what one gets without estimating."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mrrepro.validation import require_finite, require_shape


def nmae(estimate: Float[Tensor, "batch x z"], truth: Float[Tensor, "batch x z"]) -> Float[Tensor, " batch"]:
    """Normalised mean absolute error ||estimate - truth||_1 / ||truth||_1 of each map (section 5).

    An estimate of zero has 1. Negative estimates count as they are.

    Raises
    ------
    ValueError
        If the shapes differ, a value is not finite, or a true map is zero everywhere.

    >>> nmae(torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[2.0, 0.0]]]))
    tensor([0.5000])
    """
    require_shape("estimate", estimate, tuple(truth.shape), "compare maps of the same samples")
    require_finite("estimate", estimate)
    size = truth.abs().sum(dim=(1, 2))
    if bool((size == 0).any()):
        raise ValueError(
            f"truth must hold iron in every map, but {int((size == 0).sum())} of {size.numel()} are zero everywhere: "
            "leave these samples out, the error relative to nothing is not defined."
        )
    return (estimate - truth).abs().sum(dim=(1, 2)) / size


def level(truth: Float[Tensor, "batch x z"]) -> Float[Tensor, " batch"]:
    """The concentration of each map: the median over its pixels that hold iron."""
    return torch.stack([each[each > 0].median() for each in truth])


def region_of_interest(truth: Float[Tensor, "batch x z"]) -> Bool[Tensor, "batch x z"]:
    """Pixels at least half filled: above half of the map's level."""
    return truth > 0.5 * level(truth)[:, None, None]


def roi_mean(values: Float[Tensor, "batch x z"], region: Bool[Tensor, "batch x z"]) -> Float[Tensor, " batch"]:
    """Mean of each map over its region.

    Raises
    ------
    ValueError
        If a region is empty.
    """
    require_shape("region", region, tuple(values.shape))
    pixels = region.sum(dim=(1, 2))
    if bool((pixels == 0).any()):
        raise ValueError(f"region must not be empty, but is in {int((pixels == 0).sum())} maps: erode less.")
    return (values * region).sum(dim=(1, 2)) / pixels


def erode(region: Bool[Tensor, "batch x z"], pixels: int) -> Bool[Tensor, "batch x z"]:
    """The region without its outermost ``pixels``."""
    outside = (~region).float()[:, None]
    return torch.nn.functional.max_pool2d(outside, 2 * pixels + 1, stride=1, padding=pixels)[:, 0] == 0


def best_constant(concentrations: Float[np.ndarray, " samples"]) -> tuple[float, float]:
    """The one concentration that, with every shape known, gives the lowest mean NMAE, and that error.

    With the perfect shape the NMAE of a sample is |k - c| / c, so k is the median of c weighted by 1/c.

    >>> best_constant(np.array([1.0, 2.0, 10.0]))
    (1.0, 0.4666666666666666)
    """
    ordered = np.sort(np.asarray(concentrations, dtype=np.float64))
    weight = np.cumsum(1.0 / ordered)
    constant = float(ordered[np.searchsorted(weight, 0.5 * weight[-1])])
    return constant, float(np.mean(np.abs(constant - ordered) / ordered))
