"""A killed training goes on from its checkpoint and ends with the same bits."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mrrepro.papers.contrast_t1 import recipe
from mrrepro.papers.contrast_t1.stages import NETWORK_FILE
from mrrepro.runs.artifacts import ArtifactStore
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make
from mrrepro.training.checkpoints import read_tensors

CHECKOUT = Path(__file__).parents[3]

CHILD = """
import os, signal, sys
import torch
from mrrepro.papers.contrast_t1 import recipe, stages
from mrrepro.runs.artifacts import ArtifactStore
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make

batch = stages.PatchStream.batch
def until_killed(stream, number):
    if number == 5:
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    return batch(stream, number)
stages.PatchStream.batch = until_killed
torch.set_num_threads(1)
make(recipe.TRAINING, configure(recipe.SETTINGS, "smoke", {overrides!r}), 0, ArtifactStore({root!r}), progress=False)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_training_ends_with_the_same_bits(finished, tiny_overrides, tmp_path):
    """Three epochs of two steps against a discriminator; the process dies when it asks for the sixth batch."""
    overrides = {**tiny_overrides, "training.epochs": 3, "training.batch_size": 4, "loss.adversarial": 0.1}
    settings = configure(recipe.SETTINGS, "smoke", overrides)
    made = []
    for name in ("whole", "killed"):
        root = tmp_path / name
        shutil.copytree(finished[0].root / "contrast_t1" / "cohort", root / "contrast_t1" / "cohort")
        if name == "killed":
            script = CHILD.format(overrides=overrides, root=str(root))
            environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1"}
            child = subprocess.run([sys.executable, "-c", script], env=environment, timeout=100, check=False)
            assert child.returncode == -signal.SIGKILL
            (partial,) = (root / "contrast_t1" / "training").glob("*.partial")
            assert (partial / "resume" / "state.safetensors").exists()
        made.append(make(recipe.TRAINING, settings, 0, ArtifactStore(root), progress=False, device="cpu"))
    whole, resumed = (read_tensors(each.file(NETWORK_FILE))[0] for each in made)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    histories = [each.json("history.json")["record"]["history"] for each in made]
    assert histories[0] == histories[1]
    assert {"loss", "gan", "discriminator"} <= histories[0][0].keys()
