"""One notebook of each chapter at `smoke` on public data, by the command that a reader types.

They run where ``MRREPRO_DATA_MIRROR`` names a folder of the files, and are skipped, saying so, where it does not.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mrrepro.cli.main import app
from mrrepro.papers.contrast_t1.cohort import COHORT, Cohort
from mrrepro.papers.contrast_t1.settings import ContrastT1Settings
from mrrepro.papers.deepspio.settings import DeepSpioSettings
from mrrepro.papers.deepspio.stages import IMAGES
from mrrepro.runs.artifacts import ArtifactStore
from mrrepro.runs.real_data import look_for, resolve
from mrrepro.runs.receipts import read_receipt
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make

pytest.importorskip("nibabel", reason="nibabel is not installed: NIfTI cannot be read")
pytest.importorskip("nilearn", reason="nilearn is not installed: its template is what the chapters start from")

RUNS = {
    "dl_ept/02": ("synthseg_heads", "training_seg_0", ("simulation.voxel_size_mm=12", "bodies.phantoms=5")),
    "condnet/01": ("synthseg_heads", "training_seg_0", ()),
    "deepspio/02": ("hcp_mni152", "MNI152_T", ()),
    "contrast_t1/01": ("open_ms", "p07_", ()),
}
"""Data set, how its files' names begin, and what makes the run still smaller."""


def require_at_hand(name: str, *subjects: str) -> None:
    if not os.environ.get("MRREPRO_DATA_MIRROR"):
        pytest.skip("MRREPRO_DATA_MIRROR is not set: there is no folder of the public files to run on")
    held = look_for(name, subjects)
    if not held.complete:
        pytest.skip(held.sentence())


def run(target: str, data: str, folder: Path, smaller: Sequence[str] = ()):
    arguments = ["run", target, "--scale", "smoke", "--artifacts", str(folder / "artifacts")]
    parameters = [word for item in (f"data={data}", *smaller) for word in ("-p", item)]
    return CliRunner().invoke(app, [*arguments, *parameters, "--output", str(folder / "executed")])


@pytest.mark.parametrize("target", RUNS)
def test_a_notebook_of_each_chapter_runs_on_public_data(target, tmp_path) -> None:
    """Every verified file is named in the receipt, and a stage of the run has read what was prepared."""
    data, named, smaller = RUNS[target]
    require_at_hand(data, *{"synthseg_heads": ("01", "02", "03"), "hcp_mni152": ("2mm",), "open_ms": ("07",)}[data])
    result = run(target, data, tmp_path, smaller)
    assert result.exit_code == 0, result.output
    (path,) = (tmp_path / "executed" / "receipts").glob("*/*.json")
    document = read_receipt(path).document
    assert document["data"]["name"] == document["parameters"]["data"] == data
    assert document["data"]["files"]
    assert all(Path(local).name.startswith(named) for local in document["data"]["files"])
    store = ArtifactStore(tmp_path / "artifacts")
    found = [store.find(item.stage, _key(item.path)) for item in store.list()]
    prepared = resolve(target.partition("/")[0], data, "smoke", store.root)
    assert any(prepared.underlies(artifact.manifest["data"]) for artifact in found if artifact)


def _key(folder: Path) -> str:
    from mrrepro.runs.files import read_json

    return str(read_json(folder / "manifest.json")["key"])


@pytest.mark.parametrize("chapter", ["dl_ept", "condnet", "deepspio", "contrast_t1"])
def test_unknown_data_are_refused_with_the_known_names(chapter, tmp_path) -> None:
    result = run(f"{chapter}/01", "nonsense", tmp_path)
    assert result.exit_code == 2
    assert "Unknown data 'nonsense'. Known: " in result.output
    assert "simulated" in result.output


