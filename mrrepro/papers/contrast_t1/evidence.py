"""What the recorded sweeps say about the thesis' claims, and a sceptic's: one statistic with its interval each.

The statistics and criteria stand in the chapter's ledger, which was written before any of these runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mrrepro.metrics.evidence import Evidence, RecordedRuns, claims_of, over_seeds
from mrrepro.metrics.receiver_operating import area_under_curve
from mrrepro.metrics.statistics import percentile_interval
from mrrepro.papers.contrast_t1.cohort import make_cohort
from mrrepro.papers.contrast_t1.experiments import baselines, evaluate, radiomics
from mrrepro.papers.contrast_t1.recipe import CELLS
from mrrepro.papers.contrast_t1.settings import ContrastT1Settings
from mrrepro.papers.contrast_t1.stages import train_network
from mrrepro.phantoms.enhancement_law import EnhancementLaw
from mrrepro.runs.notebook import Run as NotebookRun
from mrrepro.runs.records import Statistic
from mrrepro.runs.settings import configure

Values = np.ndarray[Any, Any]
Build = Callable[["RecordedSweeps"], tuple[Statistic, int]]

MAKERS = (make_cohort, train_network, evaluate, baselines, radiomics)
"""What made the recorded runs: a change of their code makes a record stale."""

ABOVE_T1 = "share of the truly enhancing tumor voxels that exceed T1 by 0.3"


class RecordedSweeps(RecordedRuns):
    """The recorded runs of the chapter at one scale.

    Parameters
    ----------
    scale : str
        Of the recording.
    folder : Path, optional
        Where the recorded files lie; by default in the package.
    """

    def __init__(self, scale: str = "demo", folder: Path | None = None) -> None:
        super().__init__("contrast_t1", scale, folder)

    def scores(self, variant: str, name: str, stage: str = "evaluation") -> Values:
        """Numbers of patients, (seeds, patients), NaN where undefined."""
        return np.array(self.documents(variant, stage, name), dtype=float)

    def mean(self, variant: str, name: str) -> Values:
        """Mean of a score over the patients of each seed for whom it is defined."""
        return np.nanmean(self.scores(variant, name), axis=1)

    def found(self, variant: str) -> Values:
        """Share of the truly enhancing voxels found in new patients whose tumor enhances, mean of each seed."""
        return _found(self, variant)

    def summary(self, variant: str, name: str) -> Values:
        """One value of the summary of each seed."""
        return np.array([found[name] for found in self.documents(variant, "evaluation", "summary")], dtype=float)

    def radiomics(self, name: str) -> Values:
        """One value of the classification by radiomics of each seed."""
        return np.array([found[name] for found in self.documents("radiomics", "radiomics", "radiomics")], dtype=float)

    def training(self, variant: str) -> list[dict[str, Any]]:
        """The record of the training of each seed."""
        return [history["record"] for history in self.documents(variant, "training", "history")]

    def validation_loss(self, variant: str) -> Values:
        """Best validation loss of each seed."""
        return np.array([record["best_score"] for record in self.training(variant)])

    def claim(self, name: str) -> Evidence | None:
        """Evidence for a claim by its short name; None unless its runs are recorded over the same two seeds or more."""
        return claims_of(self, {name: _CLAIMS[name]}).get(name)

    def claims(self) -> dict[str, Evidence]:
        """Evidence for each claim that can be decided from the recorded runs, by the claim's short name."""
        return claims_of(self, _CLAIMS)


def record_table(run: NotebookRun[Any], sweeps: RecordedSweeps, rows: Mapping[str, str]) -> None:
    """Record the nine scores of recorded variants for rows of the thesis' tables.

    Parameters
    ----------
    run : Run
        The notebook's.
    sweeps : RecordedSweeps
        Where the variants are.
    rows : mapping of str to str
        Row of a table, ``"table5.l1b"``, to variant. Rows without a recording or an entry in the ledger are left out.
    """
    for row, variant in rows.items():
        seeds = sweeps.seeds(variant)
        if not seeds:
            continue
        for suffix in ("", "_b", "_t"):
            for score in ("mae", "mse", "ssim"):
                values = sweeps.scores(variant, f"test_{score}{suffix}")
                run.record(
                    f"contrast_t1.{row}.{score}{suffix}",
                    float(np.nanmean(values)),
                    sd=float(np.nanstd(values, ddof=1)),
                    n_seeds=len(seeds),
                    n_cases=values.shape[1],
                    seeds=seeds,
                    by=MAKERS,
                    basis="simulated",
                )


