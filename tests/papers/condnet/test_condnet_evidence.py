"""Each claim's statistic from recorded files made by hand, against values worked out by hand."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from made_up import MadeUp

from mrrepro.metrics.evidence import claims_of, points_of
from mrrepro.papers.condnet.evidence import CLAIMS, RecordedSweeps
from mrrepro.papers.condnet.generality import ROI_TISSUES
from mrrepro.papers.condnet.maps import DIRECTIONS
from mrrepro.papers.condnet.table1 import COLUMN_A
from mrrepro.runs.ledger import Ledger

T_OF_THREE, T_OF_TWO = 4.302652729911275, 12.706204736432095
"""Student's t at 97.5 % with two degrees of freedom and with one, from a printed table."""

SIDES = (-1, 1)
"""The two test heads of a seed: a warp of the template and another anatomy, far apart in every value."""

Numbers = dict[str, Any]


def half_width(step: float) -> float:
    """Half the t interval of three seeds whose means are ``step`` apart."""
    return T_OF_THREE * step / math.sqrt(3)


def fields_head(s: float, side: int) -> Numbers:
    x = s + 0.3 * side
    ge = {"motor_area": 7.0 + x, "brain": 1.0 + 2.0 * x, "non_brain": 2.0, "head": 3.0}
    l2 = {"motor_area": 0.5 + x, "brain": 0.3, "non_brain": 0.4, "head": 0.9}
    regions = {name: {"estimated": {"global_error": {"mean": ge[name]}, "relative_l2": l2[name]}} for name in ge}
    return {
        "regions": regions,
        "correlation_in_brain": 0.9 + 0.1 * x,
        "fields": {
            "uniform": {"roughness": 0.2, "tail_ratio": 1.2},
            "estimated": {"roughness": 0.1 + 0.2 * x, "tail_ratio": 1.5 + x},
        },
        "hot_spot_shift": {"estimated": 0.004 + 0.001 * x, "turned": 0.006},
        "wrong_by_half": 1.5 + x,
    }


def maps_head(s: float, side: int) -> Numbers:
    x, error = s + 0.3 * side, 0.5 + 0.3 * side + s * (1.0 + 0.5 * side)
    factors = {"csf": 1.02, "white_matter": 0.8 - s, "grey_matter": 0.97}
    factors |= {"fat": 1.25, "muscle": 0.6 - s, "bone_cancellous": 1.0, "bone_cortical": 1.0}
    if side < 0:  # a warp, which these claims leave out
        factors = dict.fromkeys(factors, 3.0)
    tissues = {tissue: {"median": factor * COLUMN_A[tissue]} for tissue, factor in factors.items()}
    return {
        "another_anatomy": side > 0,
        "conductors": [
            {"relative_error": error, "gradient_ratio": 0.6 + x, "blur_explains": 0.8 + x, "tissues": tissues}
        ],
        "directions": [0.8, 0.6, 0.7],
        "other_images": error * (2.0 + x),
        "mean_training_map": 0.9,
    }


def scanners_head(s: float, side: int) -> Numbers:
    x = s + 0.3 * side
    means = {tissue: [COLUMN_A[tissue]] * 3 for tissue in ROI_TISSUES}
    means["skin"] = [0.06 * (0.8 - 0.1 * x), 0.06, 0.06 * (1.2 + 0.1 * x)]
    means["bone_cortical"] = [0.02 * (6.0 + x)] * 3
    variants = [dict.fromkeys(means, 9.0), *({t: means[t][k] for t in means} for k in range(3))]
    return {"variants": [{"tissues": {t: {"conductivity": {"mean": m}} for t, m in v.items()}} for v in variants]}


def without_skin(s: float) -> Numbers:
    head = scanners_head(9.0 * s, 1)
    for variant in head["variants"]:
        del variant["tissues"]["skin"]
    return head


def refined_head(s: float, side: int) -> Numbers:
    x = s + 0.3 * side
    errors = {name: {"cortex": {"relative_l2": l2}} for name, l2 in (("uniform", 0.4), ("blurred", 0.6))}
    errors["estimated"] = {"cortex": {"relative_l2": 0.3 + x}}
    errors["uniform"]["brain"] = {"global_error": {"mean": 1.0 + 2.0 * x}}
    return {"errors": errors, "between_maps": {"global_error": {"mean": 2.0}}}


