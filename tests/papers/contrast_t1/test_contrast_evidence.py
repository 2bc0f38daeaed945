"""Evidence for the claims from made-up recordings whose statistics are worked out by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mrrepro.metrics.evidence import OneSeed
from mrrepro.papers.contrast_t1 import evidence, loss_claims, recipe, result_values
from mrrepro.papers.contrast_t1.evidence import RecordedSweeps
from mrrepro.papers.contrast_t1.law_claims import amplitudes
from mrrepro.papers.contrast_t1.recorded_scores import share_over_seeds
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


MAE = {"test_mae_b": [[0.1] * 4] * 3}
"""Errors of four patients a seed, by which they are counted."""


def half_width(values):
    """Half of Student's t interval of three values; t of 2 degrees of freedom at 97.5 % is 4.3027."""
    return 4.302652729911275 * np.std(values, ddof=1) / np.sqrt(3)


def patient_numbers(means):
    """An evaluation of four patients a seed, of whom the second and the fourth enhance, with these means of a seed.

    ``found`` and ``seen`` are over those who enhance, ``false`` over the others, ``fissure`` over the first and the
    last, whose fissure does not enhance; the true rise of the other fissures is 0.4. ``dice``, ``voxels`` and
    ``amplitude`` are of the summary, all else is over all patients.
    """
    numbers = {f"{kind}_true_rise_leaky": [[NAN, 0.8] * 2] * 3 for kind in ("test", "seen")} | MAE
    numbers |= {"test_sinus_enhances": [[0, 1, 1, 0]] * 3, "test_true_rise_sinus": [[0.01, 0.3, 0.5, 0.01]] * 3}
    for name, values in means.items():
        if name in ("dice", "voxel_auc", "amplitude"):
            numbers["summary"] = [{f"test_{name}": value} for value in values]
        elif name in ("found", "found_0.2", "found_0.4"):
            key = "test_found_0.3" if name == "found" else f"test_{name}"
            numbers[key] = [[0.99, v - 0.001, 0.99, v + 0.001] for v in values]
        elif name == "seen":
            numbers["seen_found_0.3"] = [[0.99, v - 0.001, 0.99, v + 0.001] for v in values]
        elif name in ("false", "false_0.2", "false_0.4"):
            key = f"test_false_share_{name.removeprefix('false_') if '_' in name else '0.3'}"
            numbers[key] = [[v - 0.01, 0.99, v + 0.01, 0.99] for v in values]
        elif name == "fissure":
            numbers["test_rise_sinus"] = [[v - 0.01, 0.9, 0.7, v + 0.01] for v in values]
        else:
            numbers[f"test_{name}"] = [[v - 0.03, v + 0.01, v + 0.03, v - 0.01] for v in values]
    return numbers


def same(value):
    return (value, value, value)


MODELS = [recipe.compared(f"model{k}", loss) for loss in recipe.COMPARED_LOSSES for k in range(5)]
PATCHES = [recipe.compared(f"patch{edge}", loss) for loss in recipe.COMPARED_LOSSES for edge in (128, 96, 64)]
STEEP = {"model1": 0.1, "patch128": 0.2, "patch96": 0.3, "patch64": 0.4}
RISING = (0.3, 0.4, 0.6)


def quiet(*variants):
    """Variants that find one voxel in fifty, and enhance as much of the tumors that do not."""
    return {variant: {"found": same(0.02), "false": same(0.02)} for variant in variants}


FALSE_AT_BOTH = {"false_0.2": same(0.2), "false_0.4": same(0.1)}

