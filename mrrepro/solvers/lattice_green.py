"""The lattice Green's function: the point source of the seven-point Laplacian.

On a grid of step h the static kernel solves ``-laplace_h G = delta / h^3`` exactly, so that charge and current that
live on a Yee grid act on each other as the discrete Maxwell equations ask; sampling ``1 / (4 pi R)`` does not.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from jaxtyping import Complex, Float
from scipy.special import ive
from torch import Tensor

EXACT_EXTENT = 16
"""Largest index at which the integral is evaluated; the asymptotic expansion serves beyond."""

_LAST_TIME = 1e8
"""Upper end of the quadrature; the tail beyond it is integrated in closed form."""


@functools.cache
def _exact_block() -> Float[np.ndarray, "17 17 17"]:
    """Return the kernel for indices 0 to 16 by quadrature in log t, Gauss-Legendre on panels.

    ``g(l, m, n) = int_0^inf exp(-6 t) I_l(2 t) I_m(2 t) I_n(2 t) dt``; the tail uses two terms of the Bessel functions'
    expansion, whose remainder is below 1e-14 here.
    """
    nodes, weights = np.polynomial.legendre.leggauss(24)
    edges = np.linspace(math.log(1e-18), math.log(_LAST_TIME), 61)
    half = 0.5 * np.diff(edges)[:, None]
    log_time = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * nodes).ravel()
    time = np.exp(log_time)
    weight = (half * weights).ravel() * time
    bessel = ive(np.arange(EXACT_EXTENT + 1)[:, None], 2.0 * time)
    block = np.einsum("at,bt,ct,t->abc", bessel, bessel, bessel, weight, optimize=True)
    squares = np.arange(EXACT_EXTENT + 1.0) ** 2
    sum_of_squares = squares[:, None, None] + squares[:, None] + squares
    tail = 2.0 / math.sqrt(_LAST_TIME) - (4.0 * sum_of_squares - 3.0) / (24.0 * _LAST_TIME**1.5)
    return block + tail / (4.0 * math.pi) ** 1.5


def static_lattice_green(lengths: tuple[int, int, int]) -> Float[np.ndarray, "x y z"]:
    """Return the static lattice Green's function for unit step.

    Integral (Koster and Slater's, in terms of modified Bessel functions) for indices up to 16, and beyond

    ``1 / (4 pi R) (1 + (5 (x^4 + y^4 + z^4) / R^4 - 3) / (8 R^2))``, in relative error of order ``R^-4``.

    Parameters
    ----------
    lengths : tuple of 3 int
        Indices 0 to ``length - 1`` along each axis.

    Returns
    -------
    ndarray, shape ``lengths``
        Dimensionless; divide by the step h [m] for a kernel in 1/m.

    Examples
    --------
    >>> round(float(static_lattice_green((1, 1, 1))[0, 0, 0]), 11)
    0.25273100986
    """
    x, y, z = np.meshgrid(*(np.arange(length, dtype=float) for length in lengths), indexing="ij", sparse=True)
    square = x**2 + y**2 + z**2
    square[0, 0, 0] = 1.0
    quartic = (x**4 + y**4 + z**4) / square**2
    kernel = (1.0 + (5.0 * quartic - 3.0) / (8.0 * square)) / (4.0 * math.pi * np.sqrt(square))
    near = tuple(slice(0, min(length, EXACT_EXTENT + 1)) for length in lengths)
    kernel[near] = _exact_block()[near]
    return kernel


def helmholtz_lattice_green(
    lengths: tuple[int, int, int], step: float, wavenumber: float
) -> Complex[np.ndarray, "x y z"]:
    """Return the kernel of the Helmholtz equation on the lattice [1/m].

    The static lattice kernel plus ``(exp(-j k R) - 1) / (4 pi R)``, which is smooth and therefore sampled; outgoing
    waves for the time dependence ``exp(+j omega t)``. Valid for ``k h`` small against 1.

    Parameters
    ----------
    lengths : tuple of 3 int
        Indices 0 to ``length - 1`` along each axis.
    step : float
        Step h [m].
    wavenumber : float
        k [rad/m], real, of the background.
    """
    x, y, z = np.meshgrid(*(step * np.arange(length) for length in lengths), indexing="ij", sparse=True)
    phase = wavenumber * np.sqrt(x**2 + y**2 + z**2)
    # (exp(-j p) - 1) / p = -(j sinc(p) + p / 2 sinc(p / 2)^2), without cancellation at small p
    retardation = -1j * np.sinc(phase / math.pi) - 0.5 * phase * np.sinc(0.5 * phase / math.pi) ** 2
    return static_lattice_green(lengths) / step + wavenumber / (4.0 * math.pi) * retardation


def periodic_spectrum(kernel: Complex[Tensor, "x y z"], period: tuple[int, int, int]) -> Complex[Tensor, "px py pz"]:
    """Return the Fourier transform of the even periodic extension of a kernel (indices 0 to ``period // 2``)."""
    wrapped = kernel
    for axis, length in enumerate(period):
        index = torch.arange(length, device=kernel.device)
        wrapped = wrapped.index_select(axis, torch.minimum(index, length - index))
    return torch.fft.fftn(wrapped)
