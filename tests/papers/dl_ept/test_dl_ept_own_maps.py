"""Helmholtz EPT of a user's own files against closed forms and EPTlib's tutorial brain; simulated files."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from b1_files import CONDUCTIVITY, FREQUENCY, PERMITTIVITY, cylinder_field, rewrite, wavenumber, write_cylinder
from scipy.special import jv

from mrrepro.papers.dl_ept import apply, own_bodies
from mrrepro.papers.dl_ept.apply import HelmholtzChoice, helmholtz_maps
from mrrepro.papers.dl_ept.apply_request import Request
from mrrepro.papers.dl_ept.measured_maps import MeasuredMaps, unwrapped
from mrrepro.papers.dl_ept.own_bodies import MeasurementNoise, cylinder_body, head_body, simulate_to_files
from mrrepro.papers.dl_ept.own_maps import apply_to_files
from mrrepro.papers.dl_ept.reconstruction import KERNELS
from mrrepro.phantoms.cylinders import Cylinder
from mrrepro.phantoms.head import build_head
from mrrepro.simulators.birdcage import Birdcage
from mrrepro.solvers.helmholtz_ept import helmholtz_ept, helmholtz_ept_at_boundaries, phase_only_ept
from mrrepro.tissues import tissue_properties

STEP = (2e-3, 2e-3, 2e-3)


def request(files, output: Path, **changes) -> Request:
    return replace(Request(files.magnitude, files.phase, files.mask, output, FREQUENCY), **changes)


def maps_in(folder: Path, stem: str = "b1") -> tuple[np.ndarray, np.ndarray]:
    return tuple(
        nibabel.load(folder / f"{stem}_{name}.nii.gz").get_fdata() for name in ("conductivity", "permittivity")
    )


def require_cylinder(folder: Path, valid: int) -> None:
    """Both maps within 1 % of the truth wherever the kernel fits, NaN elsewhere."""
    for values, truth in zip(maps_in(folder), (CONDUCTIVITY, PERMITTIVITY), strict=True):
        inside = np.isfinite(values)
        assert int(inside.sum()) == valid
        assert np.abs(values[inside] / truth - 1).max() < 0.01


# --- closed form -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", KERNELS)
def test_cylinder_comes_back(tmp_path, kernel):
    files = write_cylinder(tmp_path, outside=np.nan)
    report = apply_to_files(request(files, tmp_path / "out", helmholtz=HelmholtzChoice(kernel)))
    require_cylinder(tmp_path / "out", report["valid_voxels"])
    assert report["warnings"] == []
    # the cuboid fits into the disc where its corner does: counted by hand
    if kernel == "savitzky_golay_cuboid":
        x = np.abs(np.arange(31) - 15.0)
        corner = np.hypot(x[:, None] + 3, x + 3) < 0.47 * 31
        assert report["valid_voxels"] == corner.sum() * (9 - 4)
    assert report["mask_voxels"] == int(nibabel.load(files.mask).get_fdata().sum())


@pytest.mark.parametrize("codes", ["LIA", "PSR"])
def test_order_and_voxel_of_a_file_are_kept(tmp_path, codes):
    """Anisotropic voxels, axes in another order and direction: the kernel's size follows the world, not the file."""
    files = write_cylinder(tmp_path, (31, 41, 9), (2e-3, 1.5e-3, 3e-3), codes)
    report = apply_to_files(request(files, tmp_path / "out", helmholtz=HelmholtzChoice(size=(5, 7, 3))))
    require_cylinder(tmp_path / "out", report["valid_voxels"])
    assert report["voxel_mm"] == [2.0, 1.5, 3.0]
    source, found = nibabel.load(files.magnitude), nibabel.load(tmp_path / "out" / "b1_conductivity.nii.gz")
    assert nibabel.aff2axcodes(source.affine) == tuple(codes)
    np.testing.assert_array_equal(found.affine, source.affine)
    assert found.shape == source.shape
    x, y = np.abs(np.arange(31) - 15) * 2.0, np.abs(np.arange(41) - 20) * 1.5
    corner = np.hypot(x[:, None] + 4, y + 4.5) < 0.47 * 31 * 2
    assert report["valid_voxels"] == corner.sum() * (9 - 2)


