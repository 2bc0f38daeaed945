"""Scanners: the one whose images are trained on, and variants of field, sequence and slices that training never saw.

Relaxation times are rounded from Stanisz et al., Magn. Reson. Med. 54, 507-512, 2005 (white and grey matter, muscle,
blood) and de Bazelaire et al., Radiology 230, 652-659, 2004 (fat, marrow); the others, and all proton densities, are
our choice in the range that textbooks give.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32

from mrrepro.phantoms.head_tissues import HEAD_TISSUES
from mrrepro.simulators.acquisition import magnitude_with_noise, receive_field
from mrrepro.simulators.mr_signals import RelaxingTissue, SpinEcho, SpoiledGradientEcho
from mrrepro.validation import require_choice

Images = Float32[np.ndarray, "2 x y z"]


@dataclass(frozen=True)
class Relaxation:
    """Proton density relative to water, T1 [s] at 1.5 T and at 3 T, and T2 [s] of a tissue."""

    proton_density: float
    t1_at_1_5: float
    t1_at_3: float
    t2: float

    def at(self, field: float) -> RelaxingTissue:
        """As the signal equations take it, at 1.5 or 3 T."""
        require_choice("field", field, (1.5, 3.0))
        t1 = self.t1_at_1_5 if field == 1.5 else self.t1_at_3
        return RelaxingTissue(
            *(torch.tensor(value, dtype=torch.float64) for value in (self.proton_density, t1, self.t2))
        )


RELAXATION: dict[str, Relaxation] = {
    "air": Relaxation(0.0, 1.0, 1.0, 0.1),
    "blood": Relaxation(0.85, 1.44, 1.93, 0.28),
    "bone_cancellous": Relaxation(0.45, 0.55, 0.59, 0.049),
    "bone_cortical": Relaxation(0.15, 0.2, 0.25, 0.002),
    "cerebellum": Relaxation(0.78, 1.0, 1.4, 0.090),
    "csf": Relaxation(1.0, 4.0, 4.2, 1.8),
    "dura": Relaxation(0.55, 0.9, 1.1, 0.025),
    "fat": Relaxation(0.9, 0.34, 0.38, 0.063),
    "grey_matter": Relaxation(0.82, 1.12, 1.62, 0.097),
    "mucous_tissue": Relaxation(0.85, 1.2, 1.5, 0.12),
    "muscle": Relaxation(0.78, 1.01, 1.41, 0.047),
    "skin": Relaxation(0.65, 0.75, 0.95, 0.032),
    "vitreous_humour": Relaxation(0.98, 3.6, 3.9, 1.2),
    "white_matter": Relaxation(0.70, 0.84, 1.08, 0.071),
}
"""Of the tissues of a head, and of air."""

LENS = Relaxation(0.65, 1.0, 1.1, 0.030)
"""The lens of the eye, which no training head has; our choice."""

TUMOUR = Relaxation(0.88, 1.5, 1.9, 0.140)
"""A glioma's solid part; our choice."""

REFERENCE_TISSUE = "white_matter"


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

    def signals(self, tissue: Relaxation) -> tuple[float, float]:
        """Signal of a tissue in both images, in units of that of white matter."""
        reference = RELAXATION[REFERENCE_TISSUE].at(self.field)
        found = [
            float(s.signal(tissue.at(self.field)) / s.signal(reference)) for s in (self.t1_weighted, self.t2_weighted)
        ]
        return found[0], found[1]

    def ideal_images(self, fractions: Float[np.ndarray, "tissue x y z"]) -> Images:
        """Images without noise and bias: every voxel the mean of its tissues' signals."""
        table = np.array([self.signals(RELAXATION[tissue]) for tissue in HEAD_TISSUES], np.float32)
        return np.tensordot(table.T, np.asarray(fractions, np.float32), axes=1)

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


def with_receive_effects(
    images: Images, voxel_size: float, snr: float, bias: float, generator: np.random.Generator
) -> Images:
    """Add a smooth receive field of its own and Rician noise to each image.

    Parameters
    ----------
    images : ndarray, (2, x, y, z)
        In units of the signal of white matter.
    voxel_size : float
        [m].
    snr : float
        Signal of white matter over the noise's standard deviation.
    bias : float
        Standard deviation of the logarithm of the receive field.
    generator : np.random.Generator
        Is advanced.
    """
    made = []
    for image in images:
        x, y, z = image.shape
        field = receive_field((x, y, z), voxel_size, bias, generator)
        made.append(magnitude_with_noise(image * field, 1.0 / snr, generator))
    return np.stack(made)
