"""The chapter's stages, run once at a size of seconds on one thread, for all tests of this folder."""

from __future__ import annotations

import pytest
import torch

from mrrepro.papers.contrast_t1 import recipe
from mrrepro.runs.artifacts import ArtifactStore
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make

TINY = {"cohort.train": 4, "cohort.test": 4, "cohort.labelled": 6, "loss.name": "L1B", "evaluation.labelled": 6}
"""Overrides of scale `smoke`: 12 patients."""


@pytest.fixture(autouse=True)
def _one_quiet_thread(monkeypatch):
    monkeypatch.setenv("MRREPRO_DEVICE", "cpu")
    monkeypatch.setenv("MRREPRO_PROGRESS", "0")
    monkeypatch.delenv("MRREPRO_ARTIFACTS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny_overrides():
    return dict(TINY)


@pytest.fixture(scope="session")
def tiny():
    return configure(recipe.SETTINGS, "smoke", TINY)


@pytest.fixture(scope="session")
def finished(tiny, tmp_path_factory):
    """A store with cohort, training, evaluation and baselines of seed 0, and their artifacts by name."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    store = ArtifactStore(tmp_path_factory.mktemp("finished"))
    stages = (recipe.COHORT, recipe.TRAINING, recipe.EVALUATION, recipe.BASELINES)
    made = {stage.name: make(stage, tiny, 0, store, progress=False, device="cpu") for stage in stages}
    torch.set_num_threads(before)
    return store, made
