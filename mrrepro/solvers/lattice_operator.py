"""The volume integral operators on a box of a Yee grid: convolutions with the lattice Green's function by FFT."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from jaxtyping import Complex
from scipy.fft import next_fast_len
from torch import Tensor

from mrrepro.constants import SPEED_OF_LIGHT
from mrrepro.solvers.lattice_green import helmholtz_lattice_green, periodic_spectrum


class LatticeOperator:
    """``(k^2 + grad div) G *`` and ``curl G *`` on a box, by FFT.

    The convolution of period 2 m is the mean of eight of period m, periodic or antiperiodic along each axis: no zeros
    are transformed, and the workspace is an eighth of the padded grid's.

    Parameters
    ----------
    shape : tuple of 3 int
        Edges along each axis.
    step : float
        Voxel size h [m].
    wavenumber : float
        k [rad/m].
    dtype : torch.dtype
        complex64 or complex128.
    device : torch.device
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        step: float,
        wavenumber: float,
        *,
        dtype: torch.dtype,
        device: torch.device | str,
    ) -> None:
        self.shape = shape
        self.wavenumber = wavenumber
        x, y, z = (half_period(length) for length in shape)
        self.half = (x, y, z)
        kernel = helmholtz_lattice_green((x + 1, y + 1, z + 1), step, wavenumber) * step**3
        spectrum = periodic_spectrum(torch.as_tensor(kernel, device=device), (2 * x, 2 * y, 2 * z)).to(dtype)
        self.parts = []
        for parity in itertools.product((0, 1), repeat=3):
            twist = torch.ones((), dtype=torch.complex128, device=device)
            difference = []
            for axis, (odd, length) in enumerate(zip(parity, self.half, strict=True)):
                along = [-1 if axis == other else 1 for other in range(3)]
                index = torch.arange(length, dtype=torch.float64, device=device)
                twist = twist * torch.exp(-1j * math.pi * odd / length * index).reshape(along)
                symbol = (torch.exp(1j * math.pi * (2.0 * index + odd) / length) - 1.0) / step
                difference.append(symbol.to(dtype).reshape(along))
            own = spectrum[parity[0] :: 2, parity[1] :: 2, parity[2] :: 2].contiguous()
            self.parts.append(_SpectralPart(own, difference, twist.to(dtype)))

    def _convolve(
        self,
        edges: Complex[Tensor, "batch 3 x y z"],
        multiply: Callable[[_SpectralPart, Complex[Tensor, "3 mx my mz"]], Complex[Tensor, "3 mx my mz"]],
    ) -> Complex[Tensor, "batch 3 x y z"]:
        """Return what ``multiply`` makes of the Fourier transform of each of the batch."""
        x, y, z = self.shape
        result = torch.empty_like(edges)
        padded = edges.new_zeros((3, *self.half))
        for one, source in enumerate(edges):
            padded[:, :x, :y, :z] = source
            total = torch.zeros_like(padded)
            for part in self.parts:
                spectrum = torch.fft.fftn(padded * part.twist, dim=(-3, -2, -1))
                total.addcmul_(torch.fft.ifftn(multiply(part, spectrum), dim=(-3, -2, -1)), part.untwist)
            result[one] = total[:, :x, :y, :z]
        return result

    def scattered_electric(self, polarisation: Complex[Tensor, "batch 3 x y z"]) -> Complex[Tensor, "batch 3 x y z"]:
        """Return the electric field [V/m] on the edges that a polarisation [V/m] on the edges gives."""

        def multiply(part: _SpectralPart, spectrum: Tensor) -> Tensor:
            divergence = part.backward[0] * spectrum[0]
            divergence.addcmul_(part.backward[1], spectrum[1]).addcmul_(part.backward[2], spectrum[2])
            spectrum *= self.wavenumber**2
            for axis in range(3):
                spectrum[axis].addcmul_(part.forward[axis], divergence)
            return spectrum.mul_(part.green)

        return self._convolve(polarisation, multiply)

    def scattered_magnetic(self, polarisation: Complex[Tensor, "batch 3 x y z"]) -> Complex[Tensor, "batch 3 x y z"]:
        """Return the magnetic flux density [T] on the faces that a polarisation [V/m] on the edges gives."""

        def multiply(part: _SpectralPart, spectrum: Tensor) -> Tensor:
            potential = spectrum * part.green
            pairs = ((1, 2), (2, 0), (0, 1))
            curl = [part.forward[a] * potential[b] - part.forward[b] * potential[a] for a, b in pairs]
            return torch.stack(curl) * (1j * self.wavenumber / SPEED_OF_LIGHT)

        return self._convolve(polarisation, multiply)


class _SpectralPart:
    """One eighth of the spectrum: the frequencies that are even or odd along each axis."""

    def __init__(self, green: Tensor, forward: list[Tensor], twist: Tensor) -> None:
        self.green = green
        self.forward = forward
        # The divergence at a node is a backward difference, whose symbol is minus the conjugate of the forward one.
        self.backward = [-symbol.conj().resolve_conj() for symbol in forward]
        self.twist = twist
        self.untwist = twist.conj().resolve_conj() / 8.0


def half_period(length: int) -> int:
    """Return half the period along one axis: a product of small primes of at least ``length + 1``."""
    return int(next_fast_len(length + 1))
