"""The solver beside the textbook equation, and its time on a body of a head's size and contrast."""

from __future__ import annotations

import functools
import time

import numpy as np

from mrrepro.papers.dl_ept.verification import SphereError, piecewise_constant_error, sphere_error
from mrrepro.phantoms.dielectric_body import DielectricBody
from mrrepro.phantoms.yee_grid import YeeGrid
from mrrepro.runs.checks import Measurement
from mrrepro.simulators.birdcage import Birdcage, incident_field, simulate_b1
from mrrepro.solvers.krylov import GmresSettings
from mrrepro.tissues import tissue_properties

HEAD_SEMI_AXES = (0.075, 0.095, 0.115)
"""Of the layered ellipsoid that stands in for a head [m]; its volume is 3.4 litres."""

LAYERS = (
    (0.000, "skin"),
    (0.005, "fat"),
    (0.008, "bone_cortical"),
    (0.014, "csf"),
    (0.018, "grey_matter"),
    (0.024, "white_matter"),
)
"""Depth below the surface along the shortest axis [m] at which each tissue begins."""


def layered_ellipsoid(voxel_size: float, frequency: float = 128e6) -> DielectricBody:
    """Return an ellipsoid of six tissues with folds between grey and white matter, in cubic voxels [m]."""
    x_half, y_half, z_half = (int(np.ceil(axis / voxel_size)) + 2 for axis in HEAD_SEMI_AXES)
    grid = YeeGrid.centred((2 * x_half, 2 * y_half, 2 * z_half), voxel_size)
    x, y, z = grid.voxel_centres()
    a, b, c = HEAD_SEMI_AXES
    level = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2)
    folds = 0.06 * np.sin(240.0 * x) * np.sin(240.0 * y) * np.sin(240.0 * z)
    permittivity, conductivity = np.ones(grid.shape), np.zeros(grid.shape)
    for depth, tissue in LAYERS:
        folded = level + (folds if tissue == "white_matter" else 0.0)
        properties = tissue_properties(tissue, frequency)
        inside = (folded < 1.0 - depth / a) & (level < 1.0)
        permittivity[inside], conductivity[inside] = properties.relative_permittivity, properties.conductivity
    return DielectricBody(grid, permittivity, conductivity, frequency)


def seconds_for_head(voxel_size: float) -> Measurement:
    """Return the seconds for both polarisations to a relative residual of 1e-3, the incident field being cached."""
    body, coil = layered_ellipsoid(voxel_size), Birdcage()
    incident_field(coil, body.grid, body.frequency)
    start = time.perf_counter()
    found = simulate_b1(body, coil, GmresSettings(tolerance=1e-3))
    seconds = time.perf_counter() - start
    if not found.scattering.converged:
        raise RuntimeError(f"the solver did not converge on the layered ellipsoid: {found.scattering.status}")
    return Measurement(ours=seconds)


@functools.cache
def _both_equations() -> tuple[SphereError, SphereError]:
    return sphere_error(0.005), piecewise_constant_error(0.005)


def compare_errors() -> Measurement:
    """Return the errors of B1+ on the sphere at 5 mm."""
    ours, peer = _both_equations()
    return Measurement(ours=ours.relative, peer=peer.relative)


def compare_seconds() -> Measurement:
    """Return the seconds for the sphere at 5 mm in the same run; the kernels count for ours and not for the peer."""
    ours, peer = _both_equations()
    return Measurement(ours=ours.seconds, peer=peer.seconds)
