"""Helmholtz EPT of the brain that EPTlib's tutorial publishes: fields that another group's code simulated.

At 64 MHz and 2 mm, without noise, with the true conductivity. Its time dependence, exp(+i omega t), is that of the
solvers here, and half of its transceive phase is taken for the phase of B1+.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage

from mrrepro.papers.dl_ept.reconstruction import KERNELS, statistics
from mrrepro.runs.real_data import load_subject, look_for
from mrrepro.solvers.helmholtz_ept import helmholtz_ept, phase_only_ept, transmit_from_measurement
from mrrepro.solvers.laplacian_kernels import DEFAULT_SIZE

DATA_SET, SUBJECT = "eptlib_tutorial", "brain_15t"

FITTED = "savitzky_golay_cuboid"

Volume = Float[np.ndarray, "x y z"]


@dataclass(frozen=True)
class BrainMaps:
    """The true conductivity and the reconstructed ones [S/m], NaN where a kernel leaves the head."""

    truth: Volume
    maps: Mapping[str, Volume]
    white_matter: Bool[np.ndarray, "x y z"]
    apart: Bool[np.ndarray, "x y z"]
    voxel_mm: float
    frequency: float

    def rows(self) -> list[dict[str, float | str]]:
        """Mean and sd of each reconstruction in white matter, all of it and where no boundary is in reach."""
        regions = {"white matter": self.white_matter, "of it, no boundary in reach": self.white_matter & self.apart}
        found: list[dict[str, float | str]] = []
        for method, values in self.maps.items():
            for name, region in regions.items():
                here = statistics(torch.from_numpy(values), region)
                found.append({"method": method, "region": name, "voxels": here["n"], "mean": here["mean"]})
                found[-1] |= {"sd": here["sd"], "truth": float(self.truth[region].mean())}
        return found

    def boundary_ratio(self, method: str) -> float:
        """Return the RMS error within reach of a boundary over that beyond."""
        error, known = self.maps[method] - self.truth, np.isfinite(self.maps[method])
        near, far = (error[known & region] for region in (~self.apart, self.apart))
        return float(np.sqrt((near**2).mean() / (far**2).mean()))


def brain_at_hand() -> tuple[BrainMaps | None, str]:
    """Return the brain's maps, or None and what is missing and how to get it."""
    held = look_for(DATA_SET, (SUBJECT,))
    return (reconstruct_brain(), "") if held.complete else (None, held.sentence())


def reconstruct_brain() -> BrainMaps:
    """Reconstruct the conductivity with the quietest and the noisiest kernel and from the phase alone."""
    fields = load_subject(DATA_SET, SUBJECT)
    mask = torch.from_numpy(fields.inside)
    phase = torch.from_numpy(fields.transceive_phase)
    transmit = transmit_from_measurement(torch.from_numpy(fields.transmit_sensitivity), phase, mask)
    maps = {
        name.replace("_", " "): helmholtz_ept(
            transmit, fields.frequency, KERNELS[name](fields.voxel_size, DEFAULT_SIZE), mask
        ).conductivity
        for name in ("axis_noise_robust", FITTED)
    }
    kernel = KERNELS[FITTED](fields.voxel_size, DEFAULT_SIZE)
    maps["phase alone"] = phase_only_ept(phase, fields.frequency, kernel, mask).conductivity
    return BrainMaps(
        fields.conductivity,
        {name: values.numpy() for name, values in maps.items()},
        fields.white_matter,
        _uniform_around(fields.conductivity, fields.inside),
        fields.voxel_size[0] * 1e3,
        fields.frequency,
    )


def _uniform_around(truth: Volume, inside: Bool[np.ndarray, "x y z"]) -> Bool[np.ndarray, "x y z"]:
    """Voxels around which the whole kernel sees one conductivity."""
    high, low = (filtered(truth, DEFAULT_SIZE) for filtered in (ndimage.maximum_filter, ndimage.minimum_filter))
    uniform: Bool[np.ndarray, "x y z"] = inside & (high - low < 1e-3 * np.maximum(high, 1e-6))
    return uniform
