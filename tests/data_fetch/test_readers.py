"""Readers against files written by hand: values, axes, geometry; and what they refuse."""

from __future__ import annotations

import gzip
import importlib.util
import sys

import numpy as np
import pytest
from scipy.io import savemat
from tiny_files import dicom_bytes, nifti_bytes, write_mat_7_3, write_nifti, write_series

from data_fetch import errors
from data_fetch.readers.dicom import read_series
from data_fetch.readers.hdf5 import read_arrays
from data_fetch.readers.mat import read_mat
from data_fetch.readers.nifti import read_labels, read_volume

h5py = pytest.importorskip("h5py", reason="h5py is not installed: HDF5 and MATLAB 7.3 cannot be read")
pytest.importorskip("nibabel", reason="nibabel is not installed: NIfTI cannot be read")
needs_pydicom = pytest.mark.skipif(
    importlib.util.find_spec("pydicom") is None, reason="pydicom is not installed: DICOM cannot be read"
)

LAS_MM = np.array([[-2.0, 0, 0, 90], [0, 3.0, 0, -126], [0, 0, 4.0, -72], [0, 0, 0, 1]])
NAMES = {0: "nothing", 7: "something"}


@pytest.fixture
def array() -> np.ndarray:
    return np.random.default_rng(0).integers(-500, 500, (4, 5, 6)).astype(np.int16)


@pytest.mark.parametrize("name", ["volume.nii", "volume.nii.gz"])
@pytest.mark.parametrize("kind", ["uint8", "int16", "int32", "float32", "float64"])
def test_nifti_values_and_geometry(name, kind, array, tmp_path) -> None:
    stored = (array % 100).astype(kind)
    volume = read_volume(write_nifti(tmp_path / name, stored, LAS_MM), "T1")
    assert volume.values.dtype == np.float32
    assert np.array_equal(volume.values, stored)
    assert volume.geometry.voxel_size == pytest.approx((2e-3, 3e-3, 4e-3), rel=1e-12)
    assert volume.geometry.axis_codes == "LAS"
    assert volume.geometry.oriented
    corner = volume.geometry.affine @ [1, 1, 1, 1]
    assert np.allclose(corner, [0.088, -0.123, -0.068, 1], atol=1e-12)


@pytest.mark.parametrize(("unit", "metres"), [(1, 1.0), (2, 1e-3), (3, 1e-6), (0, 1e-3)])
def test_nifti_unit(unit, metres, array, tmp_path) -> None:
    geometry = read_volume(write_nifti(tmp_path / "a.nii", array, LAS_MM, unit=unit), "T1").geometry
    assert geometry.voxel_size == pytest.approx((2 * metres, 3 * metres, 4 * metres), rel=1e-12)


def test_nifti_slope_and_intercept(array, tmp_path) -> None:
    volume = read_volume(write_nifti(tmp_path / "a.nii", array, slope=0.5, intercept=-3.0), "T1")
    assert np.array_equal(volume.values, array * np.float32(0.5) - np.float32(3.0))


def test_nifti_without_orientation_says_so(array, tmp_path) -> None:
    assert not read_volume(write_nifti(tmp_path / "a.nii", array, coded=False), "T1").geometry.oriented


def test_nifti_fourth_axis_of_one_is_dropped(array, tmp_path) -> None:
    assert read_volume(write_nifti(tmp_path / "a.nii", array[..., None]), "T1").values.shape == (4, 5, 6)


@pytest.mark.parametrize("kind", ["uint8", "int16", "float32", "float64"])
def test_nifti_labels(kind, tmp_path) -> None:
    stored = (np.arange(24).reshape(2, 3, 4) % 2 * 7).astype(kind)
    label_map = read_labels(write_nifti(tmp_path / "a.nii.gz", stored), NAMES, "test")
    assert label_map.labels.dtype == np.int32
    assert np.array_equal(label_map.labels, stored)
    assert label_map.convention == "test"


