"""The textbook volume integral equation with piecewise constant currents: the peer of the solver on the Yee grid.

All three components of the polarisation are constant in each voxel and the equation is tested with the same functions
(Galerkin). Because the current jumps at every face, the dyadic kernel reduces to integrals of the scalar Green's
function over products of one-dimensional functions of the lag: the triangle (the autocorrelation of a box), minus its
first derivative where one derivative is integrated by parts along that axis, and its second derivative, three point
masses. A benchmark's reference: it makes no claim to speed beyond using the same FFTs and the same GMRES.
"""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex
from scipy.fft import next_fast_len
from torch import Tensor

from mrrepro.constants import SPEED_OF_LIGHT
from mrrepro.phantoms.dielectric_body import DielectricBody
from mrrepro.solvers.krylov import GmresSettings, gmres

_NEAR = 3
"""Lags up to here get a quadrature of eight nodes an interval, the others of two."""


def _interval_rule(order: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(order)
    return 0.5 * (nodes + 1.0), 0.5 * weights


def _lag_rule(order: int, grade_towards: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return a rule on [-1, 1], by unit intervals, refined towards -1, 0 or 1 where the kernel is singular."""
    nodes, weights = _interval_rule(order)
    if grade_towards is None:
        return np.concatenate([nodes - 1.0, nodes]), np.concatenate([weights, weights])
    edges = np.concatenate([[0.0], 0.2 ** np.arange(9, -1, -1)])
    span = np.diff(edges)
    graded = (edges[:-1, None] + span[:, None] * nodes).ravel()
    graded_weights = (span[:, None] * weights).ravel()
    if grade_towards == 0:
        return np.concatenate([-graded, graded]), np.concatenate([graded_weights, graded_weights])
    towards, away = (-1.0 + graded, nodes) if grade_towards < 0 else (1.0 - graded, nodes - 1.0)
    return np.concatenate([towards, away]), np.concatenate([graded_weights, weights])


def _axis_rule(derivatives: int, order: int, grade_towards: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of the triangle, minus its derivative, or its second derivative (unit step)."""
    if derivatives == 2:
        return np.array([-1.0, 0.0, 1.0]), np.array([1.0, -2.0, 1.0])
    nodes, weights = _lag_rule(order, grade_towards)
    return nodes, weights * (1.0 - np.abs(nodes) if derivatives == 0 else np.sign(nodes))


def _integral(
    lags: np.ndarray, derivatives: tuple[int, int, int], order: int, size: float, singular: bool
) -> np.ndarray:
    """Return the integral of ``exp(-j k R) / (4 pi R)`` against the product of three functions, for lags (count, 3)."""
    total = np.zeros(len(lags), dtype=complex)
    grades: list[int | None] = [-int(lag) for lag in lags[0]] if singular else [None, None, None]
    rules = [_axis_rule(count, order, grade) for count, grade in zip(derivatives, grades, strict=True)]
    (x, wx), (y, wy), (z, wz) = rules
    for u, weight_u in zip(x, wx, strict=True):
        square_x = (lags[:, 0] + u) ** 2
        for chunk in range(0, len(lags), 4096):
            part = slice(chunk, chunk + 4096)
            square = (
                square_x[part, None, None]
                + ((lags[part, 1, None] + y) ** 2)[:, :, None]
                + ((lags[part, 2, None] + z) ** 2)[:, None, :]
            )
            distance = np.sqrt(square)
            kernel = np.exp(-1j * size * distance) / (4.0 * math.pi * distance)
            total[part] += weight_u * np.einsum("lyz,y,z->l", kernel, wy, wz, optimize=True)
    return total


def kernel(lengths: tuple[int, int, int], derivatives: tuple[int, int, int], size: float) -> np.ndarray:
    """Return the Galerkin kernel for lags 0 to ``length - 1``, in units of the step (``size`` is k h).

    ``int f_x(u) f_y(v) f_z(w) G(lag + (u, v, w)) du dv dw``, with derivatives (on the observation point) of the given
    number along each axis.
    """
    lags = np.stack(np.meshgrid(*(np.arange(n, dtype=float) for n in lengths), indexing="ij"), axis=-1).reshape(-1, 3)
    values = np.empty(len(lags), dtype=complex)
    largest = lags.max(axis=1)
    far, near = largest > _NEAR, (largest > 1) & (largest <= _NEAR)
    values[far] = _integral(lags[far], derivatives, 2, size, singular=False)
    values[near] = _integral(lags[near], derivatives, 8, size, singular=False)
    for index in np.flatnonzero(largest <= 1):
        values[index] = _integral(lags[index : index + 1], derivatives, 6, size, singular=True)[0]
    return values.reshape(lengths)


def _spectrum(
    half: np.ndarray, derivatives: tuple[int, int, int], period: tuple[int, int, int], dtype: torch.dtype
) -> Tensor:
    """Return the Fourier transform of the periodic kernel, odd along each axis with one derivative."""
    full = half
    for axis, length in enumerate(period):
        index = np.arange(length)
        full = np.take(full, np.minimum(index, length - index), axis=axis)
        if derivatives[axis] == 1:
            sign = np.where(index <= length // 2, 1.0, -1.0).reshape([-1 if axis == a else 1 for a in range(3)])
            full = full * sign
    return torch.fft.fftn(torch.as_tensor(full)).to(dtype)


@dataclass(frozen=True)
class PiecewiseConstantSolution:
    """Total magnetic flux density at the voxels' centres [T], shape (batch, 3, x, y, z), and how it was found.

    ``seconds`` leaves out the kernels, which a code may keep for a voxel size.
    """

    magnetic_flux: Tensor
    converged: bool
    products: int
    seconds: float


def solve_piecewise_constant(
    body: DielectricBody,
    electric: Complex[Tensor, "batch 3 x y z"],
    magnetic_flux: Complex[Tensor, "batch 3 x y z"],
    settings: GmresSettings,
) -> PiecewiseConstantSolution:
    """Return the field of a body in an incident field given at the voxels' centres.

    References
    ----------
    A. G. Polimeridis et al., J. Comput. Phys. 269, 280 (2014), for the equation; the reduction of the kernel to the
    triangle's derivatives is elementary.
    """
    x, y, z = (2 * int(next_fast_len(length + 1)) for length in body.grid.shape)
    period, lengths = (x, y, z), (x // 2 + 1, y // 2 + 1, z // 2 + 1)
    dtype, step = electric.dtype, body.grid.voxel_size
    size = body.wavenumber * step

    def transformed(*axes: int) -> Tensor:
        derivatives = (axes.count(0), axes.count(1), axes.count(2))
        return _spectrum(kernel(lengths, derivatives, size), derivatives, period, dtype)

    gx, gy, gz = transformed(0), transformed(1), transformed(2)
    scalar = transformed() * size**2
    dyadic = {pair: transformed(*pair) for pair in itertools.combinations_with_replacement(range(3), 2)}
    for axis in range(3):
        dyadic[axis, axis] = dyadic[axis, axis] + scalar
    began = time.perf_counter()
    chi = torch.as_tensor(body.contrast()).to(dtype)
    inside = chi != 0
    ratio = (chi / (1.0 + chi))[inside]

    def convolve(vectors: Tensor, rows: list[list[Tensor | None]]) -> Tensor:
        spectrum = torch.fft.fftn(vectors, s=period, dim=(-3, -2, -1))
        result = torch.zeros_like(spectrum)
        for row, kernels in enumerate(rows):
            for column, factor in enumerate(kernels):
                if factor is not None:
                    result[:, row].addcmul_(factor, spectrum[:, column])
        cropped = torch.fft.ifftn(result, dim=(-3, -2, -1))
        return cropped[..., : body.grid.shape[0], : body.grid.shape[1], : body.grid.shape[2]]

    rows: list[list[Tensor | None]] = [[dyadic[min(a, b), max(a, b)] for b in range(3)] for a in range(3)]

    def operator(unknown: Tensor) -> Tensor:
        voxels = electric.new_zeros(electric.shape)
        voxels[:, :, inside] = unknown.reshape(len(unknown), 3, -1)
        scattered = convolve(voxels, rows)[:, :, inside]
        return (unknown.reshape(len(unknown), 3, -1) / (1.0 + chi[inside]) - ratio * scattered).reshape(unknown.shape)

    found = gmres(operator, (ratio * electric[:, :, inside]).reshape(len(electric), -1), settings)
    polarisation = torch.zeros_like(electric)
    polarisation[:, :, inside] = found.solution.reshape(len(electric), 3, -1)
    curl = convolve(polarisation, [[None, -gz, gy], [gz, None, -gx], [-gy, gx, None]])
    scattered_flux = curl * (1j * size / SPEED_OF_LIGHT)
    return PiecewiseConstantSolution(
        magnetic_flux + scattered_flux, found.converged, found.products, time.perf_counter() - began
    )
