"""Closed forms in spheres against each other, a Green function and their field equations."""

from __future__ import annotations

import numpy as np
import pytest

from mrrepro.papers.condnet.checks import dipole_closed_form_error
from mrrepro.solvers.sphere_fields import (
    EccentricSphere,
    SurfaceElectrode,
    eccentric_sphere_field,
    layered_sphere_field,
    layered_sphere_potential,
    magnetic_dipole_field,
)

RADIUS = 92e-3


@pytest.fixture
def points() -> np.ndarray:
    """200 points within 75 mm of the centre."""
    rng = np.random.default_rng(1)
    where = rng.normal(size=(200, 3))
    return where * (75e-3 * rng.random(200) ** (1 / 3) / np.linalg.norm(where, axis=1))[:, None]


def negative_gradient(potential, points: np.ndarray, step: float = 2e-4) -> np.ndarray:
    columns = []
    for axis in range(3):
        shift = step * np.eye(3)[axis]
        near = potential(points + shift) - potential(points - shift)
        far = potential(points + 2 * shift) - potential(points - 2 * shift)
        columns.append(-(8 * near - far) / (12 * step))
    return np.stack(columns, axis=1)


def test_dipole_obeys_faraday_and_has_neither_divergence_nor_radial_part() -> None:
    assert dipole_closed_form_error() <= 1e-7


def test_homogeneous_sphere_equals_the_neumann_green_function(points: np.ndarray) -> None:
    sigma = 0.3
    electrodes = [SurfaceElectrode((0, 0, 1), 1e-3), SurfaceElectrode((1, 0, 0.2), -1e-3)]

    def potential(where: np.ndarray) -> np.ndarray:
        total = np.zeros(len(where))
        for electrode in electrodes:
            source = electrode.unit() * RADIUS
            distance = np.linalg.norm(where - source, axis=1)
            image = np.log(2 * RADIUS**2 / (RADIUS**2 - where @ source + RADIUS * distance)) / RADIUS
            total += electrode.current / (4 * np.pi * sigma) * (2 / distance + image)
        return total

    expected = negative_gradient(potential, points)
    layers = [0.5 * RADIUS, 0.7 * RADIUS, RADIUS]
    found = layered_sphere_field(points, layers, [sigma] * 3, electrodes)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def test_field_is_the_gradient_of_the_potential(points: np.ndarray) -> None:
    radii, sigmas = [60e-3, 78e-3, RADIUS], [0.1, 2.0, 0.02]
    electrodes = [SurfaceElectrode((0, 0, 1), 1e-3, 0.1), SurfaceElectrode((1, 0.3, 0), -1e-3, 0.3)]
    inside = points[np.abs(np.linalg.norm(points, axis=1) - 60e-3) > 1e-3]
    expected = negative_gradient(lambda where: layered_sphere_potential(where, radii, sigmas, electrodes), inside)
    found = layered_sphere_field(inside, radii, sigmas, electrodes)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def test_layers_keep_potential_and_normal_current(points: np.ndarray) -> None:
    radii, sigmas = [60e-3, 78e-3, RADIUS], [0.1, 2.0, 0.02]
    electrodes = [SurfaceElectrode((0, 0, 1), 1e-3, 0.2), SurfaceElectrode((0, 0, -1), -1e-3, 0.2)]
    direction = points / np.linalg.norm(points, axis=1)[:, None]
    for radius, inner, outer in ((60e-3, 0.1, 2.0), (78e-3, 2.0, 0.02)):
        below = layered_sphere_field((radius - 1e-9) * direction, radii, sigmas, electrodes)
        above = layered_sphere_field((radius + 1e-9) * direction, radii, sigmas, electrodes)
        flux = inner * (below * direction).sum(axis=1), outer * (above * direction).sum(axis=1)
        # The two sides are 2e-9 m apart, a few 1e-6 of the field's change over the smallest harmonic.
        np.testing.assert_allclose(flux[0], flux[1], atol=1e-5 * np.abs(flux[0]).max())
        jump = np.cross(direction, below - above)
        np.testing.assert_allclose(jump, 0.0, atol=1e-6 * np.abs(above).max())


