"""The finite-difference operator and its multigrid solver against dense algebra, invariants and hard conductors."""

from __future__ import annotations

import numpy as np
import pytest

from mrrepro.papers.condnet.reference_models import head_like
from mrrepro.solvers import potential_kernels as kernels
from mrrepro.solvers.potential_algebraic import solve_with_fallback, sparse_operator
from mrrepro.solvers.potential_multigrid import Tolerances, _cycle, _Workspace, solve_potential
from mrrepro.solvers.potential_sources import (
    EdgeIntegrals,
    edge_line_integrals,
    electric_field,
    electrode_source,
    induced_source,
)
from mrrepro.solvers.potential_system import build_system, conducting_components


def uniform_rate(points: np.ndarray) -> np.ndarray:
    """dA/dt of a uniform field that rises by 1 T/s along an oblique axis."""
    return 0.5 * np.cross(np.array([0.48, 0.6, 0.64]), points)


def reference_matrix(conductivity: np.ndarray, h: float) -> np.ndarray:
    """Slow assembly, edge by edge, from the definition g = h mean(sigma of the four voxels round the edge)."""
    padded = np.pad(conductivity.astype(float), 1)
    shape = tuple(n + 1 for n in conductivity.shape)
    number = np.arange(np.prod(shape)).reshape(shape)
    matrix = np.zeros((number.size, number.size))
    for node in np.ndindex(*shape):
        for axis in range(3):
            if node[axis] == shape[axis] - 1:
                continue
            other = list(node)
            other[axis] += 1
            around = []
            for a in (0, 1):
                for b in (0, 1):
                    voxel = [n + 1 for n in node]
                    for shift, direction in zip((a, b), [d for d in range(3) if d != axis], strict=True):
                        voxel[direction] -= shift
                    around.append(padded[tuple(voxel)])
            g = h * np.mean(around)
            i, j = number[node], number[tuple(other)]
            matrix[i, i] += g
            matrix[j, j] += g
            matrix[i, j] -= g
            matrix[j, i] -= g
    return matrix


@pytest.fixture
def conductor() -> np.ndarray:
    """9 x 10 x 11 voxels of random conductivity over two decades, with random air."""
    rng = np.random.default_rng(5)
    values = 10.0 ** rng.uniform(-2, 0.3, (9, 10, 11))
    return np.where(rng.random(values.shape) < 0.2, 0.0, values).astype(np.float32)


def test_operator_equals_slow_assembly(conductor: np.ndarray) -> None:
    system = build_system(conductor, 2e-3)
    matrix = reference_matrix(conductor, 2e-3)
    level = system.levels[0]
    x = np.random.default_rng(0).normal(size=system.node_shape)
    padded = np.zeros(level.shape)
    padded[system.unpadded] = x
    out = np.zeros(level.shape)
    product = kernels.apply_operator(padded, *level.edges, out)
    expected = matrix @ x.ravel()
    # Conductances are float32: 6e-8 each.
    np.testing.assert_allclose(out[system.unpadded].ravel(), expected, rtol=0, atol=2e-7 * np.abs(expected).max())
    assert product == pytest.approx(float(x.ravel() @ expected), rel=1e-6)
    assert level.active == int((np.diag(matrix) > 0).sum())


def test_sparse_operator_equals_slow_assembly(conductor: np.ndarray) -> None:
    system = build_system(conductor, 2e-3)
    matrix, nodes = sparse_operator(system)
    expected = reference_matrix(conductor, 2e-3)[np.ix_(nodes, nodes)]
    np.testing.assert_allclose(matrix.toarray(), expected, atol=2e-7 * expected.max())
    assert np.abs(np.asarray(matrix.sum(axis=1))).max() <= 1e-10 * expected.max()


def test_solution_equals_dense_least_squares(conductor: np.ndarray) -> None:
    system = build_system(conductor, 2e-3)
    integrals = edge_line_integrals(system, uniform_rate)
    source = induced_source(system, integrals)
    result = solve_potential(system, [source], Tolerances(1e-11))[0]
    assert result.converged
    potential = np.linalg.lstsq(reference_matrix(conductor, 2e-3), source.ravel(), rcond=1e-12)[0]
    expected = electric_field(system, potential.reshape(system.node_shape), integrals)
    found = electric_field(system, result.potential, integrals)
    assert np.linalg.norm(found - expected) <= 1e-5 * np.linalg.norm(expected)


