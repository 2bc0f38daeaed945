"""Bloch equations of isochromats under a shaped pulse and gradients, without relaxation.

The pulse is a sequence of constant pieces; over each, the magnetisation turns about the effective
field exactly (Rodrigues), so that the only error is that of the pulse's own sampling.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

from mrrepro.constants import PROTON_GYROMAGNETIC_RATIO
from mrrepro.validation import require_range


@dataclass(frozen=True)
class SelectivePulse:
    """A sinc with a Hann window that excites a slice.

    Parameters
    ----------
    flip_angle : float
        [rad], at the slice's centre.
    thickness : float
        Nominal width of the slice [m].
    gradient : float
        Slice-selecting gradient [T/m].
    time_bandwidth : float
        Duration times bandwidth; more makes the edges of the slice steeper.
    samples : int
        Constant pieces.
    """

    flip_angle: float
    thickness: float
    gradient: float
    time_bandwidth: float = 6.0
    samples: int = 200

    def __post_init__(self) -> None:
        require_range("thickness", self.thickness, 0.0, 1.0, unit="m", low_open=True)
        require_range("time_bandwidth", self.time_bandwidth, 1.0, 40.0)
        if self.gradient == 0.0 or not np.isfinite(self.gradient):
            raise ValueError(
                f"gradient must be a finite value other than 0 T/m, but is {self.gradient!r}: "
                "without a gradient no slice is selected."
            )

    @property
    def duration(self) -> float:
        """Length of the pulse [s]."""
        bandwidth = PROTON_GYROMAGNETIC_RATIO / (2 * np.pi) * abs(self.gradient) * self.thickness
        return self.time_bandwidth / bandwidth

    def amplitude(self) -> Float[np.ndarray, " samples"]:
        """B_1 of each piece [T]."""
        tau = (np.arange(self.samples) + 0.5) / self.samples - 0.5
        shape = np.sinc(self.time_bandwidth * tau) * (0.5 + 0.5 * np.cos(2 * np.pi * tau))
        area = shape.sum() * self.duration / self.samples
        return shape * self.flip_angle / (PROTON_GYROMAGNETIC_RATIO * area)


def rotate(
    magnetisation: Float[np.ndarray, 3 * spins],  # noqa: F821
    b1: complex,
    offset: Float[np.ndarray, "*spins"],
    duration: float,
) -> Float[np.ndarray, 3 * spins]:  # noqa: F821
    """Turn (M_x, M_y, M_z) about the effective field (Re b1, Im b1, offset) [T] for ``duration`` [s].

    dM/dt = gamma M x B: a positive offset turns M_x towards -M_y.
    """
    bx, by = np.real(b1), np.imag(b1)
    norm = np.sqrt(bx**2 + by**2 + offset**2)
    safe = np.where(norm > 0, norm, 1.0)
    nx, ny, nz = bx / safe, by / safe, offset / safe
    angle = -PROTON_GYROMAGNETIC_RATIO * norm * duration
    cosine, sine = np.cos(angle), np.sin(angle)
    mx, my, mz = magnetisation
    along = (nx * mx + ny * my + nz * mz) * (1 - cosine)
    return np.stack(
        [
            mx * cosine + (ny * mz - nz * my) * sine + nx * along,
            my * cosine + (nz * mx - nx * mz) * sine + ny * along,
            mz * cosine + (nx * my - ny * mx) * sine + nz * along,
        ]
    )


def play_pulse(
    pulse: SelectivePulse,
    magnetisation: Float[np.ndarray, 3 * spins],  # noqa: F821
    offset: Float[np.ndarray, "*spins"],
    phase: float = 0.0,
) -> Float[np.ndarray, 3 * spins]:  # noqa: F821
    """Magnetisation after the pulse, at spins whose field differs from B_0 by ``offset`` [T] while it plays."""
    step = pulse.duration / pulse.samples
    for value in pulse.amplitude():
        magnetisation = rotate(magnetisation, value * np.exp(1j * phase), offset, step)
    return magnetisation


def slice_profile(
    pulse: SelectivePulse, position: Float[np.ndarray, " positions"]
) -> Complex[np.ndarray, " positions"]:
    """Transverse magnetisation M_x + i M_y after pulse and rephasing lobe, by position [m] on resonance."""
    rest = np.zeros((3, position.size))
    rest[2] = 1.0
    offset = pulse.gradient * position
    after = play_pulse(pulse, rest, offset)
    after = rotate(after, 0.0, -offset, pulse.duration / 2)
    return after[0] + 1j * after[1]
