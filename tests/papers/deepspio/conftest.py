"""The chapter's stages, run once at a size of seconds, for all tests of this folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mrrepro.papers.deepspio import recipe
from mrrepro.runs.artifacts import ArtifactStore
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make

CHECKOUT = Path(__file__).parents[3]
TINY = {
    "sequence.size": 32,
    "network.width": 1,
    "training.samples": 32,
    "training.batch_size": 4,
    "training.validations": 4,
    "training.validation_samples": 4,
    "evaluation.samples": 4,
    "evaluation.noise_draws": 2,
    "evaluation.noise_concentrations": 3,
    "evaluation.noise_draws_detail": 2,
    "evaluation.scaled_shapes": 3,
}
"""Overrides of scale `smoke`: 8 steps with a checkpoint after every second one."""

CHILD = """
import os, signal, sys
import torch
from mrrepro.papers.deepspio import experiments, recipe, stages
from mrrepro.runs.artifacts import ArtifactStore
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make
from mrrepro.simulators.spio_samples import SpioSimulator
from mrrepro.training import checkpoints

def die():
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)

torch.set_num_threads(1)
settings = configure(recipe.SETTINGS, "smoke", {overrides!r})
store = ArtifactStore({root!r})
{hook}
print(make({stage}, settings, {seed}, store, progress=False).path)
"""


@pytest.fixture(scope="session")
def overrides():
    """What `tiny` has beside scale `smoke`, by dotted name."""
    return dict(TINY)


@pytest.fixture(scope="session")
def tiny():
    return configure(recipe.SETTINGS, "smoke", TINY)


@pytest.fixture(scope="session")
def finished(tiny, tmp_path_factory):
    """A store with all stages of seed 0, and their artifacts by name."""
    store = ArtifactStore(tmp_path_factory.mktemp("finished"))
    made = {stage.name: make(stage, tiny, 0, store, progress=False, device="cpu") for stage in recipe.STAGES}
    return store, made


@pytest.fixture
def start_child():
    """Start a process that makes a stage at this size, with some lines of code put before."""
    started = []

    def start(root: Path, stage: str = "stages.TRAINING", *, hook: str = "", seed: int = 0, **overrides):
        script = CHILD.format(overrides={**TINY, **overrides}, root=str(root), hook=hook, stage=stage, seed=seed)
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()
