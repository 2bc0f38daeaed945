"""The stage that asks what the network looks at: Grad-CAM and guided backpropagation (section 5.2)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mrrepro.attribution.grad_cam import grad_cam
from mrrepro.attribution.guided_backpropagation import guided_backpropagation
from mrrepro.attribution.inspection import convolution_names
from mrrepro.attribution.targets import ChannelSum, TrainingLoss
from mrrepro.papers.deepspio.experiments import AIR_CGS, TABLE_1, Experiment, agar_disc, air_images, bottle, select
from mrrepro.papers.deepspio.stages import TRAINING, as_float16, trained_network
from mrrepro.runs.files import write_arrays
from mrrepro.runs.stages import Stage, StageContext
from mrrepro.simulators.view_line import add_noise
from mrrepro.training.losses import normalised_absolute_deviation

SALIENCY_CONCENTRATIONS = (0.22, 3.23, 6.91, 10.58, 14.26, 17.94, 21.62, 25.31)
"""[ug/mm^3]; Fig. 13."""

AIR_SALIENCY_CONCENTRATIONS = (0.22, 6.91, 14.26, 21.62)
"""[ug/mm^3]; Fig. 14."""

NOISY_DB = 5.0
"""Fig. 13 [dB]."""

DEEPEST = ("bottleneck.3", "down.3")
"""The last residual block, Fig. 11's 'last layer of the bottleneck'; in the U-Net, which has none, its lowest level."""


def attention(context: StageContext[Experiment]) -> None:
    """Grad-CAM of the second batch (Fig. 11) and of the fifth convolution (Fig. 12); saliency (Figs. 13 and 14)."""
    settings, network = context.settings, trained_network(context.inputs["deepspio/training"], context.device)
    simulator = settings.simulator(context.device)
    density = agar_disc(settings.sequence, simulator)
    second = [bottle(value, 3e-3) for batch, value in TABLE_1 if batch == 2]
    scans = simulator.simulate(second, density.expand(len(second), -1, -1)).images
    fifth = convolution_names(network)[4]
    modules = dict(network.named_modules())
    deepest = next(name for name in DEEPEST if name in modules)

    def saliency(images: Tensor, concentration: Tensor) -> np.ndarray:
        """Guided backpropagation of the training loss, the larger of both channels."""
        target = TrainingLoss(normalised_absolute_deviation, network.target(concentration))  # type: ignore[operator]
        return as_float16(guided_backpropagation(network, images, target).abs().amax(dim=1))

    bottles = [bottle(value) for value in SALIENCY_CONCENTRATIONS]
    clean = simulator.simulate(bottles, density.expand(len(bottles), -1, -1))
    generator = torch.Generator(simulator.device).manual_seed(context.derived_seed("noise"))
    noisy = add_noise(clean.images, NOISY_DB, generator)
    beside_air, truth = air_images(simulator, density, AIR_CGS[0], AIR_SALIENCY_CONCENTRATIONS)
    write_arrays(
        context.workspace / "attention.npz",
        scan_concentration=np.array([value for batch, value in TABLE_1 if batch == 2]),
        scans=as_float16(scans),
        bottleneck_attention=as_float16(grad_cam(network, deepest, scans, ChannelSum(0))),
        fifth_attention=as_float16(grad_cam(network, fifth, scans, ChannelSum(0))),
        concentration=np.array(SALIENCY_CONCENTRATIONS),
        clean=as_float16(clean.images),
        noisy=as_float16(noisy),
        clean_saliency=saliency(clean.images, clean.concentration),
        noisy_saliency=saliency(noisy, clean.concentration),
        air_concentration=np.array(AIR_SALIENCY_CONCENTRATIONS),
        air=as_float16(beside_air),
        air_saliency=saliency(beside_air, truth),
    )


ATTENTION = Stage("deepspio/attention", attention, select, inputs=(TRAINING,))
