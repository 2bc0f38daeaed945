"""Checks and benchmarks of the Contrast T1 chapter: each measures its own deviation from an independent reference."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from mrrepro.metrics.image_errors import enhancement_errors, image_errors
from mrrepro.metrics.regions import Region, RegionMasks
from mrrepro.metrics.structural_similarity import CONVENTIONS, SIGNED_UNIT_RANGE, structural_similarity_map
from mrrepro.networks.network_size import count_weights
from mrrepro.networks.unet3d import MODELS, UnetSize
from mrrepro.papers.contrast_t1.benchmarks import BENCHMARKS
from mrrepro.radiomics.nested_validation import LOGISTIC, NestedValidation
from mrrepro.runs.checks import Check
from mrrepro.simulators.mr_signals import InversionRecoverySpinEcho, RelaxingTissue, SpinEcho, SpoiledGradientEcho

__all__ = ["BENCHMARKS", "CHECKS"]


def ssim3d() -> float:
    """Largest deviation of the map of structural similarity from scikit-image's, over the three conventions."""
    from skimage.metrics import structural_similarity as reference_similarity

    generator = torch.Generator().manual_seed(0)
    waves = torch.sin(torch.linspace(0, 9, 24 * 26 * 22, dtype=torch.float64)).view(1, 1, 24, 26, 22)
    image = 0.7 * waves + 0.1 * torch.randn(waves.shape, generator=generator, dtype=torch.float64)
    other = 0.7 * waves + 0.1 * torch.randn(waves.shape, generator=generator, dtype=torch.float64)
    deviations = []
    for convention in CONVENTIONS.values():
        shifted = [((volume + convention.offset) * convention.scale)[0, 0].numpy() for volume in (image, other)]
        _, expected = reference_similarity(
            *shifted,
            data_range=convention.data_range,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        found = structural_similarity_map(image, other, convention)[0, 0].numpy()
        deviations.append(float(np.abs(found - expected[5:-5, 5:-5, 5:-5]).max()))
    return max(deviations)


def signal_equations() -> float:
    """Largest relative deviation of the three signal equations from stepping the Bloch equations to steady state."""
    density, t1, t2 = 0.8, 1.1, 0.09
    tissue = RelaxingTissue(*(torch.tensor(value, dtype=torch.float64) for value in (density, t1, t2)))
    echo, repetition, inversion, angle = 0.08, 2.0, 0.7, 0.6
    refocus = [("wait", echo / 2), ("pulse", math.pi), ("wait", echo / 2), ("read", 0.0)]
    spin_echo = [("pulse", math.pi / 2), *refocus, ("wait", repetition - echo)]
    gradient_echo = [("pulse", angle), ("wait", echo), ("read", 0.0), ("wait", repetition - echo)]
    recovery = [("pulse", math.pi), ("wait", inversion), ("pulse", math.pi / 2), *refocus]
    recovery.append(("wait", repetition - inversion - echo))
    pairs = (
        (SpinEcho(repetition, echo).signal(tissue), spin_echo),
        (SpoiledGradientEcho(repetition, echo, angle).signal(tissue), gradient_echo),
        (InversionRecoverySpinEcho(repetition, echo, inversion).signal(tissue), recovery),
    )
    stepped = [abs(_stepped_signal(train, density, t1, t2)) for _, train in pairs]
    return max(abs(abs(signal.item()) / step - 1.0) for (signal, _), step in zip(pairs, stepped, strict=True))


def _stepped_signal(train: Sequence[tuple[str, float]], density: float, t1: float, t2: float) -> float:
    """Rotate and relax the magnetisation through 100 repetitions, spoiling the transverse part between them."""
    transverse, longitudinal, signal = 0.0, density, 0.0
    for _ in range(100):
        transverse = 0.0
        for kind, value in train:
            if kind == "wait":
                transverse *= math.exp(-value / t2)
                longitudinal = density + (longitudinal - density) * math.exp(-value / t1)
            elif kind == "pulse":
                rotation = complex(longitudinal, transverse) * complex(math.cos(value), -math.sin(value))
                longitudinal, transverse = rotation.real, rotation.imag
            else:
                signal = transverse
    return signal


def parameter_counts() -> float:
    """Largest deviation of the five models' weights from layers counted by hand (64 filters, depth 5)."""

    def convolutions(taps: int, channels: Sequence[tuple[int, int]]) -> int:
        return taps**3 * sum(inputs * outputs for inputs, outputs in channels)

    path = [(64, 128), (128, 256), (256, 512), (512, 512), (512, 512), (1024, 256), (512, 128), (256, 64)]
    normalised = 2 * sum(outputs for _, outputs in path)
    baseline = convolutions(4, [(3, 64), *path, (128, 1)]) + 1 + normalised
    tuned = convolutions(3, [(3, 64), (64, 64), *path, (128, 64), (128, 1)]) + 1 + normalised + 2 * 64
    branched = tuned + 3 * (convolutions(3, [(1, 32)]) + 2 * 32) + convolutions(3, [(96 - 3, 64)])
    gates = sum(width**2 + width + 1 for width in (512, 256, 128, 64, 64))
    inputs = (64, 64, 128, 256, 512, 512, 1024, 512, 256, 128)
    residuals = sum(2 * convolutions(3, [(width, width)]) + 4 * width for width in inputs)
    expected = (baseline, tuned, branched, branched + gates, branched + residuals)
    deviations = []
    for number, weights in enumerate(expected):
        with torch.device("meta"):
            deviations.append(abs(count_weights(MODELS[number](UnetSize())) - weights))
    return float(max(deviations))


def metric_masks() -> float:
    """Largest deviation of errors over image, brain, tumor and enhancement from values worked out by hand."""
    brain = torch.zeros(1, 1, 12, 12, 12, dtype=torch.bool)
    brain[:, :, :9] = True  # 1296 of 1728 voxels
    tumor = torch.zeros_like(brain)
    tumor[:, :, 4:8, 4:8, 4:8] = True  # 64 voxels
    masks = RegionMasks(brain, tumor, torch.zeros_like(brain))
    flat = torch.full(brain.shape, 0.5, dtype=torch.float64)
    wrong = flat + torch.where(tumor, 0.5, torch.where(brain, -0.25, 7.0))
    errors = image_errors(wrong, flat, masks, SIGNED_UNIT_RANGE)
    sums = {Region.IMAGE: 1728, Region.BRAIN: 1296}
    pairs = [(errors[Region.TUMOR].mae, 0.5), (errors[Region.TUMOR].mse, 0.25)]
    pairs += [(errors[region].mae, (64 * 0.5 + 1232 * 0.25) / count) for region, count in sums.items()]
    pairs += [(errors[region].mse, (64 * 0.25 + 1232 * 0.0625) / count) for region, count in sums.items()]
    whole = RegionMasks(torch.ones_like(brain), tumor, torch.zeros_like(brain))
    constant = image_errors(flat - 0.75, flat, whole, SIGNED_UNIT_RANGE)  # no variance: the luminance term is left
    pairs += [(value.ssim, (-0.25 + 1e-4) / (0.3125 + 1e-4)) for value in constant.values()]
    before = torch.zeros_like(flat)
    truth, found = before.clone(), before.clone()
    truth[0, 0, 4, 4:8, 4:8] = 0.8  # 16 voxels enhance,
    found[0, 0, 4, 4:7, 4:8] = 0.4  # 12 of them are found,
    found[0, 0, 5, 4, 4:8] = 0.4  # with 4 false ones in the tumor
    found[0, 0, 1, 0, :5] = 0.6  # and 5 in healthy brain
    seen = enhancement_errors(found, truth, before, masks)
    pairs += [(seen.dice, 24 / 32), (seen.mae, (12 * 0.4 + 4 * 0.8) / 16), (seen.amplitude_kept, 0.375)]
    pairs += [(seen.auc, (12 * 44 + 12 * 4 / 2 + 4 * 44 / 2) / (16 * 48)), (seen.false_in_tumor, 4)]
    pairs += [(seen.false_in_healthy_brain, 5), (seen.false_fraction_of_healthy_brain, 5 / 1232)]
    return max(abs(float(value) - expected) for value, expected in pairs)


def shuffled_labels_auc() -> float:
    """Deviation from one half of the nested area under the curve, averaged over 16 shufflings of a cohort's labels."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2 == 0
    features = rng.normal(size=(200, 50))
    features[:, :3] += 1.0 * labels[:, None]
    patients = [f"patient-{number}" for number in range(200)]
    validation = NestedValidation((LOGISTIC,), outer_splits=4, inner_folds=3, candidates=2, selected_features=(3, 10))
    areas = [
        validation.run(features, rng.permutation(labels), patients, seed=shuffling).interval().mean
        for shuffling in range(16)
    ]
    return abs(float(np.mean(areas)) - 0.5)


CHECKS = (
    Check("contrast_t1.ssim3d", "deviation of 3D SSIM from scikit-image's, three conventions", 1e-6, "1", ssim3d),
    Check(
        "contrast_t1.signal_equations",
        "relative deviation of spin echo, gradient echo and inversion recovery from stepping the Bloch equations",
        1e-10,
        "1",
        signal_equations,
    ),
    Check(
        "contrast_t1.parameter_counts",
        "deviation of five models' weights from layers counted by hand",
        0.0,
        "1",
        parameter_counts,
    ),
    Check(
        "contrast_t1.metric_masks",
        "deviation of errors by region from values worked out by hand",
        1e-9,
        "1",
        metric_masks,
    ),
    Check(
        "contrast_t1.shuffled_labels_auc",
        "deviation from 1/2 of the nested AUC with shuffled labels; one shuffling has a standard deviation of 0.07, "
        "the mean of sixteen 0.018, and the limit is four of these",
        0.07,
        "1",
        shuffled_labels_auc,
    ),
)