def unseen_head(s: float, side: int) -> Numbers:
    x = s + 0.3 * side
    return {
        "lens": {"with": {"mean": 1.5 * (0.2 + x)}, "without": {"mean": 9.0}},
        "rest_of_eye": {"with": {"mean": 1.5}, "without": {"mean": 9.0}},
    }


def trainings(axial: float, sagittal: float, coronal: float) -> Numbers:
    values = dict(zip(DIRECTIONS, (sagittal, coronal, axial), strict=True))
    assert tuple(values) == ("sagittal", "coronal", "axial")
    return {
        f"condnet/training_{name}": {
            "history": {
                "validation_entropy": 0.05,
                "record": {"history": [{"step": 1, "loss": 9.0}, {"step": 1, "validation": {"score": 0.05 + value}}]},
            }
        }
        for name, value in values.items()
    }


def stage(name: str, document: str, heads: Iterable[Numbers]) -> Numbers:
    return {f"condnet/{name}": {document: {"heads": list(heads)}}}


def headline(s: float) -> Numbers:
    return {
        **trainings(axial=0.03, sagittal=0.01, coronal=0.03),
        **stage("maps", "maps", (maps_head(s, side) for side in SIDES)),
        **stage("fields", "fields", (fields_head(s, side) for side in SIDES)),
        **stage("refined", "refined", (refined_head(s, side) for side in SIDES)),
        **stage("scanners", "scanners", [*(scanners_head(s, side) for side in SIDES), without_skin(s)]),
        **stage("unseen", "unseen", [*(unseen_head(s, side) for side in SIDES), {"lens": {}}]),
    }


def neck(s: float) -> Numbers:
    heads = [{"neck": 0.3 * (2.0 + s + 0.3 * side), "elsewhere": 0.3} for side in SIDES]
    return {**trainings(0.02 * (3.0 + s), 0.03, 0.01), **stage("maps", "maps", [*heads, {"elsewhere": 0.3}])}


def two(s: float) -> Numbers:
    both = [
        {"conductors": [{"relative_error": a}, {"relative_error": a + 0.2 + 2.0 * s + 0.1 * side}]}
        for side in SIDES
        for a in [0.5 + 0.2 * side + s]
    ]
    return stage("maps_of_two", "maps", both)


def two_as_long(s: float) -> Numbers:
    errors = (maps_head(s, side)["conductors"][0]["relative_error"] + 0.1 + s + 0.2 * side for side in SIDES)
    return stage("maps_of_two", "maps", ({"conductors": [{"relative_error": error}]} for error in errors))


def strengths(s: float) -> Numbers:
    means = {"brain": 2.0, "non_brain": 4.0, "head": 3.0}
    heads = ({"strength": {"motor_area": 4.0 * (5.0 + s + 0.3 * side), **means}} for side in SIDES)
    return stage("strengths", "strengths", heads)


VARIANTS: dict[str, Callable[[float], Numbers]] = {
    "headline": headline,
    "neck": neck,
    "two": two,
    "strengths": strengths,
    "two_as_long": two_as_long,
}

SPREADS = [math.sqrt(2.0) * (0.3 / (7.0 + s) - 0.6 / (1.0 + 2.0 * s)) for s in (-0.1, 0.0, 0.1)]
"""Of GE over its mean in the hand knob less that in the brain: of two values a +- b it is b times the root of two."""

