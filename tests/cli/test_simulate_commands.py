"""``mrrepro simulate`` of what a chapter draws itself: files that `apply` and the notebooks take, and refusals."""

from __future__ import annotations

import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from mrrepro.cli.main import app
from mrrepro.papers.condnet.table1 import COLUMN_B
from mrrepro.papers.contrast_t1.own_cohort import patient_folders, read_patient
from mrrepro.phantoms.head_tissues import HEAD_TISSUES
from mrrepro.runs.real_data import resolve


def run(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})


def refused(result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    for word in words:
        assert word in result.output


def data_of(path: Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def patients(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("patients") / "cohort"
    result = run("simulate", "contrast_t1", "-o", folder, "--patients", 3, "--first", 4, "--voxel-mm", 8)
    assert result.exit_code == 0, result.output
    assert "No medical device" in result.output
    return folder


def test_patients_are_what_a_notebook_takes_as_data(patients):
    read = [read_patient(folder) for folder in patient_folders(patients, 3)]
    rows = list(csv.DictReader((patients / "patients.csv").open()))
    assert [each.name for each in read] == [row["patient"] for row in rows]
    assert [each.enhances for each in read] == [row["enhances"] == "1" for row in rows] == [False, True, False]
    for each, row in zip(read, rows, strict=True):
        assert each.tumor.sum() == int(row["tumor_voxels"])
        assert np.array_equal(each.brain, data_of(patients / each.name / f"{each.name}-brain.nii.gz") == 1)


def test_radiomics_stays_simulated_with_patients_in_a_folder(patients, tmp_path):
    one, other = (
        resolve("contrast_t1", str(patients), "smoke", tmp_path, notebook=notebook)
        for notebook in ("01_cohort", "06_radiomics_noise_registration")
    )
    assert one.changes["cohort.data"] == str(patients)
    assert (other.changes, "grade" in other.why) == ({}, True)


def test_tumor_labels_tell_where_contrast_agent_went(patients):
    t1, after, labels = (
        data_of(patients / f"simulated-0005/simulated-0005-{kind}.nii.gz") for kind in ("t1n", "t1c", "seg")
    )
    assert set(np.unique(labels)) <= {0, 1, 2, 3}
    rest = (labels == 0) & (t1 > 0)
    ratio = after / np.where(t1 > 0, t1, 1.0)
    assert ratio[labels == 3].mean() / np.median(ratio[rest]) > 1.15
    assert ratio[labels == 2].mean() / np.median(ratio[rest]) == pytest.approx(1.0, abs=0.1)


def test_a_patient_is_the_same_whichever_command_made_him(patients, tmp_path):
    again = run("simulate", "contrast_t1", "-o", tmp_path, "--first", 5, "--voxel-mm", 8)
    assert again.exit_code == 0, again.output
    name = "simulated-0005"
    assert contents(tmp_path / name) == contents(patients / name)
    other = run("simulate", "contrast_t1", "-o", tmp_path, "--first", 5, "--voxel-mm", 8, "--seed", 1, "--force")
    assert other.exit_code == 0, other.output
    assert contents(tmp_path / name)[f"{name}-t1n.nii.gz"] != contents(patients / name)[f"{name}-t1n.nii.gz"]


def test_patients_that_exist_are_kept(patients):
    before = contents(patients)
    refused(run("simulate", "contrast_t1", "-o", patients, "--first", 6, "--patients", 2), "exists already", "--force")
    assert contents(patients) == before
    assert not (patients / "simulated-0007").exists()


def test_patients_are_added_to_those_that_are_there(patients, tmp_path):
    for first in (5, 3):
        made = run("simulate", "contrast_t1", "-o", tmp_path, "--first", first, "--voxel-mm", 8)
        assert made.exit_code == 0, made.output
    rows = list(csv.DictReader((tmp_path / "patients.csv").open()))
    assert [row["patient"] for row in rows] == ["simulated-0003", "simulated-0005"]
    assert rows[1] in csv.DictReader((patients / "patients.csv").open())
    (tmp_path / "patients.csv").write_text("name,age\nsomebody,50\n")
    before = contents(tmp_path)
    refused(run("simulate", "contrast_t1", "-o", tmp_path, "--first", 7), "name, age", "another folder")
    assert contents(tmp_path) == before
    (tmp_path / "patients.csv").unlink()
    (tmp_path / "patients.csv").mkdir()
    refused(run("simulate", "contrast_t1", "-o", tmp_path, "--first", 7), "patients.csv is a folder")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--patients", 0), ("patients", "0")),
        (("--voxel-mm", 3), ("voxel_mm", "1, 2, 4 or 8", "3")),
        (("--seed", -1), ("seed", "-1")),
        (("--first", -1), ("first", "-1")),
    ],
)
def test_patients_that_cannot_be_are_refused(tmp_path, options, words):
    refused(run("simulate", "contrast_t1", "-o", tmp_path / "new", *options), *words)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "taken").write_text("mine")
    refused(run("simulate", "contrast_t1", "-o", tmp_path / "taken"), "is a file")
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.fixture(scope="module")
def head(tmp_path_factory) -> Path:
    prefix = tmp_path_factory.mktemp("head") / "mine"
    result = run(
        "simulate", "condnet_head", "-o", prefix, "--head", "folded", "--voxel-size-mm", 6, "--column", "B", "--snr", 50
    )
    assert result.exit_code == 0, result.output
    return prefix


