"""Bodies: signed distances, volumes, superposition, and what is refused."""

import math

import numpy as np
import pytest
import torch

from mrrepro.phantoms.shapes import (
    METABALL_UNIT,
    Body,
    Cylinder,
    Metaballs,
    Sphere,
    Torus,
    concentration_volume,
)

VOXEL = 0.4e-3
SIZE, HALF_DEPTH = 64, 28


def volume_of(shape):
    return concentration_volume((Body(shape, 1.0),), SIZE, HALF_DEPTH, VOXEL).sum().item() * VOXEL**3


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (Sphere((0.0, 0.0, 0.0), 5e-3), 4 / 3 * math.pi * 5e-3**3),
        (Cylinder((1e-4, 0.0, 2e-4), 3e-3, 10e-3, "x"), math.pi * 3e-3**2 * 10e-3),
        (Cylinder((1e-4, 0.0, 2e-4), 3e-3, 10e-3, "y"), math.pi * 3e-3**2 * 10e-3),
        (Torus((0.0, 1e-4, 0.0), 1.5e-3, 4e-3), 2 * math.pi**2 * 4e-3 * 1.5e-3**2),
        (Metaballs(((0.0, 0.0, 0.0),), 0.01), 4 / 3 * math.pi * (10 * METABALL_UNIT) ** 3),
    ],
)
def test_volumes_are_those_of_geometry(shape, expected):
    assert volume_of(shape) == pytest.approx(expected, rel=8e-3)  # a smooth edge adds (h/r)^2 / 12: 0.6% of the torus


def test_metaballs_are_where_equation_2_says():
    centres = ((0.0, 0.0, 0.0), (2e-3, 0.0, 1e-3), (-1e-3, 1e-3, 0.0))
    shape = Metaballs(centres, 0.02)
    points = np.random.default_rng(0).uniform(-8e-3, 8e-3, (400, 3))
    inside = sum(METABALL_UNIT**2 / ((points - c) ** 2).sum(axis=1) for c in np.array(centres)) >= 0.02
    columns = [torch.tensor(points[:, i])[:, None, None] for i in range(3)]
    found = shape.signed_distance(*columns)[:, 0, 0].numpy() <= 0
    np.testing.assert_array_equal(found, inside)
    assert 20 < inside.sum() < 380


def test_bounds_hold_the_body():
    generator = np.random.default_rng(1)
    for _ in range(20):
        centres = tuple(tuple(generator.uniform(-2e-3, 2e-3, 3)) for _ in range(3))
        shape = Metaballs(centres, generator.uniform(0.01, 0.05))
        volume = concentration_volume((Body(shape, 1.0),), 96, 47, VOXEL)
        filled = torch.nonzero(volume > 0)
        for axis, (origin, (low, high)) in enumerate(zip((48, 47, 48), shape.bounds(), strict=True)):
            positions = (filled[:, axis] - origin) * VOXEL
            assert positions.min() >= low - VOXEL
            assert positions.max() <= high + VOXEL


def test_concentrations_add_where_bodies_overlap():
    body = Body(Sphere((0.0, 0.0, 0.0), 4e-3), 3.0)
    once = concentration_volume((body,), SIZE, HALF_DEPTH, VOXEL)
    torch.testing.assert_close(concentration_volume((body, body), SIZE, HALF_DEPTH, VOXEL), 2 * once)
    assert once.max() == pytest.approx(3.0)


def test_a_body_that_the_grid_would_cut_is_refused():
    for centre in ((12e-3, 0.0, 0.0), (0.0, 10e-3, 0.0), (0.0, 0.0, -12e-3)):
        with pytest.raises(ValueError, match="cut source"):
            concentration_volume((Body(Sphere(centre, 3e-3), 1.0),), SIZE, HALF_DEPTH, VOXEL)


@pytest.mark.parametrize("concentration", [27_900.0, -1.0, math.nan, math.inf])
def test_a_concentration_in_another_unit_is_refused(concentration):
    with pytest.raises(ValueError, match="concentration must lie in"):
        Body(Sphere((0.0, 0.0, 0.0), 1e-3), concentration)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Sphere((0.0, 0.0, 0.0), 0.0),
        lambda: Torus((0.0, 0.0, 0.0), -1e-3, 1e-3),
        lambda: Cylinder((0.0, 0.0, 0.0), 1e-3, 1e-3, "w"),
        lambda: Metaballs((), 0.02),
        lambda: Metaballs(((0.0, 0.0, 0.0),), 0.0),
    ],
)
def test_impossible_shapes_are_refused(build):
    with pytest.raises(ValueError, match="must"):
        build()
