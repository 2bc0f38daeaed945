"""Each claim's statistic on made-up recordings, against values worked out by hand, and when none is given."""

from __future__ import annotations

import math
import statistics

import pytest
from made_up_sweeps import CSF, EPS, GM, SIGMA, SLOPES, WM, MadeUp, headline, made_up

from mrrepro.metrics.evidence import points_of, undecided_of
from mrrepro.papers.dl_ept.evidence import (
    CLAIMS,
    SHORT,
    SYMBOLS,
    eroded_row,
    standard_error_of_mean,
    tumour_response,
)
from mrrepro.papers.dl_ept.field_reading import field_response, reads_fields, response_over
from mrrepro.papers.dl_ept.result_values import HEPT_ERROR, VALUES, is_known, near_bound, table1_values
from mrrepro.runs.ledger import Ledger

T_OF_THREE = 4.302652729911275
"""Student's t at 97.5 % with two degrees of freedom, from a printed table."""

OF_NOISE = {"noise_robust_at_100", "more_noise_robust_than_hept", "erroneous_at_snr_20", "transceive_phase_suffices"}
OF_FIELDS = OF_NOISE | {name for name in CLAIMS if name.startswith("tumor_")}


def half_width(step):
    """Half the t interval of three values that are ``step`` apart."""
    return T_OF_THREE * step / math.sqrt(3)


EXPECTED = {
    # statistic, half of its interval, cases a seed
    "hept_sd_exceeds_mean": (2.0, half_width(0.2), 4),
    "hept_mean_within_10_percent": (8.0, half_width(1.0), 4),
    "hept_permittivity_not_feasible": (2.0, half_width(0.1), 3),
    "phantom_hept_mean_accurate": (3.0, half_width(1.0), 2),
    "phantom_of_another_size": (20.0, half_width(1.0), 2),
    "phantom_network_more_precise": (0.2, half_width(0.1), 2),
    "network_sd_below_hept": (0.3, half_width(0.1), 6),
    "tissue_sd_below_mask": (0.8, 0.0, 6),
    "tissue_contrast_means_agree": (6.0, half_width(1.0), 6),
    "tissue_contrast_fewer_boundary_errors": (0.8, half_width(0.1), 3),
    "boundaries_preserved": (0.7, half_width(0.1), 3),
    "noise_robust_at_100": (1.1, half_width(0.1), 1),
    "more_noise_robust_than_hept": (1.1 - 3.0, half_width(0.1), 1),
    "erroneous_at_snr_20": (2.0, 0.0, 1),
    # the others are 0.2 to 0.4, 0.5 and 0.25
    "chosen_weights_lowest_on_validation": (-0.1 / 3, T_OF_THREE * statistics.stdev((0, -0.05, -0.05)) / 3**0.5, 1),
    "unet_worse_than_gan": (0.1, half_width(0.1), 1),
    "gan_sharper_than_unet": (1.5, 0.0, 1),
    "heavier_weights_help_the_head": (-0.1, half_width(0.1), 1),
    "transceive_phase_suffices": (1.2, 0.0, 1),
    "permittivity_feasible": (3.0, half_width(1.0), 3),
    "tumor_visible": (0.8, half_width(0.1), 1),
    "tumor_visible_in_conductivity": (0.6, 0.0, 1),
    "hept_hardly_shows_tumor": (0.4, half_width(0.1), 1),
    "tumor_clearer_in_permittivity": (0.2, half_width(0.1), 1),
    "tumor_clearer_than_hept": (0.5, 0.0, 1),
    "tumor_sigma_underestimated": (0.85, half_width(0.01), 1),
    "tumor_permittivity_more_accurate": (10.0, half_width(1.0), 1),
    "beats_lookup": (0.15, half_width(0.1), 4),
    "needs_fields": (0.2, half_width(0.1), 4),
    "unseen_anatomy": (0.3, half_width(0.1), 3),
    **{f"slope_{SYMBOLS[q]}_{SHORT[t]}": (slope, half_width(0.1), 4) for (q, t), slope in SLOPES.items()},
}


def test_every_claim_over_seeds_is_held_by_a_made_up_recording():
    assert set(EXPECTED) | {"hept_errors_at_boundaries"} == set(CLAIMS) == set(made_up().claims())


