"""A coil on a head by name, gap and angle, and positions of MNI in another head."""

from __future__ import annotations

import numpy as np
import pytest

from mrrepro.simulators.coil_on_head import HAND_KNOB, MNI_BRAIN_BOX, BrainFrame, CoilChoice, coil_on_head, scalp_site
from mrrepro.solvers.potential_sources import grid_affine

H = 4e-3
SHAPE = (56, 64, 56)
AFFINE = grid_affine(SHAPE, H)


def ellipsoid(semi_axes: tuple[float, float, float]) -> np.ndarray:
    place = np.moveaxis(np.indices(SHAPE), 0, -1) * H + AFFINE[:3, 3]
    return ((place / np.array(semi_axes)) ** 2).sum(axis=-1) < 1.0


HEAD, BRAIN = ellipsoid((80e-3, 98e-3, 88e-3)), ellipsoid((70e-3, 87e-3, 71e-3))


def test_the_box_of_the_template_maps_onto_itself() -> None:
    low, high = (np.asarray(corner) for corner in MNI_BRAIN_BOX)
    np.testing.assert_allclose(BrainFrame(low, high).from_mni(HAND_KNOB), HAND_KNOB, atol=1e-12)
    moved = BrainFrame(2.0 * low + 0.01, 2.0 * high + 0.01).from_mni(HAND_KNOB)
    np.testing.assert_allclose(moved, 2.0 * np.asarray(HAND_KNOB) + 0.01, atol=1e-12)


def test_left_and_right_mirror_and_normals_point_outwards() -> None:
    (left, left_normal), (right, right_normal) = (scalp_site(HEAD, BRAIN, AFFINE, name) for name in ("C3", "C4"))
    np.testing.assert_allclose(left, right * [-1, 1, 1], atol=2e-3)
    assert left_normal @ left > 0
    assert right_normal @ right > 0
    # C3 lies above the left hemisphere's lateral surface: left, high, and near the middle from front to back.
    assert left[0] < -0.03
    assert left[2] > 0.03
    assert abs(left[1]) < 0.04


def test_gap_and_angle_are_kept() -> None:
    point, normal = scalp_site(HEAD, BRAIN, AFFINE, "C3")
    first = coil_on_head(HEAD.astype(float), BRAIN, AFFINE, CoilChoice(gap=25e-3, angle=0.0))
    second = coil_on_head(HEAD.astype(float), BRAIN, AFFINE, CoilChoice(gap=25e-3, angle=0.7))
    assert (first.centre - point) @ normal == pytest.approx(25e-3)
    assert first.axes[:, 1] @ second.axes[:, 1] == pytest.approx(np.cos(0.7))


@pytest.mark.parametrize(
    ("head", "brain", "name", "said"),
    [
        (HEAD, BRAIN, "C33", "did you mean"),
        (HEAD, 0 * BRAIN > 0, "C3", "brain must hold a voxel"),
        (HEAD | True, BRAIN, "C3", "both voxels of the head and of air"),
    ],
)
def test_what_cannot_be_placed_is_refused(head: np.ndarray, brain: np.ndarray, name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        scalp_site(head, brain, AFFINE, name)


def test_a_wire_in_the_head_is_refused() -> None:
    with pytest.raises(ValueError, match="outside of the head"):
        coil_on_head(HEAD.astype(float), BRAIN, AFFINE, CoilChoice(gap=1e-3))
