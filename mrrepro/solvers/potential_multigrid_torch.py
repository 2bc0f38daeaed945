"""The scalar-potential system for a batch of sources at once, in torch, for a GPU.

The same operator and coarser grids as the CPU's solver. What differs is what suits a GPU: whole-array operations over a
batch, and a Chebyshev polynomial in D^-1 A for a smoother, which needs no order of the nodes. Kirchhoff's operator is
diagonally dominant, so the eigenvalues of D^-1 A lie in [0, 2] by construction and no estimate is needed.

What is here runs wherever torch does. On CUDA, ``potential_multigrid_triton`` does the same iteration in fused kernels
where Triton is there, as it is beside torch for CUDA on Linux.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from mrrepro.solvers.potential_multigrid import PotentialResult, Tolerances
from mrrepro.solvers.potential_system import PotentialSystem
from mrrepro.validation import require_finite, require_shape

_SMOOTHING_DEGREE = 3
_SMOOTHED_FROM, _SMOOTHED_TO = 0.4, 2.0

TINY = 1e-300
"""Norms below this count as zero when something is divided by them."""

STALL_WINDOW = 20
"""Cycles over which the residual must fall by the tolerances' ``stall_ratio``, as in `solve_potential`."""


def smoothing_factors() -> list[tuple[float, float]]:
    """Factors of the Chebyshev iteration: each step is f0 times the step before plus f1 D^-1 (b - A x)."""
    centre, half = 0.5 * (_SMOOTHED_TO + _SMOOTHED_FROM), 0.5 * (_SMOOTHED_TO - _SMOOTHED_FROM)
    ratio = half / centre
    factors = [(0.0, 1.0 / centre)]
    for _ in range(_SMOOTHING_DEGREE - 1):
        following = 1.0 / (2.0 * centre / half - ratio)
        factors.append((following * ratio, 2.0 * following / half))
        ratio = following
    return factors


@dataclass(frozen=True)
class Grid:
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
        (_, first), *following = smoothing_factors()
        step = first * self.inverse_diagonal * (b if x is None else b - self.apply(x))
        x = step.clone() if x is None else x + step
        for before, gain in following:
            step = before * step + gain * self.inverse_diagonal * (b - self.apply(x))
            x += step
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
    grids = _grids(system, device)
    coarsest = torch.as_tensor(system.coarsest_inverse, device=device)
    coarse_nodes = _coarse_nodes(system, device)
    p0, p1, p2 = system.node_shape
    b = torch.zeros(len(sources), *grids[0].inverse_diagonal.shape, dtype=torch.float64, device=device)
    for number, source in enumerate(sources):
        b[number, :p0, :p1, :p2] = torch.as_tensor(source, device=device)
    scale = b.flatten(1).norm(dim=1)
    if not bool(torch.isfinite(scale).all()):
        require_finite("sources", sources)
    with torch.cuda.device_of(b):
        iteration = _iteration(grids, coarsest, coarse_nodes, b, scale)
        histories = _conjugate_gradients(iteration, scale, tolerances)
        left = iteration.remainder() / scale.clamp_min(torch.finfo(torch.float64).tiny)
    conducting = grids[0].inverse_diagonal[:p0, :p1, :p2] > 0.0
    records = []
    for potential, residual, size, history in zip(
        iteration.x[:, :p0, :p1, :p2], left.tolist(), scale.tolist(), histories, strict=True
    ):
        converged = residual <= tolerances.relative_residual
        unfinished = "cycle limit" if len(history) > tolerances.max_cycles else "stalled"
        reason = "zero right-hand side" if size == 0.0 else "converged" if converged else unfinished
        records.append(
            PotentialResult(
                _zero_mean(potential, conducting),
                converged,
                reason,
                len(history) - 1,
                residual,
                tuple(history),
                f"geometric multigrid (torch, {device.type})",
            )
        )
    return tuple(records)


def _zero_mean(
    potential: Float64[Tensor, "p0 p1 p2"], conducting: Bool[Tensor, "p0 p1 p2"]
) -> Float64[np.ndarray, "p0 p1 p2"]:
    """The potential with zero mean over the conducting nodes and zero in air, off the device."""
    mean = torch.where(conducting, potential, 0.0).sum() / conducting.sum()
    result = torch.zeros(potential.shape, dtype=potential.dtype)  # zeros: all threads take part in touching new memory
    return result.copy_(torch.where(conducting, potential - mean, 0.0)).numpy()


class _Iteration(Protocol):
    """Conjugate gradients' state for a batch, and the passes over it; each returns one number for a source."""

    x: Tensor

    def correct(self) -> tuple[Tensor, Tensor]:
        """One cycle on the residual; the correction's products with A direction and with the residual."""

    def direct(self, beta: Tensor) -> Tensor:
        """Direct the search along correction + beta direction; the product of that with its image under A."""

    def advance(self, step: Tensor) -> Tensor:
        """Go a step along the direction; the residual's norm."""

    def remainder(self) -> Tensor:
        """Norm of b - A x, computed afresh."""


