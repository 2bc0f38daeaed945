"""Evidence for the claims from made-up recordings whose statistics are worked out by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mrrepro.papers.contrast_t1 import evidence, recipe, result_values
from mrrepro.papers.contrast_t1.evidence import RecordedSweeps
from mrrepro.papers.contrast_t1.law_claims import amplitudes
from mrrepro.phantoms.enhancement_law import EnhancementLaw
from mrrepro.runs.ledger import Ledger
from mrrepro.runs.settings import configure

SEEDS = (0, 1, 2)
NAN = "nan"


def write(folder, variant, numbers, stage="evaluation"):
    """A recording in the project's format; ``numbers`` maps a name to one value for each seed."""
    runs = [
        {"seed": seed, "stages": {}, "numbers": {f"contrast_t1/{stage}": {n: v[seed] for n, v in numbers.items()}}}
        for seed in SEEDS
    ]
    (folder / f"{variant}.json").write_text(json.dumps({"runs": runs}))


def patients(found, mae):
    """Two patients a seed, of whom the second enhances; its share of found voxels and both errors."""
    return {
        "test_true_rise_leaky": [[NAN, 0.8]] * 3,
        "seen_true_rise_leaky": [[NAN, 0.8]] * 3,
        "test_found_0.3": [[0.9, value] for value in found],
        "seen_found_0.3": [[0.9, value + 0.1] for value in found],
        "test_mae_b": mae,
    }


def test_shares_count_enhancing_patients_and_the_largest_loss(tmp_path):
    write(tmp_path, "l1b", patients((0.01, 0.02, 0.03), [[0.1, 0.2]] * 3))
    write(tmp_path, "l2b", patients((0.04, 0.01, 0.02), [[0.1, 0.2]] * 3))
    write(tmp_path, "lssim", patients((0.0, 0.0, 0.05), [[0.1, 0.2]] * 3))
    sweeps = RecordedSweeps("demo", tmp_path)
    evidence_of_all = sweeps.claim("l1_l2_ssim_no_enhancement")
    largest = evidence_of_all.statistic
    assert largest.value == pytest.approx(np.mean([0.04, 0.02, 0.05]))
    # t of 2 degrees of freedom at 97.5 %: 4.3027
    half = 4.3027 * np.std([0.04, 0.02, 0.05], ddof=1) / np.sqrt(3)
    assert largest.high - largest.value == pytest.approx(half, rel=1e-4)
    assert sweeps.claim("seen_patients_enhance").statistic.value == pytest.approx(0.1)
    assert evidence_of_all.seeds == SEEDS
    assert evidence_of_all.n_cases == 2


def test_pairs_are_taken_patient_by_patient_against_the_best_other(tmp_path):
    losses = {"l1": 0.3, "l2": 0.4, "l1b": 0.2, "l2b": 0.5}
    for name, shift in losses.items():
        write(tmp_path, name, {"test_mae_b": [[0.1 + shift, 0.9 + shift]] * 3})
    write(tmp_path, "lssim", {"test_mae_b": [[0.2, 1.2]] * 3})
    statistic = RecordedSweeps("demo", tmp_path).claim("ssim_best_mae").statistic
    # against L1B, whose mean is the least: -0.1 and +0.1
    assert statistic.value == pytest.approx(0.0, abs=1e-12)
    assert statistic.low == pytest.approx(-0.1, abs=0.05)


def test_patient_area_of_a_perfect_and_of_a_useless_score(tmp_path):
    labels = [[True, False] * 50] * 3
    write(tmp_path, "headline", {"labelled_tumor_score": labels, "labelled_enhances": labels})
    perfect = RecordedSweeps("demo", tmp_path).claim("auc_near_half").statistic
    assert (perfect.value, perfect.low) == (1.0, 1.0)
    flat = [[0.5] * 100] * 3
    write(tmp_path, "headline", {"labelled_tumor_score": flat, "labelled_enhances": labels})
    useless = RecordedSweeps("demo", tmp_path).claim("auc_near_half").statistic
    assert (useless.low, useless.value, useless.high) == (0.5, 0.5, 0.5)


