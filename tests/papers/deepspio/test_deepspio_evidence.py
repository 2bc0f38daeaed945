"""Each claim's statistic from recorded files made by hand, against values worked out by hand."""

from __future__ import annotations

import copy
import json
import math
import statistics

import numpy as np
import pytest

from mrrepro.metrics.evidence import points_of
from mrrepro.papers.deepspio.evidence import (
    CLAIMS,
    RecordedSweeps,
    saliency_beside_air,
    slopes_over_held_out,
    slopes_with_scaled_field,
)
from mrrepro.runs.ledger import ledger_folders
from mrrepro.runs.reported import Claim, read_rows

T_OF_THREE = 4.302652729911275
"""Student's t at 97.5 % with two degrees of freedom, from a printed table."""


def half_width(step):
    """Half the t interval of three values that are ``step`` apart."""
    return T_OF_THREE * step / math.sqrt(3)


def scores(nmae, constant=0.7, true=(1.0, 2.0, 3.0, 4.0, 5.0), estimated=(1.0, 2.0, 3.0, 4.0, 5.0)):
    spread = (-0.2, -0.1, 0.0, 0.1, 0.2)
    return {
        "nmae": [nmae + each for each in spread],
        "constant_nmae": [constant + each for each in spread],
        "true_mean": list(true),
        "estimated_mean": list(estimated),
    }


def headline(seed):
    step = (seed - 1) * 0.1  # -0.1, 0, 0.1
    summary = {
        "test": scores(0.5 + step),
        "breast": scores(0.6 + 1.5 * step),
        "shapes": scores(0.7 + step),
        "saturation_0.85": scores(0.5, estimated=[4.0] * 5),
        "saturation_1.15": scores(0.5, estimated=[6.0 + 4.0 * step] * 5),
    }
    if seed == 2:
        summary["test"]["estimated_mean"] = [2.0, 1.0, 3.0, 4.0, 5.0]
    history = [
        {"step": 4, "loss": 1.0},
        {"step": 4, "validation": {"score": 0.9 + step}},
        {"step": 8, "validation": {"score": 0.6 + step}},
    ]
    return {
        "deepspio/training": {"history": {"record": {"samples_seen": 80, "steps": 8, "history": history}}},
        "deepspio/summary": {"summary": summary},
        "deepspio/scaled_field": {
            "factors": [0.5, 1.0, 2.0],
            "concentration": 10.0,
            "estimated": [[4.0, 8.0, 16.0], [6.0, 10.0, 18.0]],
        },
        "deepspio/air_sphere": {
            "susceptibility_cgs": [0.0] * 4 + [7.5e-8] * 4 + [7.5e-7] * 4,
            "concentration": [0.22, 6.7, 13.0, 20.0] * 3,
            "nmae": [2.0, 0.3, 0.3, 0.3, 2.5 + step, 0.31, 0.32, 0.33, 9.0, 9.0, 9.0, 9.0],
        },
        "deepspio/noise": {
            "concentration": [0.22, 10.0, 20.0],
            "snr_db": [5.0, 11.0, 19.0, "inf"],
            "nmae": [[[3.0, 3.0]] * 3] * 3 + [[[1.0, 1.0], [0.6, 0.8], [0.4, 0.4]]],
            "detail_nmae": [[0.5, 0.7, 0.9], [0.6, 0.6, 0.6], [0.3, 0.4, 0.5], [0.2, 0.2, 0.2]],
        },
    }


def compared(nmae, **more):
    return lambda seed: {"deepspio/summary": {"summary": {"test": scores(nmae + 0.01 * seed * seed, **more)}}}


def trained(nmae, *errors):
    """The same with the errors of the validations, one more and one less by 0.1 in the outer seeds."""

    def numbers(seed):
        history = [{"step": 4 * k, "validation": {"score": e + 0.1 * (seed - 1)}} for k, e in enumerate(errors, 1)]
        record = {"samples_seen": 80, "steps": 4 * len(errors), "history": history}
        return compared(nmae)(seed) | {"deepspio/training": {"history": {"record": record}}}

    return numbers


