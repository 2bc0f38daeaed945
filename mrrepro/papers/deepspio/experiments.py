"""Stages that put the trained network to the paper's experiments, and to a sceptic's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mrrepro.metrics.errors import best_constant_baseline, nmae, region_mean, region_of_interest
from mrrepro.papers.deepspio.settings import (
    BodySettings,
    DeepSpioSettings,
    EvaluationSettings,
    IronSettings,
    SequenceSettings,
)
from mrrepro.papers.deepspio.stages import IMAGES, TRAINING, as_float16, concatenated, predict, trained_network
from mrrepro.phantoms.brain_images import breast_image
from mrrepro.phantoms.shapes import Body, Cylinder, Sphere
from mrrepro.runs.files import write_arrays, write_json
from mrrepro.runs.stages import Stage, StageContext
from mrrepro.simulators.spio_samples import Batch, IronOxide, SampleStream, SpioSimulator
from mrrepro.simulators.view_line import add_noise

MAIN_FIELD = 7.0
"""B_0 [T]; section 5, experiment 4."""

AIR_CGS = (7.5e-8, 7.5e-7)
"""Susceptibility difference of air and tissue [cgs]: as printed, and ten times that, which is air's."""

AIR_CONCENTRATIONS = (0.22, 6.7, 13.0, 20.0)
"""Of the cylinder beside the air sphere [ug/mm^3]; Fig. 6."""

TABLE_1 = ((1, 27.9), (1, 13.95), (2, 13.95), (1, 9.3), (1, 6.98), (2, 6.98), (1, 3.49), (2, 3.49), (2, 1.75))
"""Batch and true concentration [ug/mm^3] of each row of Table 1."""

SNR_LEVELS_DB = (5.0, 11.0, 19.0, math.inf)
"""Section 5.1 [dB]."""

DETAIL_CONCENTRATION = 20.5
"""Of the cylinder drawn a hundred times [ug/mm^3]; Fig. 10."""

SATURATION_FACTORS = (0.85, 1.0, 1.15)
FIELD_FACTORS = (0.4, 0.6, 0.8, 1.0, 1.25, 1.5)
HELD_OUT_EXAMPLES = 6


@dataclass(frozen=True)
class Experiment:
    """What an experiment on a trained network may see."""

    sequence: SequenceSettings
    iron: IronSettings
    bodies: BodySettings
    evaluation: EvaluationSettings

    def simulator(self, device: str, iron: IronOxide | None = None) -> SpioSimulator:
        """The forward model, with another iron if given."""
        reach = max(self.bodies.distribution().reach, 11e-3)  # the phantoms' cylinders are 20 mm long
        return SpioSimulator(self.sequence.sequence(), iron or self.iron.iron(), reach, device)


def held_out(context: StageContext[Experiment]) -> None:
    """Experiments 1 and 2: new bodies on test and training images, on drawn breasts, with another sigma_s."""
    settings, network = context.settings, trained_network(context.inputs["deepspio/training"], context.device)
    images = {name: torch.tensor(a) for name, a in context.inputs["deepspio/images"].arrays("images.npz").items()}
    generator = np.random.default_rng(context.derived_seed("breasts"))
    images["breast"] = torch.tensor(np.stack([breast_image(settings.sequence.size, generator) for _ in range(20)]))
    iron = settings.iron.iron()
    arrays: dict[str, np.ndarray] = {}
    for name in ("test", "train", "breast"):
        batch = _draw(context, settings, images[name], iron, f"held-out {name}")
        arrays |= _scores(name, batch, predict(network, batch.images))
        arrays |= _examples(name, batch, predict(network, batch.images[:HELD_OUT_EXAMPLES]))
    for factor in SATURATION_FACTORS:
        other = replace(iron, saturation_magnetisation=iron.saturation_magnetisation * factor)
        batch = _draw(context, settings, images["test"], other, "held-out saturation")
        arrays |= _scores(f"saturation_{factor:g}", batch, predict(network, batch.images))
    batch = _unseen_shapes(context, settings, images["test"])
    arrays |= _scores("shapes", batch, predict(network, batch.images))
    write_arrays(context.workspace / "held_out.npz", **arrays)


def _draw(
    context: StageContext[Experiment], settings: Experiment, images: Tensor, iron: IronOxide, purpose: str
) -> Batch:
    """Samples of a stream of its own."""
    stream = SampleStream(
        settings.simulator(context.device, iron),
        settings.bodies.distribution(),
        images.to(context.device),
        context.derived_seed(purpose),
    )
    count = settings.evaluation.samples
    firsts = context.progress(range(0, count, 32), description=purpose)
    return concatenated([stream.batch(first, min(32, count - first)) for first in firsts])