def test_phase_alone_gives_its_own_closed_form(tmp_path):
    """laplace(log J_0(k rho)) = -k^2 - (k J_1 / J_0)^2: what is neglected is in the second term."""
    files = write_cylinder(tmp_path)
    report = apply_to_files(request(files, tmp_path / "out", magnitude=None))
    assert set(report["outputs"]) == {"conductivity"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"phase_conductivity.nii.gz", "phase_report.json"}
    found = nibabel.load(tmp_path / "out" / "phase_conductivity.nii.gz").get_fdata()
    _, radius = cylinder_field(found.shape, STEP)
    k = wavenumber()
    second = (-(k**2) - (k * jv(1, k * radius) / jv(0, k * radius)) ** 2).imag
    expected = second / (2 * math.pi * FREQUENCY * 4e-7 * math.pi)
    inside = np.isfinite(found)
    assert np.abs(found[inside] - expected[inside]).max() < 0.02 * CONDUCTIVITY
    assert np.abs(expected[inside] / CONDUCTIVITY - 1).max() > 0.1  # else nothing would be told from the full equation


@pytest.mark.parametrize("thick", [1, 4, 100])
def test_slabs_are_as_the_whole(monkeypatch, thick):
    """The last voxels of the mask lie inside the array, so that the box is smaller than it."""
    field, radius = cylinder_field((21, 21, 13), STEP)
    mask = (radius < 18e-3) & (np.arange(13) > 0)
    measured = MeasuredMaps(abs(field), 2 * np.angle(field), mask, STEP, FREQUENCY)
    monkeypatch.setattr(apply, "SLAB_VOXELS", thick * 17 * 17)
    transmit, inside = torch.as_tensor(np.where(mask, field, 0)), torch.as_tensor(mask)
    kernel = KERNELS["savitzky_golay_cuboid"](STEP)
    wholes = {
        "leave": helmholtz_ept(transmit, FREQUENCY, kernel, inside),
        "fit": helmholtz_ept_at_boundaries(transmit, FREQUENCY, STEP, inside),
    }
    for boundaries, whole in wholes.items():
        found = helmholtz_maps(measured, HelmholtzChoice(boundaries=boundaries))
        np.testing.assert_array_equal(found.valid, whole.valid.numpy())
        np.testing.assert_allclose(found.maps["conductivity"], whole.conductivity.numpy(), atol=1e-9)
        np.testing.assert_allclose(found.maps["relative_permittivity"], whole.relative_permittivity.numpy(), atol=1e-7)
    alone = helmholtz_maps(replace(measured, magnitude=None), HelmholtzChoice())
    whole = phase_only_ept(2 * torch.angle(transmit), FREQUENCY, kernel, inside)
    np.testing.assert_allclose(alone.maps["conductivity"], whole.conductivity.numpy(), atol=1e-9)


def test_boundaries_can_be_fitted(tmp_path):
    files = write_cylinder(tmp_path)
    inner = apply_to_files(request(files, tmp_path / "inner"))
    report = apply_to_files(request(files, tmp_path / "fit", helmholtz=HelmholtzChoice(boundaries="fit")))
    assert report["valid_voxels"] > 1.5 * inner["valid_voxels"]
    values = maps_in(tmp_path / "fit")[0]
    assert np.abs(values[np.isfinite(values)] / CONDUCTIVITY - 1).max() < 0.1  # a one-sided fit is of first order


# --- sign and wraps --------------------------------------------------------------------------------------------------


def test_phase_of_the_other_time_dependence_is_noticed_and_taken(tmp_path):
    files = write_cylinder(tmp_path)
    apply_to_files(request(files, tmp_path / "right"))
    negated = rewrite(files.phase, tmp_path / "negated.nii.gz", np.negative)
    report = apply_to_files(request(files, tmp_path / "wrong", phase=negated))
    assert len(report["warnings"]) == 1
    assert "--time-dependence negative" in report["warnings"][0]
    wrong, right = maps_in(tmp_path / "wrong"), maps_in(tmp_path / "right")
    np.testing.assert_allclose(wrong[0], -right[0])
    np.testing.assert_allclose(wrong[1], right[1])
    report = apply_to_files(request(files, tmp_path / "taken", phase=negated, time_dependence="negative"))
    assert report["warnings"] == []
    assert report["time_dependence"] == "exp(-i omega t)"
    np.testing.assert_array_equal(maps_in(tmp_path / "taken")[0], right[0])