PLAIN = {
    # what each variant is recorded with by seed, and what the statistic is by seed
    "seen_patients_enhance": ({"l1b": {"seen": (0.5, 0.4, 0.3), "found": same(0.1)}}, (0.4, 0.3, 0.2)),
    "ssim_sharper": ({"lssim": {"gradient": (0.8, 0.9, 1.0)}, "l1b": {"gradient": same(0.5)}}, (1.6, 1.8, 2.0)),
    "ssim_scores_best": (
        {"lssim": {"ssim_b": (0.9, 0.8, 0.6)}}
        | {name: {"ssim_b": same(v)} for name, v in {"l1": 0.5, "l2": 0.6, "l1b": 0.4, "l2b": 0.3}.items()},
        (0.3, 0.2, 0.0),
    ),
    "ssim_best_mae": (
        {"lssim": {"mae_b": (0.2, 0.3, 0.5)}}
        | {name: {"mae_b": same(v)} for name, v in {"l1": 0.5, "l2": 0.6, "l1b": 0.1, "l2b": 0.3}.items()},
        (0.1, 0.2, 0.4),
    ),
    "l2_best_mse": ({"l2": {"mse_b": (0.1, 0.2, 0.4)}, "lssim": {"mse_b": same(0.5)}}, (-0.4, -0.3, -0.1)),
    "losses_equivalent": (
        {"l1b": {"ssim": same(0.5)}, "l2b": {"ssim": (0.6, 0.7, 0.9)}, "lssim": {"ssim": same(0.4)}},
        (0.2, 0.3, 0.5),
    ),
    "tumor_masked_losses_distort": (
        {"l1t": {"mae_b": (0.4, 0.5, 0.8)}, "l1b": {"mae_b": same(0.2)}}
        | {"l2t": {"mae_b": same(0.3)}, "l2b": {"mae_b": same(0.1)}},
        (2.0, 2.5, 3.0),
    ),
    "focus_does_not_help_tumor": ({"l1t": {"mae_t": RISING}, "l1": {"mae_t": same(0.5)}}, (-0.2, -0.1, 0.1)),
    "focus_does_not_help_brain": ({"l1b": {"mae_b": RISING}, "l1": {"mae_b": same(0.5)}}, (-0.2, -0.1, 0.1)),
    "fissure_learned": ({"l1b": {"found_sinus": (0.9, 0.8, 0.6), "found": same(0.1)}}, (0.8, 0.7, 0.5)),
    "fissure_hallucinated": ({"l1b": {"fissure": (0.2, 0.3, 0.4)}}, (0.5, 0.75, 1.0)),
    "fissure_hallucinated_with_most_models": (
        {name: {"fissure": tuple(0.02 * (k + 1) * n for n in (1, 2, 4))} for k, name in enumerate(MODELS)},
        (0.4, 0.8, 1.6),  # the eighth of fifteen, over 0.4
    ),
    "models_equivalent": (
        {f"model{k}": {"ssim": same(v)} for k, v in {0: 0.5, 1: 0.4, 3: 0.1, 4: 0.2}.items()}
        | {"model2": {"ssim": (0.6, 0.7, 0.9)}},
        (0.1, 0.2, 0.4),
    ),
    "model0_brightens_dark": (
        {f"model{k}": {"dark_error": same(0.1 * k)} for k in (1, 2, 3, 4)}
        | {"model0": {"dark_error": (0.5, 0.6, 0.8)}},
        (0.25, 0.35, 0.55),
    ),
    "smaller_patches_worse": (
        {recipe.compared(size, loss): {"mae_t": same(v)} for size, v in STEEP.items() for loss in ("L1B", "LSSIM")}
        # weights of a slope over four steps: -0.3, -0.1, 0.1, 0.3
        | {recipe.compared(size, "L2B"): {"mae_t": same(0.1)} for size in STEEP}
        | {"patch64_l2b": {"mae_t": (0.2, 0.3, 0.0)}},
        (0.03, 0.06, -0.03),
    ),
    "smaller_patches_worse_on_same_cube": (
        {"patch64": {"central_mae": RISING}, "model1": {"central_mae": same(0.2)}},
        (0.1, 0.2, 0.4),
    ),
    "l1_l2_ssim_no_enhancement": (
        quiet(*loss_claims.SINGLE)
        | {"l2t": {"found": (0.4, 0.1, 0.1), "false": same(0.1)}, "lssim": {"found": same(0.99), "false": same(0.9)}},
        (0.3, 0.09, 0.09),
    ),
    "imbalance_hides_enhancement": (
        quiet("l1b", "l2b")
        | {"l1t": {"found": (0.5, 0.3, 0.2), "false": same(0.1)}, "l2t": {"found": same(0.4), "false": same(0.1)}},
        (0.3, 0.2, 0.1),
    ),
    "no_model_enhances": (
        quiet(*MODELS)
        | {"model3_l2b": {"found": (0.3, 0.2, 0.01), "false": same(0.1)}}
        | {"model4_lssim": {"found": (0.99, 0.1, 0.7), "false": (0.99, 0.1, 0.2)}},
        (0.2, 0.1, 0.5),
    ),
    "patches_do_not_enhance": (
        quiet(*PATCHES)
        | {"patch64_lssim": {"found": (0.99, 0.98, 0.7), "false": (0.98, 0.98, 0.2)}}
        | {"patch128": {"found": (0.11, 0.02, 0.02), "false": same(0.01)}},
        (0.1, 0.01, 0.5),
    ),
    "visible_enhancement_is_learned": ({"visible": {"found": (0.7, 0.8, 0.95), "false": same(0.1)}}, (0.6, 0.7, 0.85)),
    "mix_needs_the_enhancement_mask": ({"mix_tumor": {"found": RISING, "false": same(0.1)}}, (0.2, 0.3, 0.5)),
    "mix_alone_enhances": (
        {"headline": {"found": (0.6, 0.7, 0.9), "false": same(0.1)}}
        | quiet("l1", "l2", "l1b", "l2b", "lssim")
        | {
            "l1t": {"found": (0.1, 0.1, 0.3), "false": same(0.1)},
            "l2t": {"found": (0.2, 0.2, 0.1), "false": same(0.1)},
        },
        (0.4, 0.5, 0.6),
    ),
    "complexity_enhances": (
        {"mix_tumor": {"found": (0.6, 0.7, 0.9), "false": same(0.1)}}
        | quiet("l1b", "lssim")
        | {"l2b": {"found": (0.2, 0.2, 0.4), "false": same(0.1)}},
        (0.4, 0.5, 0.5),
    ),
    "mix_false_positives": ({"headline": {"false": RISING}, "l1b": {"false": same(0.1)}}, (0.2, 0.3, 0.5)),
    "mix_scores_alike": ({"headline": {"mae_b": RISING}, "l1b": {"mae_b": same(0.2)}}, (0.1, 0.2, 0.4)),
    "mix_best_ssim": ({"headline": {"ssim_b": RISING}, "lssim": {"ssim_b": same(0.2)}}, (0.1, 0.2, 0.4)),
    "mix_no_gain_in_tumor": ({"headline": {"ssim_t": RISING}, "lssim": {"ssim_t": same(0.2)}}, (0.1, 0.2, 0.4)),
    "mix_prevents_distortions": (
        {"l1t": {"mae_b": (0.4, 0.5, 0.8)}, "l2t": {"mae_b": same(0.6)}, "headline": {"mae_b": same(0.2)}},
        (2.0, 2.5, 3.0),
    ),
    "threshold_does_not_decide": (
        {"headline": {"found_0.2": same(0.9), "found_0.4": (0.4, 0.5, 0.9)} | FALSE_AT_BOTH}
        | {"l1b": {"found_0.2": same(0.3), "found_0.4": same(0.2), "false_0.2": same(0.1), "false_0.4": same(0.1)}},
        (0.2, 0.3, 0.5),
    ),
    "adversarial_term_helps": ({"mix_gan": {"dice": RISING}, "headline": {"dice": same(0.5)}}, (-0.2, -0.1, 0.1)),
    "occurrence_finds_voxels": (
        {"where": {"voxel_auc": RISING}, "headline": {"voxel_auc": same(0.5)}},
        (-0.2, -0.1, 0.1),
    ),
    "occurrence_fewer_false": ({"where": {"false": RISING}, "headline": {"false": same(0.5)}}, (-0.2, -0.1, 0.1)),
    # Phi(d' / 2 - log(5) / d') of the law d' = 1.14, q = 0.6, whose odds must exceed five for L1 to draw a rise
    "l1_near_optimum": ({"near_l1b": {"amplitude": RISING}}, tuple(value - 0.19995 for value in RISING)),
}
"""Claims whose statistic is a plain mean over seeds."""

