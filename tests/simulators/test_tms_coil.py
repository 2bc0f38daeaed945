"""The figure-of-eight coil against straight segments, its field equations and its own exact form."""

from __future__ import annotations

import numpy as np
import pytest

from mrrepro.constants import VACUUM_PERMEABILITY
from mrrepro.papers.condnet.reference_models import LayeredSphere, coil_above_sphere, coil_field_in_sphere
from mrrepro.simulators.tms_coil import (
    FigureEight,
    PlacedCoil,
    SinusoidalCurrent,
    check_clearance,
    loops_potential_over_radius,
    place_coil,
    segments_vector_potential,
)
from mrrepro.solvers.potential_sources import grid_affine


@pytest.fixture
def placed() -> PlacedCoil:
    """The paper's coil, oblique."""
    return place_coil(FigureEight(), np.array([-0.06, -0.01, 0.065]), np.array([-1.0, 0.1, 1.2]), 5e-3, 0.7)


@pytest.fixture
def below(placed: PlacedCoil) -> np.ndarray:
    """400 points 5 to 80 mm below the coil."""
    rng = np.random.default_rng(0)
    local = rng.uniform([-0.1, -0.1, -0.08], [0.1, 0.1, -0.005], (400, 3))
    return local @ placed.axes.T + placed.centre


def test_loop_on_its_axis_has_the_known_flux_density() -> None:
    # B_z on the axis is 2 A_phi / rho as rho -> 0: mu0 a^2 / (2 (a^2 + z^2)^(3/2)).
    z = np.array([0.0, 0.01, 0.05])
    a = 0.04
    found = 2 * loops_potential_over_radius((a,), np.zeros(3), z)
    np.testing.assert_allclose(found, VACUUM_PERMEABILITY * a**2 / (2 * (a**2 + z**2) ** 1.5), rtol=1e-12)


def test_series_meets_the_elliptic_integrals() -> None:
    # m crosses 0.05 between neighbours 1e-9 apart: a jump there would show.
    a, z = 0.04, 0.2
    rho = np.linspace(1e-4, 0.3, 20001)
    values = loops_potential_over_radius((a,), rho, np.full_like(rho, z))
    second = np.abs(np.diff(values, 2))
    assert second.max() <= 1e-6 * values.max()


def test_vector_potential_equals_straight_segments(placed: PlacedCoil, below: np.ndarray) -> None:
    below = below[:40]
    exact = placed.exact_vector_potential(below)
    sides = 360
    polygon = np.zeros_like(below)
    for centre, sense in placed.coil.wings:
        for radius in placed.coil.radii:
            phi = sense * 2 * np.pi * np.arange(sides + 1) / sides
            ring = np.stack([centre + radius * np.cos(phi), radius * np.sin(phi), np.zeros(sides + 1)], axis=1)
            polygon += segments_vector_potential(below, ring @ placed.axes.T + placed.centre)
    # A polygon of 360 sides lacks 5e-5 of its circle's area.
    np.testing.assert_allclose(polygon, exact, atol=1e-4 * np.abs(exact).max())


def test_table_equals_the_exact_form_near_and_far(placed: PlacedCoil, below: np.ndarray) -> None:
    exact = placed.exact_vector_potential(below)
    np.testing.assert_allclose(placed.vector_potential(below), exact, atol=1e-5 * np.abs(exact).max())
    far = below + np.array([1.0, 2.0, -3.0])
    np.testing.assert_array_equal(placed.vector_potential(far), placed.exact_vector_potential(far))


def test_current_under_the_middle_runs_along_y(placed: PlacedCoil) -> None:
    under = placed.centre - 20e-3 * placed.axes[:, 2]
    potential = placed.vector_potential(under[None])[0] @ placed.axes
    assert potential[1] > 0.0
    assert np.abs(potential[[0, 2]]).max() <= 1e-9 * potential[1]