def test_coarse_correction_is_symmetric_and_transposes_its_interpolation() -> None:
    conductivity, size = head_like(32)
    system = build_system(conductivity, size)
    fine, coarse = system.levels[0], system.levels[1]
    rng = np.random.default_rng(2)
    coarse_x = np.zeros(coarse.shape, np.float32)
    coarse_x[1:-1, 1:-1, 1:-1] = rng.normal(size=tuple(n - 2 for n in coarse.shape))
    residual = np.zeros(fine.shape, np.float32)
    residual[1:-1, 1:-1, 1:-1] = rng.normal(size=tuple(n - 2 for n in fine.shape))
    inside = np.zeros(fine.shape, bool)
    for i, j in np.ndindex(*fine.first.shape):
        inside[i, j, fine.first[i, j] : fine.last[i, j]] = True
    residual[~inside] = 0.0
    up, down = np.zeros(fine.shape, np.float32), np.zeros(coarse.shape, np.float32)
    kernels.prolong_add(up, fine.first, fine.last, coarse_x)
    kernels.restrict_residual(np.zeros_like(up), residual, *fine.edges, down)
    left, right = float((up * residual).sum()), float((coarse_x * down).sum())
    assert left == pytest.approx(right, rel=2e-5)  # float32 sums of 3e4 terms

    work = _Workspace(system)
    vectors = []
    for seed in (1, 2):
        b = np.random.default_rng(seed).normal(size=fine.shape).astype(np.float32)
        b[~inside] = 0.0
        out = np.zeros(fine.shape)
        kernels.apply_operator(b.astype(np.float64), *fine.edges, out)  # in the operator's range
        work.residuals[0][:] = out / np.abs(out).max()
        b = work.residuals[0].astype(np.float64)
        _cycle(system, work)
        vectors.append((b, work.corrections[0].astype(np.float64)))
    forward = float((vectors[0][0] * vectors[1][1]).sum())
    backward = float((vectors[1][0] * vectors[0][1]).sum())
    scale = np.linalg.norm(vectors[0][0]) * np.linalg.norm(vectors[1][1])
    assert abs(forward - backward) <= 1e-5 * scale
    assert float((vectors[0][0] * vectors[0][1]).sum()) > 0.0


def test_cycles_hardly_grow_with_resolution() -> None:
    cycles = []
    for voxels in (32, 64):
        system = build_system(*head_like(voxels))
        source = induced_source(system, edge_line_integrals(system, uniform_rate))
        result = solve_potential(system, [source], Tolerances(1e-8))[0]
        assert result.converged
        assert result.true_residual <= 1e-8
        assert result.residual_history[-1] == pytest.approx(result.true_residual, rel=0.1)
        cycles.append(result.cycles)
    assert cycles[1] <= 30
    assert cycles[1] <= 1.5 * cycles[0]


def test_true_residual_is_that_of_the_returned_potential(conductor: np.ndarray) -> None:
    system = build_system(conductor, 2e-3)
    source = induced_source(system, edge_line_integrals(system, uniform_rate))
    result = solve_potential(system, [source], Tolerances(1e-3))[0]
    left = source.ravel() - reference_matrix(conductor, 2e-3) @ result.potential.ravel()
    assert result.true_residual == pytest.approx(np.linalg.norm(left) / np.linalg.norm(source), rel=1e-3)


@pytest.mark.parametrize("air", [0.1, 0.4, 0.7])
def test_random_air_converges(air: float) -> None:
    rng = np.random.default_rng(round(10 * air))
    conductivity = np.where(rng.random((32, 32, 32)) < air, 0.0, 0.3)
    system = build_system(conductivity, 1e-3)
    source = induced_source(system, edge_line_integrals(system, uniform_rate))
    result = solve_potential(system, [source], Tolerances(1e-8))[0]
    assert result.converged, result.reason


