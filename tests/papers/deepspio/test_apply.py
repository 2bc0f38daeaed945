"""The network that ships with the chapter, and applying it to files of one's own."""

from __future__ import annotations

import json
import math
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from own_files import CENTRE, brain_slice, write_own_files

from mrrepro.metrics.errors import nmae
from mrrepro.networks.variants import NetworkSettings, build_network
from mrrepro.papers.deepspio.apply import estimate_concentration, read_estimator, resample
from mrrepro.papers.deepspio.own_images import Request, apply_to_files, read_pair
from mrrepro.papers.deepspio.own_maps import simulate_to_files
from mrrepro.papers.deepspio.settings import DeepSpioSettings
from mrrepro.papers.deepspio.shipped import Shipping, held_out_scores, shipped_file
from mrrepro.papers.deepspio.stages import TRAINING, TrainingSelection, predict, sample_stream
from mrrepro.phantoms.brain_images import mni152_images
from mrrepro.runs.artifacts import Artifact
from mrrepro.runs.nifti import read_volume
from mrrepro.runs.settings import as_plain, from_plain
from mrrepro.simulators.view_line import ViewLineSequence
from mrrepro.simulators.view_line_stripes import find_stripes
from mrrepro.training.checkpoints import save_network

PIXEL = (50e-3 / 128, 50e-3 / 128)
SEQUENCE = ViewLineSequence(size=128)


@pytest.fixture(scope="module")
def estimator():
    return read_estimator()


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A user's map and image with their View Line images."""
    folder = tmp_path_factory.mktemp("own")
    files = write_own_files(folder)
    return files, *simulate_to_files(files.concentration, files.image, folder / "scan")


@pytest.fixture(scope="module")
def pair(own):
    return read_pair(own[1], own[2]).images


def rewritten(source: Path, target: Path, change=lambda data: data, affine=None) -> Path:
    image = nibabel.load(source)
    nibabel.save(
        nibabel.Nifti1Image(change(image.get_fdata(dtype=np.float32)), image.affine if affine is None else affine),
        target,
    )
    return target


@pytest.mark.parametrize(("axis", "pixel"), [(0, (0.3e-3, 0.4e-3)), (1, (0.2e-3, 0.4e-3))])
def test_pixels_are_those_of_the_axes_beside_that_of_the_slices(tmp_path, axis, pixel):
    """A sagittal slice lies in y and z, coronal ones in x and z."""
    data = np.random.default_rng(0).random((1, 6, 8) if axis == 0 else (6, 3, 8)).astype(np.float32)
    path = tmp_path / "slices.nii.gz"
    nibabel.save(nibabel.Nifti1Image(data, np.diag([0.2, 0.3, 0.4, 1.0])), path)
    found = read_pair(path, path)
    assert (found.slice_axis, found.pixel) == (axis, pytest.approx(pixel))
    np.testing.assert_array_equal(found.images[:, 0], np.moveaxis(data, axis, 0))


# --- the shipped network ---------------------------------------------------------------------------------------------


def test_shipped_network_is_small_and_tells_where_it_comes_from(estimator):
    receipt = estimator.receipt
    assert shipped_file().stat().st_size < 5_000_000
    assert from_plain(TrainingSelection, receipt["settings"]) == TRAINING.select(DeepSpioSettings.at_scale("demo"))
    assert (receipt["scale"], receipt["seed"], receipt["samples"]) == ("demo", 0, 16_000)
    assert len(receipt["commit"]) >= 12
    assert all(len(digest) == 64 for digest in receipt["code"].values())
    assert "simulated" in receipt["data"]
    assert "No medical device" in receipt["no_medical_device"]
    assert receipt["held_out"]["rounding_n"] == 100
    assert abs(receipt["held_out"]["rounding_mean_change_of_nmae"]) < 1e-3
    assert receipt["held_out"]["n"] == 200