SHARES = {
    "ssim_no_enhancement_seen": ({"lssim": {"seen": (0.02, 0.03, 0.05), "found": same(0.9)}}, (0.02, 0.03, 0.05)),
}
"""Claims on a share, whose mean over seeds is of logits."""


def recorded_with(folder, variants):
    for variant, means in variants.items():
        write(folder, variant, patient_numbers(means))
    return RecordedSweeps("demo", folder)


@pytest.mark.parametrize("name", PLAIN)
def test_claim_rests_on_this_mean_over_seeds(tmp_path, name):
    variants, by_seed = PLAIN[name]
    found = recorded_with(tmp_path, variants).claim(name)
    tolerance = 5e-3 if "optimum" in name else 1e-9  # the optimum comes from draws
    assert found.statistic.value == pytest.approx(np.mean(by_seed), abs=tolerance)
    assert found.statistic.high - found.statistic.value == pytest.approx(half_width(by_seed), abs=1e-9)
    assert found.statistic.value - found.statistic.low == pytest.approx(half_width(by_seed), abs=1e-9)
    assert (found.seeds, found.n_cases, found.statistic.level) == (SEEDS, 4, 0.95)


@pytest.mark.parametrize("name", SHARES)
def test_claim_rests_on_this_share(tmp_path, name):
    variants, by_seed = SHARES[name]
    found = recorded_with(tmp_path, variants).claim(name)
    logits = np.log(np.array(by_seed) / (1 - np.array(by_seed)))
    value, half = np.mean(logits), half_width(logits)
    expected = [1 / (1 + np.exp(-logit)) for logit in (value - half, value, value + half)]
    assert [found.statistic.low, found.statistic.value, found.statistic.high] == pytest.approx(expected, rel=1e-6)
    assert 0 < found.statistic.low < found.statistic.high < 1
    assert (found.seeds, found.n_cases) == (SEEDS, 4)


