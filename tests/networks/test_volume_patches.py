"""Patches, mirror images and sliding windows against loops and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mrrepro.networks.sliding_window import predict_by_windows
from mrrepro.networks.volume_patches import centre_of_mass, mirrored, patch_around, window_starts


def test_patch_lies_around_the_centre_and_inside():
    shape = (40, 48, 40)
    generator = np.random.default_rng(0)
    for _ in range(200):
        centre = tuple(float(generator.uniform(0, side - 1)) for side in shape)
        patch = patch_around(centre, shape, 16)
        for first, point, side in zip(patch.start, centre, shape, strict=True):
            assert 0 <= first <= side - 16
            if 8 <= point <= side - 9:  # not clamped: the middle of the patch is the nearest half voxel
                assert abs(first + 7.5 - point) <= 0.5 + 1e-9


def test_patch_cuts_a_view_of_the_cube():
    volume = torch.arange(5 * 6 * 7).view(1, 1, 5, 6, 7)
    cut = patch_around((2.0, 5.0, 0.0), (5, 6, 7), 3).cut(volume)
    assert torch.equal(cut[0, 0], volume[0, 0, 1:4, 3:6, 0:3])
    assert cut.data_ptr() == volume[0, 0, 1, 3, 0:].data_ptr()


def test_centre_of_mass_of_two_voxels_and_of_none():
    mask = torch.zeros(4, 4, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match="mask must hold a voxel"):
        centre_of_mass(mask)
    mask[0, 1, 2] = mask[3, 1, 0] = True
    assert centre_of_mass(mask) == (1.5, 1.0, 1.0)


def test_mirroring_exchanges_the_ends_of_x_and_undoes_itself():
    volume = torch.rand(2, 3, 4, 5, 6)
    assert torch.equal(mirrored(volume)[..., 0, :, :], volume[..., 3, :, :])
    assert torch.equal(mirrored(mirrored(volume)), volume)


@pytest.mark.parametrize(("length", "side", "step"), [(32, 32, 16), (33, 32, 16), (100, 32, 16), (41, 8, 8), (9, 8, 3)])
def test_windows_cover_every_voxel_and_stay_inside(length, side, step):
    starts = window_starts(length, side, step)
    covered = np.zeros(length, dtype=int)
    for start in starts:
        assert 0 <= start <= length - side
        covered[start : start + side] += 1
    assert covered.min() >= 1
    assert max(np.diff(starts), default=0) <= step


@pytest.mark.parametrize("shape", [(20, 33, 16), (5, 40, 16), (16, 16, 16)])
def test_a_voxelwise_map_is_the_same_by_windows(shape):
    """Windows of a map that looks at one voxel must not be seen, whatever their weights."""
    inputs = torch.rand(1, 3, *shape, dtype=torch.float64)
    network = lambda cubes: (cubes * torch.tensor([1.0, -2.0, 3.0]).view(1, 3, 1, 1, 1)).sum(1, keepdim=True)  # noqa: E731
    found = predict_by_windows(network, inputs, 16, 8, -1.0)
    torch.testing.assert_close(found, network(inputs), rtol=0, atol=1e-12)


def test_overlaps_are_blended_towards_the_middle_of_each_window():
    """Two windows that predict 0 and 1: between their middles the result rises from 0 to 1."""
    values = iter([0.0, 1.0])
    found = predict_by_windows(
        lambda cubes: torch.full_like(cubes[:, :1], next(values)), torch.zeros(1, 1, 12, 8, 8), 8, 4, 0.0
    )
    line = found[0, 0, :, 4, 4]
    assert line[:4].tolist() == [0.0] * 4
    assert line[8:].tolist() == [1.0] * 4
    assert (torch.diff(line[3:9]) > 0).all()


def test_bad_sizes_are_named():
    with pytest.raises(ValueError, match="side must lie in"):
        patch_around((1.0, 1.0, 1.0), (10, 20, 20), 16)
    with pytest.raises(ValueError, match="step must lie in"):
        predict_by_windows(lambda cubes: cubes, torch.zeros(1, 1, 8, 8, 8), 8, 9, 0.0)
