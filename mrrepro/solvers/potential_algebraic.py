"""The assembled sparse matrix of the scalar-potential system, and algebraic multigrid as a way out.

Sheets of air one voxel thin, pierced by few holes, defeat the geometric cycle: coarse voxels join what the air parts.
Algebraic coarsening follows the connections themselves. It needs pyamg, which is no requirement of this package, and
several times the time and memory, so it serves where the geometric cycle has given up, and as the peer of benchmarks.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy import sparse

from mrrepro.solvers.potential_multigrid import (
    PotentialResult,
    Tolerances,
    conducting_nodes,
    solve_potential,
    zero_mean_potential,
)
from mrrepro.solvers.potential_system import PotentialSystem, conducting_components


def sparse_operator(system: PotentialSystem) -> tuple[sparse.csr_matrix, np.ndarray[Any, np.dtype[np.int64]]]:
    """Matrix [S] on the conducting nodes, and their flat indices in the box.

    Conductances are the finest level's, in float64; each row sums to zero to rounding.
    """
    level = system.levels[0]
    mask = conducting_nodes(level)[system.unpadded]
    nodes = np.flatnonzero(mask)
    number = np.full(mask.shape, -1, np.int32)
    number[mask] = np.arange(len(nodes), dtype=np.int32)
    rows, columns, values = [], [], []
    for axis, conductance in enumerate((level.gx, level.gy, level.gz)):
        lower = tuple(slice(0, n - (a == axis)) for a, n in enumerate(mask.shape))
        upper = tuple(slice(a == axis, None) for a in range(3))
        g = conductance[system.unpadded][lower]
        edges = g > 0.0
        rows.append(number[lower][edges])
        columns.append(number[upper][edges])
        values.append(g[edges].astype(np.float64))
    count = len(nodes)
    half = sparse.csr_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(count, count)
    )
    full = half + half.T
    return sparse.csr_matrix(sparse.diags(np.asarray(full.sum(axis=1)).ravel()) - full), nodes


def solve_with_fallback(
    system: PotentialSystem,
    sources: Iterable[Float64[np.ndarray, "p0 p1 p2"]],
    tolerances: Tolerances | None = None,
) -> tuple[PotentialResult, ...]:
    """`solve_potential`, then algebraic multigrid for each source that stalled, where pyamg is installed.

    The record's ``method`` says which of the two gave the potential; without pyamg the stalled record is returned as
    it is.
    """
    tolerances = tolerances or Tolerances()
    kept = list(sources)
    results = list(solve_potential(system, kept, tolerances))
    failed = [number for number, result in enumerate(results) if not result.converged]
    if failed and importlib.util.find_spec("pyamg") is not None:
        for number, result in zip(failed, _solve_algebraic(system, [kept[n] for n in failed], tolerances), strict=True):
            if result.true_residual < results[number].true_residual:
                results[number] = result
    return tuple(results)


def _solve_algebraic(
    system: PotentialSystem, sources: Iterable[Float64[np.ndarray, "p0 p1 p2"]], tolerances: Tolerances
) -> list[PotentialResult]:
    """Conjugate gradients preconditioned by one smoothed-aggregation cycle.

    One node of each connected conductor is held at zero, so that the coarsest matrix can be factorised.
    """
    import pyamg

    matrix, nodes = sparse_operator(system)
    components = conducting_components(system)[0].ravel()[nodes]
    held = np.unique(components, return_index=True)[1]
    free = np.setdiff1d(np.arange(len(nodes)), held, assume_unique=True)
    hierarchy = pyamg.smoothed_aggregation_solver(matrix[free][:, free])
    results = []
    for source in sources:
        b = source.ravel()[nodes]
        norm = float(np.linalg.norm(b))
        history: list[float] = []
        x = np.zeros(len(nodes))
        x[free] = hierarchy.solve(
            b[free],
            tol=0.5 * tolerances.relative_residual,
            maxiter=tolerances.max_cycles,
            accel="cg",
            residuals=history,
        )
        true_residual = float(np.linalg.norm(b - matrix @ x)) / norm
        potential = np.zeros(source.shape)
        potential.ravel()[nodes] = x
        converged = true_residual <= tolerances.relative_residual
        results.append(
            PotentialResult(
                zero_mean_potential(system, potential),
                converged,
                "converged" if converged else "cycle limit",
                len(history) - 1,
                true_residual,
                tuple(value / norm for value in history),
                "smoothed aggregation (pyamg)",
            )
        )
    return results
