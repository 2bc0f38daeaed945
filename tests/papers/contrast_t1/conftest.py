"""The chapter's stages, run once at a size of seconds, for all tests of this folder."""

from __future__ import annotations

import pytest

from mrrepro.papers.contrast_t1 import recipe
from mrrepro.runs.artifacts import ArtifactStore
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make

TINY = {"cohort.train": 4, "cohort.test": 4, "cohort.labelled": 6, "loss.name": "L1B", "evaluation.labelled": 6}
"""Overrides of scale `smoke`: 12 patients."""


@pytest.fixture
def tiny_overrides():
    return dict(TINY)


@pytest.fixture(scope="session")
def tiny():
    return configure(recipe.SETTINGS, "smoke", TINY)


@pytest.fixture(scope="session")
def finished(tiny, tmp_path_factory):
    """A store with cohort, training, evaluation and baselines of seed 0, and their artifacts by name."""
    store = ArtifactStore(tmp_path_factory.mktemp("finished"))
    stages = (recipe.COHORT, recipe.TRAINING, recipe.EVALUATION, recipe.BASELINES)
    made = {stage.name: make(stage, tiny, 0, store, progress=False, device="cpu") for stage in stages}
    return store, made
