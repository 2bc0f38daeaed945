"""Scanners: the one whose images are trained on, and variants of field, sequence and slices that training never saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32

from mrrepro.phantoms.head import Head
from mrrepro.phantoms.head_tissues import HEAD_TISSUES
from mrrepro.simulators.head_images import (
    HeadScan,
    Relaxation,
    bias_field,
    head_relaxation,
    rician,
    varied_relaxation,
)
from mrrepro.simulators.mr_signals import RelaxingTissue, SpinEcho, SpoiledGradientEcho

Images = Float32[np.ndarray, "2 x y z"]
Tissues = Mapping[str, Relaxation]

LENS = Relaxation(0.65, 1.1, 0.030)
"""The lens of the eye at 3 T, which no training head has; our choice."""

TUMOUR = Relaxation(0.88, 1.9, 0.140)
"""A glioma's solid part at 3 T; our choice."""

SHADING_LENGTH = 0.06
"""Over which the receive field varies [m]."""

REFERENCE = HEAD_TISSUES.index("white_matter")


@dataclass(frozen=True)
class ScannerVariant:
    """A scanner's field and its two sequences.

    Parameters
    ----------
    name : str
        For tables.
    field : float
        1.5 or 3 [T].
    t1_weighted, t2_weighted : sequence
        With ``signal(tissue)``.
    slice_thickness : float
        Of axial slices [m], which are then interpolated linearly; 0 for isotropic images.
    """

    name: str
    field: float
    t1_weighted: SpoiledGradientEcho | SpinEcho
    t2_weighted: SpinEcho
    slice_thickness: float = 0.0

    def tissues_of(self, spread: float, generator: np.random.Generator) -> Tissues:
        """Relaxation of one person's tissues at this field; generators in one state give one person at any field."""
        return varied_relaxation(head_relaxation(self.field), spread, generator)

    def signals(self, tissues: Tissues) -> Float[np.ndarray, "2 tissue"]:
        """Signal of each of ``HEAD_TISSUES`` in both images, in units of that of white matter."""
        found = [HeadScan(each, tissues).tissue_signals() for each in (self.t1_weighted, self.t2_weighted)]
        return np.stack([each / each[REFERENCE] for each in found])

    def signals_of(self, tissue: Relaxation, tissues: Tissues) -> Float[np.ndarray, 2]:
        """Signal of another tissue in both images, in units of that of white matter."""
        white, values = tissues["white_matter"], []
        for sequence in (self.t1_weighted, self.t2_weighted):
            one, other = (float(sequence.signal(relaxing(each))) for each in (tissue, white))
            values.append(one / other)
        return np.array(values)

    def ideal_images(self, fractions: Float[np.ndarray, "tissue x y z"], tissues: Tissues) -> Images:
        """Images without noise and shading: every voxel the mean of its tissues' signals."""
        return np.tensordot(self.signals(tissues).astype(np.float32), np.asarray(fractions, np.float32), axes=1)

    def sliced(self, images: Images, voxel_size: float) -> Images:
        """The images as thick axial slices that were interpolated back onto the grid; unchanged for thickness 0."""
        thick = round(self.slice_thickness / voxel_size)
        if thick <= 1:
            return images
        count = images.shape[-1]
        starts = range(0, count, thick)
        means = np.stack([images[..., first : first + thick].mean(axis=-1) for first in starts], axis=-1)
        middles = np.array([0.5 * (first + min(first + thick, count) - 1) for first in starts])
        place = np.interp(np.arange(count), middles, np.arange(len(middles)))
        low = np.minimum(place.astype(int), len(middles) - 2) if len(middles) > 1 else np.zeros(count, int)
        part = (place - low).astype(np.float32)
        upper = np.minimum(low + 1, len(middles) - 1)
        return means[..., low] * (1.0 - part) + means[..., upper] * part


TRAINED = ScannerVariant(
    "trained on: 3 T, isotropic", 3.0, SpoiledGradientEcho(0.020, 0.004, np.deg2rad(20.0)), SpinEcho(4.0, 0.090)
)
"""Whose images the networks are trained on."""

VARIANTS = (
    ScannerVariant("as GE Genesis: 1.5 T", 1.5, SpinEcho(0.60, 0.012), SpinEcho(3.5, 0.100), 5e-3),
    ScannerVariant("as Philips Intera: 1.5 T", 1.5, SpinEcho(0.50, 0.015), SpinEcho(5.0, 0.080), 5e-3),
    ScannerVariant("as Siemens Symphony: 1.5 T", 1.5, SpinEcho(0.45, 0.014), SpinEcho(4.5, 0.110), 6e-3),
)
"""Stand for the scanners of Table IV, which states the field and the names of the series; times are our choice."""


def relaxing(tissue: Relaxation) -> RelaxingTissue:
    """One tissue as the signal equations take it."""
    return RelaxingTissue(
        *(torch.tensor(v, dtype=torch.float64) for v in (tissue.proton_density, tissue.t1, tissue.t2))
    )


def with_receive_effects(images: Images, head: Head, snr: float, bias: float, generator: np.random.Generator) -> Images:
    """Add a smooth shading of its own and Rician noise to each image.

    Parameters
    ----------
    images : ndarray, (2, x, y, z)
        In units of the signal of white matter.
    head : Head
        Whose images they are.
    snr : float
        Signal of white matter over the noise's standard deviation.
    bias : float
        Standard deviation of the logarithm of the shading; 0 for none.
    generator : np.random.Generator
        Is advanced.
    """
    made = []
    for image in images:
        shaded = image * bias_field(head, bias, SHADING_LENGTH, generator) if bias > 0.0 else image
        made.append(rician(shaded, 1.0 / snr, generator))
    return np.stack(made)
