"""What the recorded runs say about the seven losses, baselines and registration."""

from __future__ import annotations

import numpy as np

from mrrepro.metrics.evidence import over_cases, over_seeds
from mrrepro.papers.contrast_t1.recorded_scores import (
    ABOVE_T1,
    FALSE_FISSURE,
    TELLING,
    Build,
    Claims,
    RecordedScores,
    enhances,
    paired,
    ratio,
    share_over_seeds,
)
from mrrepro.runs.records import Statistic

_FOUR = ("l1", "l2", "l1b", "l2b")

SINGLE = (*_FOUR, "l1t", "l2t", "lssim")
"""The seven losses of Table 1."""


def _losses_equivalent(sweeps: RecordedScores) -> tuple[Statistic, int]:
    table = np.array([sweeps.mean(name, "test_ssim") for name in ("l1b", "l2b", "lssim")])
    return over_seeds("SSIM, best minus worst of L1B, L2B and SSIM", np.ptp(table, axis=0)), sweeps.cases("l1b")


def _fissure_learned(sweeps: RecordedScores) -> tuple[Statistic, int]:
    values = sweeps.mean("l1b", "test_found_sinus") - sweeps.found("l1b")
    return over_seeds("share of enhancing voxels found, fissure minus tumor, L1B", values), sweeps.cases("l1b")


def _focus_enhances(sweeps: RecordedScores) -> tuple[Statistic, int]:
    gains = [sweeps.enhanced(tumor) - sweeps.enhanced(brain) for tumor, brain in (("l1t", "l1b"), ("l2t", "l2b"))]
    words = f"{TELLING}, tumor loss minus brain loss, smaller of L1 and L2"
    return over_seeds(words, np.min(gains, axis=0)), sweeps.cases("l1t")


def _beats(baseline: str) -> Build:
    def build(sweeps: RecordedScores) -> tuple[Statistic, int]:
        differences = sweeps.scores("l1b", "test_mae_b") - sweeps.scores("baselines", f"{baseline}_mae_b", "baselines")
        words = f"mean absolute error in the brain, L1B minus {baseline}"
        return over_cases(words, list(differences)), sweeps.cases("l1b")

    return build


CLAIMS: Claims = {
    "l1_l2_ssim_no_enhancement": (
        SINGLE,
        enhances(SINGLE, "largest of seven losses"),
    ),
    "imbalance_hides_enhancement": (("l1t", "l1b", "l2t", "l2b"), _focus_enhances),
    "seen_patients_enhance": (
        ("l1b",),
        lambda s: (over_seeds(f"{ABOVE_T1}, seen minus unseen", s.found_again("l1b") - s.found("l1b")), s.cases("l1b")),
    ),
    "ssim_no_enhancement_seen": (
        ("lssim",),
        lambda s: (share_over_seeds(f"{ABOVE_T1}, seen patients, SSIM", s.found_again("lssim")), s.cases("lssim")),
    ),
    "ssim_sharper": (("lssim", "l1b"), ratio("mean gradient, SSIM over L1B", (("lssim", "l1b"),), "test_gradient")),
    "ssim_scores_best": (
        ("lssim", *_FOUR),
        paired("SSIM in the brain, SSIM loss minus the best other", "lssim", _FOUR, "test_ssim_b", np.max),
    ),
    "ssim_best_mae": (
        ("lssim", *_FOUR),
        paired("mean absolute error in the brain, SSIM loss minus the least other", "lssim", _FOUR, "test_mae_b"),
    ),
    "l2_best_mse": (
        ("l2", "lssim"),
        paired("mean squared error in the brain, L2 minus SSIM loss", "l2", ("lssim",), "test_mse_b"),
    ),
    "losses_equivalent": (("l1b", "l2b", "lssim"), _losses_equivalent),
    "tumor_masked_losses_distort": (
        ("l1t", "l1b", "l2t", "l2b"),
        ratio(
            "mean absolute error in the brain, tumor loss over brain loss",
            (("l1t", "l1b"), ("l2t", "l2b")),
            "test_mae_b",
        ),
    ),
    "focus_does_not_help_tumor": (
        ("l1t", "l1"),
        paired("mean absolute error in the tumor, L1T minus L1", "l1t", ("l1",), "test_mae_t"),
    ),
    "focus_does_not_help_brain": (
        ("l1b", "l1"),
        paired("mean absolute error in the brain, L1B minus L1", "l1b", ("l1",), "test_mae_b"),
    ),
    "fissure_learned": (("l1b",), _fissure_learned),
    "fissure_hallucinated": (
        ("l1b",),
        lambda s: (over_seeds(f"{FALSE_FISSURE}, L1B", s.false_fissure("l1b")), s.cases("l1b")),
    ),
    "beats_copy": (("l1b", "baselines"), _beats("copy")),
    "beats_regression": (("l1b", "baselines"), _beats("linear")),
}