def test_islands_converge_each_with_its_own_constant() -> None:
    conductivity = np.zeros((24, 24, 24))
    conductivity[2:10, 2:10, 2:10] = 0.2
    conductivity[12:22, 12:22, 12:22] = 2.0
    conductivity[3:6, 14:18, 3:6] = 0.01
    system = build_system(conductivity, 1e-3)
    assert conducting_components(system)[1] == 3
    integrals = edge_line_integrals(system, uniform_rate)
    result = solve_potential(system, [induced_source(system, integrals)], Tolerances(1e-9))[0]
    assert result.converged
    alone = np.where(conductivity == 2.0, 2.0, 0.0)
    single = build_system(alone, 1e-3)
    primary = edge_line_integrals(single, uniform_rate, affine=None)
    field = electric_field(
        single, solve_potential(single, [induced_source(single, primary)], Tolerances(1e-9))[0].potential, primary
    )
    together = electric_field(system, result.potential, integrals)
    inside = alone > 0
    assert np.linalg.norm(together[inside] - field[inside]) <= 1e-6 * np.linalg.norm(field[inside])


def test_corner_contact_joins_conductors() -> None:
    conductivity = np.zeros((4, 4, 4))
    conductivity[:2, :2, :2] = 1.0
    conductivity[2:, 2:, 2:] = 1.0
    assert conducting_components(build_system(conductivity, 1e-3))[1] == 1


def test_shells_of_air_with_pinholes_are_reported_and_the_fallback_solves_them() -> None:
    pytest.importorskip("pyamg")
    rng = np.random.default_rng(1)
    conductivity = np.full((40, 40, 40), 0.3)
    conductivity[3::4] = 0.0
    conductivity[3::4][rng.random(conductivity[3::4].shape) < 0.004] = 0.3
    system = build_system(conductivity, 1e-3)
    source = induced_source(system, edge_line_integrals(system, uniform_rate))
    tolerances = Tolerances(1e-8, max_cycles=40)
    plain = solve_potential(system, [source], tolerances)[0]
    assert not plain.converged
    assert plain.reason in {"cycle limit", "stalled"}
    assert plain.true_residual > 1e-8
    better = solve_with_fallback(system, [source], tolerances)[0]
    assert better.converged
    assert "pyamg" in better.method
    matrix, nodes = sparse_operator(system)
    left = source.ravel()[nodes] - matrix @ better.potential.ravel()[nodes]
    assert np.linalg.norm(left) <= 1e-8 * np.linalg.norm(source)


def test_zero_source_gives_zero_at_once(conductor: np.ndarray) -> None:
    system = build_system(conductor, 1e-3)
    result = solve_potential(system, [np.zeros(system.node_shape)])[0]
    assert result.converged
    assert (result.cycles, result.true_residual, result.reason) == (0, 0.0, "zero right-hand side")
    assert not result.potential.any()


def test_unbalanced_source_stalls_honestly() -> None:
    system = build_system(np.full((8, 8, 8), 1.0), 1e-3)
    source = np.zeros(system.node_shape)
    source[0, 0, 0] = 1.0
    result = solve_potential(system, [source])[0]
    assert not result.converged
    assert result.true_residual > 1e-3


def test_many_sources_equal_single_ones_and_superpose() -> None:
    system = build_system(*head_like(32))
    first = edge_line_integrals(system, uniform_rate)
    second = edge_line_integrals(system, lambda points: np.cross(points, [1.0, -0.3, 0.2]))
    sources = [induced_source(system, primary) for primary in (first, second, first + second.scaled(-2.0))]
    tolerances = Tolerances(1e-10)
    together = solve_potential(system, iter(sources), tolerances)
    np.testing.assert_array_equal(together[1].potential, solve_potential(system, sources[1:2], tolerances)[0].potential)
    sum_of_two = together[0].potential - 2.0 * together[1].potential
    assert np.linalg.norm(together[2].potential - sum_of_two) <= 1e-7 * np.linalg.norm(sum_of_two)


def test_turning_the_head_by_90_degrees_turns_the_field() -> None:
    conductivity, size = head_like(24)
    turned = np.ascontiguousarray(np.rot90(conductivity, axes=(0, 1)))
    axis = np.array([0.48, 0.6, 0.64])
    turned_axis = np.array([-axis[1], axis[0], axis[2]])
    fields = []
    for volume, direction in ((conductivity, axis), (turned, turned_axis)):
        system = build_system(volume, size)
        primary = edge_line_integrals(system, lambda points, d=direction: 0.5 * np.cross(d, points))
        result = solve_potential(system, [induced_source(system, primary)], Tolerances(1e-9))[0]
        fields.append(electric_field(system, result.potential, primary))
    back = np.rot90(fields[1], k=-1, axes=(0, 1))
    back = np.stack([back[..., 1], -back[..., 0], back[..., 2]], axis=-1)
    assert np.linalg.norm(back - fields[0]) <= 1e-6 * np.linalg.norm(fields[0])