def test_whole_current_crosses_the_equator() -> None:
    radii, sigmas = [60e-3, 78e-3, RADIUS], [0.1, 2.0, 0.02]
    electrodes = [SurfaceElectrode((0, 0, 1), 1e-3, 0.2), SurfaceElectrode((0, 0, -1), -1e-3, 0.2)]
    total = 0.0  # down through z = 0
    for low, high, sigma in ((0.0, 60e-3, 0.1), (60e-3, 78e-3, 2.0), (78e-3, RADIUS, 0.02)):
        nodes, weights = np.polynomial.legendre.leggauss(40)
        rho = 0.5 * (high - low) * (nodes + 1) + low
        where = np.stack([rho, np.zeros_like(rho), np.zeros_like(rho)], axis=1)
        down = -layered_sphere_field(where, radii, sigmas, electrodes)[:, 2]
        total += float((0.5 * (high - low) * weights * 2 * np.pi * rho * sigma * down).sum())
    # At the rim of the sphere the series of 200 terms is good to some 1e-3.
    assert total == pytest.approx(1e-3, rel=1e-3)


def test_eccentric_sphere_has_its_two_limits(points: np.ndarray) -> None:
    electrodes = [SurfaceElectrode((0, 0, 1), 1e-3, 0.1), SurfaceElectrode((0, 0, -1), -1e-3, 0.3)]
    concentric = eccentric_sphere_field(points, EccentricSphere(RADIUS, 50e-3, 0.0, 0.1, 2.0), electrodes)
    layered = layered_sphere_field(points, [50e-3, RADIUS], [2.0, 0.1], electrodes)
    np.testing.assert_allclose(concentric, layered, atol=1e-12 * np.abs(layered).max())
    absent = eccentric_sphere_field(points, EccentricSphere(RADIUS, 50e-3, 30e-3, 0.1, 0.1), electrodes)
    plain = layered_sphere_field(points, [RADIUS], [0.1], electrodes)
    np.testing.assert_allclose(absent, plain, atol=1e-12 * np.abs(plain).max())


def test_eccentric_sphere_keeps_its_boundary_conditions(points: np.ndarray) -> None:
    sphere = EccentricSphere(RADIUS, 50e-3, 30e-3, 0.1, 2.0)
    electrodes = [SurfaceElectrode((0, 0, 1), 1e-3, 0.2), SurfaceElectrode((0, 0, -1), -1e-3, 0.2)]
    direction = points / np.linalg.norm(points, axis=1)[:, None]
    centre = np.array([0.0, 0.0, sphere.offset])
    below = eccentric_sphere_field(centre + (50e-3 - 1e-9) * direction, sphere, electrodes)
    above = eccentric_sphere_field(centre + (50e-3 + 1e-9) * direction, sphere, electrodes)
    flux = 2.0 * (below * direction).sum(axis=1), 0.1 * (above * direction).sum(axis=1)
    np.testing.assert_allclose(flux[0], flux[1], atol=1e-6 * np.abs(flux[0]).max())
    np.testing.assert_allclose(np.cross(direction, below - above), 0.0, atol=1e-6 * np.abs(above).max())
    away = np.abs(direction[:, 2]) < 0.7  # 45 degrees from the electrodes: no current leaves the surface
    surface = eccentric_sphere_field(RADIUS * direction[away], sphere, electrodes, degrees=500)
    normal = (surface * direction[away]).sum(axis=1)
    # The cap's edge leaves a Gibbs ripple that decays like degrees^-3/2.
    assert np.abs(normal).max() <= 2e-3 * 1e-3 / 0.1 / (2 * np.pi * RADIUS**2 * (1 - np.cos(0.2)))


def test_bad_spheres_are_refused(points: np.ndarray) -> None:
    with pytest.raises(ValueError, match="outside"):
        magnetic_dipole_field(points, np.array([0.0, 0.0, 10e-3]), np.ones(3))
    with pytest.raises(ValueError, match="sum to zero"):
        layered_sphere_field(points, [RADIUS], [0.1], [SurfaceElectrode((0, 0, 1), 1e-3)])
    with pytest.raises(ValueError, match="increase"):
        layered_sphere_field(points, [RADIUS, 50e-3], [0.1, 0.1], [])
    with pytest.raises(ValueError, match="offset"):
        EccentricSphere(RADIUS, 50e-3, 50e-3, 0.1, 2.0)
    with pytest.raises(ValueError, match="z axis"):
        eccentric_sphere_field(points, EccentricSphere(RADIUS, 50e-3, 0.0, 0.1, 2.0), [
            SurfaceElectrode((1, 0, 0), 1e-3), SurfaceElectrode((0, 0, 1), -1e-3)])  # fmt: skip
