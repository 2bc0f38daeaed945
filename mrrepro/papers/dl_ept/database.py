"""Stages that build the heads, simulate the database of 62 bodies, and simulate the bodies that only tests see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mrrepro.papers.dl_ept.cases import FIRST, SECOND, UNSEEN, Case, cases_of_tests, database_cases
from mrrepro.papers.dl_ept.settings import BodySettings, DlEptSettings, SimulationSettings
from mrrepro.papers.dl_ept.simulation import Arrays, simulate_case
from mrrepro.phantoms.brain_images import sha256_of
from mrrepro.phantoms.head import Head, build_head
from mrrepro.phantoms.head_label_maps import label_map_files
from mrrepro.phantoms.mni152_head import mni152_maps
from mrrepro.runs.artifacts import Artifact
from mrrepro.runs.files import read_arrays, read_json, write_arrays, write_json
from mrrepro.runs.stages import Stage, StageContext
from mrrepro.runs.workers import each

INDEX = "index.json"

COARSE, COARSER = "first_coarse", 1.25
"""The first anatomy once more, in voxels larger by this factor."""

FINE, FINER = "first_fine", 0.75
"""And in smaller ones, for Helmholtz EPT alone."""


@dataclass(frozen=True)
class AnatomySelection:
    """What the anatomies depend on."""

    data: str
    voxel_size_mm: float


@dataclass(frozen=True)
class DatabaseSelection:
    """What the simulated fields depend on."""

    bodies: BodySettings
    simulation: SimulationSettings


@dataclass(frozen=True)
class TestSelection:
    """What the fields of the tests depend on."""

    bodies: BodySettings
    simulation: SimulationSettings
    unseen_sets: int


def anatomy_sources(data: str) -> dict[str, tuple[str, int]]:
    """Return source and number of each anatomy for `build_head`; one that is no warp of the others stays unseen."""
    if data == "mni152":
        return {FIRST: ("mni152", 0), SECOND: ("mni152", 1), UNSEEN: ("folded", 0)}
    return {FIRST: (data, 0), SECOND: (data, 1), UNSEEN: (data, 2)}


def make_anatomies(context: StageContext[AnatomySelection]) -> None:
    """Write the label maps of the three heads, cropped to the head and two voxels of air."""
    sources, size = anatomy_sources(context.settings.data), context.settings.voxel_size_mm * 1e-3
    built = {name: (source, number, size) for name, (source, number) in sources.items()}
    built |= {name: (*sources[FIRST], factor * size) for name, factor in ((COARSE, COARSER), (FINE, FINER))}
    for name, wanted in context.progress(built.items(), description="heads"):
        head = build_head(*wanted)
        write_arrays(
            context.workspace / f"{name}.npz",
            labels=head.labels,
            voxel_size=np.array(head.voxel_size),
            origin=np.array(head.origin),
        )


def read_head(artifact: Artifact, anatomy: str) -> Head:
    """Return a head from the artifact of the anatomies."""
    arrays = artifact.arrays(f"{anatomy}.npz")
    x, y, z = (float(value) for value in arrays["origin"])
    return Head(arrays["labels"], float(arrays["voxel_size"]), (x, y, z), anatomy)


def anatomy_checksums(settings: DlEptSettings) -> Mapping[str, str]:
    """sha256 of every file that the heads are built from."""
    data = settings.bodies.data
    files = mni152_maps() if data == "mni152" else label_map_files(Path(data))
    return {path.name: sha256_of(path) for path in files}


def simulate_database(context: StageContext[DatabaseSelection]) -> None:
    """Simulate the bodies of the database; each is kept as soon as it is there."""
    selected = context.settings
    simulate_cases(context, database_cases(selected.bodies), selected.bodies, selected.simulation, {})


def simulate_tests(context: StageContext[TestSelection]) -> None:
    """Simulate the bodies that only tests see, from the fields of the database's anatomies where there are any."""
    selected = context.settings
    database = context.inputs["dl_ept/database"]
    known = {name: database.file(_reference_file(name)) for name in (FIRST, SECOND)}
    simulate_cases(context, cases_of_tests(selected.unseen_sets), selected.bodies, selected.simulation, known)


