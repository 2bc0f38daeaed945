"""Stages of the chapter's experiments: Table 1, the figures, and what moves or breaks the result."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from mrrepro.networks.scaled_generator import ScaledGenerator
from mrrepro.papers.dl_ept.cases import (
    FIRST,
    TEST_HEAD,
    TEST_PHANTOMS,
    UNSEEN,
    VALIDATION_PHANTOMS,
    VARIED,
    Case,
    training_names,
)
from mrrepro.papers.dl_ept.database import ANATOMIES, COARSE, COARSER, DATABASE, FINE, FINER, TESTS, read_head
from mrrepro.papers.dl_ept.network_inputs import QUANTITIES, Measurement, measurement_of
from mrrepro.papers.dl_ept.networks import TRAININGS, read_network
from mrrepro.papers.dl_ept.reconstruction import (
    Arrays,
    by_helmholtz,
    by_network,
    measure_case,
    normalised_error,
    statistics,
    tissue_region,
)
from mrrepro.papers.dl_ept.settings import (
    BodySettings,
    DlEptSettings,
    EvaluationSettings,
    HelmholtzSettings,
    MeasurementSettings,
    SimulationSettings,
)
from mrrepro.papers.dl_ept.simulation import TUMOUR_LABEL, simulate_case
from mrrepro.phantoms.head_tissues import BRAIN_TISSUES, HEAD_TISSUES
from mrrepro.runs.files import write_arrays, write_json
from mrrepro.runs.stages import Stage, StageContext

SNR_LEVELS = (5.0, 10.0, 20.0, 40.0, 100.0, math.inf)
"""|B1+| over its noise; the phase's noise goes with its inverse."""

COILS = {
    "no shield": {"shield_radius_mm": 700.0},
    "radius + 10 %": {"coil_radius_mm": 387.0, "shield_radius_mm": 409.0},
    "radius - 10 %": {"coil_radius_mm": 317.0, "shield_radius_mm": 335.0},
}
"""Coils that training never saw, as changes of the simulation's settings."""


@dataclass(frozen=True)
class Experiment:
    """What the experiments may see beside networks and database."""

    bodies: BodySettings
    simulation: SimulationSettings
    measurement: MeasurementSettings
    helmholtz: HelmholtzSettings
    evaluation: EvaluationSettings


Methods = Mapping[tuple[str, str], ScaledGenerator]


def _networks(context: StageContext[Experiment]) -> dict[tuple[str, str], ScaledGenerator]:
    return {
        key: read_network(context.inputs[stage.name], context.device)
        for key, stage in TRAININGS.items()
        if stage.name in context.inputs
    }


def _case(context: StageContext[Experiment], name: str) -> Arrays:
    """Maps of a simulated case, from the database or the tests."""
    for stage in (DATABASE.name, TESTS.name):
        if stage in context.inputs and f"{name}.npz" in context.inputs[stage].manifest["files"]:
            return context.inputs[stage].arrays(f"{name}.npz")
    raise KeyError(name)


def _measured(context: StageContext[Experiment], case: Arrays, third: str, purpose: str) -> Measurement:
    return measure_case(case, third, context.settings.measurement, context.derived_seed(purpose))


def _maps(
    context: StageContext[Experiment], case: Arrays, networks: Methods, purpose: str, methods: tuple[str, ...]
) -> dict[str, dict[str, torch.Tensor]]:
    """Reconstruct a case with the same noise by each method (``helmholtz``, ``mask``, ``tissue``)."""
    settings, found = context.settings, {}
    for method in methods:
        measured = _measured(context, case, "tissue" if method == "tissue" else "mask", purpose)
        if method == "helmholtz":
            maps = by_helmholtz(
                measured, settings.simulation.voxel_size, settings.simulation.frequency, settings.helmholtz
            )
            assert maps.relative_permittivity is not None
            found[method] = {"conductivity": maps.conductivity, "relative_permittivity": maps.relative_permittivity}
        else:
            size = settings.measurement.image_size
            found[method] = {q: by_network(networks[method, q], measured, size) for q in QUANTITIES}
    return found


def _slices(case: Arrays, maps: Mapping[str, Mapping[str, torch.Tensor]], name: str, at: int) -> dict[str, np.ndarray]:
    """One axial slice of truth and reconstructions for a figure: (method, quantity, x, y), the truth first."""
    stack = [[case[q][:, :, at] for q in QUANTITIES]]
    stack += [[found[q].numpy()[:, :, at] for q in QUANTITIES] for found in maps.values()]
    return {
        f"{name}_maps": np.array(stack, dtype=np.float32),
        f"{name}_labels": np.repeat(case["labels"][None, :, :, at], 2, axis=0),
    }


