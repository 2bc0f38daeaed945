"""How near the fields of the maps are to a solution on a finer grid of the same head, and the solver's own error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from mrrepro.metrics.electric_fields import FieldDifference, field_difference, roughness
from mrrepro.papers.condnet.heads import HEADS, HeadWithImages, read_heads
from mrrepro.papers.condnet.settings import StimulationSettings
from mrrepro.papers.condnet.stimulation import (
    FIELDS,
    Field,
    StimulationSelection,
    read_fields,
    select,
    site_on,
    solutions,
)
from mrrepro.papers.condnet.table1 import COLUMN_A, by_label
from mrrepro.phantoms.head import Head, build_head
from mrrepro.phantoms.head_tissues import HEAD_TISSUES
from mrrepro.runs.files import write_json
from mrrepro.runs.stages import Stage, StageContext
from mrrepro.simulators.tms_coil import PlacedCoil


def refine(context: StageContext[StimulationSelection]) -> None:
    """Fields of the maps against a finer solution, in the first and the last test head; the solver's error in one."""
    settings, factor = context.settings.stimulation, context.settings.evaluation.refinement
    heads, fields = read_heads(context.inputs[HEADS.name], "testing"), read_fields(context.inputs[FIELDS.name])
    entries = []
    for number in context.progress(sorted({0, len(heads) - 1}), description="refined"):
        head = heads[number]
        coil = site_on(head, settings.position).coil(settings.choice())
        fine = build_head(head.person.source, head.person.number, head.voxel_size / factor)
        truth = coarsened(fine_field(fine, coil, settings), fine, head, factor)
        entry = against_truth(fields[number], truth, head)
        if number == 0:
            alone = solver_error(head, coil, fields[number]["uniform"], settings, factor)
            entry["solver_alone"] = asdict(alone)
        entries.append(entry)
    write_json(context.workspace / "refined.json", {"factor": factor, "heads": entries})


def against_truth(fields: Mapping[str, Field], truth: Field, head: HeadWithImages) -> dict[str, Any]:
    """Each map's field against the finer solution in cortex and brain, and the two maps' fields against each other."""
    cortex, errors = head.mask("grey_matter"), {}
    for name, field in fields.items():
        errors[name] = {
            where: asdict(field_difference(field, truth, region))
            for where, region in (("cortex", cortex), ("brain", head.brain))
        }
    return {
        "name": head.name,
        "another_anatomy": head.person.another_anatomy,
        "errors": errors,
        "roughness": {name: roughness(field, cortex) for name, field in {**fields, "refined": truth}.items()},
        "between_maps": asdict(field_difference(fields["estimated"], fields["uniform"], head.brain)),
    }


def fine_field(fine: Head, coil: PlacedCoil, settings: StimulationSettings) -> Field:
    """The coil's field on a finer grid of uniform tissues."""
    affine = fine.affine_mm() * 1e-3
    affine[3, 3] = 1.0
    conductivity = by_label(COLUMN_A, HEAD_TISSUES).astype(np.float32)[fine.labels]
    return next(solutions(conductivity, affine, [coil], settings)).field


def coarsened(field: Field, fine: Head, head: HeadWithImages, factor: int) -> Field:
    """Mean of a finer field over each voxel of a head, weighted by the overlap of the grids; 0 where there is none."""
    return np.stack([_overlap_mean(field[..., c], fine, head, factor) for c in range(3)], axis=-1)


def _overlap_mean(
    values: Float[np.ndarray, "a b c"], fine: Head, head: HeadWithImages, factor: int
) -> Float32[np.ndarray, "x y z"]:
    """Mean along one axis after another: a voxel's share of each finer one is the overlap of two intervals."""
    for axis in range(3):
        count = values.shape[axis]
        start = head.affine[axis, 3] - 0.5 * head.voxel_size
        edges = start + head.voxel_size * np.arange(head.labels.shape[axis] + 1)
        place = np.clip((edges - fine.origin[axis]) / fine.voxel_size, 0.0, count)
        low = np.minimum(place.astype(int), count - 1)
        part = (place - low).reshape([-1 if a == axis else 1 for a in range(3)])
        widths = [(1, 0) if a == axis else (0, 0) for a in range(3)]
        sums = np.pad(np.cumsum(values, axis, np.float64), widths)
        at = np.take(sums, low, axis) * (1.0 - part) + np.take(sums, low + 1, axis) * part
        values = np.diff(at, axis=axis) / factor
    return values.astype(np.float32)


def solver_error(
    head: HeadWithImages, coil: PlacedCoil, field: Field, settings: StimulationSettings, factor: int
) -> FieldDifference:
    """Difference in the brain to the solution with each voxel divided, so that only the discretisation changes."""
    finer = head.uniform(COLUMN_A)
    for axis in range(3):
        finer = np.repeat(finer, factor, axis)
    affine = head.affine.copy()
    affine[:3, :3] /= factor
    affine[:3, 3] -= 0.5 * (head.voxel_size - head.voxel_size / factor)
    solution = next(solutions(finer, affine, [coil], settings)).field
    n0, n1, n2 = head.labels.shape
    blocks = solution.reshape(n0, factor, n1, factor, n2, factor, 3).mean(axis=(1, 3, 5))
    return field_difference(field, blocks, head.brain)


REFINED = Stage("condnet/refined", refine, select, inputs=(HEADS, FIELDS))
