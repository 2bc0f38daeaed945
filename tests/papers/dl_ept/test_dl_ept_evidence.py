"""Each claim's statistic on made-up recordings, against values worked out by hand, and when none is given."""

from __future__ import annotations

import math
import statistics

import pytest
from made_up_sweeps import CSF, EPS, GM, SLOPES, WM, MadeUp, headline, made_up

from mrrepro.metrics.evidence import points_of, undecided_of
from mrrepro.papers.dl_ept.evidence import CLAIMS, SHORT, SYMBOLS, eroded_row, exchange_bound, standard_error_of_mean
from mrrepro.papers.dl_ept.result_values import VALUES

T_OF_THREE = 4.302652729911275
"""Student's t at 97.5 % with two degrees of freedom, from a printed table."""

OF_FIELDS = {"noise_robust_at_100", "more_noise_robust_than_hept", "erroneous_at_snr_20", "transceive_phase_suffices"}


def half_width(step):
    """Half the t interval of three values that are ``step`` apart."""
    return T_OF_THREE * step / math.sqrt(3)


EXPECTED = {
    # statistic, half of its interval, cases a seed
    "hept_sd_exceeds_mean": (2.0, half_width(0.2), 4),
    "hept_mean_within_10_percent": (8.0, half_width(1.0), 4),
    "hept_permittivity_not_feasible": (2.0, half_width(0.1), 3),
    "phantom_hept_mean_accurate": (3.0, half_width(1.0), 2),
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
    "tumor_visible": (3.5, 0.0, 1),
    "tumor_visible_in_conductivity": (2.0, half_width(0.1), 1),
    "hept_hardly_shows_tumor": (0.4, half_width(0.1), 1),
    "tumor_clearer_in_permittivity": (1.5, half_width(0.1), 1),
    "tumor_clearer_than_hept": (0.5, 0.0, 1),
    "tumor_sigma_underestimated": (0.85, half_width(0.01), 1),
    "tumor_permittivity_more_accurate": (10.0, half_width(1.0), 1),
    "beats_lookup": (0.15, half_width(0.1), 4),
    "needs_fields": (2.0, half_width(0.1), 4),
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
    ("exchanged", "left_out"), [((1.5, 1.5, 1.5), OF_FIELDS), ((1.2, 1.7, 1.7), set()), ((1.2, 1.2, 1.7), OF_FIELDS)]
)
def test_claims_on_fields_are_decided_where_the_network_reads_them_in_the_mean_over_seeds(exchanged, left_out):
    made = {name: made_up().runs(name) for name in ("reference", "transmit_phase", "unet", "heavier", "lighter")}
    numbers = {name: [run["numbers"] for run in runs] for name, runs in made.items()}
    sweeps = MadeUp(headline=[headline(seed, ratio) for seed, ratio in enumerate(exchanged)], **numbers)
    assert set(CLAIMS) - set(sweeps.claims()) == set(undecided_of(sweeps, CLAIMS)) == left_out
    assert exchange_bound() == 1.5


def test_one_seed_of_a_network_that_reads_nothing_gives_no_point_and_no_snr():
    one = made_up(seeds=(1,))
    assert points_of(one, CLAIMS)["erroneous_at_snr_20"].value == pytest.approx(2.0)
    assert "dl_ept.discussion.erroneous_snr" in {found.id for found in one.values(VALUES)}
    blind = made_up(seeds=(1,), exchanged=1.0)
    assert set(points_of(one, CLAIMS)) - set(points_of(blind, CLAIMS)) == OF_FIELDS
    assert "dl_ept.discussion.erroneous_snr" not in {found.id for found in blind.values(VALUES)}


@pytest.mark.parametrize(("thin", "value", "cases"), [((GM,), 3.0, 2), ((WM,), 8.0, 2)])
def test_a_tissue_too_thin_for_the_erosion_does_not_decide_on_means(thin, value, cases):
    sweeps = made_up(thin=thin)
    found = sweeps.claims()["hept_mean_within_10_percent"]
    assert (found.statistic.value, found.n_cases) == (pytest.approx(value), cases)
    numbers = {each.id: each.value for each in made_up(seeds=(1,), thin=thin).values(VALUES)}
    assert numbers["dl_ept.results.hept.mean_error"] == pytest.approx(value)


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