VARIANTS = {
    "headline": headline,
    "reference": compared(0.5),
    "single_decoder": trained(0.6, 3.0, 0.7, 0.8, 0.5),
    "no_wavelet": trained(0.8, 16.0, 2.0, 0.8, 0.7),
    "multi_decoder_with_skips": compared(0.45),
    "unet": lambda seed: {"deepspio/summary": {"summary": {"test": scores(0.7 + 0.1 * seed)}}},
    "unet_printed_loss": lambda seed: {"deepspio/summary": {"summary": {"test": scores(0.3 + 0.02 * seed)}}},
    "printed_loss": lambda seed: {"deepspio/summary": {"summary": {"test": scores(1.0 + 0.01 * seed)}}},
    "shuffled_targets": lambda seed: {"deepspio/summary": {"summary": {"test": scores(1.1 + 0.02 * seed)}}},
    "no_field": compared(0.9, estimated=(3.0, 1.0, 2.0, 5.0, 4.0)),
    "no_void": compared(0.7),
}

EXPECTED = {
    # statistic, half of its interval (None: a bootstrap), cases a seed
    "no_bias_on_breast": (0.1, half_width(0.05), 5),
    "air_negligible": (0.02, 0.0, 3),
    "noise_raises_error": (math.log(0.7 / 0.2), 0.0, 3),
    "noise_raises_spread": (math.log(0.2 / 0.1), 0.0, 3),
    "middle_is_hardest": (0.3, 0.0, 1),
    "reads_the_distortion": (0.8, 0.0, 2),
    "saturation_scales": (1.5, half_width(0.1), 5),
    "beats_a_constant": (0.5 - (20.5 - 2 * math.sqrt(52.5)) / 14.5, half_width(0.1), 5),  # bodies of 3 to 17.5
    "ranks_concentrations": (1 - 6 * 2 / (5 * 24), None, 5),
    "unseen_shapes": (0.2, 0.0, 5),
    "unet_cannot_converge": (0.8, half_width(0.1), 5),
    "unet_cannot_converge_as_printed": (0.32, half_width(0.02), 5),
    "unet_is_worse": (0.85 / 3, T_OF_THREE * statistics.stdev((0.2, 0.29, 0.36)) / math.sqrt(3), 5),
    "decoders_help": (0.1, 0.0, 5),
    "wavelet_helps": (0.2, 0.0, 5),
    # 1, 1, 0.8 and 0.7 with steps of 0.1 in the last two, against 1, 0.7, 0.7 and 0.5 with steps in the last three
    "wavelet_accelerates": ((3.5 - 2.9) / 4, half_width(0.1 / 4), 4),
    "skips_hinder": (-0.05, 0.0, 5),
    "relative_loss_trains": (1.01, half_width(0.01), 5),
    "control_no_field": (1 - 6 * 8 / (5 * 24), None, 15),
    "control_shuffled": (1.12, half_width(0.02), 5),
    "void_not_needed": (0.2, 0.0, 5),
}


AT_PAPER = {"air_confuses_low": (0.5, half_width(0.1), 1)}
"""What a network says that is trained from 0.22 ug/mm^3, as the paper's is, and not from 3, as at demo."""


def write(folder, name, seeds, numbers, overrides=()):
    runs = [{"seed": seed, "stages": {}, "numbers": copy.deepcopy(numbers(seed))} for seed in seeds]
    (folder / f"{name}.json").write_text(json.dumps({"overrides": dict(overrides), "runs": runs}))


@pytest.fixture
def folder(tmp_path):
    for name, numbers in VARIANTS.items():
        write(tmp_path, name, (0, 1, 2), numbers)
    return tmp_path


@pytest.mark.parametrize("name", EXPECTED)
def test_claim_rests_on_this_statistic(folder, name):
    value, width, cases = EXPECTED[name]
    evidence = RecordedSweeps("demo", folder).claims()[name]
    statistic = evidence.statistic
    assert statistic.value == pytest.approx(value, abs=1e-9)
    if width is None:
        assert -1 <= statistic.low < statistic.value < statistic.high <= 1
    else:
        assert statistic.high - statistic.value == pytest.approx(width, abs=1e-9)
        assert statistic.value - statistic.low == pytest.approx(width, abs=1e-9)
    assert statistic.level == 0.95
    assert evidence.seeds == (0, 1, 2)
    assert evidence.n_cases == cases