def test_wraps_are_refused_and_can_be_taken_out(tmp_path):
    files = write_cylinder(tmp_path)
    phase = nibabel.load(files.phase).get_fdata()
    middle = math.pi - 0.5 * (phase.min() + phase.max())  # the wrap runs through the middle of the range
    wrapped = rewrite(files.phase, tmp_path / "wrapped.nii.gz", lambda values: np.angle(np.exp(1j * (values + middle))))
    with pytest.raises(ValueError, match="unwrap"):
        apply_to_files(request(files, tmp_path / "out", phase=wrapped))
    assert not (tmp_path / "out").exists()
    report = apply_to_files(request(files, tmp_path / "out", phase=wrapped, unwrap=True))
    assert report["unwrapped"]
    require_cylinder(tmp_path / "out", report["valid_voxels"])


def test_parts_that_do_not_touch_are_said(tmp_path):
    files = write_cylinder(tmp_path, (31, 31, 12))

    def cut(values: np.ndarray) -> np.ndarray:
        values[:, :, 6] = 0
        return values

    two = rewrite(files.mask, tmp_path / "two.nii.gz", cut)
    report = apply_to_files(request(files, tmp_path / "out", mask=two, unwrap=True))
    assert "2 parts" in report["warnings"][0]


def test_a_vortex_cannot_be_unwrapped():
    x, y = np.meshgrid(np.arange(-8, 9) + 0.5, np.arange(-8, 9) + 0.5, indexing="ij")
    vortex = np.repeat(np.arctan2(y, x)[:, :, None], 5, axis=2)
    with pytest.raises(ValueError, match="cannot be unwrapped"):
        unwrapped(vortex, np.ones(vortex.shape, dtype=bool))


# --- the report and the files ----------------------------------------------------------------------------------------


def test_report_says_what_was_done(tmp_path):
    files = write_cylinder(tmp_path)
    report = apply_to_files(request(files, tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "b1_report.json").read_text()) == report
    for name, path in zip(("magnitude", "phase", "mask"), files.all(), strict=True):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert report["inputs"][name] == {"file": path.name, "sha256": digest}
    values = maps_in(tmp_path / "out")[0]
    inside = values[np.isfinite(values)]
    found = report["maps"]["conductivity"]
    assert found["median"] == pytest.approx(np.median(inside), rel=1e-4)
    assert found["quartiles"] == pytest.approx(np.percentile(inside, [25, 75]), rel=1e-4)
    assert found["share_below_0"] == 0.0
    assert report["reconstruction"]["kernel"] == "savitzky_golay_cuboid"
    assert report["reconstruction"]["size"] == [7, 7, 5]
    assert report["frequency_hz"] == FREQUENCY
    assert "No medical device" in report["no_medical_device"]
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(ValueError, match="exists already"):
        apply_to_files(request(files, tmp_path / "out"))
    apply_to_files(request(files, tmp_path / "out", force=True))
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_wrong_unit_shows(tmp_path):
    """Degrees so small that they could be radians: the conductivity is 57 times too large."""
    files = write_cylinder(tmp_path)
    degrees = rewrite(files.phase, tmp_path / "degrees.nii.gz", np.rad2deg)
    assert np.abs(nibabel.load(degrees).get_fdata()).max() < 50
    report = apply_to_files(request(files, tmp_path / "out", magnitude=None, phase=degrees))
    assert "beyond any tissue" in report["warnings"][0]