def test_share_of_nothing_or_of_all_has_an_interval_inside_of_both():
    found = share_over_seeds("share", [0.0, 1.0, 0.5])
    assert found.value == pytest.approx(0.5)
    assert 0 < found.low < 1e-6
    assert 1 - 1e-6 < found.high < 1
    with pytest.raises(OneSeed):
        share_over_seeds("share", [0.5])


@pytest.mark.parametrize(("name", "baseline"), [("beats_copy", "copy"), ("beats_regression", "linear")])
def test_baseline_is_subtracted_patient_by_patient(tmp_path, name, baseline):
    write(tmp_path, "l1b", patient_numbers({"mae_b": RISING}))
    others = {"copy": 0.9, "linear": 0.9} | {baseline: 0.5}
    numbers = {f"{kind}_mae_b": [[v - 0.3, v + 0.1, v + 0.3, v - 0.1]] * 3 for kind, v in others.items()}
    write(tmp_path, "baselines", numbers, "baselines")
    statistic = RecordedSweeps("demo", tmp_path).claim(name).statistic
    assert statistic.value == pytest.approx(np.mean([-0.2, -0.1, 0.1]))
    assert statistic.high - statistic.value == pytest.approx(half_width([-0.2, -0.1, 0.1]))


def test_later_start_is_worse_where_its_validation_loss_is_larger(tmp_path):
    for variant, scores in (("model1_he", RISING), ("model1", same(0.2))):
        histories = [{"record": {"best_score": score}} for score in scores]
        write(tmp_path, variant, {"history": histories}, "training")
        document = json.loads((tmp_path / f"{variant}.json").read_text())
        for run in document["runs"]:
            run["numbers"]["contrast_t1/evaluation"] = {"test_mae_b": [0.1] * 4}
        (tmp_path / f"{variant}.json").write_text(json.dumps(document))
    statistic = RecordedSweeps("demo", tmp_path).claim("xavier_beats_he").statistic
    assert statistic.value == pytest.approx(np.mean([0.1, 0.2, 0.4]))
    assert statistic.high - statistic.value == pytest.approx(half_width([0.1, 0.2, 0.4]))


