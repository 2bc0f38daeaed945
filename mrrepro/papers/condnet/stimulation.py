"""Stages that put a coil on the test heads: fields by uniform and estimated conductivity, and what else moves them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32
from scipy import ndimage

from mrrepro.metrics.electric_fields import field_difference, hot_spot, magnitude, roughness
from mrrepro.networks.head_outline import head_outline
from mrrepro.papers.condnet.estimation import MAPS, read_maps
from mrrepro.papers.condnet.heads import HEADS, HeadWithImages, read_heads
from mrrepro.papers.condnet.settings import CondNetSettings, EvaluationSettings, HeadSettings, StimulationSettings
from mrrepro.papers.condnet.table1 import COLUMN_A
from mrrepro.runs.artifacts import Artifact
from mrrepro.runs.files import write_arrays, write_json
from mrrepro.runs.stages import Stage, StageContext
from mrrepro.simulators.coil_on_head import HAND_KNOB, BrainFrame, CoilChoice, Point, scalp_site
from mrrepro.simulators.tms_coil import PlacedCoil, check_clearance, place_coil
from mrrepro.solvers.induced_fields import InducedField, induced_fields, one_conductor
from mrrepro.solvers.potential_multigrid import Tolerances
from mrrepro.solvers.potential_sources import VectorField

MOTOR_RADIUS = 5e-3
"""Of the hand motor area [m]; Section IV-B."""

PAPER_BOX = 0.256
"""Edge of the paper's volumes [m]: the head 'with air' is this cube."""

TURN = math.radians(10.0)
"""By which the coil is turned for comparison."""

Regions = dict[str, Bool[np.ndarray, "x y z"]]
Field = Float32[np.ndarray, "x y z 3"]


@dataclass(frozen=True)
class StimulationSelection:
    """What the fields depend on beside heads and maps."""

    stimulation: StimulationSettings
    evaluation: EvaluationSettings
    heads: HeadSettings


def regions_of(head: HeadWithImages) -> Regions:
    """Hand knob, brain, head outside the brain, head; and the cortex, which the paper does not list."""
    brain, inside = head.brain, head.head
    return {
        "motor_area": motor_area(head),
        "brain": brain,
        "non_brain": inside & ~brain,
        "head": inside,
        "cortex": head.mask("grey_matter"),
    }


def motor_area(head: HeadWithImages) -> Bool[np.ndarray, "x y z"]:
    """Brain within 5 mm of the hand knob, carried from MNI by the brain's box and put onto the nearest grey matter."""
    wanted = BrainFrame.of(head.brain, head.affine).from_mni(HAND_KNOB)
    index = np.argwhere(head.mask("grey_matter"))
    world = index @ head.affine[:3, :3].T + head.affine[:3, 3]
    centre = world[np.argmin(np.linalg.norm(world - wanted, axis=1))]
    distance = np.linalg.norm(
        np.moveaxis(np.indices(head.labels.shape), 0, -1) @ head.affine[:3, :3].T + head.affine[:3, 3] - centre, axis=-1
    )
    return (distance <= MOTOR_RADIUS) & head.brain


@dataclass(frozen=True)
class Site:
    """Where on a head's scalp the coil goes, so that it is looked for once."""

    point: Point
    normal: Point
    conductivity: Float32[np.ndarray, "x y z"]
    affine: Float[np.ndarray, "4 4"]

    def coil(self, choice: CoilChoice) -> PlacedCoil:
        """The coil there; ``ValueError`` if a wire passes through the head."""
        placed = place_coil(choice.coil, self.point, self.normal, choice.gap, choice.angle)
        check_clearance(placed, self.conductivity, self.affine)
        return placed


def site_on(head: HeadWithImages, position: str) -> Site:
    """The position on a head's scalp, by its labels."""
    point, normal = scalp_site(head.head, head.brain, head.affine, position)
    return Site(point, normal, head.uniform(COLUMN_A), head.affine)


def solutions(
    conductivity: Float32[np.ndarray, "x y z"],
    affine: Float[np.ndarray, "4 4"],
    coils: Sequence[PlacedCoil],
    settings: StimulationSettings,
) -> Iterator[InducedField]:
    """Field of each coil at the pulse's onset [V/m], one after another; a solver that falls short raises."""
    rate = settings.rate_of_change()

    def source(coil: PlacedCoil) -> VectorField:
        return lambda points: rate * coil.vector_potential(points)

    sources = (source(coil) for coil in coils)
    for one in induced_fields(conductivity, affine, sources, Tolerances(settings.tolerance)):
        if not one.result.converged:
            raise RuntimeError(f"the solver {one.result.reason} at a residual of {one.result.true_residual:g}")
        yield one