def test_shipped_network_scores_what_its_receipt_says(estimator):
    settings = from_plain(TrainingSelection, estimator.receipt["settings"])
    stream = sample_stream(settings, torch.tensor(mni152_images(128).test), 987654, "cpu")
    batch = stream.batch(0, 48)
    scores = nmae(predict(estimator.network, batch.images.abs()), batch.concentration)
    stated = estimator.receipt["held_out"]
    error = stated["nmae_magnitude_sd"] * math.sqrt(1 / scores.size + 1 / stated["n"])
    assert abs(scores.mean() - stated["nmae_magnitude"]) < 3 * error


def test_held_out_scores_of_a_network_that_says_zero():
    settings = DeepSpioSettings.at_scale("smoke")
    network = build_network(settings.network.network())  # its head starts at zero
    manifest = {"settings": as_plain(TRAINING.select(settings)), "seed": 0}
    images = Artifact("deepspio/images", "", Path(), {})
    object.__setattr__(images, "arrays", lambda name: {"test": np.ones((1, 64, 64), dtype=np.float32)})
    training = Artifact("deepspio/training", "", Path(), manifest)
    scores = held_out_scores(Shipping(training, images, "smoke"), network.eval(), network.eval(), count=3)
    assert scores["nmae"] == scores["nmae_magnitude"] == pytest.approx(1.0)
    assert scores["rounding_largest_change_of_nmae"] == 0.0
    assert scores["mean_ratio_median"] == 0.0


# --- stripes and grids -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 0.7e-3, -0.4e-3])
def test_stripes_are_found_where_they_lie(offset):
    position = (np.arange(128) - 64) * PIXEL[1]
    profiles = [1 + 0.6 * np.cos(2 * np.pi * (position - first - offset) / 4e-3) for first in (-24e-3, -22e-3)]
    images = np.stack(profiles)[:, None] * np.where(np.abs(position) < 20e-3, 1.0, 0.0) * np.ones((2, 128, 1))
    for stripes in find_stripes(images, PIXEL[1], SEQUENCE):
        assert stripes.offset == pytest.approx(offset, abs=0.02e-3)
        assert stripes.modulation == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize("size", [96, 129, 200])
