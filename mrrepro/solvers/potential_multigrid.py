"""Multigrid-preconditioned conjugate gradients for the scalar-potential system, on the CPU.

Outer iteration: flexible conjugate gradients in float64, with true residuals. Preconditioner: one V(1,1) cycle in
float32; red-black Gauss-Seidel with the order of the colours mirrored after the coarse correction (so that the cycle
is symmetric), trilinear interpolation and its transpose, a dense pseudo-inverse on the coarsest grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from mrrepro.solvers import potential_kernels as kernels
from mrrepro.solvers.potential_system import Level, PotentialSystem
from mrrepro.validation import require_finite, require_range, require_shape

_RED, _BLACK = 0, 1
_STALL_WINDOW = 20


@dataclass(frozen=True)
class Tolerances:
    """When to stop.

    Parameters
    ----------
    relative_residual : float
        Bound on ||b - A psi||_2 / ||b||_2 over the nodes.
    max_cycles : int
        Most cycles (one preconditioned step each) for one right-hand side.
    stall_ratio : float
        Give up when 20 cycles have not brought the residual below this fraction of what it was.
    """

    relative_residual: float = 1e-6
    max_cycles: int = 100
    stall_ratio: float = 0.5

    def __post_init__(self) -> None:
        require_range("relative_residual", self.relative_residual, low=1e-14, high=0.1)
        require_range("max_cycles", self.max_cycles, low=1, high=100_000)
        require_range("stall_ratio", self.stall_ratio, low=0.0, high=1.0, low_open=True)


@dataclass(frozen=True)
class PotentialResult:
    """The potential of one source and how it was reached.

    Parameters
    ----------
    potential : Float64[ndarray, "m0+1 m1+1 m2+1"]
        Potential on the nodes of the system's box [V]; its mean over conducting nodes is zero, and it is zero in air.
    converged : bool
        Whether ``true_residual`` is within the tolerance.
    reason : str
        ``"converged"``, ``"zero right-hand side"``, ``"cycle limit"`` or ``"stalled"``.
    cycles : int
        Cycles spent.
    true_residual : float
        ||b - A psi||_2 / ||b||_2, computed afresh from ``potential``; 0 for a zero right-hand side.
    residual_history : tuple of float
        Relative residual of the recursion before the first and after each cycle.
    method : str
        Which solver gave the potential.
    """

    potential: Float64[np.ndarray, "p0 p1 p2"]
    converged: bool
    reason: str
    cycles: int
    true_residual: float
    residual_history: tuple[float, ...]
    method: str = "geometric multigrid"


def solve_potential(
    system: PotentialSystem,
    sources: Iterable[Float64[np.ndarray, "p0 p1 p2"]],
    tolerances: Tolerances | None = None,
) -> tuple[PotentialResult, ...]:
    """Solve A psi = b for each source b of one conductor.

    Parameters
    ----------
    system : PotentialSystem
        The conductor.
    sources : iterable of Float64[ndarray, "m0+1 m1+1 m2+1"]
        Current [A] that enters each node of the box, from ``potential_sources``; an iterator is consumed one by one, so
        that a long list of coils need not be held at once.
    tolerances : Tolerances, optional
        When to stop.

    Returns
    -------
    tuple of PotentialResult
        One record for each source, in order. A source that does not converge yields the last iterate, with
        ``converged`` false and the residual that it really has; it may be far from any solution (see Notes).

    Raises
    ------
    ValueError
        If a source has the wrong shape or a value that is not finite.

    Notes
    -----
    A source whose total over a connected conductor is not zero has no solution: the record reports a stall, and the
    iterates have grown along the constant by then. Induced sources of one conductor balance to rounding. A conductor
    that is riddled with sheets of air one voxel thin converges slowly for the reason given in ``potential_system``.
    """
    tolerances = tolerances or Tolerances()
    workspace = _Workspace(system)
    return tuple(_solve_one(system, workspace, source, tolerances) for source in sources)


class _Workspace:
    """Scratch arrays of one call, reused from source to source."""

    def __init__(self, system: PotentialSystem) -> None:
        shape = system.levels[0].shape
        self.corrections = [np.zeros(level.shape, np.float32) for level in system.levels]
        self.residuals = [np.zeros(level.shape, np.float32) for level in system.levels]
        self.direction = np.zeros(shape, np.float32)
        self.applied = np.zeros(shape)
        self.residual = np.zeros(shape)
        self.source = np.zeros(shape)


def _cycle(system: PotentialSystem, work: _Workspace, depth: int = 0) -> None:
    """One symmetric V(1,1) cycle: ``corrections[depth]`` from ``residuals[depth]``."""
    level, x, b = system.levels[depth], work.corrections[depth], work.residuals[depth]
    if depth == len(system.levels) - 1:
        x.ravel()[system.coarsest_nodes] = system.coarsest_inverse @ b.ravel()[system.coarsest_nodes]
        return
    kernels.start_colour(x, b, *level.edges, _RED)
    kernels.relax_colour(x, b, *level.edges, _BLACK)
    kernels.restrict_residual(x, b, *level.edges, work.residuals[depth + 1])
    _cycle(system, work, depth + 1)
    kernels.prolong_add(x, level.first, level.last, work.corrections[depth + 1])
    kernels.relax_colour(x, b, *level.edges, _BLACK)
    kernels.relax_colour(x, b, *level.edges, _RED)


def _solve_one(
    system: PotentialSystem, work: _Workspace, source: Float64[np.ndarray, "p0 p1 p2"], tolerances: Tolerances
) -> PotentialResult:
    """Flexible conjugate gradients for one source."""
    require_shape("source", source, system.node_shape, "build it with the functions of potential_sources")
    require_finite("source", source)
    level = system.levels[0]
    work.source[:] = 0.0
    work.source[system.unpadded] = source
    scale = float(np.linalg.norm(work.source))
    x = np.zeros(level.shape)
    if scale == 0.0:
        return PotentialResult(x[system.unpadded], True, "zero right-hand side", 0, 0.0, (0.0,))
    history = [1.0]
    true_residual = 1.0
    reason = "cycle limit"
    work.residual[:] = work.source
    while len(history) <= tolerances.max_cycles:
        stalled = _iterate(system, work, x, scale, history, tolerances)
        kernels.apply_operator(x, *level.edges, work.applied)
        np.subtract(work.source, work.applied, out=work.residual)
        true_residual = float(np.linalg.norm(work.residual)) / scale
        if true_residual <= tolerances.relative_residual:
            reason = "converged"
            break
        if stalled or not math.isfinite(true_residual):
            reason = "stalled"
            break
    return PotentialResult(
        zero_mean_potential(system, x[system.unpadded]),
        reason == "converged",
        reason,
        len(history) - 1,
        true_residual,
        tuple(history),
    )


def _iterate(
    system: PotentialSystem,
    work: _Workspace,
    x: Float64[np.ndarray, "n0 n1 n2"],
    scale: float,
    history: list[float],
    tolerances: Tolerances,
) -> bool:
    """Improve ``x`` in place from ``work.residual`` until the recursion's residual is small; True if it stalls."""
    level = system.levels[0]
    direction, applied, residual = work.direction, work.applied, work.residual
    correction, scaled = work.corrections[0], work.residuals[0]
    norm = float(np.linalg.norm(residual))
    np.multiply(residual, 1.0 / norm, out=scaled, casting="same_kind")
    direction[:] = 0.0
    applied[:] = 0.0
    curvature = 1.0
    started = len(history)
    while len(history) <= tolerances.max_cycles:
        _cycle(system, work)
        along_residual, along_applied = kernels.two_products(correction, residual, applied, level.first, level.last)
        kernels.new_direction(direction, correction, -along_applied / curvature, level.first, level.last)
        curvature = kernels.apply_operator(direction, *level.edges, applied)
        if not curvature > 0.0:
            return True
        step = along_residual / curvature
        squared = kernels.take_step(x, residual, direction, applied, step, level.first, level.last, 1.0 / norm, scaled)
        norm = math.sqrt(squared)
        history.append(norm / scale)
        if history[-1] <= tolerances.relative_residual:
            return False
        spent = len(history) - started
        if spent > _STALL_WINDOW and history[-1] > tolerances.stall_ratio * history[-1 - _STALL_WINDOW]:
            return True
    return False


def zero_mean_potential(
    system: PotentialSystem, potential: Float64[np.ndarray, "p0 p1 p2"]
) -> Float64[np.ndarray, "p0 p1 p2"]:
    """The same potential with zero mean over the conducting nodes of the box and zero in air."""
    conducting = conducting_nodes(system.levels[0])[system.unpadded]
    return np.where(conducting, potential - potential[conducting].mean(), 0.0)


def conducting_nodes(level: Level) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Mask of the nodes that touch a conducting edge."""
    mask = (level.gx > 0.0) | (level.gy > 0.0) | (level.gz > 0.0)
    mask[1:] |= level.gx[:-1] > 0.0
    mask[:, 1:] |= level.gy[:, :-1] > 0.0
    mask[:, :, 1:] |= level.gz[:, :, :-1] > 0.0
    return mask
