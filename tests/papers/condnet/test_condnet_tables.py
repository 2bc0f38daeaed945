"""Rows of tables from made-up recordings whose answers are known, and in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made_up import MadeUp

from mrrepro.papers.condnet import tables
from mrrepro.simulators.mr_signals import SpinEcho, SpoiledGradientEcho


def head(another_anatomy: bool, **medians: float) -> dict[str, Any]:
    tissues = {tissue: {"median": median} for tissue, median in medians.items()}
    return {"another_anatomy": another_anatomy, "conductors": [{"tissues": tissues}]}


def recorded(*heads: dict[str, Any]) -> MadeUp:
    return MadeUp({"headline": [{"condnet/maps": {"maps": {"heads": list(heads)}}}] * 2})


def test_medians_stand_by_kind_of_head_with_the_error_of_their_mean() -> None:
    sweeps = recorded(head(True, csf=1.8), head(True, csf=1.6, skin=0.05), head(False, csf=2.2, skin=0.1))
    rows = {row["tissue"]: row for row in tables.median_rows(sweeps)}
    assert len(rows) == 8
    assert rows["CSF"]["other anatomies"] == "1.800 1.600 1.800 1.600"
    # the trained value of fluid is 2 S/m: 1.7 is 15 % less, 2.2 is 10 % more
    assert rows["CSF"]["other anatomies, error [%]"] == "-15"
    assert rows["CSF"]["warps, error [%]"] == "+10"
    assert rows["skin"]["other anatomies, error [%]"] == "-50"
    assert rows["fat"]["warps"] == "no full voxel"


def test_a_median_beyond_the_limit_differs() -> None:
    said = tables.median_verdicts(recorded(head(True, csf=1.8, white_matter=0.07, grey_matter=0.125)))
    assert "CSF -10 % (within)" in said
    assert "grey matter +25 % (differs)" in said
    assert "recorded" in tables.median_verdicts(recorded(head(False, csf=1.8)))


def trained_on(four: float, one: float) -> MadeUp:
    errors = {"headline": four, "one_head": one, "six_heads": 0.5}
    heads = {name: {"heads": [{"conductors": [{"relative_error": error}]}]} for name, error in errors.items()}
    return MadeUp({name: [{"condnet/maps": {"maps": held}}] * 2 for name, held in heads.items()})


def test_errors_after_fewer_training_heads_are_over_those_after_six() -> None:
    said = tables.heads_words(trained_on(four=0.505, one=0.52))
    assert "four heads 1.010 times" in said
    assert "one head 1.040 times (1.040 to 1.040 by seed)" in said
    assert "Nothing is recorded" in tables.heads_words(MadeUp({}))


def test_staircases_have_a_row_for_each_map_and_no_percentile_of_the_refined_one() -> None:
    fields = {name: {"percentile_99": 300.0, "tail_ratio": 1.5} for name in ("uniform", "estimated")}
    refined = {"roughness": {"uniform": 0.13, "estimated": 0.12, "refined": 0.14}}
    rows = tables.staircase_rows({"name": "one", "fields": fields}, refined)
    assert [row["map"] for row in rows] == ["uniform", "estimated", "refined"]
    assert [row["99th percentile [V/m]"] for row in rows] == ["300", "300", ""]
    assert rows[2]["roughness"] == 0.14


def fine_head(another_anatomy: bool, uniform: float, estimated: float) -> dict[str, Any]:
    errors = {"uniform": uniform, "blurred": 0.5, "estimated": estimated}
    return {
        "name": "one",
        "another_anatomy": another_anatomy,
        "errors": {name: {"cortex": {"relative_l2": error}} for name, error in errors.items()},
        "between_maps": {"relative_l2": 0.3},
    }


def test_which_map_is_nearer_is_said_for_each_kind_of_head() -> None:
    heads = [fine_head(True, 0.4, 0.3), fine_head(True, 0.2, 0.1), fine_head(False, 0.2, 0.25)]
    said = tables.nearer_words(heads)
    assert "other anatomies nearer to it than the uniform map's (0.200 against 0.300)" in said
    assert "warps of the template further from it than the uniform map's (0.250 against 0.200)" in said
    assert "recorded" in tables.nearer_words(heads[:2])
    assert [row["estimated"] for row in tables.refined_rows(heads)] == [0.3, 0.1, 0.25]


def test_sequences_and_scanners_in_words() -> None:
    assert tables.sequence_words(SpinEcho(4.0, 0.09)) == "spin echo, TR 4000, TE 90 ms"
    words = tables.sequence_words(SpoiledGradientEcho(0.02, 0.004, np.pi / 9))
    assert words == "spoiled gradient echo, TR 20, TE 4 ms, 20°"
    rows = tables.scanner_rows({"A-1": "x", "B-2": "y", "C-3": "z"})
    assert [row["Table IV"] for row in rows] == ["not stated", "A-1: x", "B-2: y", "C-3: z"]
    assert [row["field [T]"] for row in rows] == ["3", "1.5", "1.5", "1.5"]
    with pytest.raises(ValueError, match="zip"):
        tables.scanner_rows({"A-1": "x"})