EXPECTED = {
    # statistic, half of its interval over three seeds, cases a seed
    "error_largest_in_motor_area": (0.1, half_width(0.1), 2),
    "error_largest_in_motor_area_by_ge": (4.0, half_width(0.1), 2),
    "stronger_in_motor_area": (5.0, half_width(0.1), 2),
    "differences_vary_in_target": (statistics.mean(SPREADS), half_width(statistics.stdev(SPREADS)), 2),
    "global_error_small": (1.0, half_width(0.2), 2),
    "fields_consistent": (0.9, half_width(0.01), 2),
    "smoother_within_cortex": (0.5, half_width(0.1), 2),
    "staircase_in_percentile": (0.3, half_width(0.1), 2),
    "hot_spot_stays": (4.0, half_width(0.1), 2),
    "placement_matters_more": (-2.0, half_width(0.1), 2),
    "ge_sees_errors": (1.5, half_width(0.1), 2),
    "conductivity_near_uniform": (20.0, half_width(10.0), 1),
    "near_uniform_fat_muscle_bone": (40.0, half_width(10.0), 1),
    "smooth_at_boundaries": (0.6, half_width(0.1), 2),
    "estimate_is_a_blurred_map": (0.8, half_width(0.1), 2),
    "reads_the_image": (2.0, half_width(0.1), 2),
    "beats_the_mean_head": (-0.4, half_width(0.1), 2),
    "averaging_helps": (-0.1, half_width(0.1), 2),
    "held_out_anatomy": (0.6, half_width(0.1), 2),
    "lens_from_the_image": (0.2, half_width(0.1), 2),
    "two_conductors_at_once": (0.1, half_width(0.1), 2),
    "second_conductor_as_good": (0.2, half_width(0.2), 2),
    "generality": (0.2, half_width(0.01), 2),
    "generality_bone_and_skin": (500.0, half_width(10.0), 2),
    "smoother_is_nearer": (-0.1, half_width(0.1), 2),
    "beats_a_blur": (-0.3, half_width(0.1), 2),
    "solver_error_small": (0.5, half_width(0.1), 2),
    "arbitrary_where_no_image": (2.0, half_width(0.1), 2),
    "neck_disturbs_axial": (1.5, half_width(0.1), 1),
}

OVER_SEEDS = {"differences_vary_in_target", "held_out_anatomy", "neck_disturbs_axial"}
"""One value a seed, so that one training gives no interval."""


def write(folder: Path, name: str, seeds: Iterable[int]) -> None:
    runs = [{"seed": seed, "stages": {}, "numbers": VARIANTS[name](0.1 * (seed - 1))} for seed in seeds]
    (folder / f"{name}.json").write_text(json.dumps({"overrides": {}, "runs": runs}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in VARIANTS:
        write(tmp_path, name, (0, 1, 2))
    return tmp_path


@pytest.mark.parametrize("name", EXPECTED)
def test_claim_rests_on_this_statistic(folder: Path, name: str) -> None:
    value, width, cases = EXPECTED[name]
    evidence = RecordedSweeps("demo", folder).claims()[name]
    assert evidence.statistic.value == pytest.approx(value, abs=1e-9)
    assert evidence.statistic.high - evidence.statistic.value == pytest.approx(width, abs=1e-9)
    assert evidence.statistic.value - evidence.statistic.low == pytest.approx(width, abs=1e-9)
    assert (evidence.statistic.level, evidence.seeds, evidence.n_cases) == (0.95, (0, 1, 2), cases)


def test_every_claim_of_the_ledger_that_is_attempted_has_its_statistic(folder: Path) -> None:
    attempted = {claim.id.rpartition(".")[2] for claim in Ledger("condnet").claims if claim.status == "attempt"}
    assert set(RecordedSweeps("demo", folder).claims()) == set(EXPECTED) == set(CLAIMS) == attempted


def test_one_training_is_judged_over_its_heads(tmp_path: Path) -> None:
    for name in VARIANTS:
        write(tmp_path, name, [1])
    sweeps = RecordedSweeps("demo", tmp_path)
    found = sweeps.claims()
    # the one anatomy that is no warp leaves no interval over heads
    alone = {"conductivity_near_uniform", "near_uniform_fat_muscle_bone"}
    assert set(EXPECTED) - set(found) == OVER_SEEDS | alone == set(points_of(sweeps, CLAIMS))
    brain = found["global_error_small"]
    assert (brain.seeds, brain.n_cases) == ((1,), 2)
    assert brain.statistic.high - 1.0 == pytest.approx(T_OF_TWO * 0.6)  # of 1 +- 0.6
    assert "one training" in brain.statistic.name


def test_a_claim_waits_for_all_its_variants_over_the_same_seeds(folder: Path) -> None:
    write(folder, "neck", (0, 1))
    assert set(EXPECTED) - set(RecordedSweeps("demo", folder).claims()) == {"neck_disturbs_axial"}
    (folder / "neck.json").unlink()
    left_out = {"neck_disturbs_axial", "arbitrary_where_no_image"}
    assert set(EXPECTED) - set(RecordedSweeps("demo", folder).claims()) == left_out


def test_nothing_recorded_is_no_evidence(tmp_path: Path) -> None:
    assert RecordedSweeps("demo", tmp_path).claims() == {}
    assert claims_of(MadeUp({}), CLAIMS) == {}