def test_radiomics_give_the_seed_of_the_widest_interval_and_all_draws_of_the_controls(tmp_path):
    areas = [
        {"auc": 0.8, "low": 0.79, "high": 0.81, "patients": 298, "permuted_auc": [0.4, 0.6], "leak_auc": [0.7, 0.8]},
        {"auc": 0.7, "low": 0.6, "high": 0.75, "patients": 299, "permuted_auc": [0.5, 0.5], "leak_auc": [0.7, 0.8]},
        {"auc": 0.9, "low": 0.85, "high": 0.91, "patients": 298, "permuted_auc": [0.5, 0.8], "leak_auc": [0.7, 0.8]},
    ]
    write(tmp_path, "radiomics", {"radiomics": areas}, "radiomics")
    found = RecordedSweeps("demo", tmp_path).claims()
    assert set(found) == {"radiomics_auc", "control_permuted_labels", "leaked_selection_inflates"}
    area = found["radiomics_auc"]
    assert (area.statistic.low, area.statistic.value, area.statistic.high, area.n_cases) == (0.6, 0.7, 0.75, 299)
    permuted, leaked = (found[name].statistic for name in ("control_permuted_labels", "leaked_selection_inflates"))
    assert (permuted.value, leaked.value) == (pytest.approx(0.55), pytest.approx(0.75))
    # t of 5 degrees of freedom at 97.5 %: 2.5706
    assert leaked.high - leaked.value == pytest.approx(2.5706 * np.std([0.7, 0.8] * 3, ddof=1) / np.sqrt(6), rel=1e-4)


def test_every_claim_has_a_test_of_its_statistic():
    of_their_own = {"beats_copy", "beats_regression", "xavier_beats_he", "coarse_enhancement_costs_scores"}
    of_their_own |= {"auc_near_half", "amplitude_follows_the_law", "l2_near_optimum", "radiomics_auc"}
    of_their_own |= {"control_permuted_labels", "leaked_selection_inflates"}
    assert set(PLAIN) | set(SHARES) | of_their_own == set(evidence.CLAIMS)


def test_pairs_of_one_seed_share_their_networks_and_count_once(tmp_path):
    for name, shift in {"l1": 0.3, "l2": 0.4, "l1b": 0.2, "l2b": 0.5}.items():
        write(tmp_path, name, {"test_mae_b": [[0.1 + shift, 0.9 + shift, NAN]] * 3})
    # against L1B, whose mean is the least: -0.1 and 0.1, the same with 0.1 more, and 0.3 with a patient undefined
    write(tmp_path, "lssim", {"test_mae_b": [[0.2, 1.2, 0.0], [0.3, 1.3, 0.0], [0.6, NAN, 0.0]]})
    sweeps = RecordedSweeps("demo", tmp_path)
    statistic = sweeps.claim("ssim_best_mae").statistic
    assert statistic.value == pytest.approx(np.mean([0.0, 0.1, 0.3]))
    assert statistic.high - statistic.value == pytest.approx(half_width([0.0, 0.1, 0.3]))
    for path in tmp_path.glob("*.json"):
        document = json.loads(path.read_text())
        path.write_text(json.dumps({"runs": document["runs"][:1]}))
    of_one = RecordedSweeps("demo", tmp_path).claim("ssim_best_mae").statistic
    assert "one training" in of_one.name
    # t of 1 degree of freedom at 97.5 %: 12.7062; standard error of -0.1 and 0.1 is 0.1
    assert (of_one.value, of_one.high) == (pytest.approx(0.0, abs=1e-12), pytest.approx(1.27062, rel=1e-4))


def test_patient_area_of_a_perfect_and_of_a_useless_score(tmp_path):
    labels = [[True, False] * 200] * 3
    write(tmp_path, "headline", {"labelled_tumor_score": labels, "labelled_enhances": labels})
    perfect = RecordedSweeps("demo", tmp_path).claim("auc_near_half").statistic
    assert (perfect.value, perfect.low) == (1.0, 1.0)
    flat = [[0.5] * 400] * 3
    write(tmp_path, "headline", {"labelled_tumor_score": flat, "labelled_enhances": labels})
    useless = RecordedSweeps("demo", tmp_path).claim("auc_near_half").statistic
    assert (useless.low, useless.value, useless.high) == (0.5, 0.5, 0.5)
    few = [row[:399] for row in labels]
    write(tmp_path, "headline", {"labelled_tumor_score": few, "labelled_enhances": few})
    assert RecordedSweeps("demo", tmp_path).claim("auc_near_half") is None