def conductors_of(
    head: HeadWithImages, estimate: Float32[np.ndarray, "x y z"], settings: StimulationSettings
) -> dict[str, Float32[np.ndarray, "x y z"]]:
    """Uniform, estimated and blurred conductivity of a head, zero in air."""
    uniform = head.uniform(COLUMN_A)
    blurred = blurred_inside(uniform, settings.blur_mm * 1e-3 / head.voxel_size)
    return {
        "uniform": uniform,
        "estimated": one_conductor(np.where(head_outline(head.images), estimate, 0.0), settings.air_below)[0],
        "blurred": blurred,
    }


def blurred_inside(conductivity: Float32[np.ndarray, "x y z"], width: float) -> Float32[np.ndarray, "x y z"]:
    """A Gaussian mean over the conductor alone, so that air does not thin out the skin; ``width`` in voxels."""
    inside = (conductivity > 0.0).astype(np.float32)
    weight = ndimage.gaussian_filter(inside, width)
    mean = ndimage.gaussian_filter(conductivity, width) / np.maximum(weight, 1e-6)
    return np.where(inside > 0, mean, 0.0).astype(np.float32)


def stimulate(context: StageContext[StimulationSelection]) -> None:
    """Fields in all test heads, compared region by region."""
    settings = context.settings.stimulation
    heads, maps = read_heads(context.inputs[HEADS.name], "testing"), read_maps(context.inputs[MAPS.name])
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    entries = []
    for number, head in enumerate(context.progress(heads, description="fields")):
        site = site_on(head, settings.position)
        conductors = conductors_of(head, maps[number][0], settings)
        choice = settings.choice()
        turned = [replace(choice, angle=choice.angle + turn) for turn in (TURN, math.pi / 2)]
        coils = [site.coil(each) for each in (choice, *turned)]
        solved = {
            name: list(solutions(conductor, head.affine, coils if name == "uniform" else coils[:1], settings))
            for name, conductor in conductors.items()
        }
        fields = {name: found[0].field for name, found in solved.items()}
        regions = regions_of(head)
        entry = compared(fields, regions, head)
        entry |= _reference_shifts(fields, [found.field for found in solved["uniform"][1:]], regions, head)
        entry |= {
            "name": head.name,
            "another_anatomy": head.person.another_anatomy,
            "scalp_point": site.point.tolist(),
            "cycles": {name: found[0].result.cycles for name, found in solved.items()},
            "residuals": {name: found[0].result.true_residual for name, found in solved.items()},
        }
        entries.append(entry)
        arrays |= {f"testing_{number}_{name}": field.astype(np.float16) for name, field in fields.items()}
    write_arrays(context.workspace / "fields.npz", **arrays)
    write_json(context.workspace / "fields.json", {"heads": entries})


def compared(fields: Mapping[str, Field], regions: Regions, head: HeadWithImages) -> dict[str, Any]:
    """The estimated and the blurred map's field against the uniform one's, and each field by itself."""
    uniform = fields["uniform"]
    entry: dict[str, Any] = {"regions": {}, "fields": {}}
    box_voxels = max(head.labels.size, round((PAPER_BOX / head.voxel_size) ** 3))
    for name, region in regions.items():
        found = {other: asdict(field_difference(fields[other], uniform, region)) for other in ("estimated", "blurred")}
        entry["regions"][name] = found
    entry["correlation_in_brain"] = _correlation(fields["estimated"], uniform, regions["brain"])
    entry["regions"]["head_with_air"] = {
        "estimated": _with_air(entry["regions"]["head"]["estimated"], box_voxels),
    }
    cortex, brain = regions["cortex"], regions["brain"]
    for name, field in fields.items():
        strength = magnitude(field)[brain]
        entry["fields"][name] = {
            "roughness": roughness(field, cortex),
            "hot_spot": hot_spot(field, cortex, head.affine).tolist(),
            "percentile_99": float(np.percentile(strength, 99.0)),
            "tail_ratio": float(np.percentile(strength, 99.9) / np.percentile(strength, 99.0)),
        }
    return entry