def _unseen_shapes(context: StageContext[Experiment], settings: Experiment, images: Tensor) -> Batch:
    """Spheres and finite cylinders: families that no training sample holds."""
    generator = np.random.default_rng(context.derived_seed("shapes"))
    bodies = settings.bodies.distribution()
    samples, densities = [], []
    for index in range(settings.evaluation.samples):
        x, z = generator.uniform(-bodies.position, bodies.position, 2)
        centre, radius = (float(x), 0.0, float(z)), float(generator.uniform(2e-3, 5e-3))
        length = float(generator.uniform(4e-3, 16e-3))
        axis = "xyz"[int(generator.integers(3))]
        shape = Sphere(centre, radius) if index % 2 else Cylinder(centre, radius, length, axis)
        samples.append((Body(shape, float(generator.uniform(*bodies.concentration))),))
        densities.append(images[generator.integers(images.shape[0])])
    return settings.simulator(context.device).simulate(samples, torch.stack(densities))


def _scores(name: str, batch: Batch, estimate: Tensor) -> dict[str, np.ndarray]:
    """Per sample: NMAE, that of the best constant in the true shape, and both means over the region with iron."""
    truth = batch.concentration
    region = region_of_interest(truth)
    return {
        f"{name}_nmae": nmae(estimate, truth),
        f"{name}_constant_nmae": best_constant_baseline(truth).errors,
        f"{name}_true_mean": region_mean(truth, region),
        f"{name}_estimated_mean": region_mean(estimate, region),
    }


def _examples(name: str, batch: Batch, estimate: Tensor) -> dict[str, np.ndarray]:
    """The first samples whole, for figures."""
    return {
        f"{name}_images": as_float16(batch.images[:HELD_OUT_EXAMPLES]),
        f"{name}_truth": as_float16(batch.concentration[:HELD_OUT_EXAMPLES]),
        f"{name}_estimate": as_float16(estimate),
    }


def scaled_field(context: StageContext[Experiment]) -> None:
    """Keep shape and void, scale the field: an estimate that reads the distortion must follow."""
    settings, network = context.settings, trained_network(context.inputs["deepspio/training"], context.device)
    images = torch.tensor(context.inputs["deepspio/images"].arrays("images.npz")["test"])
    simulator = settings.simulator(context.device)
    generator = np.random.default_rng(context.derived_seed("scaled field"))
    low, high = settings.bodies.distribution().concentration
    middle = 0.5 * (low + high)
    distribution = replace(settings.bodies.distribution(), concentration=(middle, middle), count=(1, 1))
    rows = []
    for _ in context.progress(range(settings.evaluation.scaled_shapes), description="scaled field"):
        projections, central = simulator.project(distribution.draw(generator))
        image = images[generator.integers(images.shape[0])].to(simulator.device)
        field = simulator.field(projections)
        stack = torch.stack([simulator.images(field * f, central, image) for f in FIELD_FACTORS])
        region = region_of_interest(central.expand(len(FIELD_FACTORS), -1, -1))
        rows.append(region_mean(predict(network, stack), region))
    write_arrays(
        context.workspace / "scaled_field.npz",
        factors=np.array(FIELD_FACTORS),
        concentration=np.array(middle),
        estimated=np.stack(rows),
    )


def air_sphere(context: StageContext[Experiment]) -> None:
    """Experiment 3: a cylinder with iron near a sphere of air, with both readings of the susceptibility."""
    settings, network = context.settings, trained_network(context.inputs["deepspio/training"], context.device)
    simulator = settings.simulator(context.device)
    density = agar_disc(settings.sequence, simulator)
    parts = [air_images(simulator, density, cgs, AIR_CONCENTRATIONS) for cgs in (0.0, *AIR_CGS)]
    images, truth = (torch.cat([part[index] for part in parts]) for index in (0, 1))
    estimate = predict(network, images)
    write_arrays(
        context.workspace / "air.npz",
        susceptibility_cgs=np.repeat((0.0, *AIR_CGS), len(AIR_CONCENTRATIONS)),
        concentration=np.tile(AIR_CONCENTRATIONS, 1 + len(AIR_CGS)),
        nmae=nmae(estimate, truth),
        images=as_float16(images),
        truth=as_float16(truth),
        estimate=as_float16(estimate),
    )


