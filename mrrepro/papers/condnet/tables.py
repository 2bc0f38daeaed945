"""Rows of the chapter's tables that take more than a line: medians over seeds, staircases, scanners beside Table IV."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from mrrepro.metrics.electric_fields import magnitude
from mrrepro.papers.condnet.evidence import MAIN_TISSUES, Entry, RecordedSweeps, errors_of, seconds_of_a_map
from mrrepro.papers.condnet.generality import ROI_TISSUES
from mrrepro.papers.condnet.scanners import TRAINED, VARIANTS, ScannerVariant
from mrrepro.papers.condnet.table1 import COLUMN_A
from mrrepro.simulators.mr_signals import SpinEcho, SpoiledGradientEcho

LIMIT = 15.0
"""Largest error [%] of a median in CSF, white and grey matter that was to be reached."""

Rows = list[dict[str, Any]]


def in_words(tissue: str) -> str:
    """A tissue's name as prose has it."""
    return "CSF" if tissue == "csf" else tissue.replace("_", " ")


def recorded_medians(sweeps: RecordedSweeps, another_anatomy: bool) -> dict[str, list[float]]:
    """Median conductivity [S/m] of the tissues of Table V in each recorded test head of one kind; [] where none."""
    heads = [entry for entry in sweeps.pooled("maps", "maps") if entry["another_anatomy"] is another_anatomy]
    found: dict[str, list[float]] = {}
    for tissue in ROI_TISSUES:
        regions = [entry["conductors"][0]["tissues"].get(tissue) for entry in heads]
        found[tissue] = [float(region["median"]) for region in regions if region is not None]
    return found


def median_rows(sweeps: RecordedSweeps) -> Rows:
    """The medians of the recorded test heads and their mean error [%], other anatomies beside warps of the template."""
    kinds = {"other anatomies": recorded_medians(sweeps, True), "warps": recorded_medians(sweeps, False)}
    rows: Rows = []
    for tissue in ROI_TISSUES:
        row: dict[str, Any] = {"tissue": in_words(tissue), "trained": COLUMN_A[tissue]}
        for kind, medians in kinds.items():
            values = medians[tissue]
            row[kind] = " ".join(f"{value:.3f}" for value in values) or "no full voxel"
            row[f"{kind}, error [%]"] = f"{round(mean_error(values, tissue)):+d}" if values else ""
        rows.append(row)
    return rows


def mean_error(medians: Sequence[float], tissue: str) -> float:
    """Relative error [%] of the mean of medians against the trained value."""
    return 100.0 * (float(np.mean(medians)) / COLUMN_A[tissue] - 1.0)


def median_verdicts(sweeps: RecordedSweeps) -> str:
    """Which of CSF, white and grey matter lie within the limit on other anatomies, in words."""
    medians = recorded_medians(sweeps, True)
    words = []
    for tissue in MAIN_TISSUES:
        if not medians[tissue]:
            return "Nothing is recorded at this scale."
        error = mean_error(medians[tissue], tissue)
        verdict = "within" if abs(error) <= LIMIT else "differs"
        words.append(f"{in_words(tissue)} {round(error):+d} % ({verdict})")
    return (
        f"Of the {LIMIT:.0f} % that were to be reached, on other anatomies, mean over the recorded seeds: "
        f"{', '.join(words)}."
    )


def heads_words(sweeps: RecordedSweeps) -> str:
    """The error after training on fewer heads over that with six, in words, and why it decides nothing."""
    fewer = {"four heads": "headline", "one head": "one_head"}
    if not all(sweeps.runs(variant) for variant in (*fewer.values(), "six_heads")):
        return "Nothing is recorded at this scale."
    most, words = errors_of(sweeps, "six_heads"), []
    for heads, variant in fewer.items():
        ratios = [few / many for few, many in zip(errors_of(sweeps, variant), most, strict=True)]
        words.append(f"with {heads} {np.mean(ratios):.3f} times ({min(ratios):.3f} to {max(ratios):.3f} by seed)")
    return (
        f"The error is {' and '.join(words)} that with six. How far the number of heads moves the error at this scale, "
        "at the same number of steps, is all that this shows: without a count that is too small it does not tell "
        "which is enough, and ten heads were trained on once."
    )


