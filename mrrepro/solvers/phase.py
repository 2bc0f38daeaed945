"""Checks of a phase image: radians, finite, unwrapped."""

from __future__ import annotations

import math

from jaxtyping import Bool, Float
from torch import Tensor

from mrrepro.validation import require_finite


def require_phase_in_radians(name: str, phase: Tensor) -> None:
    """Raise ``ValueError`` when a phase is not finite or so large that it must be in degrees."""
    require_finite(name, phase)
    largest = float(phase.abs().max()) if phase.numel() else 0.0
    if largest > 16.0 * math.pi:
        raise ValueError(
            f"{name} must be in radians, but reaches {largest:.4g}: multiply degrees by pi / 180, and unwrap without "
            "adding whole turns beyond 8."
        )


def require_unwrapped(phase: Float[Tensor, "x y z"], mask: Bool[Tensor, "x y z"]) -> None:
    """Raise ``ValueError`` unless the phase [rad] is finite and without wraps (jumps above 1.5 pi) in the mask."""
    require_phase_in_radians("phase in the mask", phase[mask])
    for axis in range(3):
        length = phase.shape[axis] - 1
        both = mask.narrow(axis, 0, length) & mask.narrow(axis, 1, length)
        jump = (phase.narrow(axis, 1, length) - phase.narrow(axis, 0, length))[both].abs()
        if bool((jump > 1.5 * math.pi).any()):
            raise ValueError(
                f"phase must be unwrapped, but jumps by {float(jump.max()):.3g} rad between neighbours in the mask "
                f"along axis {axis}: unwrap it first."
            )
