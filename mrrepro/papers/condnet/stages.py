"""Stages that train the networks, one a slice direction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mrrepro.networks.condnet import start_at_mean
from mrrepro.papers.condnet.heads import HEADS, HeadWithImages, read_heads
from mrrepro.papers.condnet.maps import COLUMNS, DIRECTIONS, ConductivityNetwork, read, save
from mrrepro.papers.condnet.settings import NetworkSettings, TrainingSettings
from mrrepro.runs.files import write_json
from mrrepro.runs.stages import Stage, StageContext
from mrrepro.training.captured_step import captured
from mrrepro.training.cross_entropy import SoftTargetCrossEntropy, entropy
from mrrepro.training.slice_batches import SlicePairs, slices_across
from mrrepro.training.tasks import SupervisedTask
from mrrepro.training.trainer import fit

NETWORK_FILE = "network.safetensors"
MOST_VALIDATED = 200
"""Slices that a validation looks at, at most."""


@dataclass(frozen=True)
class TrainingSelection:
    """What one training depends on beside the heads."""

    network: NetworkSettings
    training: TrainingSettings
    axis: int
    outputs: int


def train_direction(context: StageContext[TrainingSelection]) -> None:
    """Train the network of one slice direction; write it and its history."""
    settings, training = context.settings, context.settings.training
    heads = read_heads(context.inputs[HEADS.name], "training")
    torch.manual_seed(context.derived_seed("weights"))
    network = ConductivityNetwork(settings.network.design(settings.outputs), settings.network.margin)
    pairs = training_slices(network, heads, settings)
    if training.start == "mean":
        start_at_mean(network.network, pairs.targets.mean(dim=(0, 2, 3)).tolist())
    kept, unseen = pairs.split(training.validation_share, context.derived_seed("split"))
    unseen = SlicePairs(unseen.images[:MOST_VALIDATED], unseen.targets[:MOST_VALIDATED])
    plan = training.plan(len(kept), training.epochs if settings.outputs == 1 else training.epochs_of_two)
    loss = SoftTargetCrossEntropy()
    on_device = SlicePairs(unseen.images.to(context.device), unseen.targets.to(context.device))
    task = SupervisedTask(
        network,
        loss,
        plan,
        validation=lambda net: {"score": _mean_loss(net, on_device, loss)},
        settings={"settings": asdict(settings), "seed": context.seed},
    )
    order = context.derived_seed("order")
    record = fit(
        captured(task, context.device),
        lambda number: kept.batch(number, training.batch_size, order),
        plan,
        context.workspace,
        device=context.device,
        progress=context.show_progress,
    )
    save(
        context.workspace / NETWORK_FILE,
        network,
        {"seed": context.seed, "direction": DIRECTIONS[settings.axis], "settings": asdict(settings)},
    )
    document = {
        "record": asdict(record),
        "weights": sum(parameter.numel() for parameter in network.parameters()),
        "slices": len(kept),
        "validation_slices": len(unseen),
        "entropy": entropy(kept.targets),
        "validation_entropy": entropy(unseen.targets),
    }
    write_json(context.workspace / "history.json", document)


def training_slices(
    network: ConductivityNetwork, heads: Sequence[HeadWithImages], settings: TrainingSelection
) -> SlicePairs:
    """Normalised images and scaled conductivity of all slices of one direction that hold a part of a head."""
    images, targets = [], []
    for head in heads:
        images.append(network.normalization(torch.from_numpy(head.images)))
        maps = [
            torch.from_numpy(head.uniform(column)) * ((1.0 - settings.network.margin) / max(column.values()))
            for column in COLUMNS[: settings.outputs]
        ]
        targets.append(torch.stack(maps))
    return slices_across(settings.axis, images, targets, 2**settings.network.depth)


def _mean_loss(network: nn.Module, pairs: SlicePairs, loss: Callable[[Tensor, Tensor, int], Tensor]) -> float:
    parts = [float(loss(network(x), y, 0)) * len(x) for x, y in zip(pairs.images.split(16), pairs.targets.split(16),
                                                                    strict=True)]  # fmt: skip
    return sum(parts) / len(pairs)


def trained_networks(inputs: Any, stages: Sequence[Stage], device: str = "cpu") -> list[ConductivityNetwork]:
    """The networks of three trainings, in evaluation mode."""
    networks = [read(inputs[stage.name].file(NETWORK_FILE)) for stage in stages]
    for network in networks:
        network.to(device)
    return networks


def _training(direction: str, outputs: int) -> Stage:
    name = f"condnet/training_{direction}" if outputs == 1 else f"condnet/training_two_{direction}"
    return Stage(
        name,
        train_direction,
        select=lambda settings: TrainingSelection(
            settings.network, settings.training, DIRECTIONS.index(direction), outputs
        ),
        inputs=(HEADS,),
    )


TRAININGS = tuple(_training(direction, 1) for direction in DIRECTIONS)
"""One conductor: the networks for sagittal, coronal and axial slices."""

TRAININGS_OF_TWO = tuple(_training(direction, 2) for direction in DIRECTIONS)
"""Two conductors at once."""
