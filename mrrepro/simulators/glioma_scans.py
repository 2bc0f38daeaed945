"""T1, T2, FLAIR and post-contrast T1 of a simulated glioma patient on one of many scanners.

Signal equations from tissue parameters, then what a clinical cohort has: other field strengths and timings, a bias
field, images that are registered a little wrongly, Rician noise. Times in seconds, lengths in metres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage
from scipy.spatial.transform import Rotation

from mrrepro.phantoms.enhancement_law import EnhancementLaw
from mrrepro.phantoms.glioma import TISSUES, Anatomy, GliomaPatient, Template, glioma_patient, smooth_field
from mrrepro.simulators.mr_signals import (
    ContrastAgent,
    InversionRecoverySpinEcho,
    RelaxingTissue,
    SpinEcho,
    nulling_inversion_time,
)

MODALITIES = ("t1", "t2", "flair", "t1_contrast")
"""Order of a patient's images; the first three are the inputs of the thesis."""

PROTON_DENSITY = (0.70, 0.82, 1.0, 0.84, 0.86, 0.95, 0.85)
"""Relative to water, in the order of `mrrepro.phantoms.glioma.TISSUES`."""

T1_AT_1_5_T = (0.78, 1.13, 4.2, 1.35, 1.50, 2.60, 1.44)
T1_AT_3_T = (0.95, 1.50, 4.2, 1.70, 1.90, 3.00, 1.65)
"""T1 [s] in the same order; between the field strengths it follows a power law.

At 3 T white and grey matter lie between Stanisz et al., Magn. Reson. Med. 54, 507 (2005) (1.08 and 1.82 s) and
Wansapura et al., J. Magn. Reson. Imaging 9, 531 (1999) (0.83 and 1.33 s); at 1.5 T grey matter is about that of Stanisz
et al. (0.88 and 1.12 s), white matter a tenth shorter, our choice. Blood is that of Lu et al., Magn. Reson. Med. 52,
679 (2004) at 3 T. Fluid does not change with the field. The tumor's three parts are our choice: longer than grey
matter, and longest where it is liquid."""

T2 = (0.075, 0.090, 1.5, 0.130, 0.120, 0.400, 0.040)
"""T2 [s] in the same order, the same at all fields: our choice; blood's is short, for the signal that flow takes."""

FIELD_STRENGTHS = ((1.0, 0.14), (1.5, 0.75), (3.0, 0.11))
"""Field [T] and how often: the shares of the thesis' database (section 2.1) without its few others."""


BIAS_LENGTH = 40e-3
"""Over which the bias field is smooth [m]; our choice."""


@dataclass(frozen=True)
class ScanVariation:
    """How scans differ; our choice, but for the field strengths.

    Parameters
    ----------
    tissue_jitter : float
        Standard deviation of each tissue's PD, T1 and T2 in a patient, as part of the value.
    timing_jitter : float
        Half width of the uniform spread of repetition and echo times, as part of the value.
    noise : float
        Standard deviation of the noise in each channel, as part of the brain's mean signal of the image.
    bias : float
        Standard deviation of the logarithm of the bias that all images of a scan share, smooth over `BIAS_LENGTH`;
        each image has half as much of its own besides, 1.12 times as much in all.
    shift, rotation : float
        Standard deviation of each component of the misregistration of T2, FLAIR and post-contrast T1 against T1 [m]
        and [rad].
    core_contrast : float
        Logarithm by which T1 of the core is longer than usual. At 0 the core is hardly told from oedema at 4 mm, so
        that where a tumor enhances is uncertain even where all of the core does.
    relaxivity : float
        r1 of the contrast agent [m^3/(mol s)]; r2 is 1.2 times that.
    """

    tissue_jitter: float = 0.05
    timing_jitter: float = 0.1
    noise: float = 0.03
    bias: float = 0.04
    shift: float = 0.8e-3
    rotation: float = 0.01
    core_contrast: float = 0.0
    relaxivity: float = 4.5


@dataclass(frozen=True)
class GliomaScan:
    """Magnitude images of a patient and the masks that come with them.

    Parameters
    ----------
    images : array, (4, x, y, z)
        In the order of `MODALITIES`, in a unit that differs from scanner to scanner.
    brain, tumor : array, (x, y, z)
        The atlas' brain, and tumor with oedema.
    patient : GliomaPatient
        What is known of the patient.
    field : float
        Of the scanner [T].
    """

    images: Float[np.ndarray, "4 x y z"]
    brain: Bool[np.ndarray, "x y z"]
    tumor: Bool[np.ndarray, "x y z"]
    patient: GliomaPatient
    field: float


@dataclass(frozen=True)
class GliomaCohort:
    """Simulated patients with their scans; a patient is a pure function of seed and number."""

    template: Template
    law: EnhancementLaw
    anatomy: Anatomy
    variation: ScanVariation
    seed: int

    def scan(self, number: int) -> GliomaScan:
        """Make patient ``number``, at least 0, and scan him; every second one enhances."""
        patient = glioma_patient(self.template, self.law, self.anatomy, seed=self.seed, number=number)
        generator = np.random.default_rng([self.seed, number, 1])
        return scan_patient(patient, self.template, self.variation, generator)


