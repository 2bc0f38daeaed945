"""What the recorded sweeps say about the paper's claims, and a sceptic's: one statistic with its interval each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mrrepro.metrics.evidence import Builder, Evidence, RecordedRuns, claims_of, over_cases, over_seeds
from mrrepro.papers.condnet.generality import ROI_TISSUES
from mrrepro.papers.condnet.table1 import COLUMN_A
from mrrepro.runs.records import Statistic

MAIN_TISSUES = ("csf", "white_matter", "grey_matter")
"""Tissues in which the estimate is judged."""

OTHER_TISSUES = ("fat", "muscle", "bone_cancellous", "bone_cortical")
"""The other four of the seven that the paper's Fig. 8 shows."""

PARTS = ("brain", "non_brain", "head")
"""Regions of Table III beside the hand motor area."""

Entry = Mapping[str, Any]
Values = list[float]


class RecordedSweeps(RecordedRuns):
    """The recorded runs of the chapter at one scale."""

    paper = "condnet"

    def heads(self, stage: str, name: str, variant: str = "headline") -> list[list[Entry]]:
        """Entries of the test heads, (seeds, heads)."""
        return [list(document["heads"]) for document in self.documents(variant, stage, name)]

    def pooled(self, stage: str, name: str, variant: str = "headline") -> list[Entry]:
        """Entries of all test heads of all seeds, each of which has persons of its own; a seed's share its networks."""
        return [entry for heads in self.heads(stage, name, variant) for entry in heads]

    def claims(self) -> dict[str, Evidence]:
        """Evidence for each claim that is decided from recorded runs, by the claim's short name.

        A claim whose runs are not recorded at this scale is left out, and one that is decided over seeds where there is
        one seed alone.
        """
        return claims_of(self, CLAIMS)