class _PlainIteration:
    """The iteration in whole-array operations."""

    def __init__(self, grids: list[Grid], cycle: Callable[[Tensor], Tensor], b: Tensor, scale: Tensor) -> None:
        self.grid, self.cycle, self.b, self.norm = grids[0], cycle, b, scale
        self.x, self.residual = torch.zeros_like(b), b.clone()
        self.direction, self.applied = torch.zeros_like(b), torch.zeros_like(b)
        self.correction = self.applied

    def correct(self) -> tuple[Tensor, Tensor]:
        scaled = (self.residual / _column(self.norm.clamp_min(TINY))).float()
        self.correction = self.cycle(scaled).double()
        return _products(self.correction, self.applied), _products(self.correction, self.residual)

    def direct(self, beta: Tensor) -> Tensor:
        self.direction = self.correction + _column(beta) * self.direction
        self.applied = self.grid.apply(self.direction)
        return _products(self.direction, self.applied)

    def advance(self, step: Tensor) -> Tensor:
        self.x += _column(step) * self.direction
        self.residual -= _column(step) * self.applied
        self.norm = self.residual.flatten(1).norm(dim=1)
        return self.norm

    def remainder(self) -> Tensor:
        return (self.b - self.grid.apply(self.x)).flatten(1).norm(dim=1)


def _column(values: Float64[Tensor, " batch"]) -> Float64[Tensor, "batch 1 1 1"]:
    return values.view(-1, 1, 1, 1)


def _products(left: Tensor, right: Tensor) -> Float64[Tensor, " batch"]:
    return (left * right).flatten(1).sum(dim=1)


def _iteration(grids: list[Grid], coarsest: Tensor, coarse_nodes: Tensor, b: Tensor, scale: Tensor) -> _Iteration:
    """The fused iteration where it can run, else the plain one."""
    if _fuses(b):
        from mrrepro.solvers.potential_multigrid_triton import FusedCycle, FusedIteration  # needs triton

        return FusedIteration(FusedCycle(grids, coarsest, coarse_nodes, len(b)), b, scale)
    return _PlainIteration(grids, lambda scaled: _cycle(grids, coarsest, coarse_nodes, scaled), b, scale)


def _fuses(b: Tensor) -> bool:
    """Whether Triton is there for this batch's device and its kernels count that far."""
    if b.device.type != "cuda" or find_spec("triton") is None:
        return False
    from mrrepro.solvers.potential_kernels_triton import MOST_NODES, kernels_build  # needs triton

    return 0 < b[:1].numel() <= MOST_NODES and kernels_build(b.device)


def _conjugate_gradients(iteration: _Iteration, scale: Tensor, tolerances: Tolerances) -> list[list[float]]:
    """Flexible conjugate gradients in float64 for each source of the batch; the host waits once a cycle."""
    curvature = torch.ones_like(scale)
    running = scale > 0.0
    histories = [[1.0 if size > 0.0 else 0.0] for size in scale.tolist()]
    unfinished = [history[0] > 0.0 for history in histories]
    for _ in range(tolerances.max_cycles):
        if not any(unfinished):
            break
        along_applied, along_residual = iteration.correct()
        beta = -along_applied / curvature
        curvature = iteration.direct(torch.where(running, beta, 0.0))
        running = running & (curvature > 0.0)
        step = torch.where(running, along_residual / curvature, 0.0)
        curvature = torch.where(curvature > 0.0, curvature, 1.0)
        norm = iteration.advance(step)
        counted, relative = running, norm / scale.clamp_min(TINY)
        running = running & (norm > 0.9 * tolerances.relative_residual * scale) & torch.isfinite(norm)
        numbers = torch.stack([relative, counted.double(), running.double()]).tolist()
        for history, value, counts in zip(histories, *numbers[:2], strict=True):
            if counts:
                history.append(value)
        stalled = [_stalled(history, tolerances) for history in histories]
        if any(stalled):
            running = running & ~torch.tensor(stalled, device=running.device)
        unfinished = [goes_on and not gave_up for goes_on, gave_up in zip(numbers[2], stalled, strict=True)]
    return histories


def _stalled(history: list[float], tolerances: Tolerances) -> bool:
    """Whether the last cycles have brought the residual too little further."""
    if len(history) <= STALL_WINDOW + 1:
        return False
    return history[-1] > tolerances.stall_ratio * history[-1 - STALL_WINDOW]


def _cycle(grids: list[Grid], coarsest: Tensor, coarse_nodes: Tensor, b: Tensor, depth: int = 0) -> Tensor:
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


def _grids(system: PotentialSystem, device: torch.device) -> list[Grid]:
    """The levels on the device, without ghosts."""
    grids = []
    for level in system.levels:
        gx = torch.as_tensor(level.gx, device=device)[1:-2, 1:-1, 1:-1].contiguous()
        gy = torch.as_tensor(level.gy, device=device)[1:-1, 1:-2, 1:-1].contiguous()
        gz = torch.as_tensor(level.gz, device=device)[1:-1, 1:-1, 1:-2].contiguous()
        diagonal = torch.zeros(tuple(n - 2 for n in level.shape), device=device)
        for axis, conductance in enumerate((gx, gy, gz)):
            count = conductance.shape[axis]
            diagonal.narrow(axis, 0, count).add_(conductance)
            diagonal.narrow(axis, 1, count).add_(conductance)
        inverse = torch.where(diagonal > 0.0, 1.0 / diagonal, 0.0)
        grids.append(Grid(gx, gy, gz, inverse))
    return grids


def _coarse_nodes(system: PotentialSystem, device: torch.device) -> Tensor:
    """Flat indices of the coarsest grid's conducting nodes in its array without ghosts."""
    shape = system.levels[-1].shape
    index = np.stack(np.unravel_index(system.coarsest_nodes, shape)) - 1
    inner = tuple(n - 2 for n in shape)
    return torch.as_tensor(np.ravel_multi_index(tuple(index), inner), device=device)
