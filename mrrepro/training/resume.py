"""The whole state of a training on disk: networks, optimisers, random generators and history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mrrepro.training import distributed
from mrrepro.training.checkpoints import read_tensors, restore_state, write_tensors
from mrrepro.training.plan import TrainingPlan
from mrrepro.training.tasks import Task

STATE_FORMAT = "mrrepro-training/1"


@dataclass
class Progress:
    """Where a training stands; all of it goes into a checkpoint's header."""

    step: int = 0
    seconds: float = 0.0
    best_step: int | None = None
    best_score: float | None = None
    validations_since_best: int = 0
    finished: bool = False
    stopped_early: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)


class TrainingCheckpoint:
    """The state of one training on disk."""

    def __init__(self, task: Task, plan: TrainingPlan, workspace: Path, device: torch.device) -> None:
        self.task = task
        self.device = device
        self.path = workspace / "resume" / "state.safetensors"
        self.best: dict[str, dict[str, Tensor]] = {}
        self.identity = json.loads(
            json.dumps(
                {
                    "plan": plan.identity(),
                    "task": dict(task.settings),
                    "network": {
                        f"{name}.{key}": f"{tuple(tensor.shape)} {tensor.dtype}"
                        for name, module in task.modules.items()
                        for key, tensor in module.state_dict().items()
                    },
                    "processes": distributed.process_count(),
                }
            )
        )

    def keep_best(self) -> None:
        """Remember the weights of now as the best."""
        self.best = {
            name: {key: tensor.detach().to("cpu", copy=True) for key, tensor in module.state_dict().items()}
            for name, module in self.task.modules.items()
        }

    def restore_best(self) -> None:
        """Put the best weights, if any, into the networks; they are not stored a second time then."""
        for name, tensors in self.best.items():
            restore_state(self.task.modules[name], tensors, "The best state")
        self.best = {}

    def save(self, state: Progress) -> None:
        """Write the whole state in one atomic step, by the first process."""
        generators = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            generators["cuda"] = torch.cuda.get_rng_state(self.device)
        tensors = {
            f"generator/{kind}/{rank}": each
            for kind, generator in generators.items()
            for rank, each in enumerate(distributed.gather(generator, self.device))
        }
        if distributed.process_rank() > 0:
            return
        for name, module in self.task.modules.items():
            tensors |= {f"network/{name}/{key}": tensor for key, tensor in module.state_dict().items()}
        for name, best in self.best.items():
            tensors |= {f"best/{name}/{key}": tensor for key, tensor in best.items()}
        groups: dict[str, Any] = {}
        numbers: dict[str, Any] = {}
        for name, optimiser in self.task.optimisers.items():
            stored = optimiser.state_dict()
            groups[name] = stored["param_groups"]
            for index, entries in stored["state"].items():
                for key, value in entries.items():
                    where = f"optimiser/{name}/{index}/{key}"
                    (tensors if isinstance(value, Tensor) else numbers)[where] = value
        write_tensors(
            self.path,
            tensors,
            {
                "format": STATE_FORMAT,
                "identity": self.identity,
                "progress": asdict(state),
                "optimiser_groups": groups,
                "optimiser_numbers": numbers,
            },
        )

    def restore(self) -> Progress:
        """Return the stored progress, with networks, optimisers and generators set to it, or a fresh one."""
        if distributed.process_rank() == 0:
            for partial in self.path.parent.glob(f".{self.path.name}.*.partial"):
                partial.unlink(missing_ok=True)
        if not self.path.is_file():
            return Progress()
        tensors, header = read_tensors(self.path)
        if header.get("format") != STATE_FORMAT:
            raise ValueError(f"{self.path} holds {header.get('format')!r}, not a training ({STATE_FORMAT}): remove it.")
        differences = _differences(header["identity"], self.identity)
        if differences:
            shown = "; ".join(differences[:5]) + (f"; and {len(differences) - 5} more" if len(differences) > 5 else "")
            raise ValueError(
                f"{self.path} is a checkpoint of another training: {shown}. "
                "Use another workspace, or remove it to start anew."
            )
        tree: dict[str, dict[str, dict[str, Any]]] = {}
        for where, value in (*tensors.items(), *header["optimiser_numbers"].items()):
            kind, name, key = where.split("/", 2)
            tree.setdefault(kind, {}).setdefault(name, {})[key] = value
        for name, module in self.task.modules.items():
            restore_state(module, tree["network"][name], str(self.path))
        self.best = tree.get("best", {})
        for name, optimiser in self.task.optimisers.items():
            _restore_optimiser(optimiser, tree.get("optimiser", {}).get(name, {}), header["optimiser_groups"][name])
        rank = str(distributed.process_rank())
        torch.set_rng_state(tree["generator"]["cpu"][rank])
        if self.device.type == "cuda" and "cuda" in tree["generator"]:
            torch.cuda.set_rng_state(tree["generator"]["cuda"][rank], self.device)
        return Progress(**header["progress"])


def _restore_optimiser(
    optimiser: torch.optim.Optimizer, entries: Mapping[str, Any], groups: list[dict[str, Any]]
) -> None:
    """Set an optimiser to stored values, each in its parameter's memory format."""
    state: dict[int, dict[str, Any]] = {}
    for where, value in entries.items():
        index, key = where.split("/", 1)
        state.setdefault(int(index), {})[key] = value
    optimiser.load_state_dict({"state": state, "param_groups": groups})
    for parameter, values in optimiser.state.items():
        for key, value in values.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                values[key] = torch.empty_like(parameter, requires_grad=False).copy_(value)


def _differences(stored: Any, here: Any, where: str = "") -> list[str]:
    """Name each leaf of two JSON trees in which they differ."""
    if isinstance(stored, dict) and isinstance(here, dict):
        return [
            text
            for key in (*stored, *(key for key in here if key not in stored))
            for text in _differences(stored.get(key), here.get(key), f"{where}.{key}" if where else key)
        ]
    return [] if stored == here else [f"{where} is {stored} in the checkpoint and {here} here"]
