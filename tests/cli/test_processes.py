"""What commands that compute set up: processes of torchrun, and a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from mrrepro.cli.going_on import joined
from mrrepro.papers.deepspio import stages
from mrrepro.papers.deepspio.settings import DeepSpioSettings
from mrrepro.runs import processes
from mrrepro.runs.artifacts import ArtifactStore
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make, stage_key
from mrrepro.training.checkpoints import read_tensors

CHECKOUT = Path(__file__).parents[2]
CHANGES = {"training.samples": 64, "training.validations": 1, "training.validation_samples": 4}


def test_two_processes_make_one_artifact(tmp_path, monkeypatch):
    monkeypatch.setenv("MRREPRO_DEVICE", "cpu")
    store, settings = ArtifactStore(tmp_path), configure(DeepSpioSettings, "smoke", CHANGES)
    make(stages.IMAGES, settings, 0, store)
    given = [part for name, value in CHANGES.items() for part in ("-p", f"{name}={value}")]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "mrrepro"]
    command = [*launch, "run", "deepspio", "--stages", "--scale", "smoke", "--only", "deepspio/training", *given]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "MRREPRO_ARTIFACTS": str(tmp_path)}
    environment |= {"OMP_NUM_THREADS": "1", "MRREPRO_PROGRESS": "0", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("deepspio/training  ") == 1  # the first process speaks
    (item,) = [item for item in store.list() if item.stage == "deepspio/training"]
    assert not item.partial
    manifest = json.loads((item.path / "manifest.json").read_text())
    assert manifest["processes"] == 2
    assert manifest["key"] != stage_key(stages.TRAINING, settings, 0).key  # another training than by one process
    history = json.loads((item.path / "history.json").read_text())["record"]
    assert (history["steps"], history["samples_seen"]) == (4, 2 * 64)
    assert read_tensors(item.path / "network.safetensors")[1]["receipt"]["samples"] == 2 * 64
    assert not list(tmp_path.glob("mrrepro-*"))


def test_one_process_is_the_first_and_only():
    assert (processes.count(), processes.rank()) == (1, 0)
    assert not processes.work_together(stages.train_network)


def test_trainings_are_told_from_what_the_first_process_makes_alone(monkeypatch):
    from mrrepro.cli.papers import paper_keys, paper_stages

    monkeypatch.setattr(processes, "count", lambda: 2)
    together = {
        stage.name for key in paper_keys() for stage in paper_stages(key) if processes.work_together(stage.function)
    }
    directions = ("sagittal", "coronal", "axial")
    assert together == {
        "deepspio/training",
        "contrast_t1/training",
        *(f"condnet/training_{direction}" for direction in directions),
        *(f"condnet/training_two_{direction}" for direction in directions),
        *(
            f"dl_ept/{third}_{quantity}"
            for third in ("mask", "tissue")
            for quantity in ("conductivity", "permittivity")
        ),
    }


def test_a_gpu_may_choose_algorithms_but_not_round_matrix_products(monkeypatch):
    """Structural similarity takes small differences of matrix products, which TF32 would spoil."""
    monkeypatch.setenv("MRREPRO_DEVICE", "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv("RANK", raising=False)
    with joined() as first:
        assert first
        assert torch.backends.cudnn.benchmark
        assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cudnn.benchmark
