"""Stages that make the images and train the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mrrepro.metrics.errors import nmae
from mrrepro.networks.variants import NetworkSettings, build_network
from mrrepro.papers.deepspio.settings import (
    BodySettings,
    DeepSpioSettings,
    IronSettings,
    NetworkChoice,
    SequenceSettings,
    TrainingSettings,
)
from mrrepro.phantoms.brain_images import ImageSet, folder_images, mni152_images, mni152_path, sha256_of
from mrrepro.runs.artifacts import Artifact
from mrrepro.runs.files import read_arrays, write_arrays, write_json
from mrrepro.runs.stages import Stage, StageContext
from mrrepro.simulators.spio_samples import Batch, SampleStream, SpioSimulator
from mrrepro.training.checkpoints import load_network, save_network
from mrrepro.training.losses import SquareThenAbsolute
from mrrepro.training.tasks import SupervisedTask
from mrrepro.training.trainer import fit

NETWORK_FILE = "network.safetensors"


@dataclass(frozen=True)
class ImageSelection:
    """What the images depend on."""

    data: str
    size: int


@dataclass(frozen=True)
class TrainingSelection:
    """What the trained network depends on."""

    sequence: SequenceSettings
    iron: IronSettings
    bodies: BodySettings
    network: NetworkChoice
    training: TrainingSettings


def image_checksums(settings: DeepSpioSettings) -> Mapping[str, str]:
    """sha256 of every file that the images are read from."""
    data = settings.images.data
    if data == "mni152":
        path = mni152_path()
        return {path.name: sha256_of(path)}
    if Path(data).is_file():
        return {Path(data).name: sha256_of(Path(data))}
    return {path.name: sha256_of(path) for path in sorted(Path(data).glob("*.nii*"))}


def make_images(context: StageContext[ImageSelection]) -> None:
    """Write the undistorted images to train and to test on, on the sequence's grid."""
    data, size = context.settings.data, context.settings.size
    if data == "mni152":
        images = mni152_images(size)
    elif Path(data).is_file():
        images = prepared_images(Path(data), size)
    else:
        images = folder_images(Path(data), size)
    write_arrays(context.workspace / "images.npz", train=images.train, test=images.test)
    write_json(context.workspace / "source.json", {"source": images.source, "checksums": images.checksums})


def prepared_images(path: Path, size: int) -> ImageSet:
    """Images that another machine prepared with this stage: an ``images.npz``.

    Raises
    ------
    ValueError
        If the file does not hold arrays ``train`` and ``test`` of this size.
    """
    arrays = read_arrays(path)
    for name in ("train", "test"):
        if name not in arrays or arrays[name].shape[1:] != (size, size):
            raise ValueError(
                f"{path} must hold images '{name}' of {size} x {size} pixels, but holds "
                f"{ {key: value.shape for key, value in arrays.items()} }: prepare it with the same sequence.size."
            )
    return ImageSet(arrays["train"], arrays["test"], f"prepared images {path.name}", {path.name: sha256_of(path)})


def train_network(context: StageContext[TrainingSelection]) -> None:
    """Train on samples made on the fly; write the network and the history."""
    settings, device = context.settings, context.device
    training = settings.training
    arrays = context.inputs["deepspio/images"].arrays("images.npz")
    stream = sample_stream(settings, torch.tensor(arrays["train"]), context.derived_seed("samples"), device)
    validation = sample_stream(settings, stream.images, context.derived_seed("validation"), device)
    unseen = validation.batch(0, training.validation_samples)
    torch.manual_seed(context.derived_seed("weights"))
    choice = settings.network.network()
    plan = training.plan()
    network = build_network(choice)
    task = SupervisedTask(
        network,
        SquareThenAbsolute(training.steps, training.square_fraction),
        plan,
        target=network.target,  # type: ignore[arg-type]
        validation=lambda net: {"score": float(nmae(predict(net, unseen.images), unseen.concentration).mean())},
        settings={"settings": asdict(settings), "seed": context.seed},
    )
    record = fit(
        task, batches_of(stream, training), plan, context.workspace, device=device, progress=context.show_progress
    )
    save_network(
        context.workspace / NETWORK_FILE,
        task.network,
        settings=choice.as_mapping(),
        receipt={"seed": context.seed, "samples": record.samples_seen, "scale_of_sequence": asdict(settings.sequence)},
    )
    write_json(context.workspace / "history.json", {"record": asdict(record), "weights": count(task.network)})


def batches_of(stream: SampleStream, training: TrainingSettings) -> Callable[[int], tuple[Tensor, Tensor]]:
    """The stream in batches; a batch is a pure function of its number."""

    def batch(number: int) -> tuple[Tensor, Tensor]:
        samples = stream.batch(number * training.batch_size, training.batch_size)
        targets = samples.concentration.roll(1, 0) if training.shuffled_targets else samples.concentration
        return samples.images, targets

    return batch


def sample_stream(settings: TrainingSelection, images: Tensor, seed: int, device: str) -> SampleStream:
    """Random samples of these settings on these images."""
    bodies = settings.bodies.distribution()
    simulator = SpioSimulator(settings.sequence.sequence(), settings.iron.iron(), bodies.reach, device)
    return SampleStream(simulator, bodies, images.to(device), seed)


def predict(network: nn.Module, images: Tensor, at_once: int = 32) -> Tensor:
    """Estimated concentration (batch, size, size) [kg/m^3 = ug/mm^3], without gradients."""
    was_training = network.training
    network.eval()
    with torch.no_grad():
        parts = [network.predict_map(part) for part in images.split(at_once)]  # type: ignore[operator]
    network.train(was_training)
    return torch.cat(parts)


def count(network: nn.Module) -> int:
    """Number of weights."""
    return sum(parameter.numel() for parameter in network.parameters())


def trained_network(artifact: Artifact, device: str = "cpu") -> nn.Module:
    """The network of a training, in evaluation mode."""
    return read_network(artifact.file(NETWORK_FILE)).to(device)


def read_network(path: Path) -> nn.Module:
    """A network from its file, in evaluation mode."""
    return load_network(path, lambda settings: build_network(NetworkSettings.from_mapping(settings))).network


def concatenated(batches: list[Batch]) -> Batch:
    """Several batches as one."""
    return Batch(torch.cat([b.images for b in batches]), torch.cat([b.concentration for b in batches]))


def as_float16(array: Tensor) -> np.ndarray:
    """Maps as they are stored: three digits are plenty for a figure."""
    return array.detach().cpu().numpy().astype(np.float16)


IMAGES = Stage(
    "deepspio/images",
    make_images,
    select=lambda settings: ImageSelection(settings.images.data, settings.sequence.size),
    data=image_checksums,
    seeded=False,
)

TRAINING = Stage(
    "deepspio/training",
    train_network,
    select=lambda settings: TrainingSelection(
        settings.sequence, settings.iron, settings.bodies, settings.network, settings.training
    ),
    inputs=(IMAGES,),
)