def test_overestimated_area_is_correlated_with_the_loss_of_similarity(tmp_path):
    false = [[0.0, 0.1, 0.2, NAN]] * 3
    write(tmp_path, "headline", {"test_false_share_0.3": false, "test_ssim_t": [[0.9, 0.8, 0.7, 0.1]] * 3} | MAE)
    # differences 0, -0.1, -0.2: straight down; 0, -0.1, 0: no slope; 0, 0.1, 0.2: straight up
    write(tmp_path, "lssim", {"test_ssim_t": [[0.9] * 4, [0.9, 0.9, 0.7, 0.9], [0.9, 0.7, 0.5, 0.9]]})
    statistic = RecordedSweeps("demo", tmp_path).claim("coarse_enhancement_costs_scores").statistic
    assert statistic.value == pytest.approx(0.0, abs=1e-9)
    assert statistic.high == pytest.approx(half_width([-1.0, 0.0, 1.0]))
    write(tmp_path, "lssim", {"test_ssim_t": [[0.9] * 4] * 3})
    assert RecordedSweeps("demo", tmp_path).claim("coarse_enhancement_costs_scores").statistic.high < -0.999


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
    sweeps = RecordedSweeps("demo", tmp_path)
    volumes, kept = sweeps.kept_in_training("near_l1b")
    np.testing.assert_array_equal(volumes, [40, 80])
    np.testing.assert_allclose(kept, [[0.2, 0.4], [0.4, 0.8], [np.nan, np.nan]])
    np.testing.assert_array_equal(sweeps.in_training("near_l1b", "score")[1], [[1.0, 0.5]] * 3)


def test_one_seed_or_other_seeds_decide_nothing(tmp_path):
    for variant in loss_claims.SINGLE:
        seeds = SEEDS[:2] if variant == "l2b" else SEEDS
        write(tmp_path, variant, patient_numbers({"found": (0.1, 0.2, 0.3), "false": same(0.1)}))
        document = json.loads((tmp_path / f"{variant}.json").read_text())
        (tmp_path / f"{variant}.json").write_text(json.dumps({"runs": document["runs"][: len(seeds)]}))
    assert RecordedSweeps("demo", tmp_path).claim("l1_l2_ssim_no_enhancement") is None
    assert RecordedSweeps("demo", tmp_path / "none").claims() == {}


def made_up(generator):
    """Numbers of an evaluation of four patients a seed, of whom the second and the fourth enhance."""

    def table():
        return generator.uniform(0.1, 0.9, (3, 4)).tolist()

    names = ["mae", "mse", "ssim", "mae_b", "mse_b", "ssim_b", "mae_t", "mse_t", "ssim_t", "gradient", "checkerboard"]
    names += ["dark_error", "central_mae", "found_0.2", "found_0.3", "found_0.4", "found_sinus"]
    names += ["false_share_0.2", "false_share_0.3", "false_share_0.4"]
    numbers = {f"test_{name}": table() for name in [*names, "rise_sinus", "true_rise_sinus"]}
    numbers |= {f"{kind}_true_rise_leaky": [[NAN, 0.8] * 2] * 3 for kind in ("test", "seen")}
    numbers |= {"seen_found_0.3": table(), "test_sinus_enhances": [[0, 1, 1, 0]] * 3}
    numbers |= {
        "labelled_tumor_score": generator.uniform(size=(3, 400)).tolist(),
        "labelled_enhances": [[0, 1] * 200] * 3,
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
        assert each.n_cases in (4, 400, 298), name


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


def test_trainings_that_find_more_than_a_tenth_are_named_with_what_they_do_to_other_tumors(tmp_path):
    variants = {"model3_l2b": {"found": (0.05, 0.7, 0.1), "false": (0.9, 0.2, 0.8)}, "patch64_lssim": {"found": RISING}}
    variants["patch64_lssim"]["false"] = same(0.9)
    sweeps = recorded_with(tmp_path, variants)
    assert result_values.finders(sweeps, result_values.MODELS) == "model 3, L2B, seed 1: 0.70 (0.20)"
    of_patches = result_values.finders(sweeps, result_values.PATCHES)
    assert of_patches.split("; ")[2] == "64 mm, SSIM, seed 2: 0.60 (0.90)"
    assert result_values.finders(sweeps, {"table6.model0.l1b": "model0"}) == "none"