def test_all_claims_from_recorded_runs_stand_in_the_ledger(folder):
    listed = {claim.id for claim in read_rows(ledger_folders()["deepspio"] / "claims.csv", Claim)}
    assert set(RecordedSweeps("demo", folder).claims()) == set(EXPECTED)
    assert set(RecordedSweeps("paper", folder).claims()) == {*EXPECTED, *AT_PAPER} == set(CLAIMS)
    assert {f"deepspio.claim.{name}" for name in CLAIMS} <= listed


def test_concentration_below_the_training_decides_nothing(folder):
    demo, paper = (RecordedSweeps(scale, folder) for scale in ("demo", "paper"))
    assert demo.undecided("air_confuses_low").endswith("trained from 3 ug/mm^3, and the cylinder has 0.22")
    assert paper.undecided("air_confuses_low") == ""
    value, width, cases = AT_PAPER["air_confuses_low"]
    found = paper.claims()["air_confuses_low"]
    assert found.statistic.value == pytest.approx(value)
    assert found.statistic.high - value == pytest.approx(width)
    assert found.n_cases == cases
    write(folder, "headline", (0, 1, 2), headline, {"bodies.lowest_concentration": 1.0})
    assert "air_confuses_low" not in RecordedSweeps("paper", folder).claims()


WITH_ONE_DECODER = {"decoders_help", "wavelet_helps", "wavelet_accelerates"}


@pytest.mark.parametrize("level", [0.93, 0.97])
def test_network_that_has_learned_nothing_yet_is_not_compared(folder, level):
    """Its errors are ``level``, and that plus 0.01 and 0.04, with a mean of ``level`` + 0.05 / 3: 0.947 or 0.987."""
    short = {"training.samples": 6000}
    write(folder, "single_decoder", (0, 1, 2), trained(level, 3.0, 0.7, 0.8, 0.5), short)
    left_out = WITH_ONE_DECODER if level > 0.95 else set()
    for scale, names in (("demo", set(EXPECTED)), ("paper", {*EXPECTED, *AT_PAPER})):
        sweeps = RecordedSweeps(scale, folder)
        assert names - set(sweeps.claims()) == left_out
        assert {name for name in names if sweeps.undecided(name)} == left_out
    if left_out:
        reason = sweeps.undecided("wavelet_helps")
        assert "'single_decoder' has a mean NMAE of 0.987 after 6,000 samples, 0.15 % of the paper's" in reason


def test_networks_trained_as_long_as_the_paper_s_are_compared_whatever_they_learned(folder):
    write(folder, "single_decoder", (0, 1, 2), trained(0.97, 3.0, 0.7, 0.8, 0.5))
    assert set(CLAIMS) == set(RecordedSweeps("paper", folder).claims())


def under_noise(at_5_db, at_19_db):
    """The headline with these mean errors of the bottle; sd of 0.2 and 0.1 over its draws, as in `headline`."""

    def numbers(seed):
        made = headline(seed)
        made["deepspio/noise"]["detail_nmae"][0] = [at_5_db - 0.2, at_5_db, at_5_db + 0.2]
        made["deepspio/noise"]["detail_nmae"][2] = [at_19_db - 0.1, at_19_db, at_19_db + 0.1]
        return made

    return numbers


