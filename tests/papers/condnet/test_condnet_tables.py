"""Rows of tables from made-up recordings whose answers are known, and in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made_up import MadeUp

from mrrepro.papers.condnet import plots, tables
from mrrepro.papers.condnet.planes import three_slices
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


def test_two_conductors_are_compared_after_as_many_passes() -> None:
    def maps(stage: str, error: float) -> dict[str, Any]:
        return {f"condnet/{stage}": {"maps": {"heads": [{"conductors": [{"relative_error": error}]}]}}}

    runs = {"headline": [maps("maps", 0.5), maps("maps", 0.52)], "two": [maps("maps_of_two", 0.58)] * 2}
    said = tables.two_words(MadeUp(runs | {"two_as_long": [maps("maps_of_two", 0.54)] * 2}))
    assert "0.510 with $V = 1$; with $V = 2$ it is 0.580 after half as many passes, and 0.540 after as many" in said
    assert "(+0.040, +0.020 by seed against $V = 1$)" in said
    assert "Nothing is recorded" in tables.two_words(MadeUp(runs))


def test_a_neck_without_image_is_compared_with_the_rest_and_with_an_empty_one() -> None:
    heads = [{"neck": 0.8, "elsewhere": 0.5}, {"neck": 0.6, "elsewhere": 0.4}, {"elsewhere": 0.1}]
    said = tables.neck_words(MadeUp({"neck": [{"condnet/maps": {"maps": {"heads": heads}}}]}))
    assert "is 1.55 times that in the rest" in said
    assert "an error of one, 2.25 times that in the rest" in said
    assert "is 0.60 to 0.80 of it" in said
    assert "Nothing is recorded" in tables.neck_words(MadeUp({}))


def test_seconds_of_a_map_are_told_and_decide_nothing() -> None:
    runs = [{"condnet/timing": {"timing": {"seconds": seconds}}} for seconds in (50.4, 52.6)]
    assert "took 50 to 53 s on one thread" in tables.seconds_words(MadeUp({"timing": runs}))
    assert "not recorded" in tables.seconds_words(MadeUp({}))


def on_spheres(key: str, **values: tuple[float, float]) -> list[dict[str, Any]]:
    names = {"gaussian": "Gaussian, one voxel", "partial": "partial volume"}
    return [
        {"conductivity": names.get(name, name), "voxel_mm": size, key: value}
        for name, both in values.items()
        for size, value in zip((4.0, 2.0), both, strict=True)
    ]


def test_a_blur_under_a_coil_takes_away_a_part_of_the_binary_error() -> None:
    said = tables.coil_words(on_spheres("relative_l2", binary=(0.4, 0.1), gaussian=(0.1, 0.03), partial=(0.05, 0.04)))
    assert "takes away 75 % at 4 mm and 70 % at 2 mm of the binary map's error" in said
    assert "less is left than by partial volume at 2 mm." in said
    assert "Nothing is recorded" in tables.coil_words([])


@pytest.mark.parametrize(
    ("values", "said"), [((1.1, 1.02), "comes nearer to one as"), ((1.1, 0.88), "does not come nearer to one as")]
)
def test_whether_a_percentile_comes_nearer_to_the_closed_form(values: tuple[float, float], said: str) -> None:
    words = tables.percentile_words(on_spheres("percentile_99", binary=values, partial=(1.0, 1.0)))
    assert said in words
    assert words.endswith(f"{values[0]:.3f} at 4 mm and {values[1]:.3f} at 2 mm.")
    assert "Nothing is recorded" in tables.percentile_words([])


def test_inside_a_cube_of_four_voxels_lie_eight() -> None:
    region = np.zeros((6, 6, 6), bool)
    region[1:5, 1:5, 1:5] = True
    assert tables.inner_share(region) == 8 / 64


def test_a_mean_is_of_the_uniform_field_and_the_maximum_of_both() -> None:
    fields = {name: np.zeros((2, 1, 1, 3)) for name in ("uniform", "estimated")}
    fields["uniform"][:, 0, 0, 0] = 3.0, 1.0
    fields["estimated"][0, 0, 0, 1:] = 3.0, 4.0
    assert tables.mean_over_maximum(fields, np.ones((2, 1, 1), bool)) == pytest.approx(0.4)
    assert tables.mean_over_maximum(fields, np.array([False, True]).reshape(2, 1, 1)) == pytest.approx(1.0)


def test_values_far_from_the_trained_one_are_told_from_inconsistent_ones() -> None:
    printed = {"bone_cortical": [0.09, 0.10, 0.09], "mucous_tissue": [0.035] * 3, "skin": [0.05, 0.03, 0.05]}
    said = tables.table5_words(printed)
    assert "cortical bone at 4.5 to 5 times the trained value and mucous tissue at 0.5 times" in said
    assert (
        "The least consistent is skin, at 0.3 to 0.5 times, with a standard deviation between the scans of 27 %" in said
    )


def test_three_slices_tell_which_voxel_they_go_through() -> None:
    volume = np.random.default_rng(0).random((7, 6, 5))
    volume[0] = volume[-1] = 0.0  # air, where many lines are the same
    assert plots.crossing(three_slices(volume, (3, 4, 1))) == (3, 4, 1)


def test_a_part_of_a_slice_ends_where_the_slice_does() -> None:
    part = np.arange(20).reshape(4, 5)
    assert plots.around(part, (2, 2), 1).tolist() == [[6, 7, 8], [11, 12, 13], [16, 17, 18]]
    assert plots.around(part, (0, 4), 1).tolist() == [[3, 4], [8, 9]]


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
