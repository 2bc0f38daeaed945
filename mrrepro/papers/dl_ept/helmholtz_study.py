"""What noise and boundaries do to Helmholtz EPT, on closed-form fields and on simulated bodies."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from mrrepro.papers.dl_ept.cases import VARIED
from mrrepro.papers.dl_ept.reconstruction import KERNELS, Arrays, statistics, tissue_region
from mrrepro.solvers.helmholtz_ept import EptMaps, helmholtz_ept, helmholtz_ept_at_boundaries, valid_voxels
from mrrepro.solvers.kernel_noise import conductivity_noise, permittivity_noise
from mrrepro.solvers.laplacian_kernels import LaplacianKernel
from mrrepro.solvers.layered_cylinder import LayeredCylinder
from mrrepro.tissues import DielectricProperties, tissue_properties

CYLINDER_RADIUS = 0.06
"""Of the phantoms [m]."""

SHOWN = (0.002, 0.078)
"""Distances from the axis [m] from which a profile across a boundary at 40 mm is computed."""

SLICES = 9
"""Slices of the closed-form cylinder that a kernel reaches in full."""


@dataclass(frozen=True)
class Noise:
    """Independent noise of magnitude and of the phase of B1+.

    Parameters
    ----------
    snr : float
        Mean magnitude over its standard deviation.
    phase_sd : float
        Of the phase of B1+ [rad], half that of the transceive phase it is half of.
    """

    snr: float
    phase_sd: float

    def add(self, field: Complex[Tensor, "x y z"], mask: Tensor, seed: int) -> Complex[Tensor, "x y z"]:
        """Return the field with noise."""
        generator = torch.Generator().manual_seed(seed)
        draws = torch.randn((2, *field.shape), generator=generator, dtype=field.real.dtype)
        magnitude = field.abs() + field.abs()[mask].mean() / self.snr * draws[0]
        return magnitude * torch.exp(1j * (field.angle() + self.phase_sd * draws[1]))


def one_complex_field(field: Complex[Tensor, "x y z"], mask: Tensor, snr: float, seed: int) -> Tensor:
    """Return the field with noise of equal strength on real and imaginary part."""
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randn((2, *field.shape), generator=generator, dtype=field.real.dtype)
    return field + field.abs()[mask].mean() / snr * torch.complex(draws[0], draws[1])


def long_cylinder(
    kernel: LaplacianKernel, cylinder: LayeredCylinder
) -> tuple[Complex[Tensor, "x y z"], Bool[Tensor, "x y z"], Float[Tensor, "x y z"]]:
    """Return B1+ of an infinite cylinder of 12 cm, its mask and distances from the axis [m], in a kernel's voxels."""
    step, slices = kernel.voxel_size[0], SLICES + kernel.weights.shape[2] - 1
    half = math.ceil(CYLINDER_RADIUS / step) + 1
    axis = (np.arange(2 * half) + 0.5 - half) * step
    radius = np.repeat(np.hypot(axis[:, None], axis)[:, :, None], slices, axis=2)
    inside = radius < CYLINDER_RADIUS
    return torch.as_tensor(cylinder.transmit(radius)), torch.as_tensor(inside), torch.as_tensor(radius)


def noise_of_kernels(
    homogeneous: DielectricProperties,
    frequency: float,
    noise: Noise,
    steps: Sequence[float],
    size: Sequence[int],
    seed: int,
) -> list[dict[str, Any]]:
    """Return, for each kernel and voxel size [m], the SD of sigma and eps_r in a cylinder, drawn and in closed form."""
    cylinder = LayeredCylinder(0.5 * CYLINDER_RADIUS, homogeneous, homogeneous, frequency)
    rows = []
    for name, make in KERNELS.items():
        for step in steps:
            kernel = make((step,) * 3, size)
            field, mask, _ = long_cylinder(kernel, cylinder)
            maps = helmholtz_ept(noise.add(field, mask, seed), frequency, kernel, mask)
            level = field.abs()[mask].mean() / field.abs()[maps.valid]
            local = float((level / noise.snr).square().mean().sqrt())
            sigma, eps = (statistics(values, maps.valid.numpy()) for values in _both(maps))
            rows.append(
                {
                    "kernel": name,
                    "step": step,
                    "n": sigma["n"],
                    "sigma": sigma["mean"],
                    "sigma_sd": sigma["sd"],
                    "sigma_sd_closed": conductivity_noise(kernel, frequency, noise.phase_sd),
                    "eps": eps["mean"],
                    "eps_sd": eps["sd"],
                    "eps_sd_closed": permittivity_noise(kernel, frequency, local),
                }
            )
    return rows


def _both(maps: EptMaps) -> tuple[Tensor, Tensor]:
    assert maps.relative_permittivity is not None
    return maps.conductivity, maps.relative_permittivity


@dataclass(frozen=True)
class BoundaryProfile:
    """Noiseless conductivity along a diameter across the boundary of two tissues.

    Parameters
    ----------
    distance : ndarray, shape (n,)
        From the boundary [m], negative in the inner tissue.
    conductivity : ndarray, shape (n,)
        [S/m]; NaN where nothing was reconstructed.
    truth : ndarray, shape (n,)
    error_width : float
        Width of the zone in which the error exceeds a tenth of the step of the conductivity [m].
    """

    distance: Float[np.ndarray, " n"]
    conductivity: Float[np.ndarray, " n"]
    truth: Float[np.ndarray, " n"]
    error_width: float


