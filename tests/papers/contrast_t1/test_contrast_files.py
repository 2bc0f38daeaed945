"""Patients as files: three namings read alike, every fault named with patient and file; the command's files."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pytest
import torch
from scipy import ndimage
from typer.testing import CliRunner

from mrrepro.cli.main import app
from mrrepro.networks.unet3d import MODELS, UnetSize
from mrrepro.papers.contrast_t1 import recipe
from mrrepro.papers.contrast_t1.cohort import Cohort
from mrrepro.papers.contrast_t1.own_cohort import NAMINGS, read_patient, survey
from mrrepro.papers.contrast_t1.own_images import Request, apply_to_files, marked_name
from mrrepro.runs.artifacts import ArtifactStore
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make
from mrrepro.training.checkpoints import save_network

SHAPE = (24, 28, 20)
AFFINE = np.array([[-4.0, 0, 0, 40], [0, 4, 0, -60], [0, 0, 4, -30], [0, 0, 0, 1.0]])


def head(number=0):
    """A ball of smooth noise with a bright ball in it: four images and a mask."""
    generator = np.random.default_rng(number)
    grid = np.indices(SHAPE) - (np.array(SHAPE) / 2 - 0.5)[:, None, None, None]
    radius = np.sqrt((grid**2).sum(0))
    brain, tumor = radius < 9.0, radius < 3.0
    smooth = [ndimage.gaussian_filter(generator.standard_normal(SHAPE), 1.5) for _ in range(4)]
    images = [np.where(brain, 100.0 + 200.0 * part + 40.0 * tumor, 0.0) for part in smooth]
    return images, np.where(tumor, 1.0, 0.0)


def write(path, data, affine=AFFINE, dtype=np.float32):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.asarray(data).astype(dtype), affine), path)
    return path


def write_patient(folder, naming="EGD", number=0, labels=1.0):
    images, mask = head(number)
    stem = "" if naming == "EGD" else folder.name
    for ending, data in zip(NAMINGS[naming], [*images, labels * mask], strict=True):
        write(folder / f"{stem}{ending}.nii.gz", data)
    return folder


@pytest.mark.parametrize("naming", list(NAMINGS))
def test_every_naming_is_read(tmp_path, naming):
    found = read_patient(write_patient(tmp_path / "p1", naming))
    images, mask = head()
    # the first axis of the file runs to the left, that of the patient to the right
    np.testing.assert_allclose(found.images, np.stack(images)[:, ::-1], rtol=1e-6)
    np.testing.assert_array_equal(found.tumor, mask[::-1] > 0)
    assert not found.enhances


def test_labels_of_brats_are_one_tumor_of_which_three_enhances(tmp_path):
    found = read_patient(write_patient(tmp_path / "p1", "BraTS", labels=3.0))
    assert found.enhances
    assert found.tumor.sum() == head()[1].sum()


def spoil(folder, kind):
    images, mask = head()
    t1, seg = folder / "T1.nii.gz", folder / "MASK.nii.gz"
    if kind == "missing":
        (folder / "FLAIR.nii.gz").unlink()
    elif kind == "grid":
        write(folder / "T2.nii.gz", images[1], AFFINE + np.array([[0, 0, 0, 3.0]] + [[0] * 4] * 3))
    elif kind == "shape":
        write(folder / "T2.nii.gz", images[1][:-1])
    elif kind == "nan":
        write(t1, np.where(mask > 0, np.nan, images[0]))
    elif kind == "constant":
        write(t1, np.where(images[0] != 0, 7.0, 0.0))
    elif kind == "overflow":
        write(t1, np.clip(np.where(images[0] != 0, images[0] * 400, 0), 0, 32767), dtype=np.int16)
    elif kind == "empty":
        write(seg, np.zeros(SHAPE))
    elif kind == "ones":
        write(seg, np.ones(SHAPE))
    elif kind == "labels":
        write(seg, 0.5 * mask)
    elif kind == "broken":
        t1.write_bytes(t1.read_bytes()[:200])


FAULTS = {
    "missing": r"patient p1: FLAIR \(\*FLAIR.nii.gz\) missing",
    "grid": "patient p1: T2.nii.gz must lie on the grid of T1.nii.gz",
    "shape": "patient p1: T2.nii.gz must lie on the grid of T1.nii.gz",
    "nan": "patient p1: .*T1.nii.gz must be finite",
    "constant": "patient p1: T1.nii.gz must vary",
    "overflow": "patient p1: T1.nii.gz has .* at 32767",
    "empty": "patient p1: MASK.nii.gz is empty",
    "ones": "patient p1: MASK.nii.gz marks every voxel",
    "labels": r"patient p1: MASK.nii.gz must hold labels .* but holds \[0.5\]",
    "broken": "patient p1: .*T1.nii.gz cannot be read",
}


@pytest.mark.parametrize("kind", list(FAULTS))
def test_a_fault_names_patient_and_file(tmp_path, kind):
    folder = write_patient(tmp_path / "p1")
    spoil(folder, kind)
    with pytest.raises(ValueError, match=FAULTS[kind]):
        read_patient(folder)


def test_one_label_tells_a_tumor_but_not_whether_it_enhances(tmp_path):
    """EGD marks the whole tumor with 1, which BraTS gives to necrosis: in both the mask is the tumor's."""
    masks = [
        read_patient(write_patient(tmp_path / naming, naming, labels=label))
        for naming, label in (("EGD", 1.0), ("BraTS", 1.0), ("BraTS", 4.0))
    ]
    assert [found.enhances for found in masks] == [False, False, True]
    assert len({int(found.tumor.sum()) for found in masks}) == 1


