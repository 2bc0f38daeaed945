"""From a user's conductivity map and a coil to the electric field: files in, files out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from mrrepro.papers.condnet.settings import StimulationSettings
from mrrepro.phantoms.head_tissues import BRAIN_TISSUES, HEAD_TISSUES, labels_of
from mrrepro.runs.nifti import Placement, Volume, encode_nifti, read_volume, require_nifti_name, same_place, stem_of
from mrrepro.runs.outputs import csv_table, require_free, write_together
from mrrepro.simulators.coil_on_head import CoilChoice, Point, scalp_site
from mrrepro.simulators.scalp_positions import HeadSurface
from mrrepro.simulators.tms_coil import PlacedCoil, check_clearance, place_coil
from mrrepro.solvers.induced_fields import InducedField, induced_fields
from mrrepro.solvers.potential_multigrid import Tolerances
from mrrepro.validation import require_finite

FIELD_DESCRIPTION = "E right, anterior, superior, |E| [V/m]; mrrepro, no medical device"
PERCENTILES = (50.0, 95.0, 99.0, 99.9)


@dataclass(frozen=True)
class FieldRequest:
    """What `simulate_to_files` is asked.

    Parameters
    ----------
    conductivity : Path
        NIfTI, 3D [S/m], cubic voxels, 0 in air.
    output : Path
        The field, ``.nii`` or ``.nii.gz``; a ``.csv`` goes beside it.
    labels : Path, optional
        NIfTI on the same grid, values 0 to 13 in the order of ``HEAD_TISSUES``; needed for a 10-10 position.
    scalp_point_mm : tuple of 3 float, optional
        World position of the point below the coil [mm], in place of a 10-10 position; the point of the scalp on the ray
        from the middle of the head through it is taken.
    stimulation : StimulationSettings
        Coil, gap, angle, current and solver.
    force : bool
        Replace existing outputs.
    """

    conductivity: Path
    output: Path
    labels: Path | None = None
    scalp_point_mm: tuple[float, float, float] | None = None
    stimulation: StimulationSettings = field(default_factory=StimulationSettings)
    force: bool = False


def simulate_to_files(request: FieldRequest) -> dict[str, Any]:
    """Solve for the field of a coil above a user's head and write it with a table of percentiles.

    Returns
    -------
    dict
        Whether the solver converged, cycles, true residual, the coil's centre [mm] and the rows of the table. A solver
        that stalled is reported, and its field is written all the same.

    Raises
    ------
    ValueError
        If a file cannot be used, the coil cannot be placed, or an output would be replaced; nothing is written then.
    """
    require_nifti_name("output", request.output)
    table = stem_of(request.output).with_name(stem_of(request.output).name + ".csv")
    inputs = [path for path in (request.conductivity, request.labels) if path is not None]
    require_free([request.output, table], inputs, request.force)
    volume = _read_conductivity(request.conductivity)
    labels = _read_labels(request.labels, volume) if request.labels is not None else None
    affine = volume.affine * 1e-3
    affine[3, 3] = 1.0
    placed = _place(request, volume.data, labels, affine)
    found = _solve(volume.data, affine, placed, request.stimulation)
    strength = np.linalg.norm(found.field, axis=-1, keepdims=True)
    rows = percentile_rows(strength[..., 0], volume.data > 0.0, labels)
    data = np.concatenate([found.field, strength], axis=-1)
    content = encode_nifti(request.output, data, Placement(volume.affine), FIELD_DESCRIPTION)
    write_together({table: csv_table(rows), request.output: content})
    result = found.result
    return {
        "converged": result.converged,
        "reason": result.reason,
        "cycles": result.cycles,
        "true_residual": result.true_residual,
        "coil_centre_mm": [float(f"{1e3 * place:.4g}") for place in placed.centre],
        "rows": rows,
        "table": table,
    }


def percentile_rows(
    strength: Float32[np.ndarray, "x y z"],
    head: Bool[np.ndarray, "x y z"],
    labels: UInt8[np.ndarray, "x y z"] | None,
) -> list[dict[str, Any]]:
    """Percentiles of |E| [V/m] in the head, and in each label that conducts."""
    regions = {"head": head}
    if labels is not None:
        regions |= {name: (labels == number) & head for number, name in enumerate(HEAD_TISSUES) if number}
    rows = []
    for name, region in regions.items():
        if region.any():
            inside = strength[region].astype(np.float64)
            row: dict[str, Any] = {"region": name, "voxels": int(inside.size), "mean": float(f"{inside.mean():.5g}")}
            row |= {f"p{q:g}": float(f"{np.percentile(inside, q):.5g}") for q in PERCENTILES}
            rows.append(row | {"largest": float(f"{inside.max():.5g}")})
    return rows


def _read_conductivity(path: Path) -> Volume:
    volume = read_volume(path)
    if min(volume.data.shape) < 4:
        raise ValueError(f"{path} must hold a 3D map, but has shape {volume.file_shape}.")
    x, y, z = volume.voxel
    if max(x, y, z) / min(x, y, z) > 1.001:
        raise ValueError(
            f"{path} must have cubic voxels, but has {x * 1e3:.4g} x {y * 1e3:.4g} x {z * 1e3:.4g} mm: resample it."
        )
    lowest = float(volume.data.min())
    if lowest < 0.0:
        raise ValueError(f"{path} must hold no negative conductivity, but its lowest value is {lowest:g} S/m.")
    if not (volume.data > 0.0).any():
        raise ValueError(f"{path} is 0 S/m everywhere: there is no head.")
    return volume


def _read_labels(path: Path, volume: Volume) -> UInt8[np.ndarray, "x y z"]:
    given = read_volume(path)
    if given.data.shape != volume.data.shape or not same_place(given.affine, volume.affine):
        raise ValueError(
            f"{path} must lie on the grid of {volume.path}, but does not: resample it (nearest neighbour)."
        )
    values = np.unique(given.data)
    wrong = [value for value in values if value != round(float(value)) or not 0 <= value < len(HEAD_TISSUES)]
    if wrong:
        known = ", ".join(f"{number} {name}" for number, name in enumerate(HEAD_TISSUES))
        raise ValueError(f"{path} must hold labels of the table ({known}), but holds {wrong[0]:g}.")
    return given.data.astype(np.uint8)


def _place(
    request: FieldRequest,
    conductivity: Float32[np.ndarray, "x y z"],
    labels: UInt8[np.ndarray, "x y z"] | None,
    affine: Float[np.ndarray, "4 4"],
) -> PlacedCoil:
    choice, head = request.stimulation.choice(), conductivity > 0.0
    if request.scalp_point_mm is not None:
        point, normal = _site_on_ray(head, affine, request.scalp_point_mm)
    elif labels is not None:
        point, normal = scalp_site(head, np.isin(labels, labels_of(BRAIN_TISSUES)), affine, choice.position)
    else:
        raise ValueError("a 10-10 position needs --labels, from which the brain is known: give it, or --scalp-point.")
    return _checked(choice, point, normal, conductivity, affine)


def _site_on_ray(
    head: Bool[np.ndarray, "x y z"], affine: Float[np.ndarray, "4 4"], point_mm: tuple[float, float, float]
) -> tuple[Point, Point]:
    surface = HeadSurface(head, affine)
    wanted = np.asarray(point_mm, np.float64) * 1e-3
    require_finite("scalp_point_mm", wanted)
    middle = np.argwhere(head).mean(axis=0) @ affine[:3, :3].T + affine[:3, 3]
    ray = wanted - middle
    if np.linalg.norm(ray) < 1e-3:
        raise ValueError("scalp_point_mm must not be the middle of the head: give a point on or above the scalp.")
    point = surface.crossing(middle, (ray / np.linalg.norm(ray))[None])[0]
    return point, surface.normal(point)


def _checked(
    choice: CoilChoice,
    point: Point,
    normal: Point,
    conductivity: Float32[np.ndarray, "x y z"],
    affine: Float[np.ndarray, "4 4"],
) -> PlacedCoil:
    placed = place_coil(choice.coil, point, normal, choice.gap, choice.angle)
    check_clearance(placed, conductivity, affine)
    return placed


def _solve(
    conductivity: Float32[np.ndarray, "x y z"],
    affine: Float[np.ndarray, "4 4"],
    placed: PlacedCoil,
    settings: StimulationSettings,
) -> InducedField:
    rate = settings.rate_of_change()
    sources = [lambda points: rate * placed.vector_potential(points)]
    found = next(induced_fields(conductivity, affine, sources, Tolerances(settings.tolerance)))
    if not math.isfinite(float(found.field.sum())):
        raise ValueError("the field is not finite: check the conductivity's range and the coil's place.")
    return found
