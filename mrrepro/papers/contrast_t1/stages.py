"""The stage that trains a network, and what gives its batches and its predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mrrepro.networks.network_size import count_weights
from mrrepro.networks.pix2pix import DiscriminatorSize, PatchDiscriminator
from mrrepro.networks.unet3d import MODELS, UnetSize
from mrrepro.networks.volume_padding import padding_to_multiple
from mrrepro.networks.volume_patches import Patch, centre_of_mass, mirrored, patch_around
from mrrepro.papers.contrast_t1.cohort import COHORT, CONTRAST, Cohort
from mrrepro.papers.contrast_t1.settings import CohortSettings, LossChoice, NetworkChoice, TrainingSettings
from mrrepro.runs.files import write_json
from mrrepro.runs.stages import Stage, StageContext
from mrrepro.training.adversarial_volumes import AdversarialVolumeTask
from mrrepro.training.captured_step import captured
from mrrepro.training.checkpoints import load_network, save_network
from mrrepro.training.image_losses import ImageLoss
from mrrepro.training.trainer import fit
from mrrepro.training.volume_tasks import VolumeBatch, VolumeTask, loss_of_batch

NETWORK_FILE = "network.safetensors"

HELD_SHARE = 0.5
"""Part of a GPU's free memory that patients may fill."""


@dataclass(frozen=True)
class TrainingSelection:
    """What the trained network depends on."""

    cohort: CohortSettings
    network: NetworkChoice
    loss: LossChoice
    training: TrainingSettings


def train_network(context: StageContext[TrainingSelection]) -> None:
    """Train on the cohort's training patients; write the network and the history."""
    settings = context.settings
    cohort = Cohort(context.inputs["contrast_t1/cohort"], settings.cohort)
    order = context.derived_seed("order")
    stream = PatchStream(cohort, settings.training, cohort.sets["train"], order, context.device)
    plan = settings.training.plan(settings.cohort.train)
    torch.manual_seed(context.derived_seed("weights"))
    network = MODELS[settings.network.model](settings.network.size())
    if settings.network.start == "he":
        start_as_he(network)
    loss = settings.loss.loss()
    held_out = PatchStream(cohort, settings.training, cohort.sets["validation"], 0, context.device)

    def validation(net: nn.Module) -> dict[str, float]:
        return held_out.scores(net, loss)

    identity = {"settings": asdict(settings), "seed": context.seed}
    task = VolumeTask(network, loss, plan, validation=validation, settings=identity)
    if settings.loss.adversarial > 0.0:
        task = AdversarialVolumeTask(
            network,
            loss,
            plan,
            discriminator=PatchDiscriminator(discriminator_size(settings.network)),
            weight=settings.loss.adversarial,
            validation=validation,
            settings=identity,
        )
    stepped = captured(task, context.device)
    record = fit(stepped, stream.batch, plan, context.workspace, device=context.device, progress=context.show_progress)
    save_network(
        context.workspace / NETWORK_FILE,
        task.network,
        settings=asdict(settings.network),
        receipt={"seed": context.seed, "samples": record.samples_seen, "settings": asdict(settings)},
    )
    write_json(context.workspace / "history.json", {"record": asdict(record), "weights": count_weights(task.network)})