def test_a_survey_goes_on_after_a_bad_patient(tmp_path):
    for name in ("p0", "p1", "p2"):
        write_patient(tmp_path / name)
    spoil(tmp_path / "p1", "empty")
    good, bad = survey(tmp_path)
    assert good == ["p0", "p2"]
    assert list(bad) == ["p1"]
    assert "MASK.nii.gz is empty" in bad["p1"]


def test_a_folder_becomes_a_cohort(tmp_path):
    for number in range(6):
        write_patient(
            tmp_path / "data" / f"p{number}", "UCSF-PDGM", number, labels=3.0 * (number % 2) + (number + 1) % 2
        )
    counts = {"cohort.train": 2, "cohort.validation": 2, "cohort.test": 2, "cohort.labelled": 2}
    settings = configure(recipe.SETTINGS, "smoke", {"cohort.data": str(tmp_path / "data"), **counts})
    cohort = Cohort(
        make(recipe.COHORT, settings, 0, ArtifactStore(tmp_path / "store"), progress=False), settings.cohort
    )
    assert cohort.facts("enhances", range(6)).tolist() == [False, True] * 3
    assert cohort.images([3]).shape == (1, 4, *SHAPE)
    assert cohort.mask("tumor", [3]).sum() == head(3)[1].sum()
    with pytest.raises(ValueError, match="holds 6 folders"):
        make(
            recipe.COHORT,
            configure(recipe.SETTINGS, "smoke", {"cohort.data": str(tmp_path / "data")}),
            0,
            ArtifactStore(tmp_path / "store"),
            progress=False,
        )


FOUR = {"cohort.train": 2, "cohort.validation": 2, "cohort.test": 2, "cohort.labelled": 2}


def folder_settings(folder, **more):
    return configure(recipe.SETTINGS, "smoke", {"cohort.data": str(folder), **FOUR, **more})


def made_cohort(settings, store):
    return Cohort(make(recipe.COHORT, settings, 0, ArtifactStore(store), progress=False), settings.cohort)


def test_a_bad_patient_ends_the_cohort_unless_it_may_go_on(tmp_path):
    for number in range(8):
        write_patient(tmp_path / "data" / f"p{number}", number=number)
    spoil(tmp_path / "data" / "p1", "overflow")
    write(tmp_path / "data" / "p4" / "MASK.nii.gz", np.zeros(SHAPE))
    with pytest.raises(ValueError, match=r"patient p1: T1\.nii\.gz has"):
        made_cohort(folder_settings(tmp_path / "data"), tmp_path / "store")
    asked = folder_settings(tmp_path / "data", **{"cohort.skip_bad_patients": True})
    with pytest.warns(UserWarning, match=r"left out patient p1: T1.nii.gz .* overflowed"):
        cohort = made_cohort(asked, tmp_path / "store")
    assert [each["name"] for each in cohort.about] == ["p0", "p2", "p3", "p5", "p6", "p7"]
    assert "p1: T1.nii.gz" in cohort.left_out["p1"]
    assert "p4: MASK.nii.gz is empty" in cohort.left_out["p4"]


def test_too_few_good_patients_name_the_bad_ones(tmp_path):
    for number in range(6):
        write_patient(tmp_path / "data" / f"p{number}", number=number)
    spoil(tmp_path / "data" / "p1", "missing")
    asked = folder_settings(tmp_path / "data", **{"cohort.skip_bad_patients": True})
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(ValueError, match=r"holds 5 good patients.*ask for 6.*patient p1: FLAIR"),
    ):
        made_cohort(asked, tmp_path / "store")