def scan_patient(
    patient: GliomaPatient, template: Template, variation: ScanVariation, generator: np.random.Generator
) -> GliomaScan:
    """Scan a patient once.

    Parameters
    ----------
    patient : GliomaPatient
        Tissue maps on the template's grid.
    template : Template
        The grid, and the brain's mask.
    variation : ScanVariation
        How scans differ.
    generator : numpy.random.Generator
        Draws scanner, timings, bias, misregistration and noise, in this order.
    """
    fields, shares = zip(*FIELD_STRENGTHS, strict=True)
    field = float(generator.choice(fields, p=shares))
    signals = _signals(patient, field, variation, generator)
    bias = smooth_field(template.shape, BIAS_LENGTH, template.voxel, generator)
    images = np.empty((len(MODALITIES), *template.shape), dtype=np.float32)
    for target, name in zip(images, MODALITIES, strict=True):
        moved = signals[name] if name == "t1" else _moved(signals[name], template.voxel, variation, generator)
        own_bias = bias + 0.5 * smooth_field(template.shape, BIAS_LENGTH, template.voxel, generator)
        clean = (moved * np.exp(variation.bias * own_bias)).astype(np.float32)
        sigma = variation.noise * float(clean[template.brain].mean())
        noise = sigma * generator.standard_normal((2, *template.shape), dtype=np.float32)
        gain = generator.uniform(300.0, 900.0)  # the arbitrary unit of a scanner
        target[...] = gain * np.hypot(clean + noise[0], noise[1])
    return GliomaScan(images, template.brain, patient.tumor, patient, field)


def _signals(
    patient: GliomaPatient, field: float, variation: ScanVariation, generator: np.random.Generator
) -> dict[str, Float[np.ndarray, "x y z"]]:
    """Noise-free signals: each voxel is the sum of its tissues' signals, contrast agent shortening T1 where it is."""
    jitter = np.clip(generator.normal(1.0, variation.tissue_jitter, (3, len(T2))), 0.7, 1.3)
    density, t1, t2 = np.array(PROTON_DENSITY) * jitter[0], _t1_at(field) * jitter[1], np.array(T2) * jitter[2]

    core = TISSUES.index("core")
    t1[core] *= math.exp(0.4 * patient.core_water + variation.core_contrast)
    t2[core] *= math.exp(patient.core_water)

    def spread(value: float) -> float:
        return value * float(generator.uniform(1.0 - variation.timing_jitter, 1.0 + variation.timing_jitter))

    t1_weighted = SpinEcho(spread(0.5), spread(0.012))
    t2_weighted = SpinEcho(spread(4.5), spread(0.1))
    repetition, echo = spread(9.0), spread(0.12)
    inversion = float(nulling_inversion_time(repetition, echo, torch.tensor(t1[2])))
    flair = InversionRecoverySpinEcho(repetition, echo, inversion)
    agent = ContrastAgent(variation.relaxivity, 1.2 * variation.relaxivity)
    sums = {name: np.zeros(patient.uptake.shape, dtype=np.float32) for name in MODALITIES}
    with_agent = patient.uptake > 0
    concentration = torch.from_numpy(patient.uptake[with_agent])
    for part, *values in zip(patient.tissues, density, t1, t2, strict=True):
        tissue = RelaxingTissue(*(torch.tensor(float(value), dtype=torch.float32) for value in values))
        before = float(t1_weighted.signal(tissue))
        after = np.full(part.shape, before, dtype=np.float32)
        after[with_agent] = t1_weighted.signal(agent.taken_up(tissue, concentration)).numpy()
        sums["t1"] += before * part
        sums["t1_contrast"] += after * part
        sums["t2"] += float(t2_weighted.signal(tissue)) * part
        sums["flair"] += abs(float(flair.signal(tissue))) * part
    return sums


def _t1_at(field: float) -> Float[np.ndarray, " tissues"]:
    low, high = np.array(T1_AT_1_5_T), np.array(T1_AT_3_T)
    return np.asarray(low * (field / 1.5) ** (np.log(high / low) / np.log(2.0)))


def _moved(
    image: Float[np.ndarray, "x y z"], voxel: float, variation: ScanVariation, generator: np.random.Generator
) -> Float[np.ndarray, "x y z"]:
    """Turn and shift an image a little, as imperfect registration leaves it."""
    turn = Rotation.from_rotvec(generator.normal(0.0, variation.rotation, 3)).as_matrix()
    shift = generator.normal(0.0, variation.shift, 3) / voxel
    middle = (np.array(image.shape) - 1.0) / 2.0
    return np.asarray(ndimage.affine_transform(image, turn, middle - turn @ middle + shift, order=1, mode="nearest"))
