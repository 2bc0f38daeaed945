"""Stages that train the four networks: conductivity and permittivity, from a mask or from tissue contrast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from mrrepro.networks.pix2pix import DiscriminatorSize, GeneratorSize, PatchDiscriminator, PixToPixGenerator
from mrrepro.networks.scaled_generator import ScaledGenerator, build_pix2pix, pix2pix_settings
from mrrepro.papers.dl_ept.cases import TEST_HEAD, VALIDATION_PHANTOMS, training_names
from mrrepro.papers.dl_ept.database import DATABASE, INDEX
from mrrepro.papers.dl_ept.network_inputs import TYPICAL, SliceSet, add_noise, slice_set
from mrrepro.papers.dl_ept.settings import (
    BodySettings,
    DlEptSettings,
    MeasurementSettings,
    NetworkSettings,
    SimulationSettings,
    TrainingSettings,
)
from mrrepro.runs.artifacts import Artifact
from mrrepro.runs.files import write_json
from mrrepro.runs.stages import Stage, StageContext
from mrrepro.training.adversarial import AdversarialObjective, AdversarialTask
from mrrepro.training.captured_step import captured
from mrrepro.training.checkpoints import load_network, save_network
from mrrepro.training.trainer import fit

NETWORK_FILE = "network.safetensors"

PHASE_SCALE = 0.5
"""What an input of 1 means in the second channel [rad]."""


@dataclass(frozen=True)
class TrainingSelection:
    """What a trained network depends on."""

    quantity: str
    third_input: str
    bodies: BodySettings
    simulation: SimulationSettings
    measurement: MeasurementSettings
    network: NetworkSettings
    training: TrainingSettings


def new_network(quantity: str, size: NetworkSettings) -> ScaledGenerator:
    """Return an untrained generator for a quantity, whose output of 1 is a typical value."""
    generator = PixToPixGenerator(GeneratorSize(base_filters=size.base_filters, depth=size.depth))
    return ScaledGenerator(generator, input_scale=(1.0, PHASE_SCALE, 1.0), output_scale=(TYPICAL[quantity],))


def read_network(artifact: Artifact, device: str = "cpu") -> ScaledGenerator:
    """Return the network of a training, in evaluation mode."""
    network = load_network(artifact.file(NETWORK_FILE), build_pix2pix).network
    assert isinstance(network, ScaledGenerator)
    return network.to(device)


def database_slices(artifact: Artifact, names: tuple[str, ...], selected: TrainingSelection) -> SliceSet:
    """Return the noiseless slices of some cases of the database."""
    index = artifact.json(INDEX)
    return slice_set(
        {name: artifact.arrays(f"{name}.npz") for name in names},
        {name: bool(index[name]["head"]) for name in names},
        selected.third_input,
        selected.quantity,
        selected.measurement,
    )


def relative_error(estimate: Tensor, truth: Tensor, inside: Tensor) -> float:
    """Return the normalised root mean square error in a region: ``|estimate - truth| / |truth|`` in the 2-norm."""
    difference = (estimate - truth)[inside].double()
    return float(difference.norm() / truth[inside].double().norm())


def train_network(context: StageContext[TrainingSelection]) -> None:
    """Train one network; write it with its history."""
    selected, device = context.settings, context.device
    database = context.inputs["dl_ept/database"]
    slices = database_slices(database, training_names(selected.bodies, selected.third_input), selected)
    known = [f"phantom_{n}" for n in VALIDATION_PHANTOMS]
    judged = database_slices(database, tuple(known if selected.third_input == "mask" else [TEST_HEAD]), selected)
    generator = torch.Generator().manual_seed(context.derived_seed("validation noise"))
    measured = _noisy(judged.inputs, selected.measurement, generator).to(device)
    inside, truth = (judged.inputs[:, :1] != 0).to(device), judged.truth.to(device)

    def validation(network: torch.nn.Module) -> dict[str, float]:
        estimate = torch.cat([network(part) for part in measured.split(32)])
        return {"score": relative_error(estimate, truth, inside)}

    torch.manual_seed(context.derived_seed("weights"))
    training, size = selected.training, selected.network
    task = AdversarialTask(
        new_network(selected.quantity, size),
        lambda: PatchDiscriminator(
            DiscriminatorSize(base_filters=size.base_filters, strided_layers=size.discriminator_layers)
        ),
        AdversarialObjective(training.gan_weight, training.l1_weight, training.l2_weight),
        training.plan(),
        validation=validation,
        settings={"settings": asdict(selected), "seed": context.seed},
    )
    record = fit(
        captured(task, device),
        batches_of(slices, selected, context.derived_seed("batches"), device),
        training.plan(),
        context.workspace,
        device=device,
        progress=context.show_progress,
    )
    described = {
        "quantity": selected.quantity,
        "inputs": selected.third_input,
        "voxel_size": selected.simulation.voxel_size,
        "frequency": selected.simulation.frequency,
        "image_size": selected.measurement.image_size,
    }
    save_network(
        context.workspace / NETWORK_FILE,
        task.network,
        settings={**pix2pix_settings(task.network), **described},
        receipt={"seed": context.seed, "samples": record.samples_seen, "slices": len(slices.inputs)},
    )
    write_json(context.workspace / "history.json", {"record": asdict(record), "slices": len(slices.inputs)})


def batches_of(
    slices: SliceSet, selected: TrainingSelection, seed: int, device: str
) -> Callable[[int], tuple[Tensor, Tensor]]:
    """Return random slices with fresh noise; a batch is a pure function of its number.

    The paper's noise is drawn once for each slice; here a slice has new noise whenever it is seen.
    """
    inputs, truth = slices.inputs.to(device), slices.truth.to(device)
    size = selected.training.batch_size

    def batch(number: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed((seed + number) % 2**63)
        chosen = torch.randint(len(inputs), (size,), generator=generator).to(device)
        noise = torch.Generator(device).manual_seed((seed + 7_919 * number + 1) % 2**63)
        return _noisy(inputs[chosen], selected.measurement, noise), truth[chosen]

    return batch


def _noisy(inputs: Tensor, measurement: MeasurementSettings, generator: torch.Generator) -> Tensor:
    return add_noise(inputs, measurement.snr, measurement.phase_sd_mrad * 1e-3, generator)


def _selection(quantity: str, third_input: str) -> Callable[[DlEptSettings], TrainingSelection]:
    def select(settings: DlEptSettings) -> TrainingSelection:
        return TrainingSelection(
            quantity,
            third_input,
            settings.bodies,
            settings.simulation,
            settings.measurement,
            settings.network,
            settings.training,
        )

    return select


TRAININGS = {
    (third, quantity): Stage(
        f"dl_ept/{third}_{short}", train_network, select=_selection(quantity, third), inputs=(DATABASE,)
    )
    for third in ("mask", "tissue")
    for quantity, short in (("conductivity", "conductivity"), ("relative_permittivity", "permittivity"))
}
"""Stage of each network, by third input and quantity."""