def test_a_patch_larger_than_the_volume_is_refused_before_training(tmp_path):
    for number in range(6):
        write_patient(tmp_path / "data" / f"p{number}", number=number)
    settings = folder_settings(tmp_path / "data", **{"training.patch": 32})
    with pytest.raises(ValueError, match=r"side must .*32"):
        make(recipe.TRAINING, settings, 0, ArtifactStore(tmp_path / "store"), progress=False, device="cpu")


def test_a_grid_that_no_halving_divides_comes_back_as_it_was(tmp_path, network):
    """25 x 23 x 21 voxels through two halvings: padded, and the padding is cut off again."""
    folder, sides = tmp_path / "p1", (25, 23, 21)
    generator = np.random.default_rng(0)
    for name in ("T1", "T2", "FLAIR"):
        image = np.zeros(sides)
        image[3:-3, 3:-3, 3:-3] = 100.0 + 20.0 * generator.standard_normal((19, 17, 15))
        write(folder / f"{name}.nii.gz", image)
    report = apply_to_files(request(folder, tmp_path / "out.nii.gz", network))
    assert nibabel.load(report["path"]).shape == sides


@pytest.fixture
def network(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "network.safetensors"
    settings = {"model": 0, "base_filters": 2, "depth": 2}
    save_network(path, MODELS[0](UnetSize(2, 2)), settings, {"voxel_mm": 4})
    return path


def request(folder, output, network, **more):
    names = ("T1.nii.gz", "T2.nii.gz", "FLAIR.nii.gz")
    return Request(*(folder / name for name in names), output, network=network, **more)


def test_the_synthetic_image_is_marked_and_lies_where_t1_lies(tmp_path, network):
    folder = write_patient(tmp_path / "p1")
    report = apply_to_files(request(folder, tmp_path / "out.nii.gz", network))
    path = tmp_path / "out_synthetic.nii.gz"
    assert report["path"] == str(path)
    image, t1 = nibabel.load(path), nibabel.load(folder / "T1.nii.gz")
    np.testing.assert_array_equal(image.affine, t1.affine)
    assert image.shape == t1.shape
    assert b"SYNTHETIC" in image.header["descrip"].tobytes()
    document = json.loads((tmp_path / "out_synthetic.json").read_text())
    assert "No medical device" in document["no_medical_device"]
    assert {role: each["file"] for role, each in document["inputs"].items()} == {
        "t1": "T1.nii.gz",
        "t2": "T2.nii.gz",
        "flair": "FLAIR.nii.gz",
    }
    assert document["outputs"] == {"image": path.name}
    inside, outside = (t1.get_fdata() != 0), (t1.get_fdata() == 0)
    assert (image.get_fdata()[outside] == 0).all()
    # in T1's unit: within four standard deviations of its mean
    values = t1.get_fdata()[inside]
    assert np.abs(image.get_fdata()[inside] - values.mean()).max() <= 4.001 * values.std()


def test_the_command_says_what_it_wrote_and_refuses_to_replace(tmp_path, network):
    folder = write_patient(tmp_path / "p1")
    words = ["apply", "contrast_t1", *(str(folder / f"{n}.nii.gz") for n in ("T1", "T2", "FLAIR"))]
    words += ["--output", str(tmp_path / "Synthetic.nii"), "--network", str(network)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "synthetic" in result.output
    assert "No medical device" in result.output
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 2
    assert "exists already" in again.output
    assert {path.name for path in tmp_path.glob("*ynthetic*")} == {"Synthetic.nii", "Synthetic.json"}


def test_names_without_the_mark_get_it(tmp_path):
    assert marked_name(tmp_path / "a.nii.gz").name == "a_synthetic.nii.gz"
    assert marked_name(tmp_path / "a_synthetic_2.nii").name == "a_synthetic_2.nii"


def test_nothing_is_written_for_bad_input(tmp_path, network):
    folder = write_patient(tmp_path / "p1")
    spoil(folder, "grid")
    with pytest.raises(ValueError, match="must lie on the grid of T1"):
        apply_to_files(request(folder, tmp_path / "out.nii.gz", network))
    write_patient(folder)
    full = write(tmp_path / "full.nii.gz", np.ones(SHAPE))
    with pytest.raises(ValueError, match="must leave voxels outside"):
        apply_to_files(request(folder, tmp_path / "out.nii.gz", network, mask=full))
    with pytest.raises(ValueError, match="There is no network file"):
        apply_to_files(request(folder, tmp_path / "out.nii.gz", tmp_path / "none.safetensors"))
    assert not list(tmp_path.glob("out*"))
