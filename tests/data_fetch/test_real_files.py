"""The public files themselves, where a mirror folder holds them: all verify, all load, and are what is said of them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from data_fetch.datasets import SOURCES
from data_fetch.head_labels import HEAD_LABELS
from data_fetch.store import Store
from data_fetch.tumour_labels import enhancing_tumour, whole_tumour

pytest.importorskip("nibabel", reason="nibabel is not installed: NIfTI cannot be read")
pytest.importorskip("h5py", reason="h5py is not installed: HDF5 cannot be read")

HERE = {"synthseg_heads": 20, "eptlib_tutorial": 1, "hcp_mni152": 2, "open_ms": 5, "tcga_fg_6692": 9}


@pytest.fixture
def mirror(tmp_path: Path) -> Store:
    if not os.environ.get("MRREPRO_DATA_MIRROR"):
        pytest.skip("MRREPRO_DATA_MIRROR is not set: there is no folder of the public files to test with")
    return Store.from_environment(tmp_path / "cache")


def test_all_files_verify(mirror) -> None:
    """37 files, each against the sha256 of the registry, and none of them copied."""
    for name, count in HERE.items():
        states = SOURCES[name].states(mirror)
        assert not [state.message for state in states if state.state == "refused"]
        assert sum(state.state == "fine" for state in states) >= count, f"{name}: files are missing in the mirror"
    assert not mirror.cache.exists()


@pytest.mark.parametrize("subject", [f"{number:02d}" for number in range(1, 21)])
def test_synthseg_heads(mirror, subject) -> None:
    head = SOURCES["synthseg_heads"].load(subject, mirror).labels["head"]
    assert head.labels.shape == (256, 256, 256)
    assert head.labels.dtype == np.int32
    assert head.geometry.axis_codes == "LIA"
    assert head.geometry.voxel_size == pytest.approx((1e-3,) * 3, rel=1e-4)
    present = np.flatnonzero(np.bincount(head.labels.ravel(order="K")))
    assert set(present.tolist()) <= set(HEAD_LABELS)
    assert {2, 3, 24, 41, 42, 506, 507, 511, 515} <= set(present.tolist())


def test_left_is_left_in_a_head(mirror) -> None:
    """The left white matter lies at smaller x than the right one, in RAS+ metres: nothing is mirrored on the way."""
    head = SOURCES["synthseg_heads"].load("01", mirror).labels["head"]
    centres = {}
    for label in (2, 41, 506, 8):
        voxel = np.argwhere(head.labels == label).mean(axis=0)
        centres[label] = head.geometry.affine @ [*voxel, 1.0]
    assert centres[2][0] < centres[41][0] - 0.03
    assert centres[506][1] > centres[8][1] + 0.05, "the eyes are in front of the cerebellum"
    assert centres[8][2] < centres[2][2], "and the cerebellum is below the white matter"


def test_eptlib_tutorial(mirror) -> None:
    """White matter at 64 MHz: the median of the true conductivity is 0.2915 S/m, as the data's description says."""
    maps = SOURCES["eptlib_tutorial"].load("brain_15t", mirror)
    assert maps.conductivity.shape == (91, 109, 15)
    assert maps.conductivity.dtype == np.float64
    assert np.median(maps.conductivity[maps.white_matter]) == pytest.approx(0.2915, abs=5e-4)
    for array in (maps.transmit_sensitivity, maps.transceive_phase, maps.conductivity):
        assert np.isfinite(array).all()
        assert not array[~maps.inside].any()
    assert maps.voxel_size == (2e-3, 2e-3, 2e-3)
    assert maps.frequency == 64e6


def test_eptlib_tutorial_axes(mirror) -> None:
    """Helmholtz' equation holds along the returned axes: Laplacian of B1+ over B1+, i omega mu sigma - omega^2 mu eps.

    Median over white matter away from other tissue; central differences of 2 mm, so 5 percent.
    """
    maps = SOURCES["eptlib_tutorial"].load("brain_15t", mirror)
    field = maps.transmit_sensitivity * np.exp(0.5j * maps.transceive_phase)
    step = maps.voxel_size[0]
    centre = (slice(1, -1),) * 3
    laplacian, uniform = np.zeros_like(field[centre]), maps.white_matter[centre].copy()
    for axis in range(3):
        ahead, behind = np.roll(field, -1, axis)[centre], np.roll(field, 1, axis)[centre]
        laplacian += (ahead - 2 * field[centre] + behind) / step**2
        uniform &= np.roll(maps.white_matter, 1, axis)[centre] & np.roll(maps.white_matter, -1, axis)[centre]
    omega, permeability = 2 * np.pi * maps.frequency, 4e-7 * np.pi
    conductivity = (laplacian[uniform] / field[centre][uniform]).imag / (omega * permeability)
    assert maps.time_convention == "exp(+i omega t)"
    assert np.median(conductivity) == pytest.approx(0.2915, rel=0.05)


def test_hcp_mni152(mirror) -> None:
    subject = SOURCES["hcp_mni152"].load("2mm", mirror)
    assert set(subject.images) == {"T1", "T2"}
    assert subject.on_one_grid
    assert subject.images["T1"].values.shape == (91, 109, 91)
    assert subject.images["T1"].geometry.axis_codes == "LAS"


def test_open_ms(mirror) -> None:
    subject = SOURCES["open_ms"].load("07", mirror)
    assert set(subject.images) == {"T1", "T1POST", "T2", "FLAIR"}
    assert subject.on_one_grid
    assert all(volume.values.dtype == np.float32 for volume in subject.images.values())
    lesions = subject.labels["lesions"].labels > 0
    brain = subject.images["FLAIR"].values > 20
    assert 0 < lesions.sum() < 0.02 * lesions.size
    assert np.median(subject.images["FLAIR"].values[lesions]) > np.median(subject.images["FLAIR"].values[brain])


def test_tcga_fg_6692(mirror) -> None:
    registered = SOURCES["tcga_fg_6692"].load("registered", mirror)
    assert registered.on_one_grid
    tumour = registered.labels["tumour"]
    assert 0 < enhancing_tumour(tumour).sum() < whole_tumour(tumour).sum()
    native = SOURCES["tcga_fg_6692"].load("native", mirror)
    assert not native.on_one_grid
    assert all(volume.geometry.voxel_size[2] == pytest.approx(5.5e-3, rel=1e-4) for volume in native.images.values())
    assert len(registered.provenance.files) == 5
    assert {algorithm for _, algorithm, _ in registered.provenance.files} == {"sha256"}