@pytest.mark.parametrize(("value", "words"), [(3.5, "no whole numbers"), (8.0, r"\[8\]"), (np.nan, "no whole numbers")])
def test_nifti_labels_that_are_none(value, words, tmp_path) -> None:
    stored = np.zeros((2, 3, 4), np.float32)
    stored[1, 1, 1] = value
    with pytest.raises(errors.UnreadableFile, match=words):
        read_labels(write_nifti(tmp_path / "a.nii", stored), NAMES, "test")


def test_nifti_that_claims_too_much(array, tmp_path) -> None:
    """The header claims 32767 voxels on each axis: 70 TB that must not be asked for."""
    with pytest.raises(errors.UnreadableFile, match="too large"):
        read_volume(write_nifti(tmp_path / "a.nii.gz", array, shape=(32767, 32767, 32767)), "T1")


@pytest.mark.parametrize(("shape", "words"), [((120,), "three dimensions"), ((4, 5, 3, 2), "three dimensions")])
def test_nifti_that_is_no_volume(shape, words, array, tmp_path) -> None:
    with pytest.raises(errors.UnreadableFile, match=words):
        read_volume(write_nifti(tmp_path / "a.nii", array.reshape(-1)[:120], shape=shape), "T1")


def test_nifti_that_is_complex_or_singular(array, tmp_path) -> None:
    with pytest.raises(errors.UnreadableFile, match="scalar image"):
        read_volume(write_nifti(tmp_path / "a.nii", array.astype(np.complex64)), "T1")
    with pytest.raises(errors.UnreadableFile, match="singular"):
        read_volume(write_nifti(tmp_path / "b.nii", array, np.diag([1.0, 1.0, 0.0, 1.0])), "T1")


@pytest.mark.parametrize("read", [lambda path: read_volume(path, "T1"), lambda path: read_labels(path, NAMES, "test")])
def test_a_page_under_the_name_of_a_volume(read, tmp_path) -> None:
    path = tmp_path / "T1.nii.gz"
    path.write_text("<!doctype html><title>Institutional login</title>")
    with pytest.raises(errors.WebPageInstead, match="Institutional login"):
        read(path)


def test_hdf5_arrays(tmp_path) -> None:
    stored = np.random.default_rng(1).standard_normal((2, 3, 4))
    with h5py.File(tmp_path / "a.h5", "w") as opened:
        opened["group/phase"] = stored
        opened["mask"] = stored > 0
    content = (tmp_path / "a.h5").read_bytes()
    for source in (tmp_path / "a.h5", content):
        found = read_arrays(source, ["group/phase", "mask"])
        assert np.array_equal(found["group/phase"], stored)
        assert found["mask"].dtype == bool
    with pytest.raises(errors.UnreadableFile, match="there is no dataset absent"):
        read_arrays(content, ["absent"])


def test_hdf5_that_reads_other_files_is_refused(tmp_path) -> None:
    """A link, external storage and a virtual dataset each point at a file beside the archive."""
    (tmp_path / "raw").write_bytes(bytes(24))
    with h5py.File(tmp_path / "other.h5", "w") as opened:
        opened["secret"] = np.ones(3)
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "secret", (3,))
    with h5py.File(tmp_path / "a.h5", "w") as opened:
        opened["link"] = h5py.ExternalLink("other.h5", "secret")
        opened["soft"] = h5py.SoftLink("/link")
        opened.create_dataset("outside", (3,), "f8", external=[(str(tmp_path / "raw"), 0, 24)])
        opened.create_virtual_dataset("virtual", layout)
        opened["words"] = ["text"]
        opened.create_group("group")
        opened["empty"] = h5py.Empty("f8")
    for name in ("link", "soft", "outside", "virtual", "words", "group", "empty"):
        with pytest.raises(errors.UnreadableFile):
            read_arrays(tmp_path / "a.h5", [name])