def test_a_tenth_of_the_weight_counts_only_where_it_finds_as_much(tmp_path):
    base = {
        "test_true_rise_leaky": [[NAN, 0.8]] * 3,
        "test_false_share_0.3": [[0.5, 0.0]] * 3,
        "test_mae_b": [[1, 1]] * 3,
    }
    write(tmp_path, "headline", base | {"test_found_0.3": [[0, 0.6]] * 3})
    light = base | {"test_false_share_0.3": [[0.1, 0.0]] * 3}
    write(tmp_path, "mix_light", light | {"test_found_0.3": [[0, 0.6], [0, 0.3], [0, 0.3]]})
    heavy = base | {"test_false_share_0.3": [[0.6, 0.0]] * 3}
    write(tmp_path, "mix_heavy", heavy | {"test_found_0.3": [[0, 0.9]] * 3})
    statistic = RecordedSweeps("demo", tmp_path).claim("even_weights_not_needed").statistic
    assert statistic.value == pytest.approx(-0.4 / 3)


def test_amplitudes_that_are_the_optima_but_for_one_half_correlate_fully(tmp_path):
    for cell, law in recipe.CELLS.items():
        for loss, rise in (("l1t", "absolute"), ("l2t", "squared")):
            kept = 0.5 * EnhancementLaw(*law).amplitude_kept(rise) + 0.1
            numbers = {"summary": [{"test_amplitude": kept}] * 3, "test_mae_b": [[1.0]] * 3}
            write(tmp_path, f"{cell}_{loss}", numbers)
    sweeps = RecordedSweeps("demo", tmp_path)
    assert sweeps.claim("amplitude_follows_the_law").statistic.value == pytest.approx(1.0)
    assert [row["optimum"] for row in amplitudes(sweeps) if row["cell"] == "chance"] == [0.0, 0.5]


def test_optimum_is_subtracted(tmp_path):
    numbers = {"summary": [{"test_amplitude": value} for value in (0.2, 0.3, 0.4)], "test_mae_b": [[1.0]] * 3}
    write(tmp_path, "near_l2b", numbers)
    statistic = RecordedSweeps("demo", tmp_path).claim("l2_near_optimum").statistic
    # E[q P(E|z) | E = 1] = 0.377 by integration
    assert statistic.value == pytest.approx(0.3 - 0.377, abs=0.003)


def test_what_is_kept_in_training_is_a_part_of_the_true_rise_against_volumes(tmp_path):
    def history(rise, true):
        validations = [{"step": 10, "validation": {"score": 1.0, "rise": rise, "true_rise": true}}]
        validations.append({"step": 20, "validation": {"score": 0.5, "rise": 2 * rise, "true_rise": true}})
        record = {"steps": 20, "samples_seen": 80, "history": [{"step": 5, "loss": 1.0}, *validations]}
        return {"record": record}

    histories = [history(0.1, 0.5), history(0.2, 0.5), history(0.0, 0.0)]
    write(tmp_path, "near_l1b", {"history": histories}, "training")
    volumes, kept = RecordedSweeps("demo", tmp_path).kept_in_training("near_l1b")
    np.testing.assert_array_equal(volumes, [40, 80])
    np.testing.assert_allclose(kept, [[0.2, 0.4], [0.4, 0.8], [np.nan, np.nan]])


def test_one_seed_or_other_seeds_decide_nothing(tmp_path):
    write(tmp_path, "l1b", patients((0.01, 0.02, 0.03), [[0.1, 0.2]] * 3))
    assert RecordedSweeps("demo", tmp_path).claim("l1_l2_ssim_no_enhancement") is None
    assert RecordedSweeps("demo", tmp_path / "none").claims() == {}


def made_up(generator):
    """Numbers of an evaluation of four patients a seed, of whom the second and the fourth enhance."""

    def table():
        return generator.uniform(0.1, 0.9, (3, 4)).tolist()

    names = ["mae", "mse", "ssim", "mae_b", "mse_b", "ssim_b", "mae_t", "mse_t", "ssim_t", "gradient", "checkerboard"]
    names += ["dark_error", "central_mae", "found_0.2", "found_0.3", "found_0.4", "false_share_0.3", "found_sinus"]
    numbers = {f"test_{name}": table() for name in [*names, "rise_sinus"]}
    numbers |= {f"{kind}_true_rise_leaky": [[NAN, 0.8] * 2] * 3 for kind in ("test", "seen")}
    numbers |= {"seen_found_0.3": table(), "test_sinus_enhances": [[0, 1, 1, 0]] * 3}
    numbers |= {
        "labelled_tumor_score": generator.uniform(size=(3, 40)).tolist(),
        "labelled_enhances": [[0, 1] * 20] * 3,
    }
    keys = ("test_amplitude", "test_dice", "test_voxel_auc")
    return numbers | {"summary": [{key: generator.uniform() for key in keys} for _ in SEEDS]}