def two_words(sweeps: RecordedSweeps) -> str:
    """The error of conductor A with one and with two conductors, trained for half as many passes and for as many."""
    if not all(sweeps.runs(variant) for variant in ("headline", "two", "two_as_long")):
        return "Nothing is recorded at this scale."
    one = errors_of(sweeps, "headline")
    short, long = (errors_of(sweeps, variant, "maps_of_two") for variant in ("two", "two_as_long"))
    seeds = [f"{b - a:+.3f}" for a, b in zip(one, long, strict=True)]
    return (
        f"Over the recorded seeds the error of A is {np.mean(one):.3f} with $V = 1$; with $V = 2$ it is "
        f"{np.mean(short):.3f} after half as many passes, and {np.mean(long):.3f} after as many ({', '.join(seeds)} by "
        "seed against $V = 1$). The paper kept the remaining parameters similar: as many passes decide the claim."
    )


def neck_words(sweeps: RecordedSweeps) -> str:
    """How the error of the maps in a neck without image compares with that elsewhere and with that of an empty map."""
    entries = [entry for entry in sweeps.pooled("maps", "maps", "neck") if "neck" in entry]
    if not entries:
        return "Nothing is recorded at this scale."
    necks, elsewhere = (np.array([entry[where] for entry in entries]) for where in ("neck", "elsewhere"))
    return (
        f"In recorded necks without image the relative L2 error is {np.mean(necks / elsewhere):.2f} times that in the "
        f"rest of the head. A map that is empty there has an error of one, {np.mean(1.0 / elsewhere):.2f} times that "
        f"in the rest; the networks' error in the neck is {necks.min():.2f} to {necks.max():.2f} of it."
    )


def seconds_words(sweeps: RecordedSweeps) -> str:
    """How long a map took, and why that decides nothing."""
    seconds = seconds_of_a_map(sweeps)
    if not seconds:
        return "How long a map takes is not recorded at this scale."
    return (
        f"The map of a head of $256^3$ voxels took {min(seconds):.0f} to {max(seconds):.0f} s on one thread of a "
        "processor. The paper's seconds are those of three graphics cards, so that this decides nothing of its claim."
    )


def coil_words(coil: Sequence[Entry]) -> str:
    """What a blur of the binary map does under a coil, where currents run along the boundaries, voxel by voxel."""
    errors = {(entry["conductivity"], entry["voxel_mm"]): entry["relative_l2"] for entry in coil}
    sizes = sorted({size for _, size in errors}, reverse=True)
    if not sizes:
        return "Nothing is recorded at this scale."
    parts = [
        f"{100.0 * (1.0 - errors['Gaussian, one voxel', size] / errors['binary', size]):.0f} % at {size:g} mm"
        for size in sizes
    ]
    beaten = [f"{size:g}" for size in sizes if errors["Gaussian, one voxel", size] < errors["partial volume", size]]
    than = f", and less is left than by partial volume at {_listed(beaten)} mm" if beaten else ""
    return (
        f"Under a coil the blur takes away {_listed(parts)} of the binary map's error{than}. The currents of a coil "
        "run along the boundaries of a sphere and never cross them: there a smooth map *is* better, which supports the "
        "paper's Section II."
    )


def percentile_words(coil: Sequence[Entry]) -> str:
    """Whether the 99th percentile of the binary map's field comes nearer to the closed form as voxels shrink."""
    binary = {entry["voxel_mm"]: entry["percentile_99"] for entry in coil if entry["conductivity"] == "binary"}
    if not binary:
        return "Nothing is recorded at this scale."
    sizes = sorted(binary, reverse=True)
    away = [abs(binary[size] - 1.0) for size in sizes]
    nearer = all(after < before for before, after in itertools.pairwise(away))
    said = "comes nearer to one" if nearer else "does not come nearer to one"
    values = _listed([f"{binary[size]:.3f} at {size:g} mm" for size in sizes])
    return f"The binary map's percentile {said} as voxels shrink: {values}."


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def inner_share(region: Bool[np.ndarray, "x y z"]) -> float:
    """Part of a region's voxels whose six neighbours lie in it: those that its roughness is measured in."""
    return float(ndimage.binary_erosion(region).sum() / region.sum())


def mean_over_maximum(fields: Mapping[str, Any], region: Bool[np.ndarray, "x y z"]) -> float:
    """Mean |E| by the uniform map over what equation 6 divides by, the largest |E| of the two maps, in a region."""
    uniform, estimated = (magnitude(fields[name])[region] for name in ("uniform", "estimated"))
    return float(uniform.mean(dtype=float) / max(uniform.max(), estimated.max()))