def air_images(
    simulator: SpioSimulator, density: Tensor, susceptibility_cgs: float, concentrations: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """View Line images of a cylinder with iron beside a void sphere of this susceptibility, and the true maps.

    A susceptibility of 0 leaves the void alone. In SI it is 4 pi times as large, and mu_0 M = chi B_0.
    """
    ball, air = simulator.project((Body(Sphere((8e-3, 0.0, 6e-3), 4e-3), 1.0),))
    of_air = simulator.kernel.field(ball) * (4 * math.pi * susceptibility_cgs * MAIN_FIELD)
    images, truths = [], []
    for concentration in concentrations:
        cylinder = Cylinder((-6e-3, 0.0, -4e-3), 3.5e-3, 16e-3, "y")
        projections, central = simulator.project((Body(cylinder, concentration),))
        images.append(simulator.images(simulator.field(projections) + of_air, central, density * (1.0 - air)))
        truths.append(central)
    return torch.stack(images), torch.stack(truths)


def agar_disc(sequence: SequenceSettings, simulator: SpioSimulator, radius: float = 22e-3) -> Tensor:
    """Spin density of agar in a plastic cylinder of 44 mm across, seen along its axis y."""
    axis = torch.tensor(sequence.sequence().positions(), dtype=torch.float32)
    distance = torch.hypot(axis[:, None], axis[None, :])
    return ((radius - distance) / sequence.sequence().voxel + 0.5).clamp(0.0, 1.0).to(simulator.device)


def bottle(concentration: float, offset: float = 0.0) -> tuple[Body, ...]:
    """The phantom's bottle: 8 mm across, 20 mm long, standing along y; its size is not in the paper."""
    return (Body(Cylinder((offset, 0.0, offset), 4e-3, 20e-3, "y"), concentration),)


def agar_phantom(context: StageContext[Experiment]) -> None:
    """Experiment 4, simulated: bottles in agar with Table 1's concentrations; the second batch stands off centre."""
    settings, network = context.settings, trained_network(context.inputs["deepspio/training"], context.device)
    simulator = settings.simulator(context.device)
    density = agar_disc(settings.sequence, simulator)
    samples = [bottle(value, 0.0 if batch == 1 else 3e-3) for batch, value in TABLE_1]
    batch = simulator.simulate(samples, density.expand(len(samples), -1, -1))
    estimate = predict(network, batch.images)
    centre = region_of_interest(batch.concentration, erosion=round(2e-3 / simulator.sequence.voxel))
    write_arrays(
        context.workspace / "agar.npz",
        batch=np.array([row[0] for row in TABLE_1]),
        concentration=np.array([row[1] for row in TABLE_1]),
        estimated=region_mean(estimate, centre),
        nmae=nmae(estimate, batch.concentration),
        images=as_float16(batch.images),
        truth=as_float16(batch.concentration),
        estimate=as_float16(estimate),
    )


def noise_test(context: StageContext[Experiment]) -> None:
    """Section 5.1: NMAE of a bottle in agar against concentration and noise, with draws of the noise."""
    settings, network = context.settings, trained_network(context.inputs["deepspio/training"], context.device)
    sizes = settings.evaluation
    simulator = settings.simulator(context.device)
    density = agar_disc(settings.sequence, simulator)
    concentrations = np.linspace(0.22, 27.9, sizes.noise_concentrations)
    generator = torch.Generator(simulator.device).manual_seed(context.derived_seed("noise"))

    def scores(concentration: float, draws: int) -> np.ndarray:
        clean = simulator.simulate([bottle(concentration)], density[None])
        found = []
        for snr_db in SNR_LEVELS_DB:
            noisy = add_noise(clean.images.expand(draws, -1, -1, -1), snr_db, generator)
            found.append(nmae(predict(network, noisy), clean.concentration.expand(draws, -1, -1)))
        return np.stack(found)

    table = [scores(float(c), sizes.noise_draws) for c in context.progress(concentrations, description="noise")]
    write_arrays(
        context.workspace / "noise.npz",
        concentration=concentrations,
        snr_db=np.array(SNR_LEVELS_DB),
        nmae=np.stack(table, axis=1),
        detail_nmae=scores(DETAIL_CONCENTRATION, sizes.noise_draws_detail),
    )


def summary(context: StageContext[Experiment]) -> None:
    """The numbers of `held_out` that a recorded sweep keeps."""
    arrays = context.inputs["deepspio/held_out"].arrays("held_out.npz")
    sets = sorted(name.removesuffix("_true_mean") for name in arrays if name.endswith("_true_mean"))
    kept = ("nmae", "constant_nmae", "true_mean", "estimated_mean")
    document = {name: {kind: _rounded(arrays[f"{name}_{kind}"]) for kind in kept} for name in sets}
    write_json(context.workspace / "summary.json", document)


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.4g}") for value in values]


def select(settings: DeepSpioSettings) -> Experiment:
    """What the experiments may see of the settings."""
    return Experiment(settings.sequence, settings.iron, settings.bodies, settings.evaluation)


HELD_OUT = Stage("deepspio/held_out", held_out, select, inputs=(IMAGES, TRAINING))
SUMMARY = Stage("deepspio/summary", summary, select, inputs=(HELD_OUT,))
SCALED_FIELD = Stage("deepspio/scaled_field", scaled_field, select, inputs=(IMAGES, TRAINING))
AIR_SPHERE = Stage("deepspio/air_sphere", air_sphere, select, inputs=(TRAINING,))
AGAR_PHANTOM = Stage("deepspio/agar_phantom", agar_phantom, select, inputs=(TRAINING,))
NOISE = Stage("deepspio/noise", noise_test, select, inputs=(TRAINING,))