def test_every_claim_is_decided_once_all_is_recorded(tmp_path):
    generator = np.random.default_rng(0)
    for variant in recipe.VARIANTS:
        training = {"history": [{"record": {"best_score": generator.uniform()}} for _ in SEEDS]}
        write(tmp_path, variant.name, made_up(generator))
        document = json.loads((tmp_path / f"{variant.name}.json").read_text())
        for run in document["runs"]:
            run["numbers"]["contrast_t1/training"] = {"history": training["history"][run["seed"]]}
        (tmp_path / f"{variant.name}.json").write_text(json.dumps(document))
    kinds = ("copy", "linear")
    write(tmp_path, "baselines", {f"{kind}_mae_b": made_up(generator)["test_mae_b"] for kind in kinds}, "baselines")
    area = {"auc": 0.8, "low": 0.7, "high": 0.9, "patients": 298, "permuted_auc": [0.4, 0.6], "leak_auc": [0.7, 0.8]}
    write(tmp_path, "radiomics", {"radiomics": [area] * 3}, "radiomics")
    found = RecordedSweeps("demo", tmp_path).claims()
    assert set(found) == set(evidence.CLAIMS)
    for name, each in found.items():
        assert each.statistic.low <= each.statistic.value <= each.statistic.high, name
        assert each.n_cases in (4, 40, 298), name


def test_every_attempted_claim_of_the_ledger_has_its_evidence_and_no_other():
    attempted = {
        name for name, entry in Ledger("contrast_t1").entries.items() if ".claim." in name and entry.status == "attempt"
    }
    assert {f"contrast_t1.claim.{name}" for name in evidence.CLAIMS} == attempted
    known = {variant.name for variant in recipe.VARIANTS}
    for variants, _ in evidence.CLAIMS.values():
        assert set(variants) <= known


def test_every_attempted_number_of_the_ledger_has_its_variant_and_no_other():
    attempted = {
        name
        for name, entry in Ledger("contrast_t1").entries.items()
        if ".claim." not in name and entry.status == "attempt"
    }
    given = [
        found.id for each in result_values.VALUES for found in each.values(*([[0.0, 1.0]] for _ in each.documents))
    ]
    assert len(given) == len(set(given))
    assert set(given) == attempted
    assert {each.variant for each in result_values.VALUES} <= {variant.name for variant in recipe.VARIANTS}


def test_a_row_of_tables_6_and_7_is_the_model_the_loss_and_the_patch_that_it_names():
    settings = {variant.name: configure(recipe.SETTINGS, "demo", variant.overrides) for variant in recipe.VARIANTS}
    for row, variant in (result_values.MODELS | result_values.PATCHES).items():
        _, subject, loss = row.split(".")
        found = settings[variant]
        assert found.loss.name.lower() == loss
        assert found.network.model == (int(subject[-1]) if subject.startswith("model") else 1)
        edge = int(subject[4:]) if subject.startswith("size") else 0
        assert found.training.patch * found.cohort.voxel_mm == edge


def test_rows_beside_the_thesis_are_means_of_what_is_recorded(tmp_path):
    numbers = {f"test_{score}": [[0.1, 0.3], [0.2, 0.2], [0.4, NAN]] for score in ("mae_b", "mae_t", "ssim_b")}
    write(tmp_path, "model2_l2b", numbers)
    rows = {"table6.model1.l2b": "model1_l2b", "table6.model2.l2b": "model2_l2b"}
    labels = [{"model": "model 1"}, {"model": "model 2"}]
    (row,) = result_values.beside_thesis(RecordedSweeps("demo", tmp_path), Ledger("contrast_t1"), rows, labels)
    assert row["model"] == "model 2"
    assert row["MAE, tumor"] == pytest.approx((0.2 + 0.2 + 0.4) / 3)
    assert row["MAE, tumor, thesis"] == 0.173
    assert row["SSIM, brain, thesis"] == 0.718
