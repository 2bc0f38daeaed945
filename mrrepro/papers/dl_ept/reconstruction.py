"""Maps of conductivity and permittivity from a measured case: by a network slice by slice, or by Helmholtz EPT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor

from mrrepro.networks.scaled_generator import ScaledGenerator
from mrrepro.papers.dl_ept.network_inputs import (
    Measurement,
    add_noise,
    measurement_of,
    off_square,
    on_square,
)
from mrrepro.papers.dl_ept.settings import HelmholtzSettings, MeasurementSettings
from mrrepro.phantoms.head_tissues import HEAD_TISSUES
from mrrepro.solvers.helmholtz_ept import EptMaps, helmholtz_ept, transmit_from_measurement
from mrrepro.solvers.laplacian_kernels import (
    LaplacianKernel,
    axis_noise_robust,
    savitzky_golay_cuboid,
    savitzky_golay_ellipsoid,
    smoothed_noise_robust,
)

Arrays = Mapping[str, np.ndarray[Any, Any]]

KERNELS: dict[str, Callable[..., LaplacianKernel]] = {
    "axis_noise_robust": axis_noise_robust,
    "smoothed_noise_robust": smoothed_noise_robust,
    "savitzky_golay_ellipsoid": savitzky_golay_ellipsoid,
    "savitzky_golay_cuboid": savitzky_golay_cuboid,
}

LEAST_VOXELS = 200
"""A tissue with fewer voxels left is eroded by one less, down to none."""


def noisy(measured: Measurement, snr: float, phase_sd: float, seed: int) -> Measurement:
    """Return a measurement with noise [relative, rad]."""
    generator = torch.Generator().manual_seed(seed)
    channels = add_noise(measured.channels(), snr, phase_sd, generator).permute(1, 2, 3, 0)
    return replace(measured, magnitude=channels[0], phase=channels[1])


def by_network(network: ScaledGenerator, measured: Measurement, size: int) -> Float[Tensor, "x y z"]:
    """Return the map of a network, NaN outside the object; axial slices on squares of ``size`` pixels."""
    device = next(network.parameters()).device
    squares = on_square(measured.channels(), size)
    network.eval()
    with torch.no_grad():
        parts = [network(part.to(device)).cpu() for part in squares.split(32)]
    found = off_square(torch.cat(parts)[:, 0], measured.mask.shape[:2]).permute(1, 2, 0)
    return torch.where(measured.mask, found.float(), torch.nan)


def by_helmholtz(measured: Measurement, voxel_size: float, frequency: float, settings: HelmholtzSettings) -> EptMaps:
    """Return the maps of Helmholtz EPT from magnitude and half the transceive phase."""
    kernel = KERNELS[settings.kernel]((voxel_size,) * 3, settings.size)
    transmit = transmit_from_measurement(measured.magnitude, measured.phase, measured.mask)
    return helmholtz_ept(transmit, frequency, kernel, measured.mask)


def measure_case(case: Arrays, third: str, settings: MeasurementSettings, seed: int) -> Measurement:
    """Return a case as measured, with noise."""
    measured = measurement_of(case, third, settings.phase)
    return noisy(measured, settings.snr, settings.phase_sd_mrad * 1e-3, seed)


@dataclass(frozen=True)
class Region:
    """Voxels of a tissue, and how many layers were taken off."""

    inside: Bool[np.ndarray, "x y z"]
    erosion: int


def tissue_region(labels: np.ndarray[Any, Any], tissue: str, erosion: int, least: int = LEAST_VOXELS) -> Region:
    """Return a tissue less ``erosion`` layers of voxels; fewer layers where less than ``least`` voxels would remain."""
    whole = labels == HEAD_TISSUES.index(tissue)
    for layers in range(erosion, 0, -1):
        inside = ndimage.binary_erosion(whole, iterations=layers)
        if inside.sum() >= least:
            return Region(inside, layers)
    return Region(whole, 0)


def statistics(values: Float[Tensor, "x y z"] | None, region: np.ndarray[Any, Any]) -> dict[str, float]:
    """Return number, mean, sd and median of the finite values in a region; NaN where there are none."""
    found = np.asarray([] if values is None else values.numpy()[region], dtype=float)
    found = found[np.isfinite(found)]
    if not found.size:
        return {"n": 0, "mean": float("nan"), "sd": float("nan"), "median": float("nan")}
    spread = float(found.std(ddof=1)) if found.size > 1 else 0.0
    return {"n": int(found.size), "mean": float(found.mean()), "sd": spread, "median": float(np.median(found))}


def normalised_error(estimate: Tensor, truth: np.ndarray[Any, Any], region: np.ndarray[Any, Any]) -> float:
    """Return ``|estimate - truth| / |truth|`` in the 2-norm over the finite estimates of a region."""
    found, true = estimate.numpy()[region].astype(float), truth[region].astype(float)
    finite = np.isfinite(found)
    return float(np.linalg.norm(found[finite] - true[finite]) / np.linalg.norm(true[finite]))