def over_patients(name: str, differences: Values) -> Statistic:
    """Mean over seeds and patients with an interval from resampling patients, all pairs staying together."""
    flat = differences[np.isfinite(differences)]
    interval = percentile_interval(flat, np.random.default_rng(0))
    low, value, high = float(interval.low), float(interval.estimate), float(interval.high)
    return Statistic(name, value, min(low, value), max(high, value), interval.level)


def _found(sweeps: RecordedSweeps, variant: str, name: str = "test_found_0.3") -> Values:
    """Share of the truly enhancing voxels found in patients whose tumor enhances, mean of each seed."""
    enhances = np.isfinite(sweeps.scores(variant, "test_true_rise_leaky"))
    return np.nanmean(np.where(enhances, sweeps.scores(variant, name), np.nan), axis=1)


def _seen(sweeps: RecordedSweeps, variant: str) -> Values:
    enhances = np.isfinite(sweeps.scores(variant, "seen_true_rise_leaky"))
    return np.nanmean(np.where(enhances, sweeps.scores(variant, "seen_found_0.3"), np.nan), axis=1)


def _false_share(sweeps: RecordedSweeps, variant: str) -> Values:
    """Falsely enhanced share of the tumor in patients whose tumor does not enhance, mean of each seed."""
    quiet = ~np.isfinite(sweeps.scores(variant, "test_true_rise_leaky"))
    return np.nanmean(np.where(quiet, sweeps.scores(variant, "test_false_share_0.3"), np.nan), axis=1)


def _cases(sweeps: RecordedSweeps, variant: str) -> int:
    return int(sweeps.scores(variant, "test_mae_b").shape[1])


def _largest_found(variants: Sequence[str], words: str) -> Build:
    return lambda sweeps: (
        over_seeds(f"{ABOVE_T1}, {words}", np.max([_found(sweeps, variant) for variant in variants], axis=0)),
        _cases(sweeps, variants[0]),
    )


