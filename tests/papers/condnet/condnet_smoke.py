"""The chapter's stages once, as small as they go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mrrepro.papers.condnet.recipe import SETTINGS
from mrrepro.runs.artifacts import Artifact, ArtifactStore
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import Stage, make


class SmokeRun:
    """Makes stages of one run at scale smoke with short trainings."""

    def __init__(self, folder: Path) -> None:
        self.store = ArtifactStore(folder)
        overrides = {"training.epochs": 2.0, "training.epochs_of_two": 1.0}
        self.settings: Any = configure(SETTINGS, "smoke", overrides)

    def make(self, stage: Stage) -> Artifact:
        return make(stage, self.settings, 0, self.store, progress=False)
