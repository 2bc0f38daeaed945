"""From the magnetic field of a coil to what a scanner sees: B1+, B1-, transceive phase, noise.

Phasors belong to ``exp(+j omega t)`` and B0 points along +z, so that spins of positive gyromagnetic ratio precess
clockwise, as ``exp(-j omega t)`` in the plane ``x + j y``. The part of a real field that turns with them has the
complex amplitude ``conj(B_x - j B_y) / 2``; what is called B1+ here is its conjugate, ``(B_x - j B_y) / 2``, so that
phases have the sign of the phasors they come from: ``laplace(B1+) = j omega mu_0 (sigma + j omega eps) B1+``.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from mrrepro.solvers.phase import require_phase_in_radians
from mrrepro.validation import require_finite, require_range, require_shape


def transmit_field(magnetic_flux: Complex[Tensor, "*batch 3 x y z"]) -> Complex[Tensor, "*batch x y z"]:
    """Return ``B1+ = (B_x - j B_y) / 2`` [T] of the field of the transmitting mode."""
    return 0.5 * (magnetic_flux[..., 0, :, :, :] - 1j * magnetic_flux[..., 1, :, :, :])


def receive_field(magnetic_flux: Complex[Tensor, "*batch 3 x y z"]) -> Complex[Tensor, "*batch x y z"]:
    """Return ``B1- = (B_x + j B_y) / 2`` [T] of the field that the receiving mode would make if it transmitted.

    By reciprocity the signal of a magnetisation is proportional to it, without a conjugate; in a quadrature coil the
    receiving mode is the transmitting one reversed.

    References
    ----------
    D. I. Hoult, Concepts Magn. Reson. 12, 173 (2000).
    """
    return 0.5 * (magnetic_flux[..., 0, :, :, :] + 1j * magnetic_flux[..., 1, :, :, :])


def transceive_phase(
    transmit: Complex[Tensor, "*batch x y z"], receive: Complex[Tensor, "*batch x y z"]
) -> Float[Tensor, "*batch x y z"]:
    """Return the phase of an image without off-resonance, ``arg(B1+ B1-)`` in (-pi, pi] [rad]."""
    return torch.angle(transmit * receive)


def add_measurement_noise(
    magnitude: Float[Tensor, "*batch x y z"],
    phase: Float[Tensor, "*batch x y z"],
    mask: Tensor,
    generator: torch.Generator,
    *,
    snr: float = 90.0,
    phase_sd: float = 9e-3,
) -> tuple[Float[Tensor, "*batch x y z"], Float[Tensor, "*batch x y z"]]:
    """Return magnitude and phase as measured: Gaussian noise on each, of independent strengths.

    Magnitude and phase come from different sequences, hence two settings; one complex field of SNR 90 would have a
    phase precision of 11 mrad, and the paper states 9 mrad.

    Parameters
    ----------
    magnitude : Tensor
        ``|B1+|`` [any unit].
    phase : Tensor
        [rad].
    mask : Tensor of bool, shape (x, y, z)
        The object; the SNR refers to the mean magnitude in it, over the whole batch where there is one.
    generator : torch.Generator
    snr : float
        Mean magnitude over its standard deviation; infinite for none.
    phase_sd : float
        Standard deviation of the phase [rad].

    Raises
    ------
    ValueError
        For an empty mask, and for a phase that can only be in degrees.
    """
    require_finite("magnitude", magnitude)
    require_phase_in_radians("phase", phase)
    require_shape("mask", mask, magnitude.shape[-3:])
    if not bool(mask.any()):
        raise ValueError("mask must hold at least one voxel, but is empty: give the object's mask.")
    if not snr > 0.0:
        raise ValueError(f"snr must be positive, but is {snr!r}: give infinity for noiseless data.")
    require_range("phase_sd", phase_sd, 0.0, math.pi, unit="rad")
    level = magnitude[..., mask].mean() / snr

    def noise() -> Tensor:
        return torch.randn(magnitude.shape, generator=generator, dtype=magnitude.dtype, device=generator.device).to(
            magnitude.device
        )

    return magnitude + level * noise(), phase + phase_sd * noise()