def test_absent_data_are_said_before_a_notebook_runs(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("MRREPRO_DATA_MIRROR", raising=False)
    monkeypatch.setenv("MRREPRO_DATA", str(tmp_path / "cache"))
    result = run("condnet/01", "synthseg_heads", tmp_path)
    assert result.exit_code == 2
    assert "mrrepro data get synthseg_heads --subjects 01,02,03" in result.output
    assert not (tmp_path / "executed").exists()
    assert "needs an account" in run("contrast_t1/01", "egd", tmp_path).output


def test_a_real_patient_is_tested_on_the_grid_of_the_simulated_ones(tmp_path) -> None:
    """Brain on brain and upright: no shift and no turn of the real T1 is more like the simulated one."""
    require_at_hand("open_ms", "07")
    data = resolve("contrast_t1", "open_ms", "smoke", tmp_path)
    settings = configure(ContrastT1Settings, "smoke", data.settings({"cohort.train": 2, "cohort.validation": 2}))
    cohort = Cohort(make(COHORT, settings, 0, ArtifactStore(tmp_path)), settings.cohort)
    (number,) = cohort.sets["test"]
    assert cohort.about[number]["name"] == "patient-07"
    assert cohort.about[0]["name"].startswith("simulated")
    real, simulated = (cohort.mask("brain", [k])[0, 0].numpy() for k in (number, 0))
    assert (real & simulated).sum() > 0.95 * real.sum(), "the masks of open_ms are tighter than the template's"
    t1 = [cohort.images([k])[0, 0].numpy() for k in (number, 0)]

    def likeness(move: Callable[[np.ndarray], np.ndarray]) -> float:
        both = move(real) & simulated
        return float(np.corrcoef(move(t1[0])[both], t1[1][both])[0, 1])

    upright = likeness(lambda volume: volume)
    turned = [likeness(partial(np.flip, axis=axis)) for axis in (1, 2)]  # left and right are too much alike to tell
    places = [(axis, step) for axis in range(3) for step in (-2, -1, 1, 2)]
    moved = [likeness(partial(np.roll, shift=step, axis=axis)) for axis, step in places]
    assert upright > max(turned) + 0.1, "contrast and anatomy differ, so what counts is that nothing else fits as well"
    assert upright > max(moved)
    lesions = cohort.mask("tumor", [number])[0, 0].numpy()
    assert 0 < lesions.sum() < 0.02 * real.sum()


def test_proton_density_of_people_is_split_by_person(tmp_path, monkeypatch) -> None:
    """Stand-ins for IXI in its true format and naming, each of one grey level pattern; nobody trains and tests."""
    import nibabel

    from data_fetch.kept import keep_digest

    people = [f"IXI{number:03d}-Guys-{number}" for number in (2, 12, 13, 14)]
    folder = tmp_path / "cache" / "ixi_pd"
    folder.mkdir(parents=True)
    for number, name in enumerate(people):
        x, y = np.meshgrid(np.linspace(-1, 1, 32), np.linspace(-1, 1, 40), indexing="ij")
        slices = [np.where(x**2 + y**2 < 0.8, 100 + 30 * np.cos((number + 1) * 4 * x), 0.0) for _ in range(30)]
        image = nibabel.Nifti1Image(np.stack(slices, axis=2).astype(np.int16), np.diag([0.94, 0.94, 1.25, 1.0]))
        path = folder / f"{name}-PD.nii.gz"
        path.write_bytes(gzip.compress(image.to_bytes(), mtime=0))
        keep_digest(path)
    (folder / "order.txt").write_text("\n".join(people) + "\n")
    monkeypatch.delenv("MRREPRO_DATA_MIRROR", raising=False)
    monkeypatch.setenv("MRREPRO_DATA", str(tmp_path / "cache"))
    data = resolve("deepspio", "ixi_pd", "smoke", tmp_path)
    settings = configure(DeepSpioSettings, "smoke", data.settings({}))
    artifact = make(IMAGES, settings, 0, ArtifactStore(tmp_path))
    images = artifact.arrays("images.npz")
    assert sorted(artifact.manifest["data"]) == [f"{name}-PD.nii.gz" for name in people]
    assert len(images["train"]) == 3 * len(images["test"])
    alike = [float(np.abs(train - test).max()) for train in images["train"] for test in images["test"]]
    assert min(alike) > 0.1, "no training image is a test image"
