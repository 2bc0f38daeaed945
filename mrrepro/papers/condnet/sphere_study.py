"""A stage that lays the solver against closed forms at several voxel sizes, and counts its cycles as grids grow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float32

from mrrepro.papers.condnet.eccentric import BOUNDARIES, eccentric_errors
from mrrepro.papers.condnet.reference_models import (
    LayeredSphere,
    coil_above_sphere,
    coil_field_in_sphere,
    head_like,
    relative_error,
    sample_voxels,
)
from mrrepro.papers.condnet.settings import CondNetSettings, SolverSettings
from mrrepro.runs.files import write_json
from mrrepro.runs.stages import Stage, StageContext
from mrrepro.solvers.potential_multigrid import Tolerances, solve_potential
from mrrepro.solvers.potential_sources import edge_line_integrals, electric_field, induced_source
from mrrepro.solvers.potential_system import build_system

TOLERANCE = 1e-8
"""Relative residual of every solution here."""

_SAMPLES = 2000

LAYERS: dict[str, Callable[[LayeredSphere, float], Float32[np.ndarray, "n n n"]]] = {
    "homogeneous": lambda sphere, h: sphere.homogeneous().binary(h),
    "binary": lambda sphere, h: sphere.binary(h),
    "partial volume": lambda sphere, h: sphere.partial_volume(h),
    "Gaussian, one voxel": lambda sphere, h: sphere.gaussian(h, h),
}
"""Ways to give the voxels of a layered sphere a conductivity; the exact field is the same for all."""


def coil_in_sphere(kind: str, voxel_size: float) -> dict[str, float]:
    """Error of the coil's field in the brain of a sphere against its closed form.

    Returns
    -------
    dict
        ``relative_l2`` of the vectors, ``percentile_99`` of the magnitude over the exact one, and ``cycles``.
    """
    sphere = LayeredSphere()
    placed = coil_above_sphere(sphere)
    system = build_system(LAYERS[kind](sphere, voxel_size), voxel_size)
    integrals = edge_line_integrals(system, placed.vector_potential)
    result = solve_potential(system, [induced_source(system, integrals)], Tolerances(TOLERANCE))[0]
    index, points = sample_voxels(sphere.distances(voxel_size), sphere.radii[0], voxel_size, _SAMPLES)
    found = electric_field(system, result.potential, integrals)[index].astype(np.float64)
    exact = coil_field_in_sphere(points, placed)
    strengths = [float(np.percentile(np.linalg.norm(field, axis=1), 99.0)) for field in (found, exact)]
    return {
        "relative_l2": relative_error(found, exact),
        "percentile_99": strengths[0] / strengths[1],
        "cycles": result.cycles,
        "true_residual": result.true_residual,
    }


def cycles_on(voxels: int) -> dict[str, float]:
    """Cycles and residual of the head-like conductor on a cubic grid, for a uniform changing field."""
    system = build_system(*head_like(voxels))
    axis = np.array([0.48, 0.6, 0.64])
    source = induced_source(system, edge_line_integrals(system, lambda points: 0.5 * np.cross(axis, points)))
    result = solve_potential(system, [source], Tolerances(TOLERANCE))[0]
    return {"voxels": voxels, "cycles": result.cycles, "true_residual": result.true_residual}


def study_spheres(context: StageContext[SolverSettings]) -> None:
    """Errors by voxel size of coil and electrodes, and cycles by grid; nothing here depends on the seed."""
    settings = context.settings
    coil: list[dict[str, Any]] = []
    electrodes: list[dict[str, Any]] = []
    for voxel_mm in context.progress(settings.voxels_mm, description="spheres"):
        h = voxel_mm * 1e-3
        coil += [{"conductivity": kind, "voxel_mm": voxel_mm, **coil_in_sphere(kind, h)} for kind in LAYERS]
        for name, boundary in BOUNDARIES.items():
            found = eccentric_errors(boundary, h)
            electrodes.append({"boundary": name, "voxel_mm": voxel_mm, "uncut": found.uncut, "all": found.all_means})
    growth = [cycles_on(voxels) for voxels in context.progress(settings.grids, description="grids")]
    write_json(context.workspace / "spheres.json", {"coil": coil, "electrodes": electrodes, "growth": growth})


def select(settings: CondNetSettings) -> SolverSettings:
    """The study's sizes alone."""
    return settings.solver


SPHERES = Stage("condnet/spheres", study_spheres, select)
