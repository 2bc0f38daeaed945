"""The fused kernels against whole-array operations: on a CUDA device, else in Triton's interpreter on the CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mrrepro.papers.condnet.reference_models import head_like
from mrrepro.solvers import potential_multigrid_torch as solver
from mrrepro.solvers.potential_multigrid import Tolerances
from mrrepro.solvers.potential_sources import edge_line_integrals, induced_source
from mrrepro.solvers.potential_system import PotentialSystem, build_system
from tests.triton_device import (
    CUDA,
    DEVICE,
    INTERPRETED,
    run_in_the_interpreter,
    skip_without_triton,
    starts_the_interpreter,
    with_kernels,
)

skip_without_triton()

SHAPES = [(2, 3, 1), (5, 4, 7), (13, 9, 11)]
BATCHES = [1, 3]

if CUDA or INTERPRETED:
    from mrrepro.solvers import potential_kernels_triton as kernels
    from mrrepro.solvers.potential_multigrid_triton import FusedCycle, FusedIteration


@starts_the_interpreter
def test_kernels_in_the_interpreter() -> None:
    run_in_the_interpreter(__file__)


def random_array(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(DEVICE, dtype)


def random_grid(shape: tuple[int, int, int]) -> solver.Grid:
    """Conductances of which a third is zero, so that there is air, and an inverse diagonal with zeros there."""
    edges, diagonal = [], torch.zeros(shape, device=DEVICE)
    for axis in range(3):
        conductance = random_array(*(n - (axis == a) for a, n in enumerate(shape)), seed=axis).add(0.4).clamp_min(0.0)
        diagonal.narrow(axis, 0, conductance.shape[axis]).add_(conductance)
        diagonal.narrow(axis, 1, conductance.shape[axis]).add_(conductance)
        edges.append(conductance)
    return solver.Grid(*edges, torch.where(diagonal > 0.0, 1.0 / diagonal, 0.0))


def assert_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal to a few roundings of sums of about ten terms."""
    rounding = torch.finfo(found.dtype).eps
    torch.testing.assert_close(found, expected, rtol=20 * rounding, atol=20 * rounding * float(expected.abs().max()))


@with_kernels
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shared", [1, 2**18])
def test_operator_and_residual(shape, batch, dtype, shared, monkeypatch) -> None:
    monkeypatch.setattr(kernels, "_SHARED_NODES", shared)  # 1: a program takes all sources
    grid, x, b = random_grid(shape), random_array(batch, *shape, dtype=dtype), random_array(batch, *shape, dtype=dtype)
    out = torch.full_like(x, torch.nan)
    product = kernels.apply(grid, x, out)
    assert_close(out, grid.apply(x))
    torch.testing.assert_close(product, (x * grid.apply(x)).flatten(1).sum(dim=1), rtol=1e-5, atol=1e-5)
    kernels.residual(grid, x, b, out)
    assert_close(out, b - grid.apply(x))


@with_kernels
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch", BATCHES)
def test_chebyshev_step(shape, batch) -> None:
    grid = random_grid(shape)
    x, b, old = (random_array(batch, *shape, seed=seed) for seed in range(3))
    for factors, before in (((0.3, 0.7), old), ((0.0, 0.8), None)):
        expected = factors[1] * grid.inverse_diagonal * (b - grid.apply(x))
        expected = expected if before is None else factors[0] * before + expected
        out, step = torch.full_like(x, torch.nan), torch.full_like(x, torch.nan)
        kernels.smooth(grid, x, b, out, factors, before, step)
        assert_close(step, expected)
        assert_close(out, x + expected)
        kernels.smooth(grid, x, b, out.fill_(torch.nan), factors, before, None)
        assert_close(out, x + expected)
    kernels.smooth(grid, x, b, out, (0.3, 0.7), old, old)  # the step is replaced in place
    kernels.start(grid, b, step, 0.8)
    assert_close(step, 0.8 * grid.inverse_diagonal * b)
    assert_close(out, x + old)


@with_kernels
@pytest.mark.parametrize("coarse_shape", [(2, 3, 4), (7, 5, 6)])
@pytest.mark.parametrize("batch", BATCHES)
def test_transfers(coarse_shape, batch) -> None:
    fine_shape = tuple(2 * n - 1 for n in coarse_shape)
    fine, coarse = random_array(batch, *fine_shape), random_array(batch, *coarse_shape, seed=1)
    down, up = fine, coarse
    for axis in (1, 2, 3):
        down, up = solver._restrict(down, axis), solver._prolong(up, axis)
    out = torch.full_like(coarse, torch.nan)
    kernels.restrict(fine, out)
    assert_close(out, down)
    expected = fine + up
    kernels.prolong_add(fine, coarse)
    assert_close(fine, expected)


