"""Fields of several sources in one call, and the conductor in an estimated map."""

from __future__ import annotations

import numpy as np
import pytest

from mrrepro.solvers.induced_fields import induced_fields, one_conductor
from mrrepro.solvers.potential_sources import grid_affine


def cylinder() -> np.ndarray:
    axis = np.arange(24) - 11.5
    inside = axis[:, None] ** 2 + axis[None, :] ** 2 < 10.0**2
    return np.repeat(inside[:, :, None], 24, axis=2).astype(np.float32) * 0.3


def test_a_uniform_changing_field_along_a_cylinder_makes_circles_whatever_the_conductivity() -> None:
    h = 2e-3
    affine = grid_affine((24, 24, 24), h)
    rates = [lambda p, f=f: f * 0.5 * np.stack([-p[:, 1], p[:, 0], 0 * p[:, 0]], axis=1) for f in (1.0, -2.0)]
    one, two = induced_fields(cylinder(), affine, rates)
    assert one.result.converged
    place = np.moveaxis(np.indices((24, 24, 24)), 0, -1) * h + affine[:3, 3]
    radius = np.hypot(place[..., 0], place[..., 1])
    inner = radius < 8 * h
    exact = -0.5 * np.stack([-place[..., 1], place[..., 0], 0 * radius], axis=-1)
    error = np.linalg.norm(one.field[inner] - exact[inner]) / np.linalg.norm(exact[inner])
    assert error < 0.05  # the staircase of the outline at 24 voxels
    np.testing.assert_allclose(two.field, -2.0 * one.field, atol=1e-4 * np.abs(exact).max())


def test_islands_and_weak_voxels_become_air() -> None:
    estimate = 0.5 * cylinder()
    estimate[0, 0, 0] = 1.0
    estimate[12, 12, 12] = 1e-4
    cleaned, head = one_conductor(estimate, 0.005)
    assert cleaned[0, 0, 0] == 0.0
    assert cleaned[12, 12, 12] == 0.0
    assert head.sum() == (cylinder() > 0).sum() - 1
    with pytest.raises(ValueError, match="all of the volume would be air"):
        one_conductor(estimate, 2.0)


def test_shear_is_refused() -> None:
    affine = grid_affine((24, 24, 24), 2e-3)
    affine[0, 1] = 1e-3
    with pytest.raises(ValueError, match="without shear"):
        next(induced_fields(cylinder(), affine, [lambda p: p]))