class PatchStream:
    """Batches of volumes or patches with their masks; a pure function of the batch's number.

    Parameters
    ----------
    cohort : Cohort
        The patients.
    training : TrainingSettings
        Batch size, side of the patches, whether mirror images are used.
    numbers : sequence of int
        The patients of the set.
    seed : int
        Of the order, which is drawn anew for each epoch.
    device : torch.device or str
        Where the batches are. A GPU holds all patients where they fill at most `HELD_SHARE` of its free memory;
        otherwise they stay in the processor's, and each batch is brought over.
    """

    def __init__(
        self,
        cohort: Cohort,
        training: TrainingSettings,
        numbers: Sequence[int],
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.training, self.seed, self.device = training, seed, torch.device(device)
        samples = (self._sample(cohort, number) for number in numbers)
        first = next(samples)
        needed = len(numbers) * sum(volume.nbytes for volume in first)
        kept_on = self.device if _has_room(self.device, needed) else "cpu"
        self._samples = [each.to(kept_on) for each in chain([first], samples)]
        self._count = len(self._samples) * (2 if training.mirror else 1)

    def batch(self, number: int) -> tuple[Tensor, ...]:
        """Return what a `VolumeBatch` holds, of a number; every patient is seen once an epoch, and once mirrored."""
        size = min(self.training.batch_size, self._count)
        epoch, place = divmod(number, self._count // size)
        order = torch.randperm(self._count, generator=torch.Generator().manual_seed((self.seed + epoch) % 2**63))
        return tuple(self._stacked(order[place * size : (place + 1) * size].tolist()))

    def scores(self, network: nn.Module, loss: ImageLoss) -> dict[str, float]:
        """What is validated on the patients, without mirror images.

        Returns
        -------
        dict of str to float
            ``score``, the mean loss; ``rise`` and ``true_rise``, the mean rise over T1 of the output and of the true
            image, over the truly enhancing voxels of all tumors, 0 where there are none: their ratio is the amplitude
            that the output keeps, where it is an image.
        """
        total, rise, true_rise, voxels = 0.0, 0.0, 0.0, 0
        for number in range(len(self._samples)):
            batch = self._stacked([number])
            output = network(batch.inputs)
            total += float(loss_of_batch(loss, output, batch))
            where = batch.enhancement & batch.tumor
            voxels += int(where.sum())
            rise += float((output - batch.inputs[:, :1])[where].double().sum())
            true_rise += float((batch.target - batch.inputs[:, :1])[where].double().sum())
        voxels = max(voxels, 1)
        return {"score": total / len(self._samples), "rise": rise / voxels, "true_rise": true_rise / voxels}

    def _sample(self, cohort: Cohort, number: int) -> VolumeBatch:
        images = cohort.images([number])
        masks = cohort.region_masks([number], images)
        inputs, target = images[:, :CONTRAST].half(), images[:, CONTRAST : CONTRAST + 1].half()
        whole = VolumeBatch(inputs, target, masks.brain, masks.tumor, masks.enhancement)
        patch = patch_of(masks.tumor[0, 0], self.training.patch)
        return VolumeBatch(*((patch.cut(volume) if patch else volume)[0].clone() for volume in whole))

    def _stacked(self, chosen: Sequence[int]) -> VolumeBatch:
        patients = len(self._samples)
        stacked = []
        for volumes in zip(*(self._samples[k % patients] for k in chosen), strict=True):
            shown = [mirrored(v) if k >= patients else v for k, v in zip(chosen, volumes, strict=True)]
            whole = torch.stack(shown).to(self.device)
            stacked.append(whole if whole.dtype == torch.bool else whole.float())
        return VolumeBatch(*stacked)


def _has_room(device: torch.device, needed: int) -> bool:
    """Tell whether a device is a GPU with room for so many bytes beside a training."""
    return device.type == "cuda" and needed <= HELD_SHARE * torch.cuda.mem_get_info(device)[0]


def start_as_he(network: nn.Module) -> None:
    """Draw all convolutions' weights from He's normal distribution, which the thesis tried beside Xavier's."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
            nn.init.kaiming_normal_(module.weight)


def discriminator_size(network: NetworkChoice) -> DiscriminatorSize:
    """Of the opponent of a network: in 3D, as many filters, two halvings, so that a patch spans 34 voxels at most."""
    return DiscriminatorSize(
        base_filters=network.base_filters, strided_layers=2, normalization="instance", dimensions=3
    )


def patch_of(tumor: Tensor, side: int) -> Patch | None:
    """The cube around the tumor's centre of mass; None for the whole volume (side 0)."""
    if side == 0:
        return None
    x, y, z = tumor.shape
    return patch_around(centre_of_mass(tumor), (x, y, z), side)


def predict(
    network: nn.Module, inputs: Float[Tensor, "batch 3 x y z"], depth: int, at_once: int = 4
) -> Float[Tensor, "batch 1 x y z"]:
    """Synthetic images of whole volumes of any size, padded and cut again, without gradients, where the inputs are.

    Parameters
    ----------
    network : nn.Module
        In any mode; it predicts in evaluation mode.
    inputs : Tensor
        Normalised T1, T2 and FLAIR.
    depth : int
        Halvings in the network.
    at_once : int
        Volumes in memory at a time.
    """
    was_training = network.training
    network.eval()
    x, y, z = inputs.shape[2:]
    padding = padding_to_multiple((x, y, z), 2**depth)
    device = next(network.parameters()).device
    with torch.no_grad():
        parts = [
            padding.undo(network(padding.apply(part.to(device), -1.0))).float().to(inputs.device)
            for part in inputs.split(at_once)
        ]
    network.train(was_training)
    return torch.cat(parts)


def read_network(path: Path) -> nn.Module:
    """A network from its file, in evaluation mode."""
    return load_network(path, build_from_mapping).network


def build_from_mapping(settings: Mapping[str, Any]) -> nn.Module:
    """The network of saved settings."""
    return MODELS[int(settings["model"])](UnetSize(int(settings["base_filters"]), int(settings["depth"])))


Predictor = Callable[[Sequence[int], Tensor], Tensor]
"""From patients' numbers and images (batch, 4, ...) to synthetic images (batch, 1, ...); a baseline may look at all."""

TRAINING = Stage(
    "contrast_t1/training",
    train_network,
    select=lambda settings: TrainingSelection(settings.cohort, settings.network, settings.loss, settings.training),
    inputs=(COHORT,),
)