def test_a_head_s_conductivity_is_the_table_s_by_label(head):
    labels, sigma = (data_of(head.with_name(f"mine_{name}.nii.gz")) for name in ("labels", "conductivity"))
    assert sigma[labels == 0].max() == 0.0
    for number, tissue in enumerate(HEAD_TISSUES):
        if number and (labels == number).any():
            assert np.allclose(sigma[labels == number], COLUMN_B[tissue], rtol=1e-6)
    affines = [nibabel.load(head.with_name(f"mine_{name}.nii.gz")).affine for name in ("t1", "labels", "conductivity")]
    assert all(np.allclose(affine, affines[0]) for affine in affines)
    assert np.allclose(np.diag(affines[0]), [6, 6, 6, 1])


def test_a_head_s_noise_is_what_was_asked(head):
    labels, t1 = (data_of(head.with_name(f"mine_{name}.nii.gz")) for name in ("labels", "t1"))
    air = np.concatenate([t1[0].ravel(), t1[-1].ravel()])  # no voxel of these planes touches the head
    assert np.sqrt((air**2).mean() / 2) == pytest.approx(1 / 50, rel=0.1)
    white = t1[labels == HEAD_TISSUES.index("white_matter")]
    assert np.median(white) == pytest.approx(1.0, abs=0.1)


def test_a_head_goes_through_the_field_s_command(head, tmp_path):
    files = [
        "--conductivity",
        head.with_name("mine_conductivity.nii.gz"),
        "--labels",
        head.with_name("mine_labels.nii.gz"),
    ]
    result = run("simulate", "condnet", *files, "-o", tmp_path / "field.nii.gz")
    assert result.exit_code == 0, result.output
    regions = {row["region"] for row in csv.DictReader((tmp_path / "field.csv").open())}
    assert {"head", "grey_matter", "skin"} <= regions


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--column", "C"), ("column", "A, B", "C")),
        (("--voxel-size-mm", 0.002), ("voxel_size_mm", "0.002")),
        (("--head", "nobody"), ("nobody",)),
        (("--head-number", -1), ("head_number", "-1")),
    ],
)
def test_heads_that_cannot_be_are_refused(tmp_path, options, words):
    refused(run("simulate", "condnet_head", "-o", tmp_path / "h", *options), *words)
    assert not any(tmp_path.iterdir())


def test_a_random_sample_is_estimated_by_the_chapter_s_network(tmp_path):
    result = run("simulate", "deepspio", "-o", tmp_path / "s", "--sample-number", 2)
    assert result.exit_code == 0, result.output
    images = [tmp_path / f"s_{lines}.nii.gz" for lines in ("even", "odd")]
    result = run("apply", "deepspio", *images, "-o", tmp_path / "iron.nii.gz")
    assert result.exit_code == 0, result.output
    truth, found = data_of(tmp_path / "s_true_concentration.nii.gz"), data_of(tmp_path / "iron.nii.gz")
    assert truth.max() > 3.0
    assert np.corrcoef(truth.ravel(), found.ravel())[0, 1] > 0.7
    refused(run("simulate", "deepspio", "-o", tmp_path / "s"), "exists already")


def test_half_of_a_users_files_is_no_sample(tmp_path):
    for option, lacking in (("--concentration", "--image"), ("--image", "--concentration")):
        refused(run("simulate", "deepspio", "-o", tmp_path / "s", option, tmp_path / "a.nii"), f"{lacking} is missing")
    both = ("--concentration", tmp_path / "a.nii", "--image", tmp_path / "b.nii")
    refused(run("simulate", "deepspio", "-o", tmp_path / "s", *both, "--seed", 0), "--seed")
