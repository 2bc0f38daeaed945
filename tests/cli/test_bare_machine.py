"""Chapters simulate and train on a machine that has neither notebooks, nor a book, nor readers of images."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mrrepro.papers.condnet import heads
from mrrepro.papers.condnet.settings import CondNetSettings
from mrrepro.papers.contrast_t1 import cohort as glioma_cohort
from mrrepro.papers.contrast_t1.settings import ContrastT1Settings
from mrrepro.papers.deepspio import stages as deepspio
from mrrepro.papers.deepspio.settings import DeepSpioSettings
from mrrepro.papers.dl_ept import database
from mrrepro.papers.dl_ept.settings import DlEptSettings
from mrrepro.phantoms.head import Head
from mrrepro.phantoms.head_tissues import HEAD_TISSUES, TISSUE_LABELS
from mrrepro.runs.artifacts import ArtifactStore
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make

CHECKOUT = Path(__file__).parents[2]
ABSENT = (
    "IPython",
    "beartype",
    "dask",
    "distributed",
    "ipykernel",
    "jupytext",
    "matplotlib",
    "nbval",
    "nibabel",
    "nilearn",
    "pandas",
    "papermill",
    "platformdirs",
    "pyamg",
    "pywt",
    "skimage",
    "sklearn",
    "sphinx",
)
BARE = f"""
import sys
from importlib.machinery import PathFinder

class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {ABSENT!r} else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Bare
from mrrepro.cli.main import app
for line in sys.stdin.read().splitlines():
    failed = app(line.split(), standalone_mode=False)
    if failed:
        sys.exit(failed)
"""

FEW_CASES = {
    "bodies.phantoms": 5,
    "bodies.variations": 2,
    "simulation.voxel_size_mm": 12,
    "simulation.tolerance": 0.1,
    "training.steps": 2,
}
FEW_SAMPLES = {"training.samples": 32, "training.validations": 1}
FEW_HEADS = {"heads.testing": 1, "heads.drawn_testing": 0, "training.epochs": 1}
FEW_PATIENTS = {f"cohort.{name}": 2 for name in ("train", "validation", "test", "labelled")} | {"cohort.voxel_mm": 8}


def bare(store, *commands, **variables):
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "MRREPRO_DEVICE": "cpu", "MRREPRO_PROGRESS": "0"}
    environment |= {"MRREPRO_ARTIFACTS": str(store), "OMP_NUM_THREADS": "1", "MRREPRO_TRACEBACK": "1", **variables}
    return subprocess.run(
        [sys.executable, "-c", BARE],
        env=environment,
        input="\n".join(commands),
        capture_output=True,
        text=True,
        timeout=600,
    )


def command(stage, overrides):
    given = "".join(f" -p {name}={value}" for name, value in overrides.items())
    return f"run {stage.partition('/')[0]} --stages --scale smoke --only {stage}{given}"


def ball_head(source, number, voxel_size):
    """A ball of white matter in one of skin, in the place of a head that takes long to build."""
    axis = (np.arange(16) - 7.5) * voxel_size
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    labels = np.zeros((16, 16, 16), dtype=np.uint8)
    labels[radius < 0.08] = TISSUE_LABELS["skin"]
    labels[radius < 0.06] = TISSUE_LABELS["white_matter"]
    return Head(labels, voxel_size, (-8 * voxel_size,) * 3, str(source))


def ball_fractions(source, number, voxel_size):
    labels = ball_head(source, number, voxel_size).labels
    return np.stack([labels == label for label in range(len(HEAD_TISSUES))]).astype(np.float32)


def test_every_chapter_trains_from_prepared_anatomies(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "build_head", ball_head)
    monkeypatch.setattr(heads, "build_head", ball_head)
    monkeypatch.setattr(heads, "tissue_fractions", ball_fractions)
    store = ArtifactStore(tmp_path)
    make(database.ANATOMIES, configure(DlEptSettings, "smoke", FEW_CASES), 0, store)
    make(deepspio.IMAGES, configure(DeepSpioSettings, "smoke", FEW_SAMPLES), 0, store)
    make(heads.HEADS, configure(CondNetSettings, "smoke", FEW_HEADS), 0, store)
    make(glioma_cohort.COHORT, configure(ContrastT1Settings, "smoke", FEW_PATIENTS), 0, store)
    trained = {
        "dl_ept/mask_conductivity": FEW_CASES,
        "deepspio/training": FEW_SAMPLES,
        "condnet/training_axial": FEW_HEADS,
        "contrast_t1/training": FEW_PATIENTS,
    }
    done = bare(tmp_path, *(command(stage, overrides) for stage, overrides in trained.items()))
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(trained)


def test_without_the_template_it_is_said_what_to_bring(tmp_path):
    done = bare(tmp_path, "run deepspio --stages --scale smoke", MRREPRO_TRACEBACK="0")
    assert done.returncode == 1
    assert "the MNI152 template is part of nilearn, which is not installed" in done.stderr
    assert "mrrepro artifacts export FILE deepspio/images" in done.stderr


@pytest.mark.parametrize("chapter", ["condnet", "contrast_t1", "deepspio", "dl_ept"])
def test_benchmarks_are_read_where_python_has_no_resource_module(chapter, monkeypatch):
    """Windows has none; the book, ``verify``, ``bench`` and ``plan`` read the benchmarks of every chapter."""
    monkeypatch.setitem(sys.modules, "resource", None)
    for module in ("checks", "benchmarks"):
        monkeypatch.delitem(sys.modules, f"mrrepro.papers.{chapter}.{module}", raising=False)
    assert importlib.import_module(f"mrrepro.papers.{chapter}.checks").BENCHMARKS
