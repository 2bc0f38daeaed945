"""|B1+| and transceive phase of a chosen body in the chapter's birdcage, as files that `apply` takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mrrepro.phantoms.cylinders import Cylinder
from mrrepro.phantoms.dielectric_body import DielectricBody
from mrrepro.phantoms.head import build_head, head_properties
from mrrepro.phantoms.yee_grid import YeeGrid
from mrrepro.runs.nifti import Placement, encode_nifti
from mrrepro.runs.outputs import beside_prefix, require_free, write_together
from mrrepro.simulators.birdcage import Birdcage, simulate_b1
from mrrepro.simulators.rf_fields import add_measurement_noise
from mrrepro.solvers.krylov import GmresSettings
from mrrepro.validation import require_range

RESIDUAL = 1e-4
"""Relative; a second derivative is to be taken of the field."""

DESCRIPTIONS = {
    "magnitude": "|B1+| [uT] at 1 A in a rung, simulated; mrrepro",
    "phase": "transceive phase [rad], exp(+i w t), simulated; mrrepro",
    "mask": "body, simulated; mrrepro",
    "true_conductivity": "conductivity [S/m] of the simulated body; mrrepro",
    "true_permittivity": "relative permittivity of the simulated body; mrrepro",
}
"""The files by what follows the prefix."""


@dataclass(frozen=True)
class MeasurementNoise:
    """Noise of the maps, of independent strengths.

    Parameters
    ----------
    snr : float
        Mean magnitude in the body over its standard deviation; infinite for none.
    phase_sd : float
        Standard deviation of the transceive phase [rad].
    seed : int
        Of the noise.
    """

    snr: float = math.inf
    phase_sd: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.snr > 0.0:
            raise ValueError(f"snr must be positive, but is {self.snr!r}: give infinity for noiseless data.")
        require_range("phase_sd", self.phase_sd, 0.0, math.pi, unit="rad")


def cylinder_body(cylinder: Cylinder, voxel_size: float, frequency: float) -> DielectricBody:
    """Return a cylinder in cubic voxels [m] at a frequency [Hz].

    Raises
    ------
    ValueError
        If the cylinder is fewer than 8 voxels across or along.
    """
    require_range(
        "voxel_size",
        voxel_size,
        1e-5,
        min(cylinder.diameter, cylinder.length) / 8,
        unit="m",
        remedy="the cylinder would be fewer than 8 voxels across or along",
    )
    return cylinder.body(voxel_size, frequency)


def head_body(source: str | Path, number: int, voxel_size: float, frequency: float) -> DielectricBody:
    """Return a head (`mrrepro.phantoms.head.build_head`) with the properties of its tissues at a frequency [Hz]."""
    return build_head(source, number, voxel_size).dielectric_body(head_properties(frequency), frequency)


def simulate_to_files(
    body: DielectricBody, prefix: Path, noise: MeasurementNoise | None = None, force: bool = False
) -> tuple[Path, ...]:
    """Solve for a body at the isocentre of the birdcage and write what would be measured, with the truth.

    Parameters
    ----------
    body : DielectricBody
        Everything but air is in the mask.
    prefix : Path
        ``PREFIX_magnitude.nii.gz`` and the others of `DESCRIPTIONS` are written.
    noise : MeasurementNoise, optional
        None by default.
    force : bool
        Replace them where they exist.

    Returns
    -------
    tuple of Path

    Raises
    ------
    ValueError
        If an output would be replaced, or the solver does not converge.
    """
    outputs = beside_prefix(prefix, DESCRIPTIONS)
    require_free(tuple(outputs.values()), force=force)
    noise = noise or MeasurementNoise()
    found = simulate_b1(body, Birdcage(), GmresSettings(tolerance=RESIDUAL))
    if not found.scattering.converged:
        raise ValueError(f"The solver did not converge ({found.scattering.status}): take larger voxels.")
    mask = torch.as_tensor(body.contrast() != 0.0)
    magnitude, phase = add_measurement_noise(
        found.transmit.abs() * 1e6,
        found.transceive_phase,
        mask,
        torch.Generator().manual_seed(noise.seed),
        snr=noise.snr,
        phase_sd=noise.phase_sd,
    )
    volumes = {
        "magnitude": np.where(mask, magnitude.numpy(), 0.0),
        "phase": np.where(mask, phase.numpy(), 0.0),
        "mask": mask.numpy(),
        "true_conductivity": body.conductivity,
        "true_permittivity": body.relative_permittivity,
    }
    placement = _placement(body.grid)
    write_together(
        {path: encode_nifti(path, volumes[name], placement, DESCRIPTIONS[name]) for name, path in outputs.items()}
    )
    return tuple(outputs.values())


def _placement(grid: YeeGrid) -> Placement:
    edge = grid.voxel_size * 1e3
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = [corner * 1e3 + 0.5 * edge for corner in grid.origin]
    return Placement(affine)
