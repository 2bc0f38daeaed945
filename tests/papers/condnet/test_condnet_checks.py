"""The chapter's physics checks on coarse grids, where they take seconds, and what their wiring promises."""

from __future__ import annotations

import numpy as np
import pytest

from mrrepro.papers.condnet import checks
from mrrepro.papers.condnet.benchmarks import BENCHMARKS, RESIDUAL, time_jacobi, time_multigrid, time_pyamg
from mrrepro.papers.condnet.reference_models import LayeredSphere


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


def test_eccentric_sphere_sees_the_conductivity(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.eccentric_error(4e-3) <= 0.08
    blind = checks.build_system
    monkeypatch.setattr(checks, "build_system", lambda volume, h: blind(np.where(volume > 0, 0.1, 0.0), h))
    assert checks.eccentric_error(4e-3) >= 0.5


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
    assert len(limits) == len(checks.CHECKS) == 11
    assert {b.id for b in BENCHMARKS} == {
        f"condnet.{name}" for name in ("multigrid_128", "multigrid_256", "multigrid_256_memory", "jacobi_256")
    }


def test_contestants_reach_one_residual() -> None:
    pytest.importorskip("pyamg")
    for timing in (time_multigrid(32), time_pyamg(32), time_jacobi(32)):
        assert timing.true_residual <= 1.5 * RESIDUAL
        assert timing.iterations > 5
