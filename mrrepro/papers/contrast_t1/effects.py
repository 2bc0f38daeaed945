"""What the choices of the register of deviations do, in words made from the recorded sweeps.

``mrrepro ledger effects contrast_t1`` writes them into the register's column; a test holds the two together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mrrepro.papers.contrast_t1.evidence import RecordedSweeps
from mrrepro.papers.contrast_t1.recorded_scores import Values


def effects(runs: RecordedSweeps) -> dict[str, str]:
    """Effect of each measured deviation whose runs are recorded, by the last part of its id."""
    return runs.effects(
        {
            "set_after_trials": (("radiomics",), _set_after_trials),
            "label": (("radiomics",), _label),
            "appearance": (("visible",), _appearance),
            "core_contrast": (("near_l1b", "near_l2b"), _core_contrast),
            "near_optimum": (("l1b", "near_l1b", "l2b", "near_l2b"), _near_optimum),
            "mix_third_term": (("headline", "mix_tumor", "l1b"), _third_term),
            "mix_weights": (("headline", "mix_light", "mix_heavy"), _weights),
            "adversarial": (("headline", "mix_gan"), _adversarial),
            "occurrence": (("headline", "where"), _occurrence),
            "patch_scores": (("model1", "patch64"), _patches),
            "start": (("model1", "model1_he"), _start),
            "base_filters": (("model0", "l1b"), _filters),
            "registration": (("l1b", "registered"), _registration),
        }
    )


def _mean(values: Values | list[Any], digits: int = 2) -> str:
    return f"{np.mean(np.asarray(values, dtype=float)):.{digits}f}"


def _found(runs: RecordedSweeps, variant: str) -> str:
    return _mean(runs.found(variant))


def _enhances(runs: RecordedSweeps, variant: str) -> str:
    return f"{_found(runs, variant)} ({_mean(runs.false_share(variant))})"


def _brain_error(runs: RecordedSweeps, variant: str) -> str:
    return _mean(runs.mean(variant, "test_mae_b"), 3)


def _kept(runs: RecordedSweeps, variant: str) -> str:
    return _mean(runs.summary(variant, "test_amplitude"))


def _set_after_trials(runs: RecordedSweeps) -> str:
    return (
        f"Area under the curve of grade IV {_mean(runs.radiomics('auc'))} by radiomics, "
        f"{_mean(runs.radiomics('evidence_auc'))} by the evidence itself {runs.made('radiomics')}"
    )


def _label(runs: RecordedSweeps) -> str:
    return (
        f"Area under the curve of the evidence {_mean(runs.radiomics('evidence_auc'))} for the grade, "
        f"{_mean(runs.radiomics('evidence_auc_enhancement'))} for enhancement {runs.made('radiomics')}"
    )


def _appearance(runs: RecordedSweeps) -> str:
    return (
        f"With it L1B finds {_found(runs, 'visible')} of the enhancing voxels where all is visible "
        f"{runs.made('visible')}"
    )


def _core_contrast(runs: RecordedSweeps) -> str:
    found = [_mean(runs.summary(variant, "test_voxel_auc")) for variant in ("near_l1b", "near_l2b")]
    return (
        f"With it L1B and L2B rank the voxels of a tumor with an area under the curve of {found[0]} and {found[1]} "
        f"{runs.made('near_l1b', 'near_l2b')}"
    )


def _near_optimum(runs: RecordedSweeps) -> str:
    return (
        f"Amplitude kept on whole volumes {_kept(runs, 'l1b')} by L1B and {_kept(runs, 'l2b')} by L2B, on cubes "
        f"{_kept(runs, 'near_l1b')} and {_kept(runs, 'near_l2b')} {runs.made('near_l1b', 'near_l2b')}"
    )


def _third_term(runs: RecordedSweeps) -> str:
    return (
        "Share of enhancing voxels found (falsely enhanced share of other tumors) "
        f"{_enhances(runs, 'headline')} with the enhancement as the third term's region, "
        f"{_enhances(runs, 'mix_tumor')} with the tumor; mean absolute error in the brain "
        f"{_brain_error(runs, 'headline')} and {_brain_error(runs, 'mix_tumor')}, of L1B {_brain_error(runs, 'l1b')} "
        f"{runs.made('headline', 'mix_tumor', 'l1b')}"
    )


def _weights(runs: RecordedSweeps) -> str:
    return (
        "Share of enhancing voxels found (falsely enhanced share of other tumors) "
        f"{_enhances(runs, 'mix_light')} with a tenth of the third term, {_enhances(runs, 'headline')} with even "
        f"weights, {_enhances(runs, 'mix_heavy')} with ten times of it {runs.made('mix_light', 'mix_heavy')}"
    )


def _adversarial(runs: RecordedSweeps) -> str:
    gradient = [_mean(runs.mean(variant, "test_gradient")) for variant in ("headline", "mix_gan")]
    dice = [_mean(runs.summary(variant, "test_dice")) for variant in ("headline", "mix_gan")]
    return (
        f"Mean gradient {gradient[0]} of the true one without it, {gradient[1]} with it; Dice of the enhanced region "
        f"{dice[0]} and {dice[1]} {runs.made('headline', 'mix_gan')}"
    )


def _occurrence(runs: RecordedSweeps) -> str:
    ranked = [_mean(runs.summary(variant, "test_voxel_auc")) for variant in ("headline", "where")]
    return (
        f"Area under the curve of a tumor's voxels {ranked[1]}, of the mix {ranked[0]}; share of enhancing voxels "
        f"found (falsely enhanced share of other tumors) {_enhances(runs, 'where')}, of the mix "
        f"{_enhances(runs, 'headline')} {runs.made('headline', 'where')}"
    )


def _patches(runs: RecordedSweeps) -> str:
    over_input, over_cube = (
        [_mean(runs.mean(variant, score), 3) for variant in ("model1", "patch64")]
        for score in ("test_mae", "test_central_mae")
    )
    return (
        f"Mean absolute error of model 1 over its input {over_input[0]} on whole volumes and {over_input[1]} on "
        f"patches of 64 mm; over the same cube {over_cube[0]} and {over_cube[1]} {runs.made('model1', 'patch64')}"
    )


def _start(runs: RecordedSweeps) -> str:
    xavier, he = (_mean(runs.validation_loss(variant), 3) for variant in ("model1", "model1_he"))
    return f"Validation loss of model 1 {xavier} from Xavier, {he} from He {runs.made('model1', 'model1_he')}"


def _filters(runs: RecordedSweeps) -> str:
    return (
        f"Mean absolute error of model 0 in the brain {_brain_error(runs, 'l1b')} at the demo's width and length, "
        f"{_brain_error(runs, 'model0')} at half of both {runs.made('l1b', 'model0')}"
    )


def _registration(runs: RecordedSweeps) -> str:
    return (
        f"Mean absolute error in the brain, L1B, {_brain_error(runs, 'l1b')} with it, "
        f"{_brain_error(runs, 'registered')} in a cohort without any {runs.made('l1b', 'registered')}"
    )
