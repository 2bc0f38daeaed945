"""One View Line by the Bloch equations: the slow reference of `simulate_view_lines`.

Nothing of the fast model enters: the pulses are played piece by piece on isochromats in a (y, z)
plane, the oblique refocusing pulse included, and the signal is sampled in time and Fourier
transformed. What crushers select is taken exactly: of the transverse magnetisation after the
refocusing pulse, M+ -> a M+ + b conj(M+), the part b.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Complex, Float

from mrrepro.constants import PROTON_GYROMAGNETIC_RATIO
from mrrepro.simulators.bloch import SelectivePulse, play_pulse, rotate
from mrrepro.simulators.view_line import ViewLineSequence
from mrrepro.validation import require_finite, require_shape

SPINS_PER_PIXEL = 24
REFOCUSED_SAMPLES = 25


def bloch_line(
    field: Float[np.ndarray, " z"],
    spin_density: Float[np.ndarray, " z"],
    sequence: ViewLineSequence,
    line_position: float = 0.0,
) -> Complex[np.ndarray, " v"]:
    """Image along the readout of one excited line, at one x.

    Parameters
    ----------
    field : array, (size,)
        dB along z [T].
    spin_density : array, (size,)
        At least 0.
    sequence : ViewLineSequence
        Geometry, gradients and echo time.
    line_position : float
        z_k of the line [m].

    Returns
    -------
    array, (size,)
        Complex signal density, averaged over the refocused thickness along y and scaled as the fast model's.
    """
    require_shape("field", field, (sequence.size,))
    require_shape("spin_density", spin_density, (sequence.size,))
    require_finite("field", field)
    size, voxel = sequence.size, sequence.voxel
    z = ((np.arange(size * SPINS_PER_PIXEL) + 0.5) / SPINS_PER_PIXEL - 0.5 - size // 2) * voxel
    offset = np.interp(z, sequence.positions(), field)
    density = np.repeat(spin_density, SPINS_PER_PIXEL)
    gradient = sequence.slice_gradient
    excite = SelectivePulse(math.pi / 2, sequence.line_thickness, gradient)
    refocus = SelectivePulse(math.pi, sequence.line_thickness, gradient)
    selecting = gradient * (z - line_position)

    transverse = _excited(excite, selecting, offset, sequence.echo_time / 2 - refocus.duration / 2)
    y = np.linspace(-2.0, 2.0, REFOCUSED_SAMPLES) * sequence.line_thickness
    echo = sum(_refocused(refocus, transverse, selecting + gradient * height, offset) for height in y)
    echo = echo * np.exp(-1j * PROTON_GYROMAGNETIC_RATIO * offset * (sequence.echo_time / 2 - refocus.duration / 2))
    scale = (y[1] - y[0]) / _refocused_thickness(refocus, y)
    return _read_out(echo * density * scale, z, offset, sequence) / SPINS_PER_PIXEL


def _excited(
    pulse: SelectivePulse, selecting: Float[np.ndarray, " z"], offset: Float[np.ndarray, " z"], until: float
) -> Complex[np.ndarray, " z"]:
    """M+ when the refocusing pulse begins, ``until`` seconds after the centre of the excitation."""
    rest = np.zeros((3, offset.size))
    rest[2] = 1.0
    after = play_pulse(pulse, rest, selecting + offset)
    lobe = rotate(after, 0.0, -selecting, pulse.duration / 2)
    lobe = rotate(lobe, 0.0, offset, until - pulse.duration / 2)
    return lobe[0] + 1j * lobe[1]


def _refocused(
    pulse: SelectivePulse,
    transverse: Complex[np.ndarray, " z"],
    selecting: Float[np.ndarray, " z"],
    offset: Float[np.ndarray, " z"],
) -> Complex[np.ndarray, " z"]:
    """b conj(M+): what the crushers leave."""
    basis = np.zeros((2, 3, offset.size))
    basis[0, 0] = basis[1, 1] = 1.0
    from_x, from_y = (play_pulse(pulse, start, selecting + offset, phase=math.pi / 2) for start in basis)
    b = 0.5 * ((from_x[0] + 1j * from_x[1]) + 1j * (from_y[0] + 1j * from_y[1]))
    return b * np.conj(transverse)


def _refocused_thickness(pulse: SelectivePulse, y: Float[np.ndarray, " y"]) -> float:
    """Integral over y of |b| on resonance [m]."""
    ones = np.ones(y.size, dtype=complex)
    values = _refocused(pulse, ones, pulse.gradient * y, np.zeros(y.size))
    return float(np.abs(values).sum() * (y[1] - y[0]))


def _read_out(
    echo: Complex[np.ndarray, " z"],
    z: Float[np.ndarray, " z"],
    offset: Float[np.ndarray, " z"],
    sequence: ViewLineSequence,
) -> Complex[np.ndarray, " v"]:
    """Sample the echo in time and transform it to the readout axis."""
    size, gradient = sequence.size, sequence.readout_gradient
    dwell = 2 * math.pi / (PROTON_GYROMAGNETIC_RATIO * gradient * sequence.field_of_view)
    index = np.arange(size) - size // 2
    apparent = z + offset / gradient
    used = np.abs(echo) > 0
    phase = -PROTON_GYROMAGNETIC_RATIO * gradient * dwell * np.outer(index, apparent[used])
    signal = np.exp(1j * phase) @ echo[used]
    return np.fft.fftshift(np.fft.ifft(np.fft.ifftshift(signal)))