def _over_heads(
    stage: str, document: str, name: str, value: Callable[[Entry], float], variant: str = "headline"
) -> Builder:
    """Mean over the test heads of a seed, then over seeds; of one seed over its heads. A head may have no value."""

    def build(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
        by_seed = [[value(entry) for entry in heads] for heads in sweeps.heads(stage, document, variant)]
        return over_cases(name, by_seed), int(np.isfinite(np.concatenate(by_seed)).sum()) // len(by_seed)

    return build


def _over_seeds(stage: str, document: str, name: str, value: Callable[[list[Entry]], float]) -> Builder:
    """Mean over seeds of one number a seed."""

    def build(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
        heads = sweeps.heads(stage, document)
        return over_seeds(name, [value(each) for each in heads]), len(heads[0])

    return build


def global_error(entry: Entry, region: str) -> float:
    """GE [%] of the estimated map in a region of one head."""
    return float(entry["regions"][region]["estimated"]["global_error"]["mean"])


def relative_l2(entry: Entry, region: str) -> float:
    """Relative L2 difference of the estimated map's field in a region of one head."""
    return float(entry["regions"][region]["estimated"]["relative_l2"])


def map_error(entry: Entry, conductor: int = 0) -> float:
    """Relative L2 error of a conductor's map of one head."""
    return float(entry["conductors"][conductor]["relative_error"])


def median_error(entry: Entry, tissues: Sequence[str] = MAIN_TISSUES) -> float:
    """Largest relative error [%] of the medians over these tissues; NaN where one of them fills no voxel."""
    found = entry["conductors"][0]["tissues"]
    if any(tissue not in found for tissue in tissues):
        return float("nan")
    return max(100.0 * abs(found[tissue]["median"] / COLUMN_A[tissue] - 1.0) for tissue in tissues)


def _other_median_error(entry: Entry, tissues: Sequence[str] = MAIN_TISSUES) -> float:
    return median_error(entry, tissues) if entry["another_anatomy"] else float("nan")


def _excess_of_spread(heads: list[Entry]) -> float:
    """Standard deviation of GE between heads over its mean, in the hand knob less that in the brain."""
    knob, brain = (np.array([global_error(entry, region) for entry in heads]) for region in ("motor_area", "brain"))
    return float(knob.std(ddof=1) / knob.mean() - brain.std(ddof=1) / brain.mean())


def knob_over_rest(entry: Entry) -> float:
    """Mean |E| in the hand knob over the largest of its means in the regions of `PARTS`, of one head."""
    means = entry["strength"]
    return float(means["motor_area"] / max(means[part] for part in PARTS))


def _by_anatomy(heads: list[Entry]) -> float:
    errors = {kind: [map_error(e) for e in heads if e["another_anatomy"] is kind] for kind in (True, False)}
    return float(np.mean(errors[True]) - np.mean(errors[False]))


def _error_of(entry: Entry, conductor: str) -> float:
    return float(entry["errors"][conductor]["cortex"]["relative_l2"])


def _lens_over_eye(entry: Entry) -> float:
    if "lens" not in entry or "rest_of_eye" not in entry:
        return float("nan")
    return float(entry["lens"]["with"]["mean"] / entry["rest_of_eye"]["with"]["mean"])


def _two_at_once(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    one, two = sweeps.heads("maps", "maps"), sweeps.heads("maps_of_two", "maps", "two_as_long")
    changes = [
        [map_error(b) - map_error(a) for a, b in zip(first, second, strict=True)]
        for first, second in zip(one, two, strict=True)
    ]
    return over_cases("relative error of A with V = 2 minus with V = 1", changes), len(one[0])


def scanner_means(entry: Entry, tissue: str) -> Values:
    """Mean conductivity of a tissue by scanner variant, without the one trained on; NaN where it fills no voxel."""
    regions = [variant["tissues"].get(tissue) for variant in entry["variants"][1:]]
    return [float("nan") if region is None else float(region["conductivity"]["mean"]) for region in regions]


def _spread(entry: Entry) -> float:
    means = np.array([scanner_means(entry, tissue) for tissue in ROI_TISSUES])
    return float(np.max(means.std(axis=1, ddof=1) / means.mean(axis=1)))


def _bone_and_skin(entry: Entry) -> float:
    errors = [abs(np.mean(scanner_means(entry, t)) / COLUMN_A[t] - 1.0) for t in ("bone_cortical", "skin")]
    return float(100.0 * np.max(errors))


def excess_loss(sweeps: RecordedSweeps, direction: str, variant: str) -> Values:
    """Validation loss of each seed at the end of a training, less the least possible [nat]."""
    found = []
    for document in sweeps.documents(variant, f"training_{direction}", "history"):
        validations = [e["validation"]["score"] for e in document["record"]["history"] if "validation" in e]
        found.append(float(validations[-1] - document["validation_entropy"]))
    return found


def _neck_and_axial(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    ratios = {}
    for variant in ("neck", "headline"):
        axial, *others = (np.array(excess_loss(sweeps, each, variant)) for each in ("axial", "sagittal", "coronal"))
        ratios[variant] = axial / np.mean(others, axis=0)
    name = "excess loss of the axial network over the mean of the others, with minus without a neck in the labels alone"
    return over_seeds(name, list(ratios["neck"] - ratios["headline"])), 1


def where_no_image(entry: Entry) -> float:
    """Relative error of a map below the images' end over that elsewhere."""
    return float(entry["neck"]) / float(entry["elsewhere"])


def _neck_error(entry: Entry) -> float:
    return where_no_image(entry) if "neck" in entry else float("nan")


def errors_of(sweeps: RecordedSweeps, variant: str, stage: str = "maps") -> Values:
    """Mean relative L2 error of the maps of conductor A over the test heads, by seed."""
    return [float(np.mean([map_error(entry) for entry in heads])) for heads in sweeps.heads(stage, "maps", variant)]


def seconds_of_a_map(sweeps: RecordedSweeps) -> Values:
    """How long the map of a volume of 256^3 voxels took, by recorded run."""
    return [float(document["seconds"]) for document in sweeps.documents("timing", "timing", "timing")]


def _fields(name: str, value: Callable[[Entry], float]) -> tuple[tuple[str, ...], Builder]:
    return ("headline",), _over_heads("fields", "fields", name, value)


def _maps(name: str, value: Callable[[Entry], float]) -> tuple[tuple[str, ...], Builder]:
    return ("headline",), _over_heads("maps", "maps", name, value)


def _refined(name: str, value: Callable[[Entry], float]) -> tuple[tuple[str, ...], Builder]:
    return ("headline",), _over_heads("refined", "refined", name, value)


def _scanners(name: str, value: Callable[[Entry], float]) -> tuple[tuple[str, ...], Builder]:
    return ("headline",), _over_heads("scanners", "scanners", name, value)


CLAIMS: dict[str, tuple[tuple[str, ...], Builder]] = {
    "error_largest_in_motor_area": _fields(
        "relative L2 in the hand knob minus the largest of brain and outside the brain",
        lambda e: relative_l2(e, "motor_area") - max(relative_l2(e, part) for part in PARTS[:2]),
    ),
    "error_largest_in_motor_area_by_ge": _fields(
        "GE in the hand knob minus the largest of brain, outside the brain and head [%]",
        lambda e: global_error(e, "motor_area") - max(global_error(e, part) for part in PARTS),
    ),
    "stronger_in_motor_area": (
        ("strengths",),
        _over_heads(
            "strengths",
            "strengths",
            "mean |E| in the hand knob over the largest of brain, outside the brain and head",
            knob_over_rest,
            "strengths",
        ),
    ),
    "differences_vary_in_target": (
        ("headline",),
        _over_seeds(
            "fields", "fields", "spread of GE between heads over its mean, hand knob minus brain", _excess_of_spread
        ),
    ),
    "global_error_small": _fields("GE in the brain [%]", lambda e: global_error(e, "brain")),
    "fields_consistent": _fields("correlation of |E| in the brain", lambda e: float(e["correlation_in_brain"])),
    "smoother_within_cortex": _fields(
        "roughness of |E| inside the cortex, estimated over uniform",
        lambda e: e["fields"]["estimated"]["roughness"] / e["fields"]["uniform"]["roughness"],
    ),
    "staircase_in_percentile": _fields(
        "99.9th over 99th percentile of |E| in the brain, estimated minus uniform",
        lambda e: e["fields"]["estimated"]["tail_ratio"] - e["fields"]["uniform"]["tail_ratio"],
    ),
    "hot_spot_stays": _fields(
        "shift of the hot spot between the two maps [mm]", lambda e: 1e3 * e["hot_spot_shift"]["estimated"]
    ),
    "placement_matters_more": _fields(
        "shift of the hot spot by the map minus by a turn of 10 degrees [mm]",
        lambda e: 1e3 * (e["hot_spot_shift"]["estimated"] - e["hot_spot_shift"]["turned"]),
    ),
    "ge_sees_errors": _fields("GE in the brain of a field wrong by half [%]", lambda e: float(e["wrong_by_half"])),
    "conductivity_near_uniform": _maps(
        "largest relative error of the medians of CSF, WM and GM, held-out anatomies [%]", _other_median_error
    ),
    "near_uniform_fat_muscle_bone": _maps(
        "largest relative error of the medians of fat, muscle and both kinds of bone, held-out anatomies [%]",
        lambda e: _other_median_error(e, OTHER_TISSUES),
    ),
    "smooth_at_boundaries": _maps(
        "mean gradient at tissue boundaries, estimated over uniform",
        lambda e: float(e["conductors"][0]["gradient_ratio"]),
    ),
    "estimate_is_a_blurred_map": _maps(
        "share of the estimate's variance that the best blur of the uniform map explains",
        lambda e: float(e["conductors"][0]["blur_explains"]),
    ),
    "reads_the_image": _maps(
        "error with another head's images over that with its own", lambda e: float(e["other_images"]) / map_error(e)
    ),
    "beats_the_mean_head": _maps(
        "error of the network minus of the mean training map", lambda e: map_error(e) - float(e["mean_training_map"])
    ),
    "averaging_helps": _maps(
        "error of the mean of three directions minus of the best of them",
        lambda e: map_error(e) - min(map(float, e["directions"])),
    ),
    "held_out_anatomy": (
        ("headline",),
        _over_seeds("maps", "maps", "error on other anatomies minus on warps of the template", _by_anatomy),
    ),
    "lens_from_the_image": (
        ("headline",),
        _over_heads("unseen", "unseen", "conductivity of the lens over that of the rest of the eye", _lens_over_eye),
    ),
    "two_conductors_at_once": (("headline", "two_as_long"), _two_at_once),
    "second_conductor_as_good": (
        ("two",),
        _over_heads(
            "maps_of_two",
            "maps",
            "relative error of B minus of A with V = 2",
            lambda e: map_error(e, 1) - map_error(e, 0),
            "two",
        ),
    ),
    "generality": _scanners("largest spread between scanner variants over the tissues of Table V", _spread),
    "generality_bone_and_skin": _scanners(
        "larger error of cortical bone and skin over scanner variants [%]", _bone_and_skin
    ),
    "smoother_is_nearer": _refined(
        "error in the cortex against the finer solution, estimated minus uniform",
        lambda e: _error_of(e, "estimated") - _error_of(e, "uniform"),
    ),
    "beats_a_blur": _refined(
        "error in the cortex against the finer solution, estimated minus blurred",
        lambda e: _error_of(e, "estimated") - _error_of(e, "blurred"),
    ),
    "solver_error_small": _refined(
        "GE in the brain between a head and that rebuilt at half the voxel over that between the two maps",
        lambda e: e["errors"]["uniform"]["brain"]["global_error"]["mean"] / e["between_maps"]["global_error"]["mean"],
    ),
    "arbitrary_where_no_image": (
        ("neck",),
        _over_heads("maps", "maps", "error where no image is over that elsewhere", _neck_error, "neck"),
    ),
    "neck_disturbs_axial": (("neck", "headline"), _neck_and_axial),
}
"""By the claim's short name: the variants it rests on, and its statistic."""