def _paired(words: str, variant: str, others: Sequence[str], score: str, best: Callable[..., Any] = np.min) -> Build:
    """A variant's score minus that of the best of others by their mean over seeds and patients, patient by patient."""

    def build(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
        tables = [sweeps.scores(other, score) for other in others]
        means = [float(np.nanmean(table)) for table in tables]
        chosen = tables[means.index(best(means))]
        return over_patients(words, sweeps.scores(variant, score) - chosen), chosen.shape[1]

    return build


def _difference(words: str, variant: str, other: str, score: str) -> Build:
    return lambda sweeps: (
        over_seeds(words, sweeps.mean(variant, score) - sweeps.mean(other, score)),
        _cases(sweeps, variant),
    )


def _ratio(words: str, pairs: Sequence[tuple[str, str]], score: str) -> Build:
    """The smaller of the ratios of pairs of variants."""
    return lambda sweeps: (
        over_seeds(words, np.min([sweeps.mean(a, score) / sweeps.mean(b, score) for a, b in pairs], axis=0)),
        _cases(sweeps, pairs[0][0]),
    )


def _losses_equivalent(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    table = np.array([sweeps.mean(name, "test_ssim") for name in ("l1b", "l2b", "lssim")])
    return over_seeds("SSIM, best minus worst of L1B, L2B and SSIM", np.ptp(table, axis=0)), _cases(sweeps, "l1b")


def _models_equivalent(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    best = np.max([sweeps.mean(f"model{k}", "test_ssim") for k in (1, 2, 3, 4)], axis=0)
    return over_seeds("SSIM, best of models 1 to 4 minus model 0", best - sweeps.mean("model0", "test_ssim")), _cases(
        sweeps, "model0"
    )


def _dark(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    others = np.mean([sweeps.mean(f"model{k}", "test_dark_error") for k in (1, 2, 3, 4)], axis=0)
    values = sweeps.mean("model0", "test_dark_error") - others
    return over_seeds("error of dark voxels beside the tumor, model 0 minus the others", values), _cases(
        sweeps, "model0"
    )


def _mix_alone(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    others = np.max([_found(sweeps, name) for name in ("l1b", "l2b", "lssim")], axis=0)
    return over_seeds(
        f"{ABOVE_T1}, mix minus the largest of L1B, L2B and SSIM", _found(sweeps, "headline") - others
    ), _cases(sweeps, "headline")


def _mix_dice(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    return over_seeds("Dice of the enhanced region, mix", sweeps.summary("headline", "test_dice")), _cases(
        sweeps, "headline"
    )


def _mix_false(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    values = _false_share(sweeps, "headline") - _false_share(sweeps, "l1b")
    return over_seeds("falsely enhanced share of tumors that do not enhance, mix minus L1B", values), _cases(
        sweeps, "headline"
    )


def _fissure_learned(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    values = sweeps.mean("l1b", "test_found_sinus") - _found(sweeps, "l1b")
    return over_seeds("share of enhancing voxels found, fissure minus tumor, L1B", values), _cases(sweeps, "l1b")


def _fissure_hallucinated(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    rise = sweeps.scores("l1b", "test_rise_sinus")
    enhances = sweeps.scores("l1b", "test_sinus_enhances") > 0.5
    ratio = [np.nanmean(row[~yes]) / np.nanmean(row[yes]) for row, yes in zip(rise, enhances, strict=True)]
    return over_seeds("estimated rise of a fissure that does not enhance over one that does", ratio), _cases(
        sweeps, "l1b"
    )


def _radiomics(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    """The first seed's interval, which spans the outer splits; several seeds are other cohorts."""
    auc, low, high = (sweeps.radiomics(name) for name in ("auc", "low", "high"))
    worst = int(np.argmin(low))
    words = "area under the curve of grade IV, seed with the least lower bound, corrected over splits"
    return Statistic(words, float(auc[worst]), float(low[worst]), float(high[worst])), int(
        sweeps.radiomics("patients")[worst]
    )


def _radiomics_band(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    auc, low, high = (sweeps.radiomics(name) for name in ("auc", "low", "high"))
    widest = int(np.argmax(high - low))
    words = "area under the curve of grade IV, seed with the widest interval, corrected over splits"
    return Statistic(words, float(auc[widest]), float(low[widest]), float(high[widest])), int(
        sweeps.radiomics("patients")[widest]
    )


def _control(name: str, words: str) -> Build:
    return lambda sweeps: (
        over_seeds(words, sweeps.radiomics(name).ravel()),
        int(sweeps.radiomics("patients")[0]),
    )


def _patient_auc(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    """Of all seeds together, each seed's patients ranked among themselves; patients are resampled."""
    score, enhances = (sweeps.scores("headline", f"labelled_{name}") for name in ("tumor_score", "enhances"))
    generator, count = np.random.default_rng(0), score.shape[1]
    labels = enhances > 0.5

    def mean_area(chosen: Values) -> float:
        pairs = zip(score, labels, strict=True)
        return float(np.mean([area_under_curve(one[chosen], row[chosen]) for row, one in pairs]))

    drawn = [mean_area(generator.integers(count, size=count)) for _ in range(400)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    value = mean_area(np.arange(count))
    words = "area under the curve of the mean estimated rise of the tumor, mix"
    return Statistic(words, value, min(float(low), value), max(float(high), value)), count


def _near_optimum(variant: str, rise: str) -> Build:
    def build(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
        optimum = configure(ContrastT1Settings, sweeps.scale).cohort.law().amplitude_kept(rise)
        values = sweeps.summary(variant, "test_amplitude") - optimum
        return over_seeds(f"amplitude kept minus its optimum, {optimum:.3f}", values), _cases(sweeps, variant)

    return build


def _threshold(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    gains = [
        _found(sweeps, "headline", f"test_found_{t}") - _found(sweeps, "l1b", f"test_found_{t}") for t in ("0.2", "0.4")
    ]
    words = "share of enhancing voxels found, mix minus L1B, smaller of thresholds 0.2 and 0.4"
    return over_seeds(words, np.min(gains, axis=0)), _cases(sweeps, "headline")


def _beats(baseline: str) -> Build:
    def build(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
        differences = sweeps.scores("l1b", "test_mae_b") - sweeps.scores("baselines", f"{baseline}_mae_b", "baselines")
        return over_patients(f"mean absolute error in the brain, L1B minus {baseline}", differences), _cases(
            sweeps, "l1b"
        )

    return build


def _uneven(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    """The better of the uneven weights; where one finds less of the true enhancement it cannot count."""
    even, found = _false_share(sweeps, "headline"), _found(sweeps, "headline")
    gains = [
        np.where(_found(sweeps, name) < found, 0.0, _false_share(sweeps, name) - even)
        for name in ("mix_light", "mix_heavy")
    ]
    words = "falsely enhanced share, a tenth or ten times the third term minus even weights; 0 where less is found"
    return over_seeds(words, np.min(gains, axis=0)), _cases(sweeps, "mix_light")


def amplitudes(sweeps: RecordedSweeps) -> list[dict[str, Any]]:
    """The amplitude that L1 and L2 keep at each law of `CELLS` that is recorded, beside the optimum of the law.

    Each row has ``cell``, ``separation`` (d'), ``fraction`` (q), ``loss`` (``"L1T"``, ``"L2T"``), ``optimum`` and
    ``kept``, one value a seed.
    """
    rows = []
    for cell, (separation, fraction) in CELLS.items():
        law = EnhancementLaw(separation, fraction)
        for loss, rise in (("L1T", "absolute"), ("L2T", "squared")):
            variant = f"{cell}_{loss.lower()}"
            if sweeps.seeds(variant):
                kept = sweeps.summary(variant, "test_amplitude")
                row = {"cell": cell, "separation": separation, "fraction": fraction, "loss": loss}
                rows.append({**row, "optimum": law.amplitude_kept(rise), "kept": kept})
    return rows


def _follows_the_law(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    rows = amplitudes(sweeps)
    optimum, kept = np.array([row["optimum"] for row in rows]), np.array([row["kept"] for row in rows])
    values = [np.corrcoef(optimum, kept[:, seed])[0, 1] for seed in range(kept.shape[1])]
    return over_seeds("correlation of the amplitude kept with its optimum", values), _cases(sweeps, CELL_VARIANTS[0])


CELL_VARIANTS = tuple(f"{cell}_{loss}" for cell in CELLS for loss in ("l1t", "l2t"))
_FOUR = ("l1", "l2", "l1b", "l2b")
_MODELS = tuple(f"model{k}" for k in range(5))

_CLAIMS: dict[str, tuple[tuple[str, ...], Build]] = {
    "l1_l2_ssim_no_enhancement": (
        ("l1b", "l2b", "lssim"),
        _largest_found(("l1b", "l2b", "lssim"), "largest of L1B, L2B and SSIM"),
    ),
    "seen_patients_enhance": (
        ("l1b",),
        lambda s: (over_seeds(f"{ABOVE_T1}, seen minus unseen", _seen(s, "l1b") - _found(s, "l1b")), _cases(s, "l1b")),
    ),
    "ssim_no_enhancement_seen": (
        ("lssim", "l1b"),
        lambda s: (
            over_seeds(f"{ABOVE_T1}, seen patients, SSIM minus L1B", _seen(s, "lssim") - _seen(s, "l1b")),
            _cases(s, "l1b"),
        ),
    ),
    "ssim_sharper": (("lssim", "l1b"), _ratio("mean gradient, SSIM over L1B", (("lssim", "l1b"),), "test_gradient")),
    "ssim_scores_best": (
        ("lssim", *_FOUR),
        _paired("SSIM in the brain, SSIM loss minus the best other", "lssim", _FOUR, "test_ssim_b", np.max),
    ),
    "ssim_best_mae": (
        ("lssim", *_FOUR),
        _paired("mean absolute error in the brain, SSIM loss minus the least other", "lssim", _FOUR, "test_mae_b"),
    ),
    "l2_best_mse": (
        ("l2", "lssim"),
        _paired("mean squared error in the brain, L2 minus SSIM loss", "l2", ("lssim",), "test_mse_b"),
    ),
    "losses_equivalent": (("l1b", "l2b", "lssim"), _losses_equivalent),
    "tumor_masked_losses_distort": (
        ("l1t", "l1b", "l2t", "l2b"),
        _ratio(
            "mean absolute error in the brain, tumor loss over brain loss",
            (("l1t", "l1b"), ("l2t", "l2b")),
            "test_mae_b",
        ),
    ),
    "focus_does_not_help_tumor": (
        ("l1t", "l1"),
        _paired("mean absolute error in the tumor, L1T minus L1", "l1t", ("l1",), "test_mae_t"),
    ),
    "models_equivalent": (_MODELS, _models_equivalent),
    "no_model_enhances": (_MODELS, _largest_found(_MODELS, "largest over models 0 to 4")),
    "model1_no_checkerboard": (
        ("model0", "model1"),
        _ratio("power at the highest frequency, model 0 over model 1", (("model0", "model1"),), "test_checkerboard"),
    ),
    "checkerboard_models_2_3": (
        ("model1", "model2", "model3"),
        _ratio(
            "power at the highest frequency, smaller of models 2 and 3 over model 1",
            (("model2", "model1"), ("model3", "model1")),
            "test_checkerboard",
        ),
    ),
    "model0_brightens_dark": (_MODELS, _dark),
    "smaller_patches_worse": (
        ("patch64", "model1"),
        _difference("mean absolute error over the input, 64 mm minus full", "patch64", "model1", "test_mae"),
    ),
    "smaller_patches_worse_on_same_cube": (
        ("patch64", "model1"),
        _difference("mean absolute error over the central cube", "patch64", "model1", "test_central_mae"),
    ),
    "patches_do_not_enhance": (
        ("patch128", "patch96", "patch64"),
        _largest_found(("patch128", "patch96", "patch64"), "largest over patches"),
    ),
    "mix_alone_enhances": (("headline", "l1b", "l2b", "lssim"), _mix_alone),
    "mix_is_coarse": (("headline",), _mix_dice),
    "mix_false_positives": (("headline", "l1b"), _mix_false),
    "mix_scores_alike": (
        ("headline", "l1b"),
        _difference("mean absolute error in the brain, mix minus L1B", "headline", "l1b", "test_mae_b"),
    ),
    "mix_best_ssim": (
        ("headline", "lssim"),
        _paired("SSIM in the brain, mix minus SSIM loss", "headline", ("lssim",), "test_ssim_b"),
    ),
    "mix_no_gain_in_tumor": (
        ("headline", "lssim"),
        _paired("SSIM in the tumor, mix minus SSIM loss", "headline", ("lssim",), "test_ssim_t"),
    ),
    "fissure_learned": (("l1b",), _fissure_learned),
    "fissure_hallucinated": (("l1b",), _fissure_hallucinated),
    "radiomics_beats_chance": (("radiomics",), _radiomics),
    "misregistration_limits": (
        ("l1b", "registered"),
        _difference(
            "mean absolute error in the brain with misregistration minus without", "l1b", "registered", "test_mae_b"
        ),
    ),
    "xavier_beats_he": (
        ("model1_he", "model1"),
        lambda s: (
            over_seeds(
                "validation loss of model 1, He minus Xavier",
                s.validation_loss("model1_he") - s.validation_loss("model1"),
            ),
            _cases(s, "model1"),
        ),
    ),
    "radiomics_auc": (("radiomics",), _radiomics_band),
    "auc_near_half": (("headline",), _patient_auc),
    "control_permuted_labels": (("radiomics",), _control("permuted_auc", "area under the curve, labels permuted")),
    "leaked_selection_inflates": (
        ("radiomics",),
        _control("leak_auc", "area under the curve on noise, selected before the splits"),
    ),
    "l1_near_optimum": (("near_l1b",), _near_optimum("near_l1b", "absolute")),
    "l2_near_optimum": (("near_l2b",), _near_optimum("near_l2b", "squared")),
    "amplitude_follows_the_law": (CELL_VARIANTS, _follows_the_law),
    "visible_enhancement_is_learned": (("visible",), _largest_found(("visible",), "all visible, L1B")),
    "mix_needs_the_enhancement_mask": (("mix_tumor",), _largest_found(("mix_tumor",), "mix with L1T")),
    "threshold_does_not_decide": (("headline", "l1b"), _threshold),
    "beats_copy": (("l1b", "baselines"), _beats("copy")),
    "beats_regression": (("l1b", "baselines"), _beats("linear")),
    "even_weights_not_needed": (("mix_light", "mix_heavy", "headline"), _uneven),
    "adversarial_term_helps": (
        ("mix_gan", "headline"),
        lambda s: (
            over_seeds(
                "Dice of the enhanced region, adversarial term minus none",
                s.summary("mix_gan", "test_dice") - s.summary("headline", "test_dice"),
            ),
            _cases(s, "headline"),
        ),
    ),
    "occurrence_finds_voxels": (
        ("where", "headline"),
        lambda s: (
            over_seeds(
                "area under the curve of the tumor's voxels, occurrence minus mix",
                s.summary("where", "test_voxel_auc") - s.summary("headline", "test_voxel_auc"),
            ),
            _cases(s, "where"),
        ),
    ),
    "occurrence_fewer_false": (
        ("where", "headline"),
        lambda s: (
            over_seeds(
                "falsely enhanced share of tumors that do not enhance, occurrence minus mix",
                _false_share(s, "where") - _false_share(s, "headline"),
            ),
            _cases(s, "where"),
        ),
    ),
}