@pytest.mark.parametrize("name", EXPECTED)
def test_claim_rests_on_this_statistic(name):
    value, width, cases = EXPECTED[name]
    found = made_up().claims()[name]
    assert found.statistic.value == pytest.approx(value, abs=1e-9)
    assert found.statistic.high - found.statistic.value == pytest.approx(width, abs=1e-9)
    assert found.statistic.value - found.statistic.low == pytest.approx(width, abs=1e-9)
    assert (found.statistic.level, found.seeds, found.n_cases) == (0.95, (0, 1, 2), cases)


def test_boundaries_are_judged_by_the_logarithm_over_the_heads_of_one_run():
    found = made_up().claims()["hept_errors_at_boundaries"]
    assert found.statistic.value == pytest.approx(2.0)
    assert (found.seeds, len(found.runs), found.n_cases) == ((0,), 1, 2)


@pytest.mark.parametrize(
    ("responses", "left_out"),
    [((0.0, 0.0, 0.0), OF_FIELDS), ((0.5, 0.4, 0.6), set()), ((0.5, 0.0, 0.0), OF_FIELDS)],
)
def test_claims_on_fields_are_decided_where_the_response_lies_above_0_over_seeds(responses, left_out):
    made = {name: made_up().runs(name) for name in ("reference", "transmit_phase", "unet", "heavier", "lighter")}
    numbers = {name: [run["numbers"] for run in runs] for name, runs in made.items()}
    sweeps = MadeUp(headline=[headline(seed, ratio) for seed, ratio in enumerate(responses)], **numbers)
    assert set(CLAIMS) - set(sweeps.claims()) == set(undecided_of(sweeps, CLAIMS)) == left_out


def test_one_seed_of_a_network_that_reads_nothing_gives_no_point_and_no_snr():
    one = made_up(seeds=(1,))
    assert points_of(one, CLAIMS)["erroneous_at_snr_20"].value == pytest.approx(2.0)
    assert "dl_ept.discussion.erroneous_snr" in {found.id for found in one.values(VALUES)}
    blind = made_up(seeds=(1,), response=0.0)
    assert set(points_of(one, CLAIMS)) - set(points_of(blind, CLAIMS)) == OF_FIELDS
    assert "dl_ept.discussion.erroneous_snr" not in {found.id for found in blind.values(VALUES)}


def a_document(own, other):
    true = [1.0, 2.0, 4.0, 3.0]
    tissues = dict.fromkeys((WM, GM, CSF))
    return {
        SIGMA: {
            "truth": dict.fromkeys(tissues, true),
            "mask, own fields": dict.fromkeys(tissues, own),
            "mask, fields of another case": dict.fromkeys(tissues, other),
        }
    }


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [
        ([1.0, 2.0, 4.0, 3.0], [2.0, 4.0, 3.0, 1.0], 1.0),  # perfect maps: those of the next case
        ([9.0, 9.5, 10.5, 10.0], [9.5, 10.5, 10.0, 9.0], 0.5),  # an error of its own changes nothing
        ([1.0, 2.0, 4.0, 3.0], [1.0, 2.0, 4.0, 3.0], 0.0),  # the image alone, however right
        ([2.0, 2.0, 2.0, 2.0], [2.0, 2.0, 2.0, 2.0], 0.0),  # a look-up
    ],
)
def test_response_is_the_change_with_the_next_cases_fields_over_the_true_change(own, other, expected):
    document = a_document(own, other)
    assert field_response(document, "mask", SIGMA).estimate == pytest.approx(expected, abs=1e-12)
    assert reads_fields([document], "mask", SIGMA) == (expected > 0)


def test_over_seeds_the_interval_is_that_of_their_responses():
    documents = [a_document([1.0, 2.0, 4.0, 3.0], [2.0, 4.0, 3.0, 1.0]), a_document([2.0] * 4, [2.0] * 4)]
    found = response_over(documents, "mask", SIGMA)
    assert found.estimate == pytest.approx(0.5)
    assert found.high - found.estimate == pytest.approx(12.706204736432095 * 0.5)  # t of one degree of freedom
    assert not reads_fields(documents, "mask", SIGMA)