def staircase_rows(entry: Entry, refined: Entry) -> Rows:
    """Roughness in the cortex, 99th percentile and tail of |E| in the brain of one head, by each map.

    The refined solution has a roughness alone: its field is averaged to the coarse voxels there.
    """
    rows: Rows = []
    for name, roughness in refined["roughness"].items():
        field = entry["fields"].get(name, {})
        percentile = field.get("percentile_99", math.nan)
        rows.append(
            {
                "head": entry["name"],
                "map": name,
                "roughness": roughness,
                "99th percentile [V/m]": f"{percentile:.0f}" if math.isfinite(percentile) else "",
                "99.9th over 99th": field.get("tail_ratio", ""),
            }
        )
    return rows


def refined_rows(heads: Sequence[Entry]) -> Rows:
    """Errors of each map's field in the cortex against the refined solution, head by head."""
    rows: Rows = []
    for entry in heads:
        row = {"head": entry["name"], "another anatomy": "yes" if entry["another_anatomy"] else "no"}
        row |= {name: _refined_error(entry, name) for name in ("uniform", "blurred", "estimated")}
        rows.append(row | {"between the maps": entry["between_maps"]["relative_l2"]})
    return rows


def nearer_words(heads: Sequence[Entry]) -> str:
    """On which kind of head the estimated map's field is nearer to the refined solution than the uniform one's."""
    words = []
    for kind, name in ((True, "other anatomies"), (False, "warps of the template")):
        chosen = [entry for entry in heads if entry["another_anatomy"] is kind]
        if not chosen:
            return "Nothing is recorded at this scale for both kinds of head."
        estimated, uniform = (
            float(np.mean([_refined_error(entry, which) for entry in chosen])) for which in ("estimated", "uniform")
        )
        side = "nearer to" if estimated < uniform else "further from"
        words.append(f"on {name} {side} it than the uniform map's ({estimated:.3f} against {uniform:.3f})")
    return f"The estimated map's field is, by the mean error against the refined solution, {' and '.join(words)}."


def _refined_error(entry: Entry, name: str) -> float:
    return float(entry["errors"][name]["cortex"]["relative_l2"])


def table5_words(printed: Mapping[str, Sequence[float]]) -> str:
    """How far the means of Table V lie from the trained value, and how much they differ between the scans.

    Parameters
    ----------
    printed : mapping
        What Table V has of each tissue [S/m], a value a scan.
    """
    factors = {tissue: [value / COLUMN_A[tissue] for value in values] for tissue, values in printed.items()}
    spread = {tissue: float(np.std(values, ddof=1) / np.mean(values)) for tissue, values in factors.items()}
    bone, mucous = (_between(factors[tissue]) for tissue in ("bone_cortical", "mucous_tissue"))
    loose = max(spread, key=lambda tissue: spread[tissue])
    return (
        f"The paper's own table has cortical bone at {bone} times the trained value and mucous tissue at {mucous} "
        "times: consistent between scanners, and consistently far from the trained value. The least consistent is "
        f"{in_words(loose)}, at {_between(factors[loose])} times, with a standard deviation between the scans of "
        f"{100.0 * spread[loose]:.0f} % of the mean."
    )


def _between(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2g}", f"{max(values):.2g}"
    return low if low == high else f"{low} to {high}"


def sequence_words(sequence: SpoiledGradientEcho | SpinEcho) -> str:
    """A sequence with its times [ms] and its angle, in words."""
    times = f"TR {1e3 * sequence.repetition_time:g}, TE {1e3 * sequence.echo_time:g} ms"
    if isinstance(sequence, SpinEcho):
        return f"spin echo, {times}"
    return f"spoiled gradient echo, {times}, {math.degrees(sequence.flip_angle):.0f}°"


def scanner_rows(printed: Mapping[str, str]) -> Rows:
    """The scanners simulated here beside those of Table IV.

    Parameters
    ----------
    printed : mapping
        What Table IV has of each scan, in the order of `VARIANTS`: subject to its entry in words.
    """
    subjects = [("", "not stated"), *printed.items()]
    return [_scanner_row(variant, *paper) for variant, paper in zip((TRAINED, *VARIANTS), subjects, strict=True)]


def _scanner_row(variant: ScannerVariant, subject: str, printed: str) -> dict[str, Any]:
    slices = f"{1e3 * variant.slice_thickness:g} mm" if variant.slice_thickness else "isotropic"
    return {
        "simulated": variant.name.split(":")[0],
        "field [T]": f"{variant.field:g}",
        "T1-weighted": sequence_words(variant.t1_weighted),
        "T2-weighted": sequence_words(variant.t2_weighted),
        "slices": slices,
        "Table IV": f"{subject}: {printed}" if subject else printed,
    }