def test_mat_5_arrays(tmp_path) -> None:
    stored = np.random.default_rng(2).standard_normal((2, 3, 4))
    for compressed in (True, False):
        path = tmp_path / f"{compressed}.mat"
        held = {"image": stored, "mask": stored > 0, "field": stored + 1j, "count": np.int16([[3]])}
        savemat(path, held, do_compression=compressed)
        found = read_mat(path, list(held))
        assert all(np.array_equal(found[name], held[name]) for name in held)


def test_mat_5_what_is_no_array(tmp_path) -> None:
    savemat(tmp_path / "a.mat", {"cell": np.array([[1, "b"]], dtype=object), "record": {"x": 1}, "text": "words"})
    for name in ("cell", "record", "text", "absent"):
        with pytest.raises(errors.UnreadableFile, match=name):
            read_mat(tmp_path / "a.mat", [name])


def test_mat_7_3_arrays(tmp_path) -> None:
    """MATLAB stores its first axis fastest, so an array of (2, 3, 4) lies in HDF5 as (4, 3, 2)."""
    stored = np.random.default_rng(3).standard_normal((2, 3, 4))

    def write(opened) -> None:
        opened["image"] = stored.T
        opened["mask"] = (stored.T > 0).astype(np.uint8)
        opened["mask"].attrs["MATLAB_class"] = np.bytes_("logical")
        pairs = np.zeros((4, 3, 2), dtype=[("real", "f8"), ("imag", "f8")])
        pairs["real"], pairs["imag"] = stored.T, 2.0
        opened["field"] = pairs
        opened["words"] = np.frombuffer(b"w\0o\0", np.uint16)
        opened["words"].attrs["MATLAB_class"] = np.bytes_("char")

    path = write_mat_7_3(tmp_path / "a.mat", write)
    found = read_mat(path, ["image", "mask", "field"])
    assert np.array_equal(found["image"], stored)
    assert found["mask"].dtype == bool
    assert np.array_equal(found["mask"], stored > 0)
    assert np.array_equal(found["field"], stored + 2j)
    for name in ("words", "absent"):
        with pytest.raises(errors.UnreadableFile, match=name):
            read_mat(path, [name])


def test_mat_of_another_kind(tmp_path) -> None:
    (tmp_path / "a.mat").write_bytes(b"%!PS-Adobe" + bytes(200))
    with pytest.raises(errors.UnreadableFile, match="no MATLAB file"):
        read_mat(tmp_path / "a.mat", ["image"])


@needs_pydicom
def test_dicom_series(tmp_path) -> None:
    """Axial slices: +x of DICOM is the patient's left, +y the back, +z the head; RAS turns the first two round."""
    stored = np.random.default_rng(4).integers(-500, 500, (5, 3, 4)).astype(np.int16)
    paths = write_series(tmp_path, stored, rescale=(2.0, -7.0))
    volume = read_series([paths[2], *paths[:2], *paths[3:]], "T1")
    assert volume.values.dtype == np.float32
    assert np.array_equal(volume.values, stored.transpose(2, 1, 0) * 2.0 - 7.0)
    assert volume.geometry.axis_codes == "LPS"
    assert volume.geometry.voxel_size == pytest.approx((0.75e-3, 1.5e-3, 3e-3))
    assert np.allclose(volume.geometry.affine @ [0, 0, 0, 1], [0.010, -0.020, 0.005, 1])
    assert np.allclose(volume.geometry.affine @ [1, 2, 3, 1], [0.01 - 0.00075, -0.02 - 0.003, 0.014, 1])


@needs_pydicom
def test_dicom_sagittal_series(tmp_path) -> None:
    """Rows run to the back, columns to the feet; the slices then run to the patient's right.

    along_row = (0, 1, 0), along_column = (0, 0, -1): their cross product is (-1, 0, 0), the patient's right.
    """
    files = []
    for number in range(3):
        path = tmp_path / f"{number}.dcm"
        pixels = np.full((2, 2), number)
        path.write_bytes(dicom_bytes(pixels, (6.0 - 2.0 * number, 0.0, 0.0), orientation=(0, 1, 0, 0, 0, -1)))
        files.append(path)
    volume = read_series(files[::-1], "T1")
    assert volume.geometry.axis_codes == "PIR"
    assert np.array_equal(volume.values[0, 0], [0, 1, 2])


