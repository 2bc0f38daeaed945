"""Benchmarks of the multigrid solver against pyamg and Jacobi-preconditioned CG, side by side, at one true residual.

Each side starts from the same conductivity volume and ends with a potential whose recomputed residual is within 1e-8
of the right-hand side; set-up counts. Sizes are peak resident memory of a fresh process each, imports and the volume
included.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy.sparse import diags
from scipy.sparse.linalg import LinearOperator, cg

from mrrepro.papers.condnet.reference_models import head_like
from mrrepro.runs.checks import Benchmark, Measurement
from mrrepro.runs.machine import peak_memory_mib
from mrrepro.solvers.potential_algebraic import sparse_operator
from mrrepro.solvers.potential_multigrid import Tolerances, solve_potential
from mrrepro.solvers.potential_sources import edge_line_integrals, induced_source
from mrrepro.solvers.potential_system import PotentialSystem, build_system

RESIDUAL = 1e-8


@dataclass(frozen=True)
class Timing:
    """Seconds of one solver and the residual it truly reached."""

    setup: float
    solve: float
    iterations: int
    true_residual: float

    @property
    def total(self) -> float:
        """Set-up and solve [s]."""
        return self.setup + self.solve


def uniform_field_source(system: PotentialSystem) -> Float64[np.ndarray, "p0 p1 p2"]:
    """Right-hand side of a uniform changing magnetic field of 1 T/s along an oblique axis."""
    axis = np.array([0.48, 0.6, 0.64])
    return induced_source(system, edge_line_integrals(system, lambda points: 0.5 * np.cross(axis, points)))


def _fastest(task: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the faster of two runs of a solve, ours and pyamg's alike, and its result."""
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        result = task()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def time_multigrid(voxels: int) -> Timing:
    """Our solver, after one call on a small grid that compiles it."""
    small = build_system(*head_like(16))
    solve_potential(small, [uniform_field_source(small)])
    conductivity, size = head_like(voxels)
    start = time.perf_counter()
    system = build_system(conductivity, size)
    setup = time.perf_counter() - start
    source = uniform_field_source(system)
    solve, result = _fastest(lambda: solve_potential(system, [source], Tolerances(RESIDUAL))[0])
    return Timing(setup, solve, result.cycles, result.true_residual)


DRAWS = 10
"""Hierarchies of pyamg that are tried at most, where its random estimates make the solution break down."""


def time_pyamg(voxels: int, make: str = "ruge_stuben_solver") -> Timing:
    """A pyamg hierarchy with conjugate gradients; the matrix is given and its assembly is not counted.

    Smoothed aggregation estimates spectral radii from random vectors, and on this singular matrix its conjugate
    gradients break down for some of them: the first of `DRAWS` draws that reaches the residual is timed.
    """
    import pyamg

    system = build_system(*head_like(voxels))
    matrix, nodes = sparse_operator(system)
    b = uniform_field_source(system).ravel()[nodes]
    del system
    for draw in range(DRAWS):
        np.random.seed(draw)  # noqa: NPY002  pyamg draws from numpy's global generator
        start = time.perf_counter()
        hierarchy = getattr(pyamg, make)(matrix, coarse_solver="pinv")
        setup = time.perf_counter() - start
        history: list[float] = []
        solve, x = _fastest(partial(hierarchy.solve, b, tol=RESIDUAL, accel="cg", maxiter=300, residuals=history))
        found = Timing(setup, solve, len(history) - 1, float(np.linalg.norm(b - matrix @ x) / np.linalg.norm(b)))
        if found.true_residual <= 1.5 * RESIDUAL:
            break
    return found


def time_jacobi(voxels: int) -> Timing:
    """SciPy's conjugate gradients with the inverse diagonal; timed once, for it takes a minute and more."""
    system = build_system(*head_like(voxels))
    matrix, nodes = sparse_operator(system)
    b = uniform_field_source(system).ravel()[nodes]
    start = time.perf_counter()
    preconditioner: LinearOperator = diags(1.0 / matrix.diagonal())
    setup = time.perf_counter() - start
    iterations = 0

    def count(_: Any) -> None:
        nonlocal iterations
        iterations += 1

    start = time.perf_counter()
    x, _ = cg(matrix, b, rtol=RESIDUAL, M=preconditioner, maxiter=20_000, callback=count)
    solve = time.perf_counter() - start
    return Timing(setup, solve, iterations, float(np.linalg.norm(b - matrix @ x) / np.linalg.norm(b)))


def _require_equal_residuals(*timings: Timing) -> None:
    for timing in timings:
        if not timing.true_residual <= 1.5 * RESIDUAL:
            raise RuntimeError(f"a benchmark compares at one residual ({RESIDUAL:g}), but {timing} fell short")


def _against_pyamg(voxels: int, make: str = "ruge_stuben_solver") -> Measurement:
    ours, peer = time_multigrid(voxels), time_pyamg(voxels, make)
    _require_equal_residuals(ours, peer)
    return Measurement(ours.total, peer.total)


def _against_jacobi(voxels: int) -> Measurement:
    ours, peer = time_multigrid(voxels), time_jacobi(voxels)
    _require_equal_residuals(ours, peer)
    return Measurement(ours.total, peer.total)


def _peak_of(task: Callable[[int], Timing], voxels: int, queue: Any) -> None:
    _require_equal_residuals(task(voxels))
    queue.put(peak_memory_mib())


def peak_memory(task: Callable[[int], Timing], voxels: int) -> float:
    """Peak resident memory [MiB] of a task in a process of its own."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_peak_of, args=(task, voxels, queue))
    process.start()
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"the process that measures memory ended with exit code {process.exitcode}")
    peak = float(queue.get())
    if not peak:
        raise RuntimeError("this system tells no peak memory: install psutil, or measure on another system.")
    return peak


BENCHMARKS = (
    Benchmark(
        "condnet.multigrid_128", "set-up and one right-hand side at 128^3 to 1e-8, against Ruge-Stueben CG", "s",
        lambda: _against_pyamg(128), "pyamg", goal=7.0,
    ),
    Benchmark(
        "condnet.aggregation_128", "set-up and one right-hand side at 128^3 to 1e-8, against smoothed aggregation CG",
        "s", lambda: _against_pyamg(128, "smoothed_aggregation_solver"), "pyamg", goal=7.0,
    ),
    Benchmark(
        "condnet.multigrid_256", "set-up and one right-hand side at 256^3 to 1e-8, against Ruge-Stueben CG", "s",
        lambda: _against_pyamg(256), "pyamg", goal=7.0,
    ),
    Benchmark(
        "condnet.multigrid_256_memory", "peak memory of that run, each side in its own process", "MiB",
        lambda: Measurement(peak_memory(time_multigrid, 256), peak_memory(time_pyamg, 256)), "pyamg", goal=1.0 / 0.6,
    ),
    Benchmark(
        "condnet.jacobi_256", "set-up and one right-hand side at 256^3 to 1e-8, against Jacobi-preconditioned CG", "s",
        lambda: _against_jacobi(256), "SciPy CG with the inverse diagonal", goal=15.0,
    ),
)  # fmt: skip
