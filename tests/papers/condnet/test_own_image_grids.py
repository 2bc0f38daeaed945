"""A user's images on the network's grid and back."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from mrrepro.papers.condnet.own_images import WorldGrid
from mrrepro.runs.nifti import Volume, read_volume


def volume(folder: Path, data: np.ndarray, voxel_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Volume:
    affine = np.diag([*voxel_mm, 1.0])
    affine[:3, 3] = (-7.0, 3.0, 11.0)
    path = folder / "image.nii.gz"
    nibabel.save(nibabel.Nifti1Image(data.astype(np.float32), affine), path)
    return read_volume(path)


def test_an_image_on_its_own_grid_is_left_as_it_is(tmp_path: Path) -> None:
    data = np.random.default_rng(0).random((6, 8, 10))
    image = volume(tmp_path, data)
    grid = WorldGrid.around(image, 1e-3)
    assert grid.shape == (6, 8, 10)
    np.testing.assert_allclose(grid.affine_mm(), image.affine, atol=1e-6)
    np.testing.assert_allclose(grid.sample(image), data, atol=1e-5)


def test_what_a_coarser_grid_cannot_hold_is_taken_off_before_it_is_sampled(tmp_path: Path) -> None:
    """Voxel by voxel +1 and -1: the Gaussian for twice the voxel leaves exp(-3 pi^2 / 8) of it."""
    x, y, _ = np.indices((16, 16, 16))
    image = volume(tmp_path, np.where(x % 2, 1.0, -1.0) + 5.0)
    inner = WorldGrid.around(image, 2e-3).sample(image)[3:-3, 3:-3, 3:-3]
    np.testing.assert_allclose(inner, 5.0, atol=0.03)
    image = volume(tmp_path, y * 1.0)  # a slope stays
    inner = WorldGrid.around(image, 2e-3).sample(image)[3:-3, 3:-3, 3:-3]
    np.testing.assert_allclose(np.diff(inner, axis=1), 2.0, atol=1e-4)


def test_beyond_the_image_is_nothing_and_thick_slices_are_met(tmp_path: Path) -> None:
    image = volume(tmp_path, np.ones((8, 8, 4)), (1.0, 1.0, 3.0))
    grid = WorldGrid.around(image, 1e-3)
    assert grid.shape == (8, 8, 12)
    np.testing.assert_allclose(grid.sample(image)[4, 4, 1:-1], 1.0, atol=1e-5)
    wider = WorldGrid(grid.first - 4e-3, 1e-3, (16, 16, 20))
    assert not wider.sample(image)[0].any()


def test_a_map_on_a_finer_grid_keeps_its_values_and_its_outline(tmp_path: Path) -> None:
    image = volume(tmp_path, np.zeros((16, 16, 16)))
    coarse, fine = WorldGrid.around(image, 2e-3), WorldGrid.around(image, 1e-3)
    inside = np.zeros(coarse.shape, bool)
    inside[2:6, 2:6, 2:6] = True
    values = np.where(inside, 0.33, 99.0).astype(np.float32)  # what is outside must not leak in
    found = fine.refined(values, inside, coarse)
    assert set(np.round(np.unique(found), 5)) == {np.float32(0.0), np.float32(0.33)}
    assert (found > 0).sum() == pytest.approx(8**3, rel=0.15)
    assert (found[5:11, 5:11, 5:11] > 0).all()
