"""The batched torch solver against the CPU's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mrrepro.papers.condnet.reference_models import head_like
from mrrepro.solvers.potential_multigrid import Tolerances, solve_potential
from mrrepro.solvers.potential_multigrid_torch import (
    _coarse_nodes,
    _cycle,
    _grids,
    _prolong,
    _restrict,
    solve_potential_batch,
)
from mrrepro.solvers.potential_sources import edge_line_integrals, induced_source
from mrrepro.solvers.potential_system import build_system

CPU = torch.device("cpu")


def test_batch_equals_single_solves() -> None:
    system = build_system(*head_like(32))
    axes = ([0.48, 0.6, 0.64], [1.0, 0.0, 0.0], [0.3, -0.2, 0.9])
    sources = [induced_source(system, edge_line_integrals(system, lambda p, a=a: 0.5 * np.cross(a, p))) for a in axes]
    sources.append(np.zeros(system.node_shape))
    tolerances = Tolerances(1e-10)
    batch = solve_potential_batch(system, np.stack(sources), CPU, tolerances)
    single = solve_potential(system, sources, tolerances)
    for found, expected in zip(batch, single, strict=True):
        assert found.converged
        assert found.true_residual <= 1e-10
        difference = np.linalg.norm(found.potential - expected.potential)
        assert difference <= 1e-6 * max(np.linalg.norm(expected.potential), 1e-300)
    assert batch[3].reason == "zero right-hand side"
    assert not batch[3].potential.any()


def test_cycles_hardly_grow_with_resolution() -> None:
    cycles = []
    for voxels in (32, 64):
        system = build_system(*head_like(voxels))
        source = induced_source(system, edge_line_integrals(system, lambda p: np.cross([0.24, 0.3, 0.32], p)))
        result = solve_potential_batch(system, source[None], CPU, Tolerances(1e-8))[0]
        assert result.converged
        cycles.append(result.cycles)
    assert cycles[1] <= 30
    assert cycles[1] <= 1.5 * cycles[0]


def test_transfers_are_transposes() -> None:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(2, 5, 4, 3, generator=generator, dtype=torch.float64)
    for axis in (1, 2, 3):
        up = _prolong(coarse, axis)
        fine = torch.randn(up.shape, generator=generator, dtype=torch.float64)
        assert float((up * fine).sum()) == pytest.approx(float((coarse * _restrict(fine, axis)).sum()), rel=1e-12)
    line = torch.arange(4.0).view(1, 4, 1, 1)
    assert _prolong(line, 1).flatten().tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3]


def test_cycle_is_symmetric_and_diagonally_scaled_spectrum_is_bounded() -> None:
    system = build_system(*head_like(24))
    grids = _grids(system, CPU)
    generator = torch.Generator().manual_seed(1)
    vectors = torch.randn(2, *grids[0].inverse_diagonal.shape, generator=generator)
    b = grids[0].apply(vectors)
    b = b / b.abs().max()
    inverse = torch.as_tensor(system.coarsest_inverse)
    z = _cycle(grids, inverse, _coarse_nodes(system, CPU), b).double()
    forward, backward = float((b[0] * z[1]).sum()), float((b[1] * z[0]).sum())
    assert abs(forward - backward) <= 1e-4 * float(b[0].norm() * z[1].norm())
    power = vectors[:1].double()
    for _ in range(50):
        power = grids[0].inverse_diagonal * grids[0].apply(power)
        power = power / power.norm()
    largest = float((power * grids[0].inverse_diagonal * grids[0].apply(power)).sum())
    assert largest <= 2.0 + 1e-6


def test_an_unbalanced_source_is_reported() -> None:
    system = build_system(np.full((8, 8, 8), 1.0), 1e-3)
    source = np.zeros((1, *system.node_shape))
    source[0, 0, 0, 0] = 1.0
    result = solve_potential_batch(system, source, CPU, Tolerances(max_cycles=15))[0]
    assert not result.converged
    assert result.reason in {"cycle limit", "stalled"}


def test_a_source_that_gets_no_further_is_given_up_alone() -> None:
    """Sheets of air with one hole each: as `solve_potential` it gives up by the tolerances' ratio, source by source."""
    conductivity = np.zeros((18, 18, 18))
    conductivity[1:-1, 1:-1, 1:-1] = 0.3
    holes = np.random.default_rng(0)
    for sheet in range(3, 16, 2):
        conductivity[sheet] = 0.0
        conductivity[(sheet, *holes.integers(2, 14, 2))] = 0.3
    system = build_system(conductivity, 1e-3)
    hard, near = np.zeros((2, *system.node_shape))
    hard[1, 5, 5], hard[-2, 10, 10] = 1.0, -1.0
    near[1, 5, 5], near[1, 6, 5] = 1.0, -1.0
    impatient = Tolerances(1e-6, 200, 0.02)
    found, other = solve_potential_batch(system, np.stack([hard, near]), CPU, impatient)
    alone = solve_potential(system, [hard], impatient)[0]
    assert (found.reason, found.cycles) == (alone.reason, alone.cycles) == ("stalled", 21)
    assert len(other.residual_history) > len(found.residual_history)
    patient = solve_potential_batch(system, np.stack([hard, near]), CPU, Tolerances(1e-6, 200, 1.0))
    assert all(result.converged for result in patient)


def test_bad_batches_are_refused() -> None:
    system = build_system(np.full((8, 8, 8), 1.0), 1e-3)
    with pytest.raises(ValueError, match="sources must have shape"):
        solve_potential_batch(system, np.zeros(system.node_shape), CPU)
    with pytest.raises(ValueError, match="finite"):
        solve_potential_batch(system, np.full((1, *system.node_shape), np.nan), CPU)
