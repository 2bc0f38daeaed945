"""From the maps of a case to what a network gets: noise, normalisation, slices on square images.

Channels: |B1+| over its mean in the object; the phase less its mean in the object [rad]; and the object's mask, or a
spin-echo image over its mean in the object. Outside the object all three are 0, as a scanner measures
nothing there. Neither the transmitter's gain nor a constant of the phase is known on a scanner, so neither is given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mrrepro.papers.dl_ept.settings import MeasurementSettings
from mrrepro.validation import require_finite, require_shape

QUANTITIES = ("conductivity", "relative_permittivity")
THIRD_INPUTS = ("mask", "tissue")
TYPICAL = {"conductivity": 1.0, "relative_permittivity": 50.0}
"""What a network's output of 1 means [S/m, 1]."""

AIR = {"conductivity": 0.0, "relative_permittivity": 1.0}

Volume = Float[Tensor, "x y z"]


@dataclass(frozen=True)
class Measurement:
    """Maps of one object as measured, normalised.

    Parameters
    ----------
    magnitude : Tensor, shape (x, y, z)
        |B1+| over its mean in the object.
    phase : Tensor, shape (x, y, z)
        [rad], its mean in the object taken off.
    third : Tensor, shape (x, y, z)
        Mask or image.
    mask : Tensor of bool, shape (x, y, z)
    """

    magnitude: Volume
    phase: Volume
    third: Volume
    mask: Tensor

    def channels(self) -> Float[Tensor, "z 3 x y"]:
        """Return the axial slices with their three channels, 0 outside the object."""
        stack = torch.stack([self.magnitude, self.phase, self.third]) * self.mask
        return stack.permute(3, 0, 1, 2).contiguous()


def measure(magnitude: Volume, phase: Volume, mask: Tensor, third: Volume | None = None) -> Measurement:
    """Normalise maps as a network expects them.

    Parameters
    ----------
    magnitude : Tensor, shape (x, y, z)
        |B1+| [any unit], positive in the mask.
    phase : Tensor, shape (x, y, z)
        Transceive phase, unwrapped [rad].
    mask : Tensor of bool, shape (x, y, z)
    third : Tensor, shape (x, y, z), optional
        A spin-echo image [any unit]; by default the mask.

    Raises
    ------
    ValueError
        For an empty mask, maps of another shape or with NaN in the mask, and images without signal.
    """
    if not bool(mask.any()):
        raise ValueError("mask must hold at least one voxel, but is empty: give the object's mask.")
    for name, values in (("magnitude", magnitude), ("phase", phase), ("third", third)):
        if values is not None:
            require_shape(name, values, mask.shape, "give the shape of the mask")
            require_finite(f"{name} in the mask", values[mask])
    level = magnitude[mask].mean()
    if not level > 0:
        raise ValueError(f"magnitude must be positive in the mask, but its mean is {level.item():g}.")
    image = mask.float()
    if third is not None:
        level_of_image = third[mask].double().mean()
        if not level_of_image > 0:
            raise ValueError("third must hold signal in the mask, but its mean is not positive: give an image.")
        image = (third / level_of_image).float()
    nothing = torch.zeros(())
    return Measurement(
        torch.where(mask, magnitude.float() / level, nothing),
        torch.where(mask, phase.float() - phase[mask].float().mean(), nothing),
        torch.where(mask, image, nothing),
        mask,
    )


def measurement_of(case: Mapping[str, np.ndarray[Any, Any]], third: str, phase: str) -> Measurement:
    """Return the noiseless measurement of a simulated case; ``phase`` is ``transceive`` or ``transmit``."""
    mask = torch.as_tensor(case["labels"] > 0)
    angle = torch.as_tensor(case["transceive_phase"])
    if phase == "transmit":
        angle = 2.0 * torch.as_tensor(case["transmit_phase"])
    image = torch.as_tensor(case["spin_echo"]) if third == "tissue" else None
    return measure(torch.as_tensor(case["magnitude"]), angle, mask, image)


def add_noise(
    channels: Float[Tensor, "z 3 x y"], snr: float, phase_sd: float, generator: torch.Generator
) -> Float[Tensor, "z 3 x y"]:
    """Return normalised slices with noise on magnitude and phase, inside the object, of independent strengths.

    The paper adds noise to 'real and imaginary parts' and states an SNR of 90 and a phase precision of 9 mrad, which
    one complex field cannot have at once (it would be 11 mrad).
    """
    inside = (channels[:, 0] != 0).to(channels)
    noise = torch.randn((2, *inside.shape), generator=generator, device=generator.device).to(channels)
    strength = (0.0 if math.isinf(snr) else 1.0 / snr, phase_sd)
    noisy = channels.clone()
    for channel in (0, 1):
        noisy[:, channel] += strength[channel] * noise[channel] * inside
    return noisy


def square_offsets(shape: Sequence[int], size: int) -> tuple[int, int]:
    """Return where an image lies in the middle of a square of ``size`` pixels."""
    if max(shape) > size:
        raise ValueError(
            f"measurement.image_size must be at least {max(shape)} for a slice of {tuple(shape)} pixels, but is "
            f"{size}: raise it, or take larger voxels."
        )
    return (size - shape[0]) // 2, (size - shape[1]) // 2


def on_square(images: Float[Tensor, "... x y"], size: int, fill: float = 0.0) -> Float[Tensor, "... size size"]:
    """Put images into the middle of squares."""
    top, left = square_offsets(images.shape[-2:], size)
    canvas = images.new_full((*images.shape[:-2], size, size), fill)
    canvas[..., top : top + images.shape[-2], left : left + images.shape[-1]] = images
    return canvas


def off_square(images: Float[Tensor, "... size size"], shape: Sequence[int]) -> Float[Tensor, "... x y"]:
    """Undo `on_square`."""
    top, left = square_offsets(shape, images.shape[-1])
    return images[..., top : top + shape[0], left : left + shape[1]]


def chosen_slices(mask: Tensor, count: int) -> list[int]:
    """Return at most ``count`` axial slices spread evenly over those that hold the object."""
    held = torch.nonzero(mask.any(dim=0).any(dim=0)).ravel().tolist()
    places = np.linspace(0, len(held) - 1, min(count, len(held))).round().astype(int)
    return [held[place] for place in places]


@dataclass(frozen=True)
class SliceSet:
    """Noiseless slices of several cases.

    Parameters
    ----------
    inputs : Tensor, shape (slices, 3, size, size)
    truth : Tensor, shape (slices, 1, size, size)
        In physical units.
    """

    inputs: Float[Tensor, "n 3 size size"]
    truth: Float[Tensor, "n 1 size size"]


def slice_set(
    cases: Mapping[str, Mapping[str, np.ndarray[Any, Any]]],
    heads: Mapping[str, bool],
    third: str,
    quantity: str,
    settings: MeasurementSettings,
) -> SliceSet:
    """Return the slices of cases, with ``heads`` saying which of them are heads."""
    inputs, truths = [], []
    for name, case in cases.items():
        measured = measurement_of(case, third, settings.phase)
        count = settings.slices_per_head if heads[name] else settings.slices_per_phantom
        chosen = chosen_slices(measured.mask, count)
        truth = torch.as_tensor(case[quantity]).permute(2, 0, 1)[chosen, None]
        inputs.append(on_square(measured.channels()[chosen], settings.image_size))
        truths.append(on_square(truth, settings.image_size, AIR[quantity]))
    return SliceSet(torch.cat(inputs), torch.cat(truths))