def test_dipole_sheet_has_the_same_field_far_away(placed: PlacedCoil, below: np.ndarray) -> None:
    positions, moments = placed.dipole_sheet(16, 64)
    where = below[:12] - 0.05 * placed.axes[:, 2]
    offset = where[:, None] - positions
    cube = np.linalg.norm(offset, axis=-1, keepdims=True) ** 3
    sheet = VACUUM_PERMEABILITY / (4 * np.pi) * (np.cross(moments, offset) / cube).sum(axis=1)
    exact = placed.exact_vector_potential(where)
    np.testing.assert_allclose(sheet, exact, atol=1e-6 * np.abs(exact).max())


def test_field_in_a_sphere_has_the_curl_of_the_coil(placed: PlacedCoil) -> None:
    # curl E = -dB/dt = -curl dA/dt, so E + dA/dt is a gradient: its curl vanishes.
    coil = coil_above_sphere(LayeredSphere())
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.04, 0.04, (10, 3))
    step = 2e-3

    def total(where: np.ndarray) -> np.ndarray:
        return coil_field_in_sphere(where, coil) + coil.exact_vector_potential(where)

    def jacobian(field) -> np.ndarray:
        shifts = step * np.eye(3)
        near = np.stack([field(points + s) - field(points - s) for s in shifts], axis=1)
        far = np.stack([field(points + 2 * s) - field(points - 2 * s) for s in shifts], axis=1)
        return (8 * near - far) / (12 * step)

    gradient = jacobian(total)
    primary = jacobian(coil.exact_vector_potential)
    assert np.abs(gradient - gradient.transpose(0, 2, 1)).max() <= 1e-4 * np.abs(primary).max()


def test_placement_is_tangential_and_turns_by_the_angle() -> None:
    point, normal = np.array([0.0, 0.0, 0.09]), np.array([0.0, 0.0, 2.0])
    coil = place_coil(FigureEight(), point, normal, 4e-3, 0.0)
    np.testing.assert_allclose(coil.centre, [0, 0, 0.094])
    np.testing.assert_allclose(coil.axes, np.eye(3), atol=1e-15)
    turned = place_coil(FigureEight(), point, normal, 4e-3, np.pi / 2)
    np.testing.assert_allclose(turned.axes[:, 1], [-1, 0, 0], atol=1e-12)


def test_pulse_starts_at_its_steepest() -> None:
    pulse = SinusoidalCurrent(peak=2e3, frequency=5e3)
    assert pulse.rate_of_change() == pytest.approx(2 * np.pi * 5e3 * 2e3)
    assert pulse.rate_of_change(0.5e-4) == pytest.approx(0.0, abs=1e-6)
    assert pulse.rate_of_change(1.0) == 0.0


def test_coil_in_the_head_is_refused() -> None:
    head = np.zeros((60, 60, 60))
    head[10:50, 10:50, 10:50] = 0.3
    affine = grid_affine(head.shape, 4e-3)
    normal = np.array([0.0, 0.0, 1.0])
    check_clearance(place_coil(FigureEight(), np.array([0, 0, 0.08]), normal, 8e-3), head, affine)
    with pytest.raises(ValueError, match="outside of the head"):
        check_clearance(place_coil(FigureEight(), np.array([0, 0, 0.05]), normal, 8e-3), head, affine)


def test_bad_coils_are_refused() -> None:
    with pytest.raises(ValueError, match="outer_diameter"):
        FigureEight(outer_diameter=40e-3, inner_diameter=50e-3)
    with pytest.raises(ValueError, match="wing_distance"):
        FigureEight(wing_distance=50e-3)
    with pytest.raises(ValueError, match="gap"):
        place_coil(FigureEight(), np.zeros(3), np.array([0, 0, 1.0]), 0.0)
    with pytest.raises(ValueError, match="reference"):
        place_coil(FigureEight(), np.zeros(3), np.array([0, 1.0, 0]), 1e-3)
