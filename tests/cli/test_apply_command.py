"""``mrrepro simulate deepspio`` and ``mrrepro apply deepspio``: bad input is one clear line, code 2, and no file."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from mrrepro.cli.main import app
from mrrepro.papers.deepspio.shipped import shipped_file
from mrrepro.training.checkpoints import save_network

sys.path.insert(0, str(Path(__file__).parents[1] / "papers" / "deepspio"))
from own_files import write_own_files


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """Map, image, and the View Line images that the command makes of them."""
    folder = tmp_path_factory.mktemp("scan")
    files = write_own_files(folder)
    result = simulate(files.concentration, files.image, folder / "scan")
    assert result.exit_code == 0, result.output
    return folder


def run(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def simulate(concentration: Path, image: Path, prefix: Path, *more: object):
    return run("simulate", "deepspio", "--concentration", concentration, "--image", image, "--output", prefix, *more)


def apply(*words: object):
    return run("apply", "deepspio", *words)


def write(path: Path, data: np.ndarray, affine: np.ndarray) -> Path:
    nibabel.save(nibabel.Nifti1Image(data, affine), path)
    return path


def test_the_two_commands_work_together(scan, tmp_path):
    output = tmp_path / "map.nii.gz"
    result = apply(scan / "scan_even.nii.gz", scan / "scan_odd.nii.gz", "--output", output)
    assert result.exit_code == 0, result.output
    assert "No medical device" in result.output
    assert {path.name for path in tmp_path.iterdir()} == {"map.nii.gz", "map.json"}
    before = output.read_bytes()
    result = apply(scan / "scan_even.nii.gz", scan / "scan_odd.nii.gz", "--output", output)
    assert result.exit_code == 2
    assert "exists already" in result.output
    result = apply(scan / "scan_even.nii.gz", scan / "scan_odd.nii.gz", "--output", output, "--force")
    assert result.exit_code == 0
    assert output.read_bytes() == before


def test_inputs_are_never_replaced(scan):
    even, odd = scan / "scan_even.nii.gz", scan / "scan_odd.nii.gz"
    before = even.read_bytes()
    result = apply(even, odd, "--output", even, "--force")
    assert result.exit_code == 2
    assert "one of the inputs" in result.output
    assert even.read_bytes() == before


def test_resampling_is_said(tmp_path, scan):
    data = np.stack([nibabel.load(scan / f"scan_{lines}.nii.gz").get_fdata()[:, 0] for lines in ("even", "odd")])
    np.savez(tmp_path / "pair.npz", images=data)
    result = apply(tmp_path / "pair.npz", "--output", tmp_path / "map.nii", "--field-of-view-mm", 60)
    assert result.exit_code == 0, result.output
    assert "resampled to the network's 128 x 128" in result.output


def changed(data: np.ndarray, index: tuple, value: float) -> np.ndarray:
    data = data.copy()
    data[index] = value
    return data


CHANGES = {
    "nan": (lambda data, affine: (changed(data, (3, 0, 3), np.nan), affine), "must be finite"),
    "negative": (lambda data, affine: (-data, affine), "must be magnitudes"),
    "zero": (lambda data, affine: (0 * data, affine), "0 everywhere"),
    "complex": (lambda data, affine: (data * 1j, affine), "write the magnitude"),
    "4D": (lambda data, affine: (data[..., None], affine), "a 2D slice or a 3D volume"),
    "1D": (lambda data, affine: (data[:1], affine), "with the axis z"),
    "small": (lambda data, affine: (data[60:68], affine), "at least 16 pixels"),
    "axial": (lambda data, affine: (data[:, 0], np.diag([0.4, 0.4, 1, 1])), "with the axis z"),
    "coarse": (lambda data, affine: (data, affine * np.array([10, 10, 10, 1.0])), "need smaller pixels"),
    "sheared": (lambda data, affine: (data, affine + 0.2 * np.eye(4, k=1) * [1, 1, 1, 0]), "right angles"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_images_that_cannot_be_used(scan, tmp_path, name):
    change, message = CHANGES[name]
    source = nibabel.load(scan / "scan_even.nii.gz")
    data, affine = change(source.get_fdata().astype(np.float32), source.affine)
    even, odd = (write(tmp_path / f"{lines}.nii.gz", data, affine) for lines in ("even", "odd"))
    refused(apply(even, odd, "--output", tmp_path / "map.nii.gz"), message, tmp_path / "map.nii.gz")


def test_files_that_cannot_be_used(scan, tmp_path):
    even, odd, output = scan / "scan_even.nii.gz", scan / "scan_odd.nii.gz", tmp_path / "map.nii.gz"
    source = nibabel.load(even)
    half = write(tmp_path / "half.nii.gz", source.get_fdata()[::2].astype(np.float32), source.affine)
    refused(apply(even, half, "--output", output), "must lie on one grid", output)
    moved = write(tmp_path / "moved.nii.gz", source.get_fdata().astype(np.float32), source.affine + np.eye(4, k=3))
    refused(apply(even, moved, "--output", output), "must lie on one grid", output)
    bare = nibabel.Nifti1Image(source.get_fdata().astype(np.float32), None)
    bare.header["qform_code"] = bare.header["sform_code"] = 0
    nibabel.save(bare, tmp_path / "bare.nii.gz")
    refused(apply(tmp_path / "bare.nii.gz", odd, "--output", output), "has no affine", output)
    cut = tmp_path / "cut.nii.gz"
    cut.write_bytes(even.read_bytes()[:3000])
    refused(apply(cut, odd, "--output", output), "cannot be read as NIfTI", output)
    refused(apply(tmp_path / "none.nii.gz", odd, "--output", output), "There is no file", output)
    refused(apply(even, "--output", output), "Give two NIfTI files", output)
    refused(apply(even, odd, "--output", tmp_path / "map.txt"), "must end in .nii", tmp_path / "map.txt")
    refused(apply(even, odd, "--output", tmp_path / "a" / "map.nii"), "does not exist", tmp_path / "a")
    refused(apply(even, odd, "--output", output, "--field-of-view-mm", 100), "covers 50 mm", output)
    np.savez(tmp_path / "wrong.npz", images=np.ones((3, 128, 128)))
    refused(apply(tmp_path / "wrong.npz", "--output", output), "(2, x, z) or (n, 2, x, z)", output)
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 no archive")
    refused(apply(tmp_path / "broken.npz", "--output", output), "is no whole .npz file of arrays", output)


def test_networks_that_cannot_be_used(scan, tmp_path):
    even, odd, output = scan / "scan_even.nii.gz", scan / "scan_odd.nii.gz", tmp_path / "map.nii.gz"

    def with_network(path: Path):
        return apply(even, odd, "--output", output, "--network", path)

    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(shipped_file().read_bytes()[:-1000])
    refused(with_network(cut), "truncated", output)
    bad = tmp_path / "bad.safetensors"
    content = bytearray(shipped_file().read_bytes())
    content[-500] ^= 1
    bad.write_bytes(content)
    refused(with_network(bad), "damaged", output)
    other = tmp_path / "other.safetensors"
    save_network(other, torch.nn.Linear(2, 2), {"layers": 3}, {})
    refused(with_network(other), "The name of a network setting must be one of", output)
    save_network(other, torch.nn.Linear(2, 2), {"kind": "unet", "width": 2.0}, {})
    refused(with_network(other), "weights of another network", output)
    refused(with_network(tmp_path / "none.safetensors"), "There is no network file", output)


def test_maps_that_cannot_be_simulated(scan, tmp_path):
    shutil.copy(scan / "image.nii.gz", tmp_path)
    image, source = tmp_path / "image.nii.gz", nibabel.load(scan / "map.nii.gz")
    data, affine = source.get_fdata().astype(np.float32), source.affine
    x, y, z = (int(index) for index in np.argwhere(data > 0)[0])
    cases = [
        (changed(data, (x, y, z), np.nan), affine, "must be finite"),
        (-data, affine, "must not be negative"),
        (0 * data, affine, "0 everywhere"),
        (data * 1000, affine, "a value in ug/mL is to be divided"),
        (changed(data, (0, y, z), 5.0), affine, "concentration"),
        (data[:, :-1], affine, "odd number of slabs"),
        (data, affine * np.array([1, 2, 1, 1.0]), "cubic voxels"),
        (data, affine * np.array([0.5, 0.5, 0.5, 1.0]), "must cover the 25 lines"),
        (np.stack([data, data], axis=3), affine, "a 2D slice or a 3D volume"),
    ]
    for values, placed, message in cases:
        path = write(tmp_path / "wrong.nii.gz", values, placed)
        middle = placed.copy()
        middle[:3, 3] += (values.shape[1] // 2) * middle[:3, 1]
        write(image, nibabel.load(scan / "image.nii.gz").get_fdata().astype(np.float32), middle)
        refused(simulate(path, image, tmp_path / "scan"), message, tmp_path / "scan_even.nii.gz")
    elsewhere = write(image, np.ones((128, 1, 128), dtype=np.float32), np.diag([0.4, 0.4, 0.4, 1]))
    refused(simulate(scan / "map.nii.gz", elsewhere, tmp_path / "scan"), "middle slab", tmp_path / "scan_even.nii.gz")
    result = simulate(scan / "map.nii.gz", scan / "image.nii.gz", scan / "scan")
    assert result.exit_code == 2
    assert "exists already" in result.output


def test_ship_of_a_chapter_without_a_network():
    result = run("ship", "nothing")
    assert result.exit_code == 2
    assert "chapter" in result.output


def refused(result, message: str, output: Path) -> None:
    """One line on the standard error, code 2, nothing written."""
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1, result.output
    assert not output.exists()
    if output.parent.exists():
        assert not [path for path in output.parent.iterdir() if "unfinished" in path.name or path.suffix == ".json"]
