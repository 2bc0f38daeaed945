"""Trained networks on a user's maps: channels, padding, resampling, and files that cannot be used."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
import torch
from b1_files import FREQUENCY, cylinder_field, rewrite, write_cylinder
from torch import nn

from mrrepro.networks.pix2pix import GeneratorSize, PixToPixGenerator
from mrrepro.networks.scaled_generator import ScaledGenerator, pix2pix_settings
from mrrepro.papers.dl_ept.apply_request import Request
from mrrepro.papers.dl_ept.measured_maps import MeasuredMaps
from mrrepro.papers.dl_ept.network_files import NetworkFileSettings, SliceNetwork, read_slice_network
from mrrepro.papers.dl_ept.network_maps import network_maps
from mrrepro.papers.dl_ept.own_maps import apply_to_files
from mrrepro.training.checkpoints import save_network

EDGES = (2e-3, 2e-3, 2e-3)


def saved(path, seed=0, depth=3, channels=3, **changes):
    """A generator with random weights, saved as a training would."""
    torch.manual_seed(seed)
    size = GeneratorSize(input_channels=channels, base_filters=4, depth=depth, dropout_blocks=0)
    network = ScaledGenerator(PixToPixGenerator(size), output_offset=[0.5], output_scale=[20.0]).eval()
    settings = {
        **pix2pix_settings(network),
        "inputs": "mask",
        "quantity": "conductivity",
        "voxel_size": 2e-3,
        "frequency": FREQUENCY,
        "image_size": 16,
        **changes,
    }
    save_network(path, network, {key: value for key, value in settings.items() if value is not None}, {"seed": seed})
    return path, network


def measured(shape=(21, 19, 4), edges=EDGES, tissue=None) -> MeasuredMaps:
    field, radius = cylinder_field(shape, edges)
    mask = radius < 0.35 * min(shape[0] * edges[0], shape[1] * edges[1])
    return MeasuredMaps(abs(field), 2 * np.angle(field), mask, edges, FREQUENCY, tissue)


@pytest.mark.parametrize(("image_size", "side"), [(16, 16), (8, 16), (32, 32)])
def test_slices_lie_in_the_middle_of_squares(tmp_path, image_size, side):
    """As large as in the training; the next multiple of 2**3 where the slices do not fit into those."""
    path, network = saved(tmp_path / "sigma.safetensors", image_size=image_size)
    maps = measured()
    found = network_maps([path], maps).maps["conductivity"]
    inside = maps.mask
    channels = [
        maps.magnitude / maps.magnitude[inside].mean(),
        maps.phase - maps.phase[inside].mean(),
        np.ones(inside.shape),
    ]
    x, y = (np.flatnonzero(inside.any(axis=axes)) for axes in ((1, 2), (0, 2)))
    assert (len(x), len(y)) == (13, 13)
    box, first = (slice(x[0], x[-1] + 1), slice(y[0], y[-1] + 1)), (side - 13) // 2
    for index in range(inside.shape[2]):
        image = np.zeros((1, 3, side, side), dtype=np.float32)
        for channel, values in enumerate(channels):
            image[0, channel, first : first + 13, first : first + 13] = (values * inside)[*box, index]
        with torch.inference_mode():
            expected = network(torch.tensor(image))[0, 0, first : first + 13, first : first + 13].numpy()
        there = inside[*box, index]
        np.testing.assert_allclose(found[*box, index][there], expected[there], atol=1e-5)
        assert np.ptp(expected[there]) > 1e-3
    np.testing.assert_array_equal(np.isnan(found), ~inside)


class PassThrough(nn.Module):
    """Gives the first channel back, to see where pixels go."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = SimpleNamespace(size=GeneratorSize(depth=3))
        self.device = nn.Parameter(torch.zeros(1))

    def forward(self, images):
        self.seen = images
        return images[:, :1]


