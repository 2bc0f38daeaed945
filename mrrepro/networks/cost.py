"""What a network costs: weights, floating-point operations, and the width at which two networks cost the same."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mrrepro.validation import require_range

WIDTH_STEP = 0.125
"""Granularity of `matched_width`: base widths are multiples of this, so that 16 b is even."""


def count_weights(network: nn.Module) -> int:
    """Return the number of trainable numbers (weights, biases, scales and shifts of normalisations)."""
    return sum(parameter.numel() for parameter in network.parameters())


def forward_flops(build: Callable[[], nn.Module], height: int, width: int, channels: int = 2) -> int:
    """Floating-point operations of one forward pass of one image, a product and a sum counting as two.

    Convolutions and matrix products are counted, element-wise operations are not. The network is built and run on
    torch's ``meta`` device, so that neither memory nor time depends on its size.

    Parameters
    ----------
    build : callable
        Makes the network.
    height, width : int
        Size of the image [pixels].
    channels : int
        Channels of the image.
    """
    with torch.device("meta"):
        network = build().eval()
        images = torch.empty(1, channels, height, width)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(images)
    return int(counter.get_total_flops())


def matched_width(
    build: Callable[[float], nn.Module], reference_flops: float, size: int, tolerance: float = 0.10
) -> float:
    """Width at which a network costs as much as a reference.

    Parameters
    ----------
    build : callable
        Makes the network of a given base width, which may be a fraction.
    reference_flops : float
        Operations of one forward pass of the reference [1], as `forward_flops` counts them.
    size : int
        Height and width of the image [pixels].
    tolerance : float
        Largest admissible relative difference of the two costs.

    Returns
    -------
    float
        The multiple of `WIDTH_STEP`, at least 1, whose cost is nearest to ``reference_flops``.

    Raises
    ------
    ValueError
        If no width comes within ``tolerance`` (a reference below the narrowest network's cost).

    Notes
    -----
    The cost grows with the width, so a bisection finds the two neighbours.
    """
    require_range("reference_flops", reference_flops, 0.0, low_open=True)

    def flops(steps: int) -> int:
        return forward_flops(lambda: build(steps * WIDTH_STEP), size, size)

    low = round(1 / WIDTH_STEP)
    high = 2 * low
    while flops(high) < reference_flops:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if flops(middle) < reference_flops else (low, middle)
    best = min((low, high), key=lambda steps: abs(flops(steps) - reference_flops))
    difference = abs(flops(best) - reference_flops) / reference_flops
    if difference > tolerance:
        raise ValueError(
            f"No width comes within {tolerance:.0%} of reference_flops = {reference_flops:g}: the nearest, "
            f"{best * WIDTH_STEP:g}, differs by {difference:.0%}; take a costlier reference."
        )
    return best * WIDTH_STEP