def test_a_tumour_is_shown_by_the_change_against_the_head_without_it():
    (document,) = made_up(seeds=(1,)).documents("heavier", "mask_networks", "mask_networks")
    assert tumour_response(document, "mask", EPS, "demo") == pytest.approx(0.8)
    with pytest.raises(ValueError, match="not known at scale colab"):
        tumour_response(document, "mask", EPS, "colab")


@pytest.mark.parametrize(("thin", "value", "cases"), [((GM,), 3.0, 2), ((WM,), 8.0, 2)])
def test_a_tissue_too_thin_for_the_erosion_does_not_decide_on_means(thin, value, cases):
    sweeps = made_up(thin=thin)
    found = sweeps.claims()["hept_mean_within_10_percent"]
    assert (found.statistic.value, found.n_cases) == (pytest.approx(value), cases)


def hept_rows(sd, mean_gm=0.92 * 80.0, n=20000):
    """The table of a seed, every SD of H-EPT and the number of voxels replaced, and the mean permittivity of GM."""
    rows = [dict(row) for row in headline(1)["dl_ept/table1"]["table1"]["rows"]]
    for row in rows:
        if row["method"] == "helmholtz" and row["erosion"] == 3 and row["n"] == 200:
            row |= {"sd": sd * row["truth"], "n": n}
            if (row["region"], row["quantity"]) == (GM, EPS):
                row["mean"] = mean_gm
    return rows


@pytest.mark.parametrize(
    ("mean_gm", "kept"), [(0.92 * 80, True), (0.905 * 80, False), (0.895 * 80, False), (64.0, True)]
)
def test_the_largest_error_counts_where_it_is_farther_from_the_bound_than_its_standard_error(mean_gm, kept):
    rows = hept_rows(2.0, mean_gm)  # standard errors of 1.41 %
    assert (HEPT_ERROR in {found.id for found in table1_values(rows)}) == kept
    row = eroded_row(rows, "helmholtz", GM, EPS)
    assert near_bound(row, 10.0) != kept


def test_of_helmholtz_only_what_the_papers_erosion_leaves_is_held_against_the_table():
    found = {each.id for each in table1_values(hept_rows(2.0))}
    cells = {id for id in found if ".hept." in id and "table1" in id}
    assert cells == {
        f"dl_ept.table1.hept.{symbol}_{tissue}{part}"
        for symbol in ("sigma", "eps")
        for tissue in ("wm", "gm")
        for part in ("", "_sd")
    }
    assert "dl_ept.table1.cganmask.sigma_csf" in found


def test_a_mean_is_left_out_where_its_standard_error_is_above_the_tolerance():
    entry = next(n for n in Ledger("dl_ept").numbers if n.id == "dl_ept.table1.hept.eps_gm")
    for sd, known in ((10.0, True), (40.0, False)):  # 7 % and 28 % of 80, the tolerance being 20 % of 67.8
        rows = hept_rows(sd)
        assert is_known(eroded_row(rows, "helmholtz", GM, EPS), entry) == known
        found = {each.id for each in table1_values(rows)}
        assert (entry.id in found, f"{entry.id}_sd" in found) == (known, True)


def test_without_tissue_thick_enough_nothing_is_said_of_means():
    sweeps = made_up(thin=(WM, GM))
    assert set(undecided_of(sweeps, CLAIMS)) == {"hept_mean_within_10_percent"} == set(CLAIMS) - set(sweeps.claims())
    numbers = {each.id: each.value for each in sweeps.values(VALUES)}
    assert "dl_ept.results.hept.mean_error" not in numbers
    assert numbers["dl_ept.results.phantom42.mean_error"] == pytest.approx(60.0)


def test_standard_error_of_a_mean_is_relative_to_the_truth():
    rows = headline(1)["dl_ept/table1"]["table1"]["rows"]
    row = eroded_row(rows, "helmholtz", GM, EPS)
    assert standard_error_of_mean(row) == pytest.approx(100 * 100 / math.sqrt(200) / 80)
    assert eroded_row(rows, "helmholtz", CSF, EPS) is None