@pytest.mark.parametrize("trained", [1.5e-3, 3e-3])
def test_resampling_leaves_everything_where_it_is(tmp_path, trained):
    """A magnitude that is linear in x and y comes back as it was, up to the blurred border."""
    shape, edges = (40, 44, 3), (2e-3, 1.8e-3, 4e-3)
    maps = measured(shape, edges)
    x, y = ((np.arange(count) - 10) * edge for count, edge in zip(shape[:2], edges[:2], strict=True))
    linear = np.repeat((1 + 5 * x[:, None] + 9 * y)[:, :, None], shape[2], axis=2)
    settings = NetworkFileSettings("mask", "conductivity", trained, FREQUENCY, 64)
    network = PassThrough()
    own = SliceNetwork(network, settings, {}, {}, tmp_path)
    found = own.predict_maps(linear, maps.phase, None, maps.mask, edges)
    expected = linear / linear[maps.mask].mean()
    _, radius = cylinder_field(shape, edges)
    deep = radius < 0.35 * min(shape[0] * edges[0], shape[1] * edges[1]) - 8e-3
    np.testing.assert_allclose(found[deep], expected[deep], atol=2e-4)
    assert np.isfinite(found[maps.mask]).mean() > 0.98
    assert not np.isfinite(found[~maps.mask]).any()
    uniform = own.predict_maps(np.ones(shape), maps.phase, None, maps.mask, edges)
    np.testing.assert_allclose(uniform[np.isfinite(uniform)], 1.0, atol=1e-5)  # the border does not fade
    # the body is as large in the network's pixels as in the user's
    area = float(network.seen[0, 2].sum()) * trained**2
    assert area == pytest.approx(maps.mask[:, :, 0].sum() * edges[0] * edges[1], rel=0.03)


def test_command_writes_both_maps(tmp_path):
    files = write_cylinder(tmp_path, (31, 31, 4), codes="LPS")
    networks = (
        saved(tmp_path / "sigma.safetensors")[0],
        saved(tmp_path / "eps.safetensors", 1, quantity="relative_permittivity")[0],
    )
    asked = Request(*files.all(), tmp_path / "out", FREQUENCY, method="network", networks=networks)
    report = apply_to_files(asked)
    assert set(report["outputs"]) == {"conductivity", "relative_permittivity"}
    assert [each["receipt"]["seed"] for each in report["reconstruction"]["networks"]] == [0, 1]
    for name in ("conductivity", "permittivity"):
        image = nibabel.load(tmp_path / "out" / f"b1_{name}.nii.gz")
        np.testing.assert_array_equal(image.affine, nibabel.load(files.magnitude).affine)
        assert np.isfinite(image.get_fdata()).sum() == report["valid_voxels"] == report["mask_voxels"]
    with pytest.raises(ValueError, match="exists already"):
        apply_to_files(asked)


def test_tilted_slices_are_said(tmp_path):
    files = write_cylinder(tmp_path, (31, 31, 4))
    angle = np.deg2rad(20)
    affine = nibabel.load(files.phase).affine
    affine[:3, :3] = [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]] @ affine[:3, :3]
    for path in files.all():
        rewrite(path, path, affine=affine)
    networks = (saved(tmp_path / "sigma.safetensors")[0],)
    asked = Request(*files.all(), tmp_path / "out", FREQUENCY, method="network", networks=networks)
    assert "tilted by 20 degrees" in apply_to_files(asked)["warnings"][0]


def test_networks_that_cannot_be_used(tmp_path):
    maps = measured()
    sigma, _ = saved(tmp_path / "sigma.safetensors")
    with pytest.raises(ValueError, match="another quantity"):
        network_maps([sigma, sigma], maps)
    with pytest.raises(ValueError, match="the magnitude too"):
        network_maps([sigma], replace(maps, magnitude=None))
    with pytest.raises(ValueError, match="trained at 128 MHz, but frequency is 64 MHz"):
        network_maps([sigma], replace(maps, frequency=64e6))
    assert "128 MHz" in network_maps([sigma], replace(maps, frequency=123.2e6)).warnings[0]
    tissue, _ = saved(tmp_path / "tissue.safetensors", inputs="tissue")
    with pytest.raises(ValueError, match="--tissue"):
        network_maps([tissue], maps)
    assert network_maps([tissue], replace(maps, tissue=maps.magnitude)).valid.any()
    for change, message in (
        ({"quantity": None}, "lack quantity"),
        ({"inputs": "both"}, "inputs must be one of"),
        ({"voxel_size": 2.0}, "metres"),
        ({"channels": 2}, "3 channels in"),
    ):
        bad, _ = saved(tmp_path / "bad.safetensors", **change)
        with pytest.raises(ValueError, match=message):
            read_slice_network(bad)
    with pytest.raises(ValueError, match="There is no network file"):
        read_slice_network(tmp_path / "none.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(sigma.read_bytes()[:-100])
    with pytest.raises(ValueError, match="truncated"):
        read_slice_network(cut)
    save_network(cut, nn.Linear(2, 2), {"layers": 1}, {})
    with pytest.raises(ValueError, match="GeneratorSize"):
        read_slice_network(cut)
