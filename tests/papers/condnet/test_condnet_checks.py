"""The chapter's physics checks on coarse grids, where they take seconds, and what their wiring promises."""

from __future__ import annotations

import numpy as np
import pytest

from mrrepro.papers.condnet import checks, eccentric, table1
from mrrepro.papers.condnet.benchmarks import BENCHMARKS, RESIDUAL, time_jacobi, time_multigrid, time_pyamg
from mrrepro.papers.condnet.reference_models import (
    LayeredSphere,
    coil_above_sphere,
    coil_field_in_sphere,
    relative_error,
)
from mrrepro.solvers.potential_sources import edge_line_integrals, grid_affine
from mrrepro.solvers.potential_system import build_system


def test_coil_error_falls_with_the_voxel_as_the_square() -> None:
    sphere = LayeredSphere()
    plain = sphere.homogeneous()
    errors = [checks.coil_error(sphere, plain.binary(h), h) for h in (8e-3, 4e-3)]
    # 4 mm: about 1%; the voxelised outline makes the order a trend, not a law.
    assert errors[1] <= 0.015
    assert errors[1] <= 0.5 * errors[0]


def test_partial_volume_beats_binary_voxels_at_4_mm() -> None:
    sphere = LayeredSphere()
    binary = checks.coil_error(sphere, sphere.binary(4e-3), 4e-3)
    partial = checks.coil_error(sphere, sphere.partial_volume(4e-3), 4e-3)
    assert partial <= 0.06
    assert partial <= 0.3 * binary


def test_half_a_voxel_of_shift_hardly_matters() -> None:
    sphere, h, n = LayeredSphere().homogeneous(), 4e-3, 50
    placed = coil_above_sphere(sphere)
    errors = []
    for shift in (0.0, 0.5 * h):
        affine = grid_affine((n, n, n), h)
        affine[:3, 3] += shift
        centres = np.moveaxis(np.indices((n, n, n)), 0, -1) * h + affine[:3, 3]
        distance = np.linalg.norm(centres, axis=-1)
        system = build_system(np.where(distance < sphere.radii[0], 0.1, 0.0), h)
        field = checks.induced_field(system, edge_line_integrals(system, placed.vector_potential, affine))
        brain = (distance < 78e-3) & (np.random.default_rng(0).random(distance.shape) < 0.02)
        errors.append(relative_error(field[brain], coil_field_in_sphere(centres[brain], placed)))
    assert max(errors) <= 0.02


def test_eccentric_sphere_sees_the_conductivity(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = eccentric.eccentric_errors(eccentric.binary, 4e-3)
    assert errors.uncut <= 0.08
    blind = eccentric.build_system
    monkeypatch.setattr(eccentric, "build_system", lambda volume, h: blind(np.where(volume > 0, 0.1, 0.0), h))
    assert eccentric.eccentric_errors(eccentric.binary, 4e-3).uncut >= 0.5


def test_a_current_across_a_boundary_wants_the_harmonic_mean() -> None:
    kinds = (eccentric.harmonic, eccentric.binary, eccentric.arithmetic)
    errors = [eccentric.eccentric_errors(kind, 4e-3).all_means for kind in kinds]
    assert errors == sorted(errors)
    # Half of it: the layer of cut voxels carries most of the error of the other two.
    assert errors[0] <= 0.5 * errors[2]


def test_three_tissues_of_table_1_are_not_gabriels() -> None:
    far = {tissue for tissue, value in table1.deviations_from_table().items() if abs(value) > 0.005}
    assert far == set(table1.NOT_COLE_COLE)


def test_layered_electrodes_see_the_conductivity(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.layered_electrodes_error(2e-3) <= 0.08
    blind = checks.build_system
    monkeypatch.setattr(checks, "build_system", lambda volume, h: blind(np.where(volume > 0, 0.1, 0.0), h))
    assert checks.layered_electrodes_error(4e-3) >= 0.5


def test_gauge_conservation_and_reciprocity() -> None:
    assert checks.gauge_dependence(32) <= 1e-6
    assert checks.conservation_error(32) <= 1e-10
    assert checks.reciprocity_error(32) <= 1e-6


def test_ids_and_limits_are_the_chapters() -> None:
    limits = {check.id: check.limit for check in checks.CHECKS}
    assert limits["condnet.layered_tES"] == 0.03
    assert limits["condnet.eccentric"] == 0.05
    assert limits["condnet.gauge"] == 1e-6
    assert limits["condnet.conservation"] == 1e-10
    assert limits["condnet.eccentric_all_voxels"] == 0.05
    assert limits["condnet.cole_cole_10kHz"] == 0.005
    assert len(limits) == len(checks.CHECKS) == 13
    assert {b.id for b in BENCHMARKS} == {
        f"condnet.{name}"
        for name in ("multigrid_128", "aggregation_128", "multigrid_256", "multigrid_256_memory", "jacobi_256")
    }


def test_contestants_reach_one_residual() -> None:
    pytest.importorskip("pyamg")
    for timing in (
        time_multigrid(32),
        time_pyamg(32),
        time_pyamg(32, "smoothed_aggregation_solver"),
        time_jacobi(32),
    ):
        assert timing.true_residual <= 1.5 * RESIDUAL
        assert timing.iterations > 5
