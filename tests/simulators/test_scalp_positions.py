"""10-10 positions on a sphere, where every arc is known."""

from __future__ import annotations

import numpy as np
import pytest

from mrrepro.papers.condnet.consistency import POSITIONS
from mrrepro.simulators.scalp_positions import HeadSurface, Landmarks, position_named, ten_ten_positions
from mrrepro.solvers.potential_sources import grid_affine

RADIUS = 90e-3


@pytest.fixture(scope="module")
def surface() -> HeadSurface:
    h, n = 2e-3, 104
    axis = (np.arange(n) - 0.5 * (n - 1)) * h
    distance = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    return HeadSurface(distance < RADIUS, grid_affine((n, n, n), h))


@pytest.fixture(scope="module")
def positions(surface: HeadSurface) -> dict[str, np.ndarray]:
    front, left = (0.0, RADIUS, 0.0), (-RADIUS, 0.0, 0.0)
    return ten_ten_positions(surface, Landmarks(front, (0.0, -RADIUS, 0.0), left, (RADIUS, 0.0, 0.0)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Cz", (0, 0, 1)),
        ("C3", (-np.cos(np.deg2rad(54)), 0, np.sin(np.deg2rad(54)))),
        ("C4", (np.cos(np.deg2rad(54)), 0, np.sin(np.deg2rad(54)))),
        ("C1", (-np.cos(np.deg2rad(72)), 0, np.sin(np.deg2rad(72)))),
        ("T7", (-np.cos(np.deg2rad(18)), 0, np.sin(np.deg2rad(18)))),
        ("Fpz", (0, np.cos(np.deg2rad(18)), np.sin(np.deg2rad(18)))),
        ("Fz", (0, np.cos(np.deg2rad(54)), np.sin(np.deg2rad(54)))),
        ("Pz", (0, -np.cos(np.deg2rad(54)), np.sin(np.deg2rad(54)))),
    ],
)
def test_arcs_of_a_sphere(positions: dict[str, np.ndarray], name: str, expected: tuple[float, ...]) -> None:
    # A quarter of the 2 mm voxels.
    np.testing.assert_allclose(positions[name], RADIUS * np.asarray(expected), atol=0.5e-3)


def test_ring_divides_its_plane_curve_evenly(positions: dict[str, np.ndarray]) -> None:
    # Fpz, T7 and Oz lie at one height; the ring between them is a half circle, 18 degrees a step.
    angle = np.deg2rad([18, 36, 54, 72])
    ring = RADIUS * np.cos(np.deg2rad(18))
    for name, a in zip(("Fp1", "AF7", "F7", "FT7"), angle, strict=True):
        expected = [-ring * np.sin(a), ring * np.cos(a), RADIUS * np.sin(np.deg2rad(18))]
        np.testing.assert_allclose(positions[name], expected, atol=0.7e-3)


def test_sides_mirror_and_all_names_are_there(positions: dict[str, np.ndarray]) -> None:
    assert len(positions) == 61
    for left, right in (("F3", "F4"), ("PO7", "PO8"), ("CP5", "CP6"), ("AF3", "AF4"), ("P1", "P2")):
        np.testing.assert_allclose(positions[left] * [-1, 1, 1], positions[right], atol=0.5e-3)


def test_normal_of_a_sphere_is_radial(surface: HeadSurface, positions: dict[str, np.ndarray]) -> None:
    radial = positions["C3"] / np.linalg.norm(positions["C3"])
    assert surface.normal(positions["C3"]) @ radial >= np.cos(np.deg2rad(2.0))


def test_unknown_names_suggest_the_nearest(positions: dict[str, np.ndarray]) -> None:
    assert position_named(positions, "cz") is positions["Cz"]
    with pytest.raises(ValueError, match="C3"):
        position_named(positions, "C33")


def test_bad_heads_are_refused(surface: HeadSurface) -> None:
    with pytest.raises(ValueError, match="all one"):
        HeadSurface(np.ones((4, 4, 4), bool), np.eye(4))
    far = Landmarks((0.0, 9.0, 0.0), (0.0, 8.0, 0.0), (-0.1, 8.5, 0.0), (0.1, 8.5, 0.0))
    with pytest.raises(ValueError, match="landmarks"):
        ten_ten_positions(surface, far)
    with pytest.raises(ValueError, match="scalp"):
        surface.normal(np.array([1.0, 1.0, 1.0]))


def test_the_names_that_settings_admit_are_those_of_the_system(positions) -> None:
    assert sorted(POSITIONS) == sorted(positions)
