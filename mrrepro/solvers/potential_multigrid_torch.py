"""The scalar-potential system for a batch of sources at once, in torch, for a GPU.

The same operator and coarser grids as the CPU's solver. What differs is what suits a GPU: whole-array operations over a
batch, and a Chebyshev polynomial in D^-1 A for a smoother, which needs no order of the nodes. Kirchhoff's operator is
diagonally dominant, so the eigenvalues of D^-1 A lie in [0, 2] by construction and no estimate is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from mrrepro.solvers.potential_multigrid import PotentialResult, Tolerances, zero_mean_potential
from mrrepro.solvers.potential_system import PotentialSystem
from mrrepro.validation import require_finite, require_shape

_SMOOTHING_DEGREE = 3
_SMOOTHED_FROM, _SMOOTHED_TO = 0.4, 2.0


@dataclass(frozen=True)
class _Grid:
    """One level without ghosts: conductances of the edges in x, y and z, and the inverse diagonal (0 in air)."""

    gx: Float[Tensor, "m0 p1 p2"]
    gy: Float[Tensor, "p0 m1 p2"]
    gz: Float[Tensor, "p0 p1 m2"]
    inverse_diagonal: Float[Tensor, "p0 p1 p2"]

    def apply(self, x: Float[Tensor, "batch p0 p1 p2"]) -> Float[Tensor, "batch p0 p1 p2"]:
        """A x in difference form, in the precision of x."""
        out = torch.zeros_like(x)
        for axis, conductance in ((1, self.gx), (2, self.gy), (3, self.gz)):
            current = conductance * x.diff(dim=axis)
            count = current.shape[axis]
            out.narrow(axis, 0, count).sub_(current)
            out.narrow(axis, 1, count).add_(current)
        return out

    def smooth(self, x: Tensor | None, b: Tensor) -> Tensor:
        """Chebyshev iteration on D^-1 A x = D^-1 b; from zero where x is None."""
        centre, half = 0.5 * (_SMOOTHED_TO + _SMOOTHED_FROM), 0.5 * (_SMOOTHED_TO - _SMOOTHED_FROM)
        ratio = half / centre
        residual = b if x is None else b - self.apply(x)
        step = self.inverse_diagonal * residual / centre
        x = step.clone() if x is None else x + step
        for _ in range(_SMOOTHING_DEGREE - 1):
            following = 1.0 / (2.0 * centre / half - ratio)
            step = following * ratio * step + (2.0 * following / half) * self.inverse_diagonal * (b - self.apply(x))
            x += step
            ratio = following
        return x


def solve_potential_batch(
    system: PotentialSystem,
    sources: Float64[np.ndarray, "batch p0 p1 p2"],
    device: torch.device,
    tolerances: Tolerances | None = None,
) -> tuple[PotentialResult, ...]:
    """Solve A psi = b for a batch of sources on a device; see `solve_potential` for the meaning of the records.

    Parameters
    ----------
    system : PotentialSystem
        The conductor.
    sources : Float64[ndarray, "batch m0+1 m1+1 m2+1"]
        Current [A] that enters each node of the box, one source an entry.
    device : torch.device
        Where to compute. Memory: about 90 bytes a node and source.
    tolerances : Tolerances, optional
        When to stop. All sources take as many cycles as the slowest; a source that has converged is no longer changed.
    """
    tolerances = tolerances or Tolerances()
    sources = np.asarray(sources, dtype=np.float64)
    require_shape("sources", sources, (None, *system.node_shape), "stack them along the first axis")
    require_finite("sources", sources)
    grids = _grids(system, device)
    coarsest = torch.as_tensor(system.coarsest_inverse, device=device)
    coarse_nodes = _coarse_nodes(system, device)
    p0, p1, p2 = system.node_shape
    b = torch.zeros(len(sources), *grids[0].inverse_diagonal.shape, dtype=torch.float64, device=device)
    b[:, :p0, :p1, :p2] = torch.as_tensor(sources, device=device)
    scale = b.flatten(1).norm(dim=1)
    x, histories = _conjugate_gradients(grids, coarsest, coarse_nodes, b, scale, tolerances)
    left = (b - grids[0].apply(x)).flatten(1).norm(dim=1) / scale.clamp_min(torch.finfo(torch.float64).tiny)
    records = []
    for potential, residual, size, history in zip(
        x[:, :p0, :p1, :p2].cpu().numpy(), left.tolist(), scale.tolist(), histories, strict=True
    ):
        converged = residual <= tolerances.relative_residual
        unfinished = "cycle limit" if len(history) > tolerances.max_cycles else "stalled"
        reason = "zero right-hand side" if size == 0.0 else "converged" if converged else unfinished
        records.append(
            PotentialResult(
                zero_mean_potential(system, potential),
                converged,
                reason,
                len(history) - 1,
                residual,
                tuple(history),
                f"geometric multigrid (torch, {device.type})",
            )
        )
    return tuple(records)


def _conjugate_gradients(
    grids: list[_Grid], coarsest: Tensor, coarse_nodes: Tensor, b: Tensor, scale: Tensor, tolerances: Tolerances
) -> tuple[Tensor, list[list[float]]]:
    """Flexible conjugate gradients in float64 for each source of the batch."""
    x, residual = torch.zeros_like(b), b.clone()
    direction, applied = torch.zeros_like(b), torch.zeros_like(b)
    curvature = torch.ones_like(scale)
    norm = scale.clone()
    histories = [[1.0 if size > 0.0 else 0.0] for size in scale.tolist()]
    running = scale > 0.0

    def column(values: Tensor) -> Tensor:
        return values.view(-1, 1, 1, 1)

    def products(left: Tensor, right: Tensor) -> Tensor:
        return (left * right).flatten(1).sum(dim=1)

    for _ in range(tolerances.max_cycles):
        if not bool(running.any()):
            break
        scaled = (residual / column(norm.clamp_min(1e-300))).float()
        correction = _cycle(grids, coarsest, coarse_nodes, scaled).double()
        beta = -products(correction, applied) / curvature
        direction = correction + column(torch.where(running, beta, 0.0)) * direction
        applied = grids[0].apply(direction)
        curvature = products(direction, applied)
        running = running & (curvature > 0.0)
        step = torch.where(running, products(correction, residual) / curvature, 0.0)
        curvature = torch.where(curvature > 0.0, curvature, 1.0)
        x += column(step) * direction
        residual -= column(step) * applied
        norm = residual.flatten(1).norm(dim=1)
        relative = (norm / scale.clamp_min(1e-300)).tolist()
        for number, value in enumerate(relative):
            if bool(running[number]):
                histories[number].append(value)
        running = running & (norm > 0.9 * tolerances.relative_residual * scale) & torch.isfinite(norm)
    return x, histories


def _cycle(grids: list[_Grid], coarsest: Tensor, coarse_nodes: Tensor, b: Tensor, depth: int = 0) -> Tensor:
    """One symmetric V-cycle with Chebyshev smoothing."""
    if depth == len(grids) - 1:
        x = torch.zeros_like(b)
        x.flatten(1)[:, coarse_nodes] = b.flatten(1)[:, coarse_nodes] @ coarsest
        return x
    grid = grids[depth]
    x = grid.smooth(None, b)
    coarse = b - grid.apply(x)
    for axis in (1, 2, 3):
        coarse = _restrict(coarse, axis)
    correction = _cycle(grids, coarsest, coarse_nodes, coarse, depth + 1)
    for axis in (1, 2, 3):
        correction = _prolong(correction, axis)
    return grid.smooth(x + correction, b)


def _restrict(fine: Tensor, axis: int) -> Tensor:
    """Transpose of `_prolong` along one axis."""
    even = torch.arange(0, fine.shape[axis], 2, device=fine.device)
    coarse = fine.index_select(axis, even)
    odd = 0.5 * fine.index_select(axis, even[:-1] + 1)
    coarse.narrow(axis, 0, odd.shape[axis]).add_(odd)
    coarse.narrow(axis, 1, odd.shape[axis]).add_(odd)
    return coarse


def _prolong(coarse: Tensor, axis: int) -> Tensor:
    """Linear interpolation from n + 1 to 2 n + 1 nodes along one axis."""
    count = coarse.shape[axis] - 1
    between = 0.5 * (coarse.narrow(axis, 0, count) + coarse.narrow(axis, 1, count))
    pairs = torch.stack([coarse.narrow(axis, 0, count), between], dim=axis + 1).flatten(axis, axis + 1)
    return torch.cat([pairs, coarse.narrow(axis, count, 1)], dim=axis)


def _grids(system: PotentialSystem, device: torch.device) -> list[_Grid]:
    """The levels on the device, without ghosts."""
    grids = []
    for level in system.levels:
        gx = torch.as_tensor(level.gx[1:-2, 1:-1, 1:-1], device=device)
        gy = torch.as_tensor(level.gy[1:-1, 1:-2, 1:-1], device=device)
        gz = torch.as_tensor(level.gz[1:-1, 1:-1, 1:-2], device=device)
        diagonal = torch.zeros(tuple(n - 2 for n in level.shape), device=device)
        for axis, conductance in enumerate((gx, gy, gz)):
            count = conductance.shape[axis]
            diagonal.narrow(axis, 0, count).add_(conductance)
            diagonal.narrow(axis, 1, count).add_(conductance)
        inverse = torch.where(diagonal > 0.0, 1.0 / diagonal, 0.0)
        grids.append(_Grid(gx, gy, gz, inverse))
    return grids


def _coarse_nodes(system: PotentialSystem, device: torch.device) -> Tensor:
    """Flat indices of the coarsest grid's conducting nodes in its array without ghosts."""
    shape = system.levels[-1].shape
    index = np.stack(np.unravel_index(system.coarsest_nodes, shape)) - 1
    inner = tuple(n - 2 for n in shape)
    return torch.as_tensor(np.ravel_multi_index(tuple(index), inner), device=device)