def _correlation(field: Field, reference: Field, region: Bool[np.ndarray, "x y z"]) -> float:
    one, other = (magnitude(each)[region].astype(np.float64) for each in (field, reference))
    return float(np.corrcoef(one, other)[0, 1])


def _with_air(found: Mapping[str, Any], box_voxels: int) -> dict[str, Any]:
    """GE of the head's voxels among those of the box, where the difference in air is zero."""
    share = found["voxels"] / box_voxels
    mean, square = found["global_error"]["mean"] * share, found["global_error"]["sd"] ** 2
    second = (square + found["global_error"]["mean"] ** 2) * share
    return {"global_error": {"mean": mean, "sd": math.sqrt(max(0.0, second - mean**2))}, "voxels": box_voxels}


def _reference_shifts(
    fields: Mapping[str, Field], turned: Sequence[Field], regions: Regions, head: HeadWithImages
) -> dict[str, Any]:
    """Shift of the hot spot by the map and by a turn of the coil, and the GE of a field that is wrong by half."""
    spots = {name: hot_spot(field, regions["cortex"], head.affine) for name, field in fields.items()}
    spots["turned"] = hot_spot(turned[0], regions["cortex"], head.affine)
    shifts = {name: float(np.linalg.norm(spot - spots["uniform"])) for name, spot in spots.items() if name != "uniform"}
    return {"hot_spot_shift": shifts, "wrong_by_half": wrong_by_half(fields["uniform"], turned[1], regions["brain"])}


def wrong_by_half(field: Field, other: Field, region: Bool[np.ndarray, "x y z"]) -> float:
    """GE [%] of the field moved towards another one until its relative L2 error in the region is one half."""
    difference = field_difference(other, field, region).relative_l2
    mixed = field + (0.5 / difference) * (other - field)
    return field_difference(mixed, field, region).global_error.mean


def sweep_coil(context: StageContext[StimulationSelection]) -> None:
    """Hot spot by uniform and estimated conductivity over angle and gap, in the last test head."""
    settings, sizes = context.settings.stimulation, context.settings.evaluation
    head = read_heads(context.inputs[HEADS.name], "testing")[-1]
    estimate = read_maps(context.inputs[MAPS.name])[-1][0]
    angles = settings.choice().angle + math.pi * np.arange(sizes.angles) / sizes.angles
    site, cortex = site_on(head, settings.position), head.mask("grey_matter")
    conductors = conductors_of(head, estimate, settings)
    coils = [
        site.coil(replace(settings.choice(), angle=float(angle), gap=gap * 1e-3))
        for gap in sizes.gaps_mm
        for angle in angles
    ]
    spots, strengths = [], []
    for name in ("uniform", "estimated"):
        found = solutions(conductors[name], head.affine, coils, settings)
        for one in context.progress(found, len(coils), f"coil, {name}"):
            spots.append(hot_spot(one.field, cortex, head.affine))
            strengths.append(float(np.percentile(magnitude(one.field)[cortex], 99.0)))
    shape = (2, len(sizes.gaps_mm), len(angles))
    document = {
        "name": head.name,
        "angles": angles.tolist(),
        "gaps_mm": list(sizes.gaps_mm),
        "conductors": ["uniform", "estimated"],
        "hot_spots": np.array(spots).reshape(*shape, 3).tolist(),
        "strengths": np.array(strengths).reshape(shape).tolist(),
    }
    write_json(context.workspace / "coil_sweep.json", document)


def read_fields(artifact: Artifact) -> list[dict[str, Field]]:
    """Fields [V/m] of each test head by conductor, to three digits."""
    found: dict[int, dict[str, Field]] = {}
    for key, array in artifact.arrays("fields.npz").items():
        _, number, name = key.split("_", 2)
        found.setdefault(int(number), {})[name] = array.astype(np.float32)
    return [found[number] for number in sorted(found)]


def select(settings: CondNetSettings) -> StimulationSelection:
    """What the fields may see of the settings."""
    return StimulationSelection(settings.stimulation, settings.evaluation, settings.heads)


FIELDS = Stage("condnet/fields", stimulate, select, inputs=(HEADS, MAPS))
COIL_SWEEP = Stage("condnet/coil_sweep", sweep_coil, select, inputs=(HEADS, MAPS))