def middle_slice(labels: np.ndarray[Any, Any], tissue: int | None = None) -> int:
    """Return the axial slice that holds most of a label, or of the object; the middle one of several."""
    held = (labels > 0 if tissue is None else labels == tissue).sum(axis=(0, 1))
    fullest = np.flatnonzero(held == held.max())
    return int(fullest[len(fullest) // 2])


def table1(context: StageContext[Experiment]) -> None:
    """Table 1 and Figs. 1, 2 and 4: mean and sd in each tissue of the test head, phantoms, tumour."""
    settings, networks = context.settings, _networks(context)
    rows: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}

    def add(case: str, method: str, region: str, maps: Mapping[str, torch.Tensor], inside: Any, erosion: int) -> None:
        for quantity in QUANTITIES:
            found = statistics(maps[quantity], inside)
            true = _case(context, case)[quantity]
            error = normalised_error(maps[quantity], true, inside) if found["n"] else float("nan")
            rows.append(
                {"case": case, "method": method, "region": region, "quantity": quantity, "erosion": erosion}
                | {"truth": float(np.mean(true[inside])), "nrmse": error, **found}
            )

    for case in (TEST_HEAD, f"{UNSEEN}_M0"):
        head = _case(context, case)
        maps = _maps(context, head, networks, case, ("helmholtz", "mask", "tissue"))
        at = middle_slice(head["labels"])
        arrays |= _slices(head, maps, case, at)
        arrays[f"{case}_inputs"] = _measured(context, head, "tissue", case).channels()[[at]].numpy()
        for tissue in VARIED:
            for erosion in range(settings.evaluation.erosion + 1):
                region = tissue_region(head["labels"], tissue, erosion, least=1 if erosion < 1 else 30)
                for method, found in maps.items():
                    add(case, method, tissue, found, region.inside, region.erosion)
    for case in (*(f"phantom_{n}" for n in TEST_PHANTOMS), "agar"):
        phantom = _case(context, case)
        maps = _maps(context, phantom, networks, case, ("helmholtz", "mask"))
        arrays |= _slices(phantom, maps, case, middle_slice(phantom["labels"]))
        valid = np.isfinite(maps["helmholtz"]["conductivity"].numpy())
        inside = ndimage.binary_erosion(phantom["labels"] > 0, iterations=settings.evaluation.erosion) & valid
        for method, found in maps.items():
            add(case, method, "inside", found, inside, settings.evaluation.erosion)
    write_json(context.workspace / "table1.json", {"rows": rows})
    write_arrays(context.workspace / "slices.npz", **arrays)


def unseen_sets(context: StageContext[Experiment]) -> None:
    """Is it more than segmentation? New sets of properties, a look-up of training means, fields of another case."""
    settings, networks = context.settings, _networks(context)
    names = [f"{FIRST}_U{i}" for i in range(settings.evaluation.unseen_sets)]
    cases = {name: _case(context, name) for name in names}
    labels = cases[names[0]]["labels"]
    regions = {tissue: tissue_region(labels, tissue, 1, least=30).inside for tissue in VARIED}
    brain = np.isin(labels, [int(np.unique(labels[inside])[0]) for inside in regions.values()])
    means = _training_means(context)
    document: dict[str, Any] = {"names": names, "means": means}
    methods = tuple({method for method, _ in networks})
    for quantity in QUANTITIES:
        truths = {t: [float(c[quantity][inside].mean()) for c in cases.values()] for t, inside in regions.items()}
        document[quantity] = {"truth": truths}
        lookup = np.zeros(labels.shape)
        for tissue in VARIED:
            lookup[labels == int(np.unique(labels[regions[tissue]])[0])] = means[tissue][quantity]
        document[quantity]["lookup_nrmse"] = [
            normalised_error(torch.as_tensor(lookup), case[quantity], brain) for case in cases.values()
        ]
    for method in sorted(methods):
        for shift, kind in ((0, "own fields"), (1, "fields of another case")):
            found = _of_sets(context, cases, networks, method, shift, regions, brain)
            for quantity in QUANTITIES:
                document[quantity][f"{method}, {kind}"] = found[quantity]
    write_json(context.workspace / "unseen_sets.json", document)


def _of_sets(
    context: StageContext[Experiment],
    cases: Mapping[str, Arrays],
    networks: Methods,
    method: str,
    shift: int,
    regions: Mapping[str, Any],
    brain: Any,
) -> dict[str, dict[str, Any]]:
    """Means in each tissue and error in the brain of each case, its B1 and phase taken from the one ``shift`` on."""
    names = list(cases)
    found: dict[str, dict[str, Any]] = {q: {"nrmse": [], **{t: [] for t in regions}} for q in QUANTITIES}
    for number, name in enumerate(names):
        source = cases[names[(number + shift) % len(names)]]
        measured = _measured(context, source, method, name)
        for quantity in QUANTITIES:
            map_ = by_network(networks[method, quantity], measured, context.settings.measurement.image_size)
            found[quantity]["nrmse"].append(normalised_error(map_, cases[name][quantity], brain))
            for tissue, inside in regions.items():
                found[quantity][tissue].append(statistics(map_, inside)["mean"])
    return found


def _training_means(context: StageContext[Experiment]) -> dict[str, dict[str, float]]:
    """Mean of each tissue's property over the training heads: what a segmentation with a table would give."""
    names = training_names(context.settings.bodies, "tissue")
    found: dict[str, dict[str, list[float]]] = {t: {q: [] for q in QUANTITIES} for t in VARIED}
    for name in names:
        case = _case(context, name)
        for tissue in VARIED:
            inside = tissue_region(case["labels"], tissue, 0).inside
            for quantity in QUANTITIES:
                found[tissue][quantity].append(float(case[quantity][inside].mean()))
    return {t: {q: float(np.mean(values)) for q, values in each.items()} for t, each in found.items()}


def anatomies(context: StageContext[Experiment]) -> None:
    """Error on a new anatomy beside a known one, for the same new sets of properties; and near boundaries."""
    networks = _networks(context)
    rows = []
    for anatomy in (FIRST, UNSEEN):
        for number in range(min(3, context.settings.evaluation.unseen_sets)):
            name = f"{anatomy}_U{number}"
            case = _case(context, name)
            regions = _depth_regions(case["labels"])
            for method, maps in _maps(context, case, networks, name, ("helmholtz", "mask", "tissue")).items():
                for quantity in QUANTITIES:
                    errors = {k: normalised_error(maps[quantity], case[quantity], r) for k, r in regions.items()}
                    rows.append({"anatomy": anatomy, "set": number, "method": method, "quantity": quantity} | errors)
    write_json(context.workspace / "anatomies.json", {"rows": rows})


def _depth_regions(labels: np.ndarray[Any, Any]) -> dict[str, Any]:
    """The brain, its voxels that touch another tissue, and the others."""
    inner = np.zeros(labels.shape, dtype=bool)
    brain = np.zeros(labels.shape, dtype=bool)
    for tissue in VARIED:
        whole = tissue_region(labels, tissue, 0).inside
        brain |= whole
        inner |= ndimage.binary_erosion(whole)
    return {"brain": brain, "boundary": brain & ~inner, "interior": inner}


def noise_levels(context: StageContext[Experiment]) -> None:
    """Supplement, 'Impact of SNR': error and spread of each method against the SNR."""
    settings, networks = context.settings, _networks(context)
    rows = []
    for name in (TEST_HEAD, f"phantom_{TEST_PHANTOMS[1]}"):
        case = _case(context, name)
        inside = np.zeros(case["labels"].shape, dtype=bool)
        if name == TEST_HEAD:
            for tissue in VARIED:
                inside |= tissue_region(case["labels"], tissue, 0).inside
        else:
            inside = ndimage.binary_erosion(case["labels"] > 0, iterations=settings.evaluation.erosion)
        for snr in SNR_LEVELS:
            factor = 0.0 if math.isinf(snr) else settings.measurement.snr / snr
            level = replace(settings.measurement, snr=snr, phase_sd_mrad=settings.measurement.phase_sd_mrad * factor)
            other = replace(context, settings=replace(settings, measurement=level))
            methods = ("helmholtz", "mask", "tissue") if name == TEST_HEAD else ("helmholtz", "mask")
            for method, maps in _maps(other, case, networks, f"noise {name}", methods).items():
                for quantity in QUANTITIES:
                    found = statistics(maps[quantity], inside)
                    error = normalised_error(maps[quantity], case[quantity], inside)
                    rows.append(
                        {"case": name, "snr": "inf" if math.isinf(snr) else snr, "method": method, "quantity": quantity}
                        | {"nrmse": error, "mean": found["mean"], "sd": found["sd"]}
                    )
    write_json(context.workspace / "noise_levels.json", {"rows": rows})


def mask_networks(context: StageContext[Experiment]) -> None:
    """What the mask networks alone decide: errors by which weights are chosen, sharpness, and Fig. 4's tumour."""
    networks = _networks(context)
    document: dict[str, Any] = {"errors": {}}
    for group, names in {
        "validation": [f"phantom_{n}" for n in VALIDATION_PHANTOMS],
        "test phantoms": [f"phantom_{n}" for n in TEST_PHANTOMS],
        "test head": [TEST_HEAD],
    }.items():
        errors: dict[str, list[float]] = {q: [] for q in QUANTITIES}
        for name in names:
            case = _case(context, name)
            maps = _maps(context, case, networks, name, ("mask",))["mask"]
            inside = _depth_regions(case["labels"])["brain"] if name == TEST_HEAD else case["labels"] > 0
            for quantity in QUANTITIES:
                errors[quantity].append(normalised_error(maps[quantity], case[quantity], inside))
                if name == TEST_HEAD:
                    document.setdefault("edge gradient", {})[quantity] = _edge_gradient(maps[quantity], case)
        document["errors"][group] = errors
    tumour = _case(context, f"{TEST_HEAD}_tumour")
    methods = ("helmholtz", "mask")
    inside = tumour["labels"] == TUMOUR_LABEL
    brain = np.isin(tumour["labels"], [HEAD_TISSUES.index(t) for t in (*BRAIN_TISSUES, "csf")])
    regions = {"tumour": inside, "shell": ndimage.binary_dilation(inside, iterations=3) & ~inside & brain}
    found = _maps(context, tumour, networks, TEST_HEAD, methods)
    healthy = _maps(context, _case(context, TEST_HEAD), networks, TEST_HEAD, methods)
    document["tumour"] = [
        {"case": name, "method": method, "region": region, "quantity": quantity} | statistics(maps[method][quantity], r)
        for name, maps in (("with tumour", found), ("without", healthy))
        for method in methods
        for region, r in regions.items()
        for quantity in QUANTITIES
    ]
    write_json(context.workspace / "mask_networks.json", document)
    write_arrays(
        context.workspace / "slices.npz",
        **_slices(tumour, found, "tumour", middle_slice(tumour["labels"], TUMOUR_LABEL)),
    )


def _edge_gradient(map_: torch.Tensor, case: Arrays) -> float:
    """Return the mean size of the in-plane gradient at the boundaries of WM, GM and CSF [unit / voxel]."""
    values = np.nan_to_num(map_.numpy())
    slopes = np.hypot(np.gradient(values, axis=0), np.gradient(values, axis=1))
    return float(slopes[_depth_regions(case["labels"])["boundary"]].mean())


def helmholtz_boundaries(context: StageContext[Experiment]) -> None:
    """Noiseless error of Helmholtz EPT within half a kernel of a tissue boundary and beyond, on the three heads."""
    settings = context.settings
    rows = []
    for name in (TEST_HEAD, "second_M0", f"{UNSEEN}_M0"):
        case = _case(context, name)
        measured = measurement_of(case, "mask", settings.measurement.phase)
        maps = by_helmholtz(measured, settings.simulation.voxel_size, settings.simulation.frequency, settings.helmholtz)
        same = ndimage.maximum_filter(case["labels"], settings.helmholtz.size) == ndimage.minimum_filter(
            case["labels"], settings.helmholtz.size
        )
        inside = np.isfinite(maps.conductivity.numpy())
        for region, r in {"beyond": inside & same, "within": inside & ~same}.items():
            error = normalised_error(maps.conductivity, case["conductivity"], r) if r.any() else float("nan")
            rows.append({"case": name, "region": region, "n": int(r.sum()), "nrmse": error})
    write_json(context.workspace / "helmholtz_boundaries.json", {"rows": rows})


def helmholtz_voxels(context: StageContext[Experiment]) -> None:
    """Table 1's rows of Helmholtz EPT in smaller voxels: its noise grows as their inverse square."""
    settings = context.settings
    fine = replace(settings.simulation, voxel_size_mm=FINER * settings.simulation.voxel_size_mm)
    case = context.inputs[FINE_HEAD.name].arrays(f"{FINE}.npz")
    other = replace(context, settings=replace(settings, simulation=fine))
    maps = _maps(other, case, {}, TEST_HEAD, ("helmholtz",))["helmholtz"]
    rows = []
    for tissue in VARIED:
        for erosion in range(settings.evaluation.erosion + 1):
            region = tissue_region(case["labels"], tissue, erosion, least=1 if erosion < 1 else 30)
            for quantity in QUANTITIES:
                found = statistics(maps[quantity], region.inside)
                truth = float(np.mean(case[quantity][region.inside]))
                rows.append(
                    {"case": TEST_HEAD, "method": "helmholtz", "region": tissue, "quantity": quantity, "truth": truth}
                    | {"erosion": region.erosion, "voxel_size_mm": fine.voxel_size_mm, **found}
                )
    write_json(context.workspace / "helmholtz_voxels.json", {"rows": rows})


def fine_head(context: StageContext[Experiment]) -> None:
    """The test head once more, in smaller voxels."""
    settings = context.settings
    fine = replace(settings.simulation, voxel_size_mm=FINER * settings.simulation.voxel_size_mm)
    head = read_head(context.inputs[ANATOMIES.name], FINE)
    case = simulate_case(Case(TEST_HEAD, anatomy=FIRST), head, settings.bodies, fine, device=context.device)[0]
    write_arrays(context.workspace / f"{FINE}.npz", **case)


def conditions(context: StageContext[Experiment]) -> None:
    """The test head in other coils, in larger voxels, with another contrast: what no training case had."""
    settings, networks = context.settings, _networks(context)
    anatomies = context.inputs[ANATOMIES.name]
    head, start = read_head(anatomies, FIRST), context.inputs[DATABASE.name].arrays(f"electric_{FIRST}.npz")["electric"]
    reference = Case(TEST_HEAD, anatomy=FIRST)
    cases: dict[str, Arrays] = {"as trained": _case(context, TEST_HEAD)}
    for name, change in context.progress(COILS.items(), description="coils"):
        changed = replace(settings.simulation, **change)
        cases[name] = simulate_case(reference, head, settings.bodies, changed, start, context.device)[0]
    coarse = replace(settings.simulation, voxel_size_mm=COARSER * settings.simulation.voxel_size_mm)
    cases["voxels 25 % larger"] = simulate_case(
        reference, read_head(anatomies, COARSE), settings.bodies, coarse, device=context.device
    )[0]
    rows = []
    for name, case in cases.items():
        simulation = coarse if case["labels"].shape != head.labels.shape else settings.simulation
        other = replace(context, settings=replace(settings, simulation=simulation))
        for method, maps in _maps(other, case, networks, TEST_HEAD, ("helmholtz", "mask", "tissue")).items():
            rows += _condition_rows(name, method, maps, case)
    swapped = dict(cases["as trained"]) | {"spin_echo": cases["as trained"]["spin_echo_1_5t"]}
    found = _maps(context, swapped, networks, TEST_HEAD, ("tissue",))["tissue"]
    rows += _condition_rows("contrast of 1.5 T", "tissue", found, swapped)
    write_json(context.workspace / "conditions.json", {"rows": rows})


def _condition_rows(name: str, method: str, maps: Mapping[str, torch.Tensor], case: Arrays) -> list[dict[str, Any]]:
    region = _depth_regions(case["labels"])["brain"]
    return [
        {"condition": name, "method": method, "quantity": q, "nrmse": normalised_error(maps[q], case[q], region)}
        for q in QUANTITIES
    ]


def select(settings: DlEptSettings) -> Experiment:
    """What the experiments may see of the settings."""
    return Experiment(
        settings.bodies, settings.simulation, settings.measurement, settings.helmholtz, settings.evaluation
    )


_NETWORKS = tuple(TRAININGS.values())
_MASK_NETWORKS = tuple(stage for (third, _), stage in TRAININGS.items() if third == "mask")


def _stage(name: str, function: Callable[[StageContext[Experiment]], None], inputs: tuple[Stage, ...]) -> Stage:
    return Stage(f"dl_ept/{name}", function, select, inputs=inputs)


TABLE_1 = _stage("table1", table1, (DATABASE, TESTS, *_NETWORKS))
UNSEEN_SETS = _stage("unseen_sets", unseen_sets, (DATABASE, TESTS, *_NETWORKS))
OTHER_ANATOMY = _stage("other_anatomy", anatomies, (DATABASE, TESTS, *_NETWORKS))
NOISE_LEVELS = _stage("noise_levels", noise_levels, (DATABASE, *_NETWORKS))
OTHER_CONDITIONS = _stage("other_conditions", conditions, (ANATOMIES, DATABASE, *_NETWORKS))
FINE_HEAD = Stage("dl_ept/fine_head", fine_head, select, inputs=(ANATOMIES,), seeded=False)
HELMHOLTZ_VOXELS = _stage("helmholtz_voxels", helmholtz_voxels, (FINE_HEAD,))
MASK_NETWORKS = _stage("mask_networks", mask_networks, (DATABASE, TESTS, *_MASK_NETWORKS))
HELMHOLTZ_BOUNDARIES = Stage(
    "dl_ept/helmholtz_boundaries", helmholtz_boundaries, select, inputs=(DATABASE, TESTS), seeded=False
)