def test_eptlib_tutorial_brain(tmp_path):
    """Mean and sd of white matter by EPTlib's Helmholtz method, cuboid of 7 x 7 x 5 voxels of 2 mm at 64 MHz."""
    if not os.environ.get("MRREPRO_DATA_MIRROR"):
        pytest.skip("MRREPRO_DATA_MIRROR is not set: EPTlib's tutorial data are not at hand")
    pytest.importorskip("h5py", reason="h5py reads EPTlib's tutorial data")
    from data_fetch.datasets import SOURCES
    from data_fetch.store import Store

    data = SOURCES["eptlib_tutorial"].load("brain_15t", Store.from_environment(tmp_path / "cache"))
    affine = np.diag([*(edge * 1e3 for edge in data.voxel_size), 1.0])
    images = {
        "b1": np.where(data.inside, data.transmit_sensitivity, np.nan),
        "phase": np.where(data.inside, data.transceive_phase, np.nan),
        "mask": data.inside.astype(np.uint8),
    }
    for name, values in images.items():
        nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / f"{name}.nii.gz")
    paths = (tmp_path / f"{name}.nii.gz" for name in images)
    report = apply_to_files(Request(*paths, tmp_path / "out", data.frequency))
    assert report["warnings"] == []
    values = maps_in(tmp_path / "out")[0]
    white = values[np.isfinite(values) & data.white_matter]
    assert white.mean() == pytest.approx(0.4641, abs=5e-5)
    assert white.std() == pytest.approx(0.4552, abs=5e-5)


# --- simulated files -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def body():
    return cylinder_body(Cylinder(1, 0.6, 70.0, 0.09, 0.09), 6e-3, 128e6)


def test_simulated_cylinder_can_be_reconstructed(tmp_path, body):
    paths = simulate_to_files(body, tmp_path / "own")
    magnitude, phase, mask, conductivity, permittivity = paths
    truth = nibabel.load(conductivity).get_fdata()
    inside = nibabel.load(mask).get_fdata() > 0
    assert set(np.unique(truth[inside])) == {np.float32(0.6)}
    assert not truth[~inside].any()
    assert set(np.unique(nibabel.load(permittivity).get_fdata())) == {1.0, 70.0}
    centre = nibabel.load(mask).affine @ [*((np.array(inside.shape) - 1) / 2), 1]
    np.testing.assert_allclose(centre, [0, 0, 0, 1], atol=1e-5)
    report = apply_to_files(Request(magnitude, phase, mask, tmp_path / "out", 128e6))
    assert report["warnings"] == []
    # voxels of 6 mm, kernels of 3.5 cm and half of the transceive phase: 10 %
    assert report["maps"]["conductivity"]["median"] == pytest.approx(0.6, rel=0.1)
    assert report["maps"]["relative_permittivity"]["median"] == pytest.approx(70.0, rel=0.1)


def test_simulated_head_has_its_tissues(tmp_path, monkeypatch):
    built = []
    monkeypatch.setattr(own_bodies, "build_head", lambda *how: built.append(build_head(*how)) or built[0])
    paths = simulate_to_files(head_body("folded", 0, 12e-3, 128e6), tmp_path / "own")
    head = built[0].cropped()
    magnitude, _, mask, conductivity, _ = (nibabel.load(path).get_fdata() for path in paths)
    np.testing.assert_allclose(nibabel.load(paths[0]).affine, head.affine_mm(), atol=1e-4)
    for tissue in ("white_matter", "csf"):
        expected = tissue_properties(tissue, 128e6).conductivity
        np.testing.assert_allclose(conductivity[head.mask(tissue)], expected, rtol=1e-6)
    np.testing.assert_array_equal(mask > 0, ~head.mask("air"))
    assert (magnitude[mask > 0] > 0).all()


def test_noise_is_as_strong_as_asked(tmp_path, body, monkeypatch):
    solved = own_bodies.simulate_b1(body, Birdcage())
    monkeypatch.setattr(own_bodies, "simulate_b1", lambda *how: solved)
    clean = simulate_to_files(body, tmp_path / "clean")
    noisy = simulate_to_files(body, tmp_path / "noisy", MeasurementNoise(snr=20.0, phase_sd=0.05, seed=3))
    inside = nibabel.load(clean[2]).get_fdata() > 0
    pairs = [
        (nibabel.load(a).get_fdata()[inside], nibabel.load(b).get_fdata()[inside])
        for a, b in zip(clean[:2], noisy[:2], strict=True)
    ]
    (b1, noisy_b1), (phase, noisy_phase) = pairs
    assert (noisy_b1 - b1).std() == pytest.approx(b1.mean() / 20, rel=0.08)  # 2 % is the spread of so many voxels
    assert (noisy_phase - phase).std() == pytest.approx(0.05, rel=0.08)
    again = simulate_to_files(body, tmp_path / "again", MeasurementNoise(snr=20.0, phase_sd=0.05, seed=3))
    assert again[0].read_bytes() == noisy[0].read_bytes()
