"""Five faults that are often made, each a context in which a true function of the library is replaced by a faulty one.

Inside such a context nothing can be made or recorded (`mrrepro.runs.replaced`). Where a function is imported by name,
it is replaced where it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mrrepro.metrics.electric_fields import Field, FieldDifference, Region, field_difference
from mrrepro.networks.scaling import PerImageScaling
from mrrepro.papers.condnet import stimulation
from mrrepro.papers.dl_ept import verification
from mrrepro.radiomics.nested_validation import NestedValidation, ValidationResult
from mrrepro.runs.replaced import replaced
from mrrepro.simulators import dipole_field, spio_samples
from mrrepro.simulators.dipole_field import SliceKernel, slice_kernel

SLICES = 4
"""Slices of a patient that the leaking validation takes for patients of their own."""

SLICE_SPREAD = 0.1
"""By how much the features of slices of one patient differ, in standard deviations of the patients."""


def missing_fftshift() -> AbstractContextManager[None]:
    """Lay the dipole kernel out around the middle of its grid, and transform it as if it began at the first voxel.

    A shift by half of the (padded) grid multiplies the spectrum by (-1)^(k_x + k_z).
    """

    def unshifted(*arguments: Any, **named: Any) -> SliceKernel:
        kernel = slice_kernel(*arguments, **named)
        rows, columns = (torch.arange(length) for length in kernel.spectrum.shape[1:])
        sign = 1.0 - 2.0 * ((rows[:, None] + columns) % 2)
        return replace(kernel, spectrum=kernel.spectrum * sign.to(kernel.spectrum))

    return replaced((dipole_field, "slice_kernel", unshifted), (spio_samples, "slice_kernel", unshifted))


def leaked_subjects() -> AbstractContextManager[None]:
    """Validate over slices as if each were a patient: slices of one patient are trained on and tested on."""
    over_patients = NestedValidation.run

    def over_slices(
        self: NestedValidation,
        features: Float[np.ndarray, "patients features"],
        labels: Bool[np.ndarray, " patients"],
        patients: Sequence[str],
        seed: int,
    ) -> ValidationResult:
        generator = np.random.default_rng(seed)
        spread = SLICE_SPREAD * features.std(axis=0)
        slices = [features + spread * generator.normal(size=features.shape) for _ in range(SLICES)]
        names = [f"{patient}, slice {number}" for number in range(SLICES) for patient in patients]
        return over_patients(self, np.concatenate(slices), np.tile(labels, SLICES), names, seed)

    return replaced((NestedValidation, "run", over_slices))


def scaled_by_maximum() -> AbstractContextManager[None]:
    """Divide each image by its largest value, where the network was trained on images divided by their rms."""

    def by_maximum(self: PerImageScaling, images: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        return images / images.abs().amax(dim=tuple(range(1, images.ndim)), keepdim=True)

    return replaced((PerImageScaling, "scale_input", by_maximum))


def magnitude_error() -> AbstractContextManager[None]:
    """Compare the sizes of two complex fields, not the fields."""
    found, expected = verification.transmit_field, verification.series_transmit
    return replaced(
        (verification, "transmit_field", lambda flux: found(flux).abs()),
        (verification, "series_transmit", lambda *where: np.abs(expected(*where))),
    )


def wrong_time_convention() -> AbstractContextManager[None]:
    """Take a field of exp(-i omega t) for one of exp(+j omega t): B1+ is conjugated. What `magnitude_error` hides."""
    found = verification.transmit_field
    return replaced((verification, "transmit_field", lambda flux: found(flux).conj().resolve_conj()))


def forgotten_air_mask(voxel_size: float) -> AbstractContextManager[None]:
    """Average over all voxels of the paper's cube of 256 mm, those in air too, in which both fields are zero.

    Parameters
    ----------
    voxel_size : float
        Of the head [m].
    """

    def with_air(field: Field, reference: Field, region: Region) -> FieldDifference:
        edge = max(round(stimulation.PAPER_BOX / voxel_size), *region.shape)
        room = [*((0, edge - length) for length in region.shape), (0, 0)]
        everywhere = np.ones((edge,) * 3, bool)
        return field_difference(np.pad(field, room), np.pad(reference, room), everywhere)

    return replaced((stimulation, "field_difference", with_air))
