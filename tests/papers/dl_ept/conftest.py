"""The chapter's stages, run once at a size of seconds, for all tests of this folder."""

from __future__ import annotations

import pytest

from mrrepro.papers.dl_ept import recipe
from mrrepro.runs.artifacts import ArtifactStore
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make

TINY = {"simulation.voxel_size_mm": 12.0, "bodies.phantoms": 5, "training.steps": 6, "training.validations": 3}
"""Overrides of scale `smoke`."""


@pytest.fixture(scope="session")
def tiny_settings():
    return configure(recipe.SETTINGS, "smoke", TINY)


@pytest.fixture(scope="session")
def tiny_store(tmp_path_factory):
    return ArtifactStore(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture(scope="session")
def tiny_artifacts(tiny_settings, tiny_store):
    """All stages of the recipe, by name."""
    return {
        stage.name: make(stage, tiny_settings, 0, tiny_store, progress=False, device="cpu") for stage in recipe.STAGES
    }