@pytest.mark.parametrize(
    ("at_5_db", "at_19_db", "said"),
    [
        (0.94, 0.94, ""),
        (1.5, 0.94, "'headline' has a mean NMAE of 1.500 at 5 dB after 16,000 samples, 0.4 % of the paper's"),
        (0.94, 0.97, "'headline' has a mean NMAE of 0.970 at 19 dB after 16,000 samples, 0.4 % of the paper's"),
    ],
)
def test_spread_of_networks_that_noise_breaks_is_not_compared(folder, at_5_db, at_19_db, said):
    write(folder, "headline", (0, 1, 2), under_noise(at_5_db, at_19_db))
    demo, paper = (RecordedSweeps(scale, folder) for scale in ("demo", "paper"))
    assert set(EXPECTED) - set(demo.claims()) == ({"noise_raises_spread"} if said else set())
    assert said in demo.undecided("noise_raises_spread")
    assert paper.claims()["noise_raises_spread"].statistic.value == pytest.approx(math.log(2.0))
    assert paper.undecided("noise_raises_spread") == ""
    clean = demo.claims()["noise_raises_error"].statistic
    assert clean.value == pytest.approx(math.log(at_5_db / 0.2))


def test_slopes_of_each_seed(folder):
    sweeps = RecordedSweeps("demo", folder)
    assert slopes_with_scaled_field(sweeps) == pytest.approx([0.8] * 3)
    # 2, 1, 3, 4, 5 against 1 to 5 in the last seed: covariance 9, variance 10
    assert slopes_over_held_out(sweeps) == pytest.approx([1.0, 1.0, 0.9])
    assert slopes_over_held_out(sweeps, "no_field") == pytest.approx([0.6] * 3)


def test_network_that_has_learned_nothing_gives_no_point_either(folder):
    for name in VARIANTS:
        write(folder, name, (0,), VARIANTS[name], {"training.samples": 6000})
    assert set(points_of(RecordedSweeps("paper", folder), CLAIMS)) > WITH_ONE_DECODER
    write(folder, "single_decoder", (0,), trained(0.97, 3.0, 0.7, 0.8, 0.5), {"training.samples": 6000})
    assert not WITH_ONE_DECODER & set(points_of(RecordedSweeps("paper", folder), CLAIMS))


def test_saliency_around_the_air_is_held_against_that_around_the_iron():
    positions = np.linspace(-25e-3, 25e-3, 101)
    x, z = np.meshgrid(positions, positions, indexing="ij")
    air, iron = np.hypot(x - 8e-3, z - 6e-3) < 6e-3, np.hypot(x + 6e-3, z + 4e-3) < 5.25e-3
    saliency = np.full((4, 101, 101), 7.0)
    for case, ratio in enumerate((5.0, 0.1, 0.2, 0.3)):
        saliency[case][air], saliency[case][iron] = 2.0 * ratio, 2.0
    statistic, cases = saliency_beside_air(saliency, positions, np.array([0.22, 7.0, 14.0, 21.0]))
    assert cases == 3
    assert statistic.value == pytest.approx(0.2)
    assert statistic.high - statistic.value == pytest.approx(half_width(0.1))


def test_claim_without_its_runs_is_left_out(folder):
    (folder / "unet.json").unlink()
    (folder / "reference.json").unlink()
    left_out = {"unet_cannot_converge", "unet_is_worse", "decoders_help", "skips_hinder", "void_not_needed"}
    assert set(RecordedSweeps("demo", folder).claims()) == set(EXPECTED) - left_out


def test_variants_of_different_seeds_are_not_compared(folder):
    write(folder, "single_decoder", (0, 1, 3), VARIANTS["single_decoder"])
    assert set(EXPECTED) - set(RecordedSweeps("demo", folder).claims()) == {
        "decoders_help",
        "wavelet_helps",
        "wavelet_accelerates",
    }


def test_one_seed_gives_no_interval_and_so_no_claim(folder):
    write(folder, "unet", (0,), VARIANTS["unet"])
    assert "unet_cannot_converge" not in RecordedSweeps("demo", folder).claims()


def test_nothing_recorded_is_no_evidence(tmp_path):
    sweeps = RecordedSweeps("demo", tmp_path)
    assert sweeps.runs("headline") == []
    assert sweeps.claims() == {}


def test_validation_curve_counts_samples(folder):
    samples, curves = RecordedSweeps("demo", folder).validation_curve("headline")
    assert list(samples) == [40.0, 80.0]
    assert curves.shape == (3, 2)
    assert curves[:, 0] == pytest.approx([0.8, 0.9, 1.0])
    assert curves[:, 1] == pytest.approx([0.5, 0.6, 0.7])