def test_resampling_keeps_places_and_values(size):
    """A Gaussian of 3 mm off the centre, sampled anew against its closed form."""

    def sampled(count: int, pixel: float) -> np.ndarray:
        axis = (np.arange(count) - count // 2) * pixel
        return np.exp(-((axis[:, None] - 5e-3) ** 2 + (axis[None, :] + 3e-3) ** 2) / (2 * 3e-3**2))

    pixel = 50e-3 / size
    found = resample(sampled(size, pixel)[None], (pixel, pixel), PIXEL, (128, 128), order=3)[0]
    assert np.abs(found - sampled(128, PIXEL[0])).max() < 0.005


def test_even_and_odd_exchanged_is_noticed(estimator, pair):
    assert estimate_concentration(estimator, pair, PIXEL).warnings == ()
    warnings = estimate_concentration(estimator, pair[:, ::-1].copy(), PIXEL).warnings
    assert any("exchanged" in warning for warning in warnings)


def test_shifted_lines_and_images_without_lines_are_noticed(estimator, pair):
    shifted = estimate_concentration(estimator, np.roll(pair, 3, axis=-1), PIXEL).warnings  # 1.17 mm
    assert any("+1." in warning and "from where the network expects them" in warning for warning in shifted)
    plain = np.broadcast_to(brain_slice(128), pair.shape)
    assert any(
        "geometry cannot be checked" in warning for warning in estimate_concentration(estimator, plain, PIXEL).warnings
    )


def test_signal_beyond_the_field_of_view_is_reported(estimator, pair):
    wide = np.pad(pair, ((0, 0), (0, 0), (40, 40), (0, 0)), mode="edge") + 0.2
    found = estimate_concentration(estimator, wide, PIXEL)
    assert found.resampled
    assert any("beyond the central 50 mm" in warning for warning in found.warnings)


def test_the_unit_of_the_images_does_not_matter(estimator, pair):
    one = estimate_concentration(estimator, pair, PIXEL).concentration
    other = estimate_concentration(estimator, pair * 1000, PIXEL).concentration
    np.testing.assert_allclose(other, one, atol=1e-3)


# --- files in, files out ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [128, 192])
def test_round_trip_finds_the_concentration_in_the_body(tmp_path, estimator, size):
    """Within the factor that nine of ten held-out samples keep (1.9), also from another grid."""
    files = write_own_files(tmp_path, size)
    even, odd = simulate_to_files(files.concentration, files.image, tmp_path / "scan")
    report = apply_to_files(Request(even, odd, tmp_path / "out.nii.gz"))
    result = nibabel.load(tmp_path / "out.nii.gz")
    estimate = result.get_fdata()[:, 0, :]
    factor = estimator.receipt["held_out"]["mean_factor"]
    assert 1.0 < factor < 2.0
    assert 1 / factor < estimate[files.truth > 0].mean() / 10.0 < factor
    axis = (np.arange(size) - size // 2) * 50e-3 / size
    weight = np.where(estimate > 3.0, estimate, 0.0)
    assert (weight.sum(axis=1) @ axis) / weight.sum() == pytest.approx(CENTRE[0], abs=1.5e-3)
    assert (weight.sum(axis=0) @ axis) / weight.sum() == pytest.approx(CENTRE[1], abs=1.5e-3)
    assert result.shape == (size, 1, size)
    np.testing.assert_array_equal(result.affine, nibabel.load(even).affine)
    assert b"ug/mm^3" in bytes(result.header["descrip"])
    assert b"no medical device" in bytes(result.header["descrip"])
    assert report["grid"]["resampled_to_network"] == (size != 128)
    assert report == json.loads((tmp_path / "out.json").read_text())
    assert report["network"]["receipt"] == estimator.receipt
    assert {role: each["file"] for role, each in report["inputs"].items()} == {"even": even.name, "odd": odd.name}
    assert "No medical device" in report["no_medical_device"]
    assert any("cannot be seen in the images" in warning for warning in report["warnings"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["map.nii.gz", "image.nii.gz", "scan_even.nii.gz", "scan_odd.nii.gz", "out.nii.gz", "out.json"]
    )


def test_the_order_of_the_axes_in_the_file_does_not_matter(tmp_path, own):
    """The same slice held as (z, -x, y): the map lies at the same place in the scanner."""
    _, even, odd = own
    affine = nibabel.load(even).affine
    turned = affine @ np.array([[0, -1, 0, 127], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
    files = [
        rewritten(path, tmp_path / path.name, lambda data: data.transpose(2, 0, 1)[:, ::-1], turned)
        for path in (even, odd)
    ]
    apply_to_files(Request(even, odd, tmp_path / "plain.nii"))
    apply_to_files(Request(*files, tmp_path / "turned.nii"))
    other = nibabel.load(tmp_path / "turned.nii")
    assert other.shape == (128, 128, 1)
    np.testing.assert_array_equal(other.affine, turned)
    np.testing.assert_array_equal(
        nibabel.as_closest_canonical(other).get_fdata(), nibabel.load(tmp_path / "plain.nii").get_fdata()
    )


def test_several_slices_and_npz_give_what_single_slices_give(tmp_path, own, pair):
    _, even, odd = own
    apply_to_files(Request(even, odd, tmp_path / "one.nii"))
    one = nibabel.load(tmp_path / "one.nii").get_fdata()
    doubled = [
        rewritten(path, tmp_path / path.name, lambda data: np.concatenate([data, data[::-1]], axis=1))
        for path in (even, odd)
    ]
    apply_to_files(Request(*doubled, tmp_path / "two.nii"))
    two = nibabel.load(tmp_path / "two.nii").get_fdata()
    assert two.shape == (128, 2, 128)
    np.testing.assert_allclose(two[:, :1], one, atol=1e-4)
    np.savez(tmp_path / "pair.npz", images=pair[0])
    apply_to_files(Request(tmp_path / "pair.npz", None, tmp_path / "npz.nii"))
    npz = nibabel.load(tmp_path / "npz.nii")
    np.testing.assert_allclose(npz.get_fdata(), one, atol=1e-4)
    in_plane = [0, 2, 3]  # nothing says how thick the slices of an .npz are
    np.testing.assert_allclose(npz.affine[:, in_plane], nibabel.load(even).affine[:, in_plane], rtol=1e-6)


def test_sagittal_slices_and_files_of_two_axes(tmp_path, own):
    _, even, odd = own
    apply_to_files(Request(even, odd, tmp_path / "plain.nii"))
    plain = nibabel.load(tmp_path / "plain.nii").get_fdata()[:, 0]
    affine = nibabel.load(even).affine
    across, flat = affine[:, [1, 0, 2, 3]][[1, 0, 2, 3]], affine[:, [0, 2, 1, 3]]
    for name, change, placed in (
        ("sagittal", lambda data: data.transpose(1, 0, 2), across),
        ("flat", lambda data: data[:, 0], flat),
    ):
        files = [rewritten(path, tmp_path / f"{name}_{path.name}", change, placed) for path in (even, odd)]
        apply_to_files(Request(*files, tmp_path / f"{name}.nii"))
        found = nibabel.load(tmp_path / f"{name}.nii")
        np.testing.assert_array_equal(found.get_fdata(), change(plain[:, None]))
        np.testing.assert_array_equal(found.affine, placed)


def test_a_larger_field_of_view_adds_only_a_margin(tmp_path, own):
    """60 mm instead of 50, the same pixels: the inner part is the same image but for the readout's ringing."""
    files, even, _ = own
    placed = np.diag([1, 1, 1, 1.0])
    placed[[0, 2], 3] = -13
    wide = [
        rewritten(
            path,
            tmp_path / path.name,
            lambda data: np.pad(data, ((13, 13), (0, 0), (13, 13))),
            nibabel.load(path).affine @ placed,
        )
        for path in (files.concentration, files.image)
    ]
    found = nibabel.load(simulate_to_files(*wide, tmp_path / "scan")[0])
    small = nibabel.load(even).get_fdata()
    assert found.shape == (154, 1, 154)
    assert np.abs(found.get_fdata()[13:-13, :, 13:-13] - small).mean() < 0.01 * small.mean()


def test_volume_in_metres_has_the_same_voxels(tmp_path, own):
    image = nibabel.load(own[1])
    other = nibabel.Nifti1Image(image.get_fdata(dtype=np.float32), np.diag([1e-3, 1e-3, 1e-3, 1.0]) @ image.affine)
    other.header.set_xyzt_units("meter")
    nibabel.save(other, tmp_path / "metres.nii")
    assert read_volume(tmp_path / "metres.nii").voxel == pytest.approx(read_volume(own[1]).voxel)


def test_the_network_of_a_training_is_read(tmp_path):
    settings = DeepSpioSettings.at_scale("smoke")
    choice = settings.network.network()
    receipt = {"seed": 0, "samples": 320, "scale_of_sequence": as_plain(settings.sequence)}
    save_network(tmp_path / "n.safetensors", build_network(choice), choice.as_mapping(), receipt)
    assert read_estimator(tmp_path / "n.safetensors").sequence == settings.sequence.sequence()


def test_a_network_without_an_acquisition_is_refused(tmp_path):
    settings = NetworkSettings(width=2.0)
    save_network(tmp_path / "n.safetensors", build_network(settings), settings.as_mapping(), {})
    with pytest.raises(ValueError, match="does not say for which acquisition"):
        read_estimator(tmp_path / "n.safetensors")