def across_boundary(
    cylinder: LayeredCylinder,
    make: Callable[..., LaplacianKernel],
    step: float,
    size: Sequence[int],
    segmented: bool = False,
) -> BoundaryProfile:
    """Return sigma on a fine set of distances: the grid is moved by parts of a voxel [m] and its middle row taken.

    ``segmented`` fits each tissue alone (`helmholtz_ept_at_boundaries`), which takes the segmentation as known.
    """
    kernel = make((step,) * 3, size)
    half = [length // 2 + 1 for length in kernel.weights.shape]
    found = []
    for shift in np.linspace(-0.5, 0.5, 8, endpoint=False) * step:
        x = np.arange(math.ceil(SHOWN[0] / step), math.floor(SHOWN[1] / step)) * step + shift
        y = np.arange(-half[1], half[1] + 1) * step
        radius = np.repeat(np.hypot(x[:, None], y)[:, :, None], 2 * half[2] + 1, axis=2)
        field = torch.as_tensor(cylinder.transmit(radius))
        everything = torch.ones(field.shape, dtype=torch.bool)
        middle = (slice(None), half[1], half[2])
        if segmented:
            inner = torch.as_tensor(radius <= cylinder.boundary)
            parts = [
                helmholtz_ept_at_boundaries(field, cylinder.frequency, (step,) * 3, m, size) for m in (inner, ~inner)
            ]
            sigma = torch.where(inner, parts[0].conductivity, parts[1].conductivity)[middle].numpy()
            keep = slice(half[0], -half[0])
        else:
            sigma = helmholtz_ept(field, cylinder.frequency, kernel, everything).conductivity[middle].numpy()
            keep = slice(half[0] - 1, 1 - half[0])
        found.append(np.stack([x[keep] - cylinder.boundary, sigma[keep]]))
    distance, sigma = np.concatenate(found, axis=1)
    order = np.argsort(distance)
    distance, sigma = distance[order], sigma[order]
    truth = cylinder.conductivity(distance + cylinder.boundary)
    jump = abs(cylinder.outer.conductivity - cylinder.inner.conductivity)
    wrong = distance[np.abs(sigma - truth) > 0.1 * jump]
    return BoundaryProfile(distance, sigma, truth, float(np.ptp(wrong)) if wrong.size else 0.0)


def white_matter_in_fluid(frequency: float, boundary: float = 0.04) -> LayeredCylinder:
    """Return a rod of white matter in cerebrospinal fluid."""
    return LayeredCylinder(
        boundary, tissue_properties("white_matter", frequency), tissue_properties("csf", frequency), frequency
    )


def tissue_rows(maps: Mapping[str, EptMaps], labels: np.ndarray[Any, Any], erosion: int) -> list[dict[str, Any]]:
    """Return mean and SD of both properties in WM, GM and CSF less ``erosion`` layers, for each reconstruction.

    With fewer than 200 voxels left, fewer layers are taken off, and the row says how many.
    """
    rows = []
    for method, found in maps.items():
        for tissue in VARIED:
            region = tissue_region(labels, tissue, erosion)
            sigma, eps = (statistics(values, region.inside) for values in _both(found))
            rows.append(
                {"method": method, "tissue": tissue, "erosion": region.erosion, "n": sigma["n"]}
                | {"sigma": sigma["mean"], "sigma_sd": sigma["sd"], "eps": eps["mean"], "eps_sd": eps["sd"]}
            )
    return rows


def tissues_apart(
    transmit: Complex[Tensor, "x y z"],
    labels: np.ndarray[Any, Any],
    frequency: float,
    voxel_size: float,
    size: Sequence[int],
) -> EptMaps:
    """Return maps of which each tissue is fitted from its own voxels alone: the segmentation is taken as known.

    ``size`` must be so large that half of its voxels never lie on two planes, as 7 x 7 x 5 is: no quadratic can be
    fitted to those.
    """
    nothing = torch.full(transmit.shape, math.nan)
    sigma, eps, valid = nothing.clone(), nothing.clone(), torch.zeros(transmit.shape, dtype=torch.bool)
    for label in np.unique(labels[labels > 0]):
        mask = torch.as_tensor(labels == label)
        found = helmholtz_ept_at_boundaries(transmit, frequency, (voxel_size,) * 3, mask, size)
        for whole, part in ((sigma, found.conductivity), (eps, _both(found)[1])):
            whole[found.valid] = part[found.valid].to(whole)
        valid |= found.valid
    return EptMaps(sigma, eps, valid)


def region_of(case: Arrays, kernel: LaplacianKernel) -> Bool[np.ndarray, "x y z"]:
    """Return the voxels whose whole kernel lies in the body: the region without the body's own boundary."""
    found: Bool[np.ndarray, "x y z"] = valid_voxels(torch.as_tensor(case["labels"] > 0), kernel).numpy()
    return found
