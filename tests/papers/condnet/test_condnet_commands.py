"""The commands on files of users: maps from images, fields from maps, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from mrrepro.cli.main import app
from mrrepro.networks.condnet import CondNetDesign
from mrrepro.papers.condnet import own_conductivity
from mrrepro.papers.condnet.maps import ConductivityNetwork
from mrrepro.papers.condnet.shipped import ThreeDirections
from mrrepro.solvers.potential_multigrid import Tolerances
from mrrepro.training.reduced_precision import save_reduced_network

RUNNER = CliRunner()
SHAPE = (30, 34, 30)
PLACE = np.moveaxis(np.indices(SHAPE), 0, -1) * 6.0 - 3.0 * (np.array(SHAPE) - 1)
HEAD = ((PLACE / [72, 85, 76]) ** 2).sum(axis=-1) < 1
BRAIN = ((PLACE / [60, 73, 62]) ** 2).sum(axis=-1) < 1


def affine_of(edge: float = 6.0) -> np.ndarray:
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = -3.0 * (np.array(SHAPE) - 1)
    return affine


def write(path: Path, data: np.ndarray, affine: np.ndarray | None = None) -> Path:
    image = nibabel.Nifti1Image(data.astype(np.float32), affine_of() if affine is None else affine)
    nibabel.save(image, path)
    return path


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    three = ThreeDirections([ConductivityNetwork(CondNetDesign(2, 1, 2)).eval() for _ in range(3)])
    path = tmp_path_factory.mktemp("network") / "tiny.safetensors"
    settings = {"network": three.in_order()[0].settings, "voxel_size": 8e-3}
    save_reduced_network(path, three, settings, {"what": "untrained"})
    return path


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, Path]:
    t1 = write(tmp_path / "t1.nii.gz", 100.0 * HEAD + 30.0 * BRAIN + PLACE[..., 1] * HEAD * 0.1)
    return t1, write(tmp_path / "t2.nii.gz", 50.0 * HEAD + 90.0 * BRAIN)


def run(*arguments: Any) -> Any:
    return RUNNER.invoke(app, [str(argument) for argument in arguments])


def test_a_map_on_1_mm_from_any_orientation(tmp_path: Path, images: tuple[Path, Path], network: Path) -> None:
    found = run("apply", "condnet", *images, "-o", tmp_path / "s.nii.gz", "--network", network)
    assert found.exit_code == 0, found.output
    assert "1 mm" in found.output
    assert "No medical device" in found.output
    first = nibabel.load(tmp_path / "s.nii.gz")
    np.testing.assert_allclose(first.header.get_zooms(), 1.0, rtol=1e-5)
    assert first.shape == (180, 204, 180)
    turned = [nibabel.load(path).as_reoriented(np.array([[1, -1], [2, 1], [0, -1]])) for path in images]
    for image, path in zip(turned, ("a.nii", "b.nii"), strict=True):
        nibabel.save(image, tmp_path / path)
    output = tmp_path / "t.nii.gz"
    again = run("apply", "condnet", tmp_path / "a.nii", tmp_path / "b.nii", "-o", output, "--network", network)
    assert again.exit_code == 0, again.output
    second = nibabel.load(output)
    np.testing.assert_allclose(second.affine, first.affine, atol=1e-4)
    np.testing.assert_allclose(second.get_fdata(), first.get_fdata(), atol=1e-4)
    values = first.get_fdata()
    assert values[0].max() == 0.0
    assert values[90, 102, 90] > 0.0
    report = json.loads((tmp_path / "s.json").read_text())
    assert {role: each["file"] for role, each in report["inputs"].items()} == {
        "t1_weighted": "t1.nii.gz",
        "t2_weighted": "t2.nii.gz",
    }
    assert report["network"]["file"] == network.name
    assert report["grid"]["network_voxel_mm"] == pytest.approx(8.0)
    # the outline may take in most of a voxel of 8 mm all round: a third of this head's volume
    assert 0.95 < report["head_volume_l"] / (HEAD.sum() * 6.0**3 * 1e-6) < 1.35


def test_images_on_different_grids_are_resampled_and_it_is_said(
    tmp_path: Path, images: tuple[Path, Path], network: Path
) -> None:
    coarse = write(tmp_path / "c.nii.gz", (50.0 * HEAD + 90.0 * BRAIN)[::2, ::2, ::2], affine_of(12.0))
    found = run("apply", "condnet", images[0], coarse, "-o", tmp_path / "s.nii.gz", "--network", network)
    assert found.exit_code == 0, found.output
    assert "different grids" in found.output


def test_images_that_cannot_be_used_are_refused(tmp_path: Path, images: tuple[Path, Path], network: Path) -> None:
    flat = write(tmp_path / "flat.nii.gz", np.ones((30, 34)))
    four = write(tmp_path / "four.nii.gz", np.ones((*SHAPE, 2)))
    empty = write(tmp_path / "empty.nii.gz", np.zeros(SHAPE))
    full = write(tmp_path / "full.nii.gz", 100.0 + 0.1 * PLACE[..., 0])
    sheared = affine_of()
    sheared[0, 1] = 3.0
    skewed = write(tmp_path / "skewed.nii.gz", 100.0 * HEAD, sheared)
    bare = nibabel.Nifti1Image((100.0 * HEAD).astype(np.float32), None)
    nibabel.save(bare, tmp_path / "bare.nii.gz")
    broken = write(tmp_path / "nan.nii.gz", np.where(HEAD, np.nan, 0.0))
    for path, said in (
        (flat, "3D"), (four, "shape"), (empty, "same value"), (skewed, "right angles"),
        (tmp_path / "bare.nii.gz", "no affine"), (broken, "finite"), (tmp_path / "none.nii", "no file"),
    ):  # fmt: skip
        found = run("apply", "condnet", path, images[1], "-o", tmp_path / "s.nii.gz", "--network", network)
        assert found.exit_code == 2, (path, found.output)
        assert said in " ".join(found.output.split()), (path, found.output)
    found = run("apply", "condnet", full, full, "-o", tmp_path / "s.nii.gz", "--network", network)
    assert found.exit_code == 2
    assert "must show air round the head" in " ".join(found.output.split())
    assert not (tmp_path / "s.nii.gz").exists()


@pytest.fixture
def conductor(tmp_path: Path) -> tuple[Path, Path]:
    labels = np.where(BRAIN, 13, np.where(HEAD, 11, 0))
    sigma = np.where(BRAIN, 0.07, np.where(HEAD, 0.1, 0.0))
    return write(tmp_path / "sigma.nii.gz", sigma), write(tmp_path / "labels.nii.gz", labels)


def test_a_field_with_percentiles_for_each_label(tmp_path: Path, conductor: tuple[Path, Path]) -> None:
    options = ["--conductivity", conductor[0], "--labels", conductor[1], "--gap-mm", "25"]
    found = run("simulate", "condnet", *options, "-o", tmp_path / "e.nii.gz")
    assert found.exit_code == 0, found.output
    assert "No medical device" in found.output
    field = nibabel.load(tmp_path / "e.nii.gz").get_fdata()
    assert field.shape == (*SHAPE, 4)
    np.testing.assert_allclose(np.linalg.norm(field[..., :3], axis=-1), field[..., 3], rtol=1e-3, atol=1e-4)
    assert (field[~HEAD] == 0).all()
    left, right = field[: SHAPE[0] // 2, ..., 3].max(), field[SHAPE[0] // 2 :, ..., 3].max()
    assert left > 1.5 * right  # C3 is on the left
    rows = {row["region"]: row for row in csv.DictReader((tmp_path / "e.csv").open())}
    assert set(rows) == {"head", "skin", "white_matter"}
    assert float(rows["white_matter"]["p99"]) == pytest.approx(np.percentile(field[BRAIN, 3], 99), rel=1e-3)


def test_what_cannot_be_stimulated_is_refused(tmp_path: Path, conductor: tuple[Path, Path]) -> None:
    sigma, labels = conductor
    values = nibabel.load(sigma).get_fdata()
    sheared = affine_of()
    sheared[0, 1] = 3.0
    bare = tmp_path / "bare.nii.gz"
    nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), None), bare)
    negative = write(tmp_path / "n.nii.gz", np.where(HEAD, -0.1, 0.0))
    air = write(tmp_path / "air.nii.gz", np.zeros(SHAPE))
    solid = write(tmp_path / "solid.nii.gz", np.ones(SHAPE))
    unknown = write(tmp_path / "l.nii.gz", np.where(HEAD, 77, 0))
    cases = (
        ([negative, "--labels", labels], "negative"),
        ([write(tmp_path / "nan.nii.gz", np.where(BRAIN, np.nan, values)), "--labels", labels], "finite"),
        ([write(tmp_path / "inf.nii.gz", np.where(BRAIN, np.inf, values)), "--labels", labels], "finite"),
        ([write(tmp_path / "four.nii.gz", np.stack([values, values], -1)), "--labels", labels], "shape"),
        ([write(tmp_path / "two.nii.gz", values[:, :, 15]), "--labels", labels], "3D map"),
        ([write(tmp_path / "skewed.nii.gz", values, sheared), "--labels", labels], "right angles"),
        ([write(tmp_path / "long.nii.gz", values, np.diag([6.0, 6.0, 9.0, 1.0])), "--labels", labels], "cubic"),
        ([bare, "--labels", labels], "no affine"),
        ([air, "--labels", labels], "no head"),
        ([sigma, "--labels", write(tmp_path / "coarse.nii.gz", np.where(HEAD, 11, 0), affine_of(5.0))], "the grid of"),
        ([sigma, "--labels", write(tmp_path / "skin.nii.gz", np.where(HEAD, 11, 0))], "brain must hold a voxel"),
        ([sigma, "--labels", write(tmp_path / "half.nii.gz", np.where(HEAD, 1.5, 0))], "labels of the table"),
        ([solid, "--labels", labels], "air"),
        ([sigma, "--labels", unknown], "labels of the table"),
        ([sigma, "--labels", labels, "--position", "C33"], "did you mean C3"),
        ([sigma, "--labels", labels, "--gap-mm", "1"], "outside of the head"),
        ([sigma], "--labels"),
        ([sigma, "--scalp-point", "1,2"], "three numbers"),
    )
    for arguments, said in cases:
        found = run("simulate", "condnet", "--conductivity", *arguments, "-o", tmp_path / "e.nii.gz")
        assert found.exit_code == 2, (arguments, found.output)
        assert said in " ".join(found.output.split()), (arguments, found.output)
    assert not (tmp_path / "e.nii.gz").exists()


def test_a_solver_that_falls_short_is_said_and_its_field_not_recommended(
    tmp_path: Path, conductor: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_conductivity, "Tolerances", lambda residual: Tolerances(residual, max_cycles=2))
    point = ["--scalp-point", "0,0,90", "--gap-mm", "25"]
    found = run("simulate", "condnet", "--conductivity", conductor[0], *point, "-o", tmp_path / "e.nii.gz")
    assert found.exit_code == 0, found.output
    said = " ".join(found.output.split())
    assert "Warning: the solver stopped (cycle limit) after 2 cycles" in said
    assert "do not use the field" in said


def test_a_point_of_the_scalp_in_place_of_a_name(tmp_path: Path, conductor: tuple[Path, Path]) -> None:
    point = ["--scalp-point", "0,0,90", "--gap-mm", "25"]
    found = run("simulate", "condnet", "--conductivity", conductor[0], *point, "-o", tmp_path / "e.nii.gz")
    assert found.exit_code == 0, found.output
    field = nibabel.load(tmp_path / "e.nii.gz").get_fdata()[..., 3]
    assert field[:, :, SHAPE[2] // 2 :].max() > 2.0 * field[:, :, : SHAPE[2] // 2].max()


def test_a_point_of_the_scalp_is_in_millimetres_of_the_file_s_world(
    tmp_path: Path, conductor: tuple[Path, Path]
) -> None:
    """The same head elsewhere in the world, the coil over the same place of it."""
    away = nibabel.load(conductor[0]).affine + np.outer((200.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    moved = write(tmp_path / "moved.nii.gz", nibabel.load(conductor[0]).get_fdata(), away)
    fields = []
    for path, point in ((conductor[0], "0,0,90"), (moved, "200,0,90")):
        output = tmp_path / f"e_of_{path.name}"
        found = run(
            "simulate", "condnet", "--conductivity", path, "--scalp-point", point, "--gap-mm", "25", "-o", output
        )
        assert found.exit_code == 0, found.output
        fields.append(nibabel.load(output).get_fdata()[..., 3])
    np.testing.assert_allclose(fields[1], fields[0], rtol=1e-2, atol=1e-2 * fields[0].max())
