"""``mrrepro apply dl_ept`` and ``mrrepro simulate dl_ept``: bad input is one clear line, code 2, and no file."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from mrrepro.cli.main import app

sys.path.insert(0, str(Path(__file__).parents[1] / "papers" / "dl_ept"))
from b1_files import B1Files, rewrite, write_cylinder


def run(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "150"})


def apply(files: B1Files, output: Path, *more: object, frequency: object = "128e6"):
    images = (files.magnitude, "--phase", files.phase, "--mask", files.mask)
    return run("apply", "dl_ept", *images, "--frequency", frequency, "--output", output, *more)


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return write_cylinder(tmp_path_factory.mktemp("scan"), (21, 21, 7))


def test_maps_and_report_are_written(scan, tmp_path):
    result = apply(scan, tmp_path / "out", "--kernel", "savitzky_golay_ellipsoid", "--size", "5x5x5")
    assert result.exit_code == 0, result.output
    assert float(re.search(r"conductivity.nii.gz: median (\S+) S/m", result.output)[1]) == pytest.approx(0.6, rel=0.01)
    assert "No medical device" in result.output
    names = {"b1_conductivity.nii.gz", "b1_permittivity.nii.gz", "b1_report.json"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    result = apply(scan, tmp_path / "out")
    assert result.exit_code == 2
    assert "exists already" in result.output
    assert apply(scan, tmp_path / "out", "--force").exit_code == 0


def test_a_warning_goes_to_the_standard_error(scan, tmp_path):
    result = apply(scan, tmp_path / "out", "--time-dependence", "negative")
    assert result.exit_code == 0, result.output
    assert "below 0" in result.stderr
    assert "--time-dependence" in result.stderr


def test_without_a_file_the_networks_of_the_chapter_are_taken(scan, tmp_path):
    result = apply(scan, tmp_path / "mask", "--method", "network")
    assert result.exit_code == 0, result.output
    assert _networks(tmp_path / "mask") == ["mask_conductivity.safetensors", "mask_permittivity.safetensors"]
    result = apply(scan, tmp_path / "tissue", "--method", "network", "--tissue", scan.magnitude)
    assert result.exit_code == 0, result.output
    assert _networks(tmp_path / "tissue") == ["tissue_conductivity.safetensors", "tissue_permittivity.safetensors"]


def _networks(folder: Path) -> list[str]:
    return sorted(re.findall(r"\w+\.safetensors", (folder / "b1_report.json").read_text()))


def test_help_names_what_can_be_chosen():
    text = " ".join(run("apply", "dl_ept", "--help").output.replace("│", " ").split())
    choices = ("axis_noise_robust", "savitzky_golay_ellipsoid", "smoothed_noise_robust", "savitzky_golay_cuboid")
    options = (
        "--phase",
        "--mask",
        "--frequency",
        "--size",
        "--boundaries",
        "--time-dependence",
        "--unwrap",
        "--network",
    )
    for word in (*choices, *options, "7x7x5", "helmholtz", "leave", "positive", "No medical device"):
        assert word in text, word
    assert "dl_ept" in run("apply", "--help").output
    assert "--voxel-size-mm" in run("simulate", "dl_ept", "--help").output


def with_value(where: tuple[int, int, int], value: float):
    def change(values: np.ndarray) -> np.ndarray:
        values[where] = value
        return values

    return change


MIDDLE = (10, 10, 3)
MOVED = np.array([[2.0, 0, 0, 5.0], [0, 2.0, 0, -6.0], [0, 0, 2.0, 11.0], [0, 0, 0, 1]])
IN_METRES = np.diag([2e-3, 2e-3, 2e-3, 1.0])

IMAGES = {
    "degrees": ("phase", lambda values: 100 + np.rad2deg(values), None, "must be in radians"),
    "wrapped": (
        "phase",
        lambda values: np.where(np.arange(21)[:, None, None] > 10, 2 * np.pi, 0) + values,
        None,
        "unwrap",
    ),
    "phase NaN": ("phase", with_value(MIDDLE, np.nan), None, "phase in the mask must be finite"),
    "magnitude NaN": ("magnitude", with_value(MIDDLE, np.nan), None, "magnitude in the mask must be finite"),
    "magnitude 0": ("magnitude", with_value(MIDDLE, 0.0), None, "is 0 in 1 of"),
    "magnitude negative": ("magnitude", with_value(MIDDLE, -1.0), None, "must be |B1+|"),
    "complex": ("magnitude", lambda values: values * 1j, None, "must hold real numbers"),
    "4D": ("phase", lambda values: np.stack([values, values], axis=3), None, "a 2D slice or a 3D volume"),
    "shape": ("phase", lambda values: values[:-1], None, "must have one shape"),
    "affine": ("phase", lambda values: values, MOVED, "must lie on one grid"),
    "empty": ("mask", lambda values: 0 * values, None, "must hold at least one voxel"),
    "labels": ("mask", with_value(MIDDLE, 2.0), None, "must be binary"),
    "negative mask": ("mask", np.negative, None, "must be binary"),
    "mask NaN": ("mask", with_value(MIDDLE, np.nan), None, "must be binary"),
    "thin": ("mask", lambda values: values * (np.arange(7) < 4), None, "fits nowhere into the mask"),
}


@pytest.mark.parametrize("name", IMAGES)
def test_images_that_cannot_be_used(scan, tmp_path, name):
    which, change, affine, message = IMAGES[name]
    source = getattr(scan, which)
    paths = {each: getattr(scan, each) for each in ("magnitude", "phase", "mask")}
    paths[which] = rewrite(source, tmp_path / source.name, change, affine)
    refused(apply(B1Files(**paths), tmp_path / "out"), message, tmp_path / "out")


OPTIONS = {
    "frequency in MHz": ((), "128", "128 MHz being 128e6"),
    "even size": (("--size", "6x7x5"), "128e6", "odd"),
    "size of two": (("--size", "7x7"), "128e6", "joined by x"),
    "kernel": (("--kernel", "sobel"), "128e6", "kernel must be one of"),
    "method": (("--method", "mystery"), "128e6", "method must be one of"),
    "boundaries": (("--boundaries", "guess"), "128e6", "boundaries must be one of"),
    "fit by another kernel": (("--boundaries", "fit", "--kernel", "axis_noise_robust"), "128e6", "fits a quadratic"),
    "fit with three": (("--boundaries", "fit", "--size", "7x7x3"), "128e6", "at least 5"),
    "time dependence": (("--time-dependence", "minus"), "128e6", "time_dependence must be one of"),
    "network unasked": (("--network", "sigma.safetensors"), "128e6", "give --method network"),
    "missing network": (("--method", "network", "--network", "none.safetensors"), "128e6", "There is no network file"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_that_cannot_be_used(scan, tmp_path, name):
    more, frequency, message = OPTIONS[name]
    refused(apply(scan, tmp_path / "out", *more, frequency=frequency), message, tmp_path / "out")


def test_places_that_cannot_be_used(scan, tmp_path):
    voxels = [rewrite(path, tmp_path / path.name, affine=IN_METRES) for path in scan.all()]
    refused(apply(B1Files(*voxels), tmp_path / "out"), "voxel_size must lie in", tmp_path / "out")
    missing = B1Files(tmp_path / "none.nii.gz", scan.phase, scan.mask)
    refused(apply(missing, tmp_path / "out"), "There is no file", tmp_path / "out")
    refused(apply(scan, tmp_path / "a" / "b"), "does not exist", tmp_path / "a")
    (tmp_path / "file").write_text("")
    result = apply(scan, tmp_path / "file")
    assert result.exit_code == 2
    assert "must be a folder" in result.output
    phase_only = ("apply", "dl_ept", "--phase", scan.phase, "--mask", scan.mask, "--frequency", "128e6")
    result = run(*phase_only, "--boundaries", "fit", "--output", tmp_path / "out")
    refused(result, "needs the magnitude too", tmp_path / "out")
    result = run(*phase_only, "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output


def test_simulated_maps_are_taken(tmp_path):
    options = ("--voxel-size-mm", 8, "--diameter-mm", 80, "--length-mm", 80, "--snr", 500, "--phase-noise-mrad", 1)
    result = run("simulate", "dl_ept", "--output", tmp_path / "own", *options)
    assert result.exit_code == 0, result.output
    files = B1Files(*(tmp_path / f"own_{name}.nii.gz" for name in ("magnitude", "phase", "mask")))
    result = apply(files, tmp_path)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "own_magnitude_conductivity.nii.gz").exists()
    assert nibabel.load(tmp_path / "own_true_conductivity.nii.gz").get_fdata().max() == pytest.approx(0.88)
    result = run("simulate", "dl_ept", "--output", tmp_path / "own", *options)
    assert result.exit_code == 2
    assert "exists already" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--conductivity", -0.1), "conductivity must lie in"),
        (("--permittivity", 0.5), "relative_permittivity must lie in"),
        (("--voxel-size-mm", 0.004), "voxel_size must lie in"),
        (("--voxel-size-mm", 40), "fewer than 8 voxels"),
        (("--frequency", 128, "--voxel-size-mm", 10), "128 MHz being 128e6"),
        (("--snr", 0, "--voxel-size-mm", 10), "snr must be positive"),
        (("--diameter-mm", 0.12), "fewer than 8 voxels"),
        (("--head", "folded", "--conductivity", 0.5), "leave out the cylinder's conductivity"),
        (("--head-number", 1), "give --head too"),
        (("--head", "nobody", "--voxel-size-mm", 10), "nobody"),
    ],
)
def test_bodies_that_cannot_be_simulated(tmp_path, options, message):
    result = run("simulate", "dl_ept", "--output", tmp_path / "own", *options)
    refused(result, message, tmp_path / "own_magnitude.nii.gz")


def refused(result, message: str, output: Path) -> None:
    """One line on the standard error, code 2, nothing written."""
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1, result.output
    assert not output.exists()
    assert not [path for path in output.parent.iterdir() if "unfinished" in path.name or path.suffix == ".json"]
