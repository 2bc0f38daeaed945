"""What the recorded runs say about the mix of eq. 4 and the thesis' further work."""

from __future__ import annotations

import numpy as np

from mrrepro.metrics.evidence import Undecided, over_seeds
from mrrepro.metrics.receiver_operating import area_under_curve
from mrrepro.papers.contrast_t1.loss_claims import SINGLE
from mrrepro.papers.contrast_t1.recorded_scores import (
    TELLING,
    Claims,
    RecordedScores,
    Values,
    difference,
    enhances,
    most_enhanced,
    paired,
    ratio,
)
from mrrepro.runs.records import Statistic

_COMPARED = ("l1b", "l2b", "lssim")  # the simple losses that section 4.8 names


def _mix_alone(sweeps: RecordedScores) -> tuple[Statistic, int]:
    gains = sweeps.enhanced("headline") - most_enhanced(sweeps, SINGLE)
    return over_seeds(f"{TELLING}, mix minus the largest of seven losses", gains), sweeps.cases("headline")


def _complexity(sweeps: RecordedScores) -> tuple[Statistic, int]:
    gains = sweeps.enhanced("mix_tumor") - most_enhanced(sweeps, _COMPARED)
    words = f"{TELLING}, mix with L1T minus the largest of L1B, L2B and SSIM"
    return over_seeds(words, gains), sweeps.cases("mix_tumor")


def _mix_false(sweeps: RecordedScores) -> tuple[Statistic, int]:
    values = sweeps.false_share("headline") - sweeps.false_share("l1b")
    return over_seeds("falsely enhanced share of tumors that do not enhance, mix minus L1B", values), sweeps.cases(
        "headline"
    )


FEWEST_PATIENTS = 400
"""Of whom it must be asked whether they enhance, for an area near one half to be seen: the ledger's test says so."""


def _patient_auc(sweeps: RecordedScores) -> tuple[Statistic, int]:
    """Of all seeds together, each seed's patients ranked among themselves; patients are resampled."""
    score, enhances = (sweeps.scores("headline", f"labelled_{name}") for name in ("tumor_score", "enhances"))
    generator, count = np.random.default_rng(0), score.shape[1]
    if count < FEWEST_PATIENTS:
        raise Undecided(f"{count} patients do not tell an area near one half from others; it takes {FEWEST_PATIENTS}.")
    labels = enhances > 0.5

    def mean_area(chosen: Values) -> float:
        pairs = zip(score, labels, strict=True)
        return float(np.mean([area_under_curve(one[chosen], row[chosen]) for row, one in pairs]))

    drawn = [mean_area(generator.integers(count, size=count)) for _ in range(400)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    value = mean_area(np.arange(count))
    words = "area under the curve of the mean estimated rise of the tumor, mix"
    return Statistic(words, value, min(float(low), value), max(float(high), value)), count


def _threshold(sweeps: RecordedScores) -> tuple[Statistic, int]:
    gains = [sweeps.enhanced("headline", t) - sweeps.enhanced("l1b", t) for t in ("0.2", "0.4")]
    words = (
        "share of the truly enhancing tumor voxels found, less that of tumors that do not enhance, mix minus L1B, "
        "smaller of thresholds 0.2 and 0.4"
    )
    return over_seeds(words, np.min(gains, axis=0)), sweeps.cases("headline")


def _coarse_costs(sweeps: RecordedScores) -> tuple[Statistic, int]:
    """Pearson's correlation over the patients of each seed for whom both are defined."""
    false = sweeps.scores("headline", "test_false_share_0.3")
    gain = sweeps.scores("headline", "test_ssim_t") - sweeps.scores("lssim", "test_ssim_t")
    known = np.isfinite(false) & np.isfinite(gain)
    values = [np.corrcoef(a[yes], b[yes])[0, 1] for a, b, yes in zip(false, gain, known, strict=True)]
    words = "correlation of the falsely enhanced share of a tumor with its SSIM, mix minus SSIM loss"
    return over_seeds(words, values), sweeps.cases("headline")


CLAIMS: Claims = {
    "mix_alone_enhances": (("headline", *SINGLE), _mix_alone),
    "complexity_enhances": (("mix_tumor", *_COMPARED), _complexity),
    "mix_false_positives": (("headline", "l1b"), _mix_false),
    "mix_scores_alike": (
        ("headline", "l1b"),
        difference("mean absolute error in the brain, mix minus L1B", "headline", "l1b", "test_mae_b"),
    ),
    "mix_best_ssim": (
        ("headline", "lssim"),
        paired("SSIM in the brain, mix minus SSIM loss", "headline", ("lssim",), "test_ssim_b"),
    ),
    "mix_no_gain_in_tumor": (
        ("headline", "lssim"),
        paired("SSIM in the tumor, mix minus SSIM loss", "headline", ("lssim",), "test_ssim_t"),
    ),
    "coarse_enhancement_costs_scores": (("headline", "lssim"), _coarse_costs),
    "mix_prevents_distortions": (
        ("l1t", "l2t", "headline"),
        ratio(
            "mean absolute error in the brain, tumor loss over mix",
            (("l1t", "headline"), ("l2t", "headline")),
            "test_mae_b",
        ),
    ),
    "mix_needs_the_enhancement_mask": (("mix_tumor",), enhances(("mix_tumor",), "mix with L1T")),
    "threshold_does_not_decide": (("headline", "l1b"), _threshold),
    "auc_near_half": (("headline",), _patient_auc),
    "adversarial_term_helps": (
        ("mix_gan", "headline"),
        lambda s: (
            over_seeds(
                "Dice of the enhanced region, adversarial term minus none",
                s.summary("mix_gan", "test_dice") - s.summary("headline", "test_dice"),
            ),
            s.cases("headline"),
        ),
    ),
    "occurrence_finds_voxels": (
        ("where", "headline"),
        lambda s: (
            over_seeds(
                "area under the curve of the tumor's voxels, occurrence minus mix",
                s.summary("where", "test_voxel_auc") - s.summary("headline", "test_voxel_auc"),
            ),
            s.cases("where"),
        ),
    ),
    "occurrence_fewer_false": (
        ("where", "headline"),
        lambda s: (
            over_seeds(
                "falsely enhanced share of tumors that do not enhance, occurrence minus mix",
                s.false_share("where") - s.false_share("headline"),
            ),
            s.cases("where"),
        ),
    ),
}