@with_kernels
@pytest.mark.parametrize("batch", BATCHES)
def test_updates_of_conjugate_gradients(batch) -> None:
    shape = (batch, 13, 9, 11)
    x, residual, direction, applied = (random_array(*shape, dtype=torch.float64, seed=seed) for seed in range(4))
    correction, factor = random_array(*shape), random_array(batch, dtype=torch.float64)
    column = factor.view(-1, 1, 1, 1)
    found = kernels.two_products(correction, applied, residual)
    for product, other in zip(found, (applied, residual), strict=True):
        torch.testing.assert_close(product, (correction * other).flatten(1).sum(dim=1), rtol=1e-10, atol=1e-10)
    expected = correction + column * direction
    kernels.new_direction(direction, correction, factor)
    assert_close(direction, expected)
    moved, left = x + column * direction, residual - column * applied
    scaled = torch.empty_like(correction)
    squared = kernels.take_step((x, residual), (direction, applied), factor, factor.abs(), scaled)
    assert_close(x, moved)
    assert_close(residual, left)
    assert_close(scaled, (left * column.abs()).float())
    torch.testing.assert_close(squared, (left * left).flatten(1).sum(dim=1), rtol=1e-12, atol=0.0)


def three_sources(voxels: int) -> tuple[PotentialSystem, np.ndarray]:
    """A head-like conductor; two induced sources and a zero one."""
    system = build_system(*head_like(voxels))
    integrals = [
        edge_line_integrals(system, lambda p, a=a: 0.5 * np.cross(a, p)) for a in ([0.48, 0.6, 0.64], [0.0, 1.0, 0.0])
    ]
    return system, np.stack([*(induced_source(system, each) for each in integrals), np.zeros(system.node_shape)])


@with_kernels
def test_cycle() -> None:
    system, _ = three_sources(24)
    grids = solver._grids(system, DEVICE)
    inverse, nodes = torch.as_tensor(system.coarsest_inverse, device=DEVICE), solver._coarse_nodes(system, DEVICE)
    assert len(grids) > 1
    cycle = FusedCycle(grids, inverse, nodes, 2)
    for seed in range(3):  # the second run records a graph on CUDA, the third repeats it
        b = grids[0].apply(random_array(2, *grids[0].inverse_diagonal.shape, seed=seed))
        cycle.b.copy_(b)
        expected = solver._cycle(grids, inverse, nodes, b)
        difference = (cycle.run() - expected).norm()
        assert float(difference) <= 1e-5 * float(expected.norm())


@with_kernels
def test_whole_solve(monkeypatch) -> None:
    system, sources = three_sources(48 if CUDA else 16)
    tolerances = Tolerances(1e-9)
    iterations = []
    monkeypatch.setattr(FusedIteration, "__init__", record_calls(FusedIteration.__init__, iterations))
    monkeypatch.setattr(solver, "_fuses", lambda b: True)
    fused = solver.solve_potential_batch(system, sources, DEVICE, tolerances)
    assert len(iterations) == 1
    monkeypatch.setattr(solver, "_fuses", lambda b: False)
    plain = solver.solve_potential_batch(system, sources, DEVICE, tolerances)
    assert len(iterations) == 1
    for found, expected in zip(fused, plain, strict=True):
        assert found.converged
        assert found.reason == expected.reason
        assert abs(found.cycles - expected.cycles) <= 1
        difference = np.linalg.norm(found.potential - expected.potential)
        assert difference <= 1e-6 * max(np.linalg.norm(expected.potential), 1e-300)
    assert not fused[2].potential.any()


def record_calls(function, calls):
    """The same function, which notes each call."""

    def noted(*arguments):
        calls.append(function)
        function(*arguments)

    return noted


@pytest.mark.skipif(not CUDA, reason="there is no CUDA device to record a graph on")
def test_cuda_takes_the_kernels_and_records_the_cycle() -> None:
    assert solver._fuses(torch.zeros(1, 3, 3, 3, device=DEVICE))
    system, sources = three_sources(32)
    grids = solver._grids(system, DEVICE)
    inverse, nodes = torch.as_tensor(system.coarsest_inverse, device=DEVICE), solver._coarse_nodes(system, DEVICE)
    cycle = FusedCycle(grids, inverse, nodes, 1)
    cycle.run()
    cycle.run()
    assert getattr(cycle._again, "__func__", cycle._again) is torch.cuda.CUDAGraph.replay
    assert solver.solve_potential_batch(system, sources[:1], DEVICE)[0].converged