def test_uniform_current_in_a_bar_gives_ohms_law() -> None:
    bar = np.full((6, 6, 30), 0.5)
    h = 1e-3
    system = build_system(bar, h)
    faces = [np.array([(i, j, k) for i in range(7) for j in range(7)]) for k in (0, 30)]
    # Nodes on a face's edge stand for half a voxel, in its corner for a quarter; repeated nodes take more.
    weight = [2 - (i in (0, 6)) for i in range(7)]
    spread = [np.repeat(f, [weight[i] * weight[j] for i, j, _ in f], axis=0) for f in faces]
    result = solve_potential(system, [electrode_source(system, spread, [1e-3, -1e-3])], Tolerances(1e-10))[0]
    field = electric_field(system, result.potential)
    expected = 1e-3 / (36 * h**2) / 0.5
    np.testing.assert_allclose(field[..., 2], expected, rtol=1e-6)
    np.testing.assert_allclose(field[..., :2], 0.0, atol=1e-6 * expected)


def test_gradient_fields_induce_nothing() -> None:
    system = build_system(*head_like(24))
    nodes = np.indices(system.node_shape).astype(float)
    scalar = np.sin(0.3 * nodes[0] + 0.2 * nodes[1]) + np.cos(0.25 * nodes[2])
    primary = EdgeIntegrals(*(np.diff(scalar, axis=axis) for axis in range(3)))
    result = solve_potential(system, [induced_source(system, primary)], Tolerances(1e-10))[0]
    size = np.abs(np.diff(scalar, axis=0)).max() / system.voxel_size
    assert np.abs(electric_field(system, result.potential, primary)).max() <= 1e-6 * size


@pytest.mark.parametrize(
    ("conductivity", "voxel_size", "named"),
    [
        (np.zeros((4, 4, 4)), 1e-3, "air"),
        (np.full((4, 4, 4), -0.1), 1e-3, "negative"),
        (np.full((4, 4, 4), np.nan), 1e-3, "finite"),
        (np.ones((4, 4)), 1e-3, "shape"),
        (np.ones((4, 4, 4, 1)), 1e-3, "shape"),
        (np.ones((4, 4, 4)), 0.0, "voxel_size"),
    ],
)
def test_bad_conductors_are_refused(conductivity: np.ndarray, voxel_size: float, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        build_system(conductivity, voxel_size)


def test_head_without_air_is_solved() -> None:
    system = build_system(np.full((16, 16, 16), 0.3), 1e-3)
    source = induced_source(system, edge_line_integrals(system, uniform_rate))
    assert solve_potential(system, [source], Tolerances(1e-9))[0].converged


def test_bad_sources_are_refused(conductor: np.ndarray) -> None:
    system = build_system(conductor, 1e-3)
    with pytest.raises(ValueError, match="source must have shape"):
        solve_potential(system, [np.zeros((3, 3, 3))])
    with pytest.raises(ValueError, match="finite"):
        solve_potential(system, [np.full(system.node_shape, np.inf)])
    with pytest.raises(ValueError, match="shear"):
        edge_line_integrals(
            system, uniform_rate, np.array([[1e-3, 3e-4, 0, 0], [0, 1e-3, 0, 0], [0, 0, 1e-3, 0], [0, 0, 0, 1]])
        )
    with pytest.raises(ValueError, match="relative_residual"):
        Tolerances(0.0)


def test_bad_electrodes_are_refused() -> None:
    conductivity = np.zeros((12, 4, 4))
    conductivity[:5] = conductivity[7:] = 1.0
    system = build_system(conductivity, 1e-3)
    left, right, air = np.array([[0, 0, 0]]), np.array([[12, 0, 0]]), np.array([[6, 0, 0]])
    with pytest.raises(ValueError, match="one connected conductor"):
        electrode_source(system, [left, right], [1.0, -1.0])
    with pytest.raises(ValueError, match="sum to zero"):
        electrode_source(system, [left, left], [1.0, -0.5])
    with pytest.raises(ValueError, match="air"):
        electrode_source(system, [left, air], [1.0, -1.0])
    with pytest.raises(ValueError, match="one current for each"):
        electrode_source(system, [left], [1.0, -1.0])