@needs_pydicom
def test_dicom_single_slice_takes_its_thickness(tmp_path) -> None:
    volume = read_series(write_series(tmp_path, np.zeros((1, 2, 2))), "T1")
    assert volume.geometry.voxel_size == pytest.approx((0.75e-3, 1.5e-3, 3e-3))


@needs_pydicom
@pytest.mark.parametrize("fault", ["missing slice", "double slice", "two series", "other size", "cut", "oblique"])
def test_dicom_faults_are_refused(fault, tmp_path) -> None:
    paths = write_series(tmp_path, np.zeros((5, 3, 4)))
    at = (-10.0, 20.0, 5.0)
    changed = {
        "double slice": lambda: dicom_bytes(np.zeros((3, 4)), at),
        "two series": lambda: dicom_bytes(np.zeros((3, 4)), (at[0], at[1], 11.0), series="9.9"),
        "other size": lambda: dicom_bytes(np.zeros((3, 5)), (at[0], at[1], 11.0)),
        "cut": lambda: paths[2].read_bytes()[:-9],
        "oblique": lambda: dicom_bytes(np.zeros((3, 4)), (at[0], at[1], 11.0), orientation=(1, 0, 0, 0, 0.8, 0.6)),
    }
    if fault == "missing slice":
        del paths[2]
    else:
        paths[2].write_bytes(changed[fault]())
    with pytest.raises(errors.UnreadableFile):
        read_series(paths, "T1")


@pytest.mark.parametrize("missing", ["nibabel", "h5py", "pydicom"])
def test_a_missing_package_is_told(missing, array, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    (tmp_path / "a.dcm").write_bytes(dicom_bytes(np.zeros((2, 2)), (0, 0, 0)))
    reads = {
        "nibabel": lambda: read_volume(write_nifti(tmp_path / "a.nii", array), "T1"),
        "h5py": lambda: read_arrays(b"\x89HDF\r\n", ["a"]),
        "pydicom": lambda: read_series([tmp_path / "a.dcm"], "T1"),
    }
    with pytest.raises(errors.MissingPackage, match=f"pip install {missing}"):
        reads[missing]()


def _damaged(raw: bytes, random: np.random.Generator) -> bytes:
    if random.random() < 0.4:
        return raw[: random.integers(0, len(raw))]
    changed = bytearray(raw)
    for position in random.integers(0, len(raw), random.integers(1, 6)):
        changed[position] = random.integers(0, 256)
    return bytes(changed)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["nii", "nii.gz", "mat 5", "dcm"])
def test_damage_of_any_kind_is_told_in_words_or_harmless(kind, array, tmp_path) -> None:
    """80 files with bytes cut off or changed at random: a `FetchError`, or an array, never another exception."""
    if kind == "dcm" and importlib.util.find_spec("pydicom") is None:
        pytest.skip("pydicom is not installed: DICOM cannot be read")
    path = tmp_path / f"a.{kind.replace(' 5', '')}"
    if kind == "mat 5":
        savemat(path, {"image": array}, do_compression=True)
        raw, read = path.read_bytes(), lambda: read_mat(path, ["image"])
    elif kind == "dcm":
        raw, read = dicom_bytes(array[0], (0, 0, 0)), lambda: read_series([path], "T1")
    else:
        packed = nifti_bytes(array, LAS_MM)
        raw = gzip.compress(packed) if kind == "nii.gz" else packed
        read = lambda: read_volume(path, "T1")  # noqa: E731
    random, told = np.random.default_rng(7), 0
    for _ in range(80):
        path.write_bytes(_damaged(raw, random))
        try:
            read()
        except errors.FetchError:
            told += 1
    assert told > 20