def simulate_cases(
    context: StageContext[Any],
    cases: tuple[Case, ...],
    bodies: BodySettings,
    simulation: SimulationSettings,
    known: Mapping[str, Path],
) -> None:
    """Write ``<case>.npz`` of each case, the electric field of the first case of each shape, and an index.

    The first case of a shape is solved from nothing, the others from its electric field, which the solver then has to
    change by what the properties change.
    """
    if (context.workspace / INDEX).exists():  # killed after the last case
        return
    anatomies = context.inputs["dl_ept/anatomies"]
    heads = {case.anatomy: read_head(anatomies, case.anatomy) for case in cases if case.is_head}
    solve = partial(simulate_case, bodies=bodies, simulation=simulation, device=context.device)
    firsts = {shape_of(case): case for case in reversed(cases) if shape_of(case) not in known}
    references = {shape: context.workspace / _reference_file(shape) for shape in firsts}
    firsts = {shape: case for shape, case in firsts.items() if not references[shape].exists()}
    bar = context.progress(range(len(cases)), description="simulations")
    done = {case.name for case in cases if (context.workspace / f"{case.name}.json").exists()}
    for _ in range(len(done)):
        next(bar, None)

    def keep(case: Case, result: tuple[Arrays, dict[str, Any], np.ndarray[Any, Any]]) -> None:
        arrays, facts, _ = result
        write_arrays(context.workspace / f"{case.name}.npz", **arrays)
        write_json(context.workspace / f"{case.name}.json", {**facts, "case": asdict(case)})
        next(bar, None)

    for case, result in each(solve, {case: (case, heads.get(case.anatomy)) for case in firsts.values()}):
        write_arrays(references[shape_of(case)], electric=result[2])
        keep(case, result)
    starts = {
        shape: read_arrays(path)["electric"]
        for shape, path in {**known, **references}.items()
        if shape in {shape_of(case) for case in cases}
    }
    done = {case.name for case in cases if (context.workspace / f"{case.name}.json").exists()}
    left = {
        case: (case, heads.get(case.anatomy), bodies, simulation, starts[shape_of(case)])
        for case in cases
        if case.name not in done
    }
    for case, result in each(partial(simulate_case, device=context.device), left):
        keep(case, result)
    index = {case.name: read_json(context.workspace / f"{case.name}.json") for case in cases}
    write_json(context.workspace / INDEX, index)
    for case in cases:
        (context.workspace / f"{case.name}.json").unlink()


def shape_of(case: Case) -> str:
    """Return what cases must share for one to start from the other's field: the anatomy, or the cylinder's size."""
    if case.cylinder is not None:
        return f"cylinder_{1e3 * case.cylinder.diameter:.0f}_{1e3 * case.cylinder.length:.0f}"
    return case.anatomy


def _reference_file(shape: str) -> str:
    return f"electric_{shape}.npz"


def _database_of(settings: DlEptSettings) -> DatabaseSelection:
    return DatabaseSelection(settings.bodies, settings.simulation)


ANATOMIES = Stage(
    "dl_ept/anatomies",
    make_anatomies,
    select=lambda settings: AnatomySelection(settings.bodies.data, settings.simulation.voxel_size_mm),
    data=anatomy_checksums,
    seeded=False,
)

DATABASE = Stage("dl_ept/database", simulate_database, select=_database_of, inputs=(ANATOMIES,), seeded=False)

TESTS = Stage(
    "dl_ept/tests",
    simulate_tests,
    select=lambda settings: TestSelection(settings.bodies, settings.simulation, settings.evaluation.unseen_sets),
    inputs=(ANATOMIES, DATABASE),
    seeded=False,
)
