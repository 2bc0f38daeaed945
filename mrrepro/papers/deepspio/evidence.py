"""What the recorded sweeps say about the paper's claims, and a sceptic's: one statistic with its interval each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from mrrepro.metrics.evidence import (
    Builder,
    Evidence,
    RecordedRuns,
    Undecided,
    claims_of,
    over_cases,
    over_seeds,
    statistic_of,
    undecided_of,
)
from mrrepro.metrics.statistics import Interval, rank_correlation, regression_line
from mrrepro.papers.deepspio.experiments import AIR_CGS
from mrrepro.papers.deepspio.settings import DeepSpioSettings
from mrrepro.runs.records import Statistic

MIDDLE = (7.0, 16.0)
"""'Middle' concentrations [ug/mm^3]; section 6."""

LEARNS_NOTHING = 0.95
"""NMAE from which on a network counts as one that has learned nothing; an estimate of zero has 1."""

PAPER_SAMPLES = DeepSpioSettings.at_scale("paper").training.samples
"""Samples that the paper's training saw."""


class RecordedSweeps(RecordedRuns):
    """The recorded runs of the chapter at one scale."""

    paper = "deepspio"

    def scores(self, variant: str, samples: str = "test", kind: str = "nmae") -> np.ndarray[Any, Any]:
        """Numbers of held-out samples, (seeds, samples)."""
        return np.array([summary[samples][kind] for summary in self.documents(variant, "summary", "summary")])

    def mean_nmae(self, variant: str, samples: str = "test") -> np.ndarray[Any, Any]:
        """Mean NMAE of each seed."""
        return self.scores(variant, samples).mean(axis=1)

    def arrays(self, stage: str, name: str, variant: str = "headline") -> np.ndarray[Any, Any]:
        """One recorded array of every seed, (seeds, ...)."""
        return np.array(self.documents(variant, stage, name), dtype=float)

    def validation_curve(self, variant: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Samples seen and NMAE (seeds, validations) along the training."""
        curves = []
        for history in self.documents(variant, "training", "history"):
            record = history["record"]
            a_step = record["samples_seen"] / record["steps"]
            curves.append(
                [(e["step"] * a_step, e["validation"]["score"]) for e in record["history"] if "validation" in e]
            )
        table = np.array(curves)
        return table[0, :, 0], table[:, :, 1]

    def lowest_trained(self, variant: str) -> float:
        """Lowest concentration that a variant's networks were trained on [ug/mm^3]."""
        bodies = DeepSpioSettings.at_scale(self.scale).bodies
        return float(self.overrides(variant).get("bodies.lowest_concentration", bodies.lowest_concentration))

    def samples_seen(self, variant: str) -> int:
        """Samples that a variant's trainings see."""
        training = DeepSpioSettings.at_scale(self.scale).training
        return int(self.overrides(variant).get("training.samples", training.samples))

    def require_learned(self, *variants: str) -> None:
        """Refuse to compare networks of which one has learned nothing in less than the paper's training.

        Raises
        ------
        Undecided
            The mean NMAE of a variant over its seeds is not below `LEARNS_NOTHING`, and it saw fewer samples than the
            paper's network: this says that so short a training does not move it, not what either network can do.
        """
        for variant in variants:
            self._require_below(float(self.mean_nmae(variant).mean()), variant)

    def require_works_at_snr(self, by_level: Mapping[int, np.ndarray[Any, Any]]) -> None:
        """Refuse to compare levels of noise of which one leaves nothing of so short a training.

        Parameters
        ----------
        by_level : mapping
            SNR [dB] to NMAE of the headline's networks at it.

        Raises
        ------
        Undecided
            As `require_learned`, of the mean NMAE of a level.
        """
        for level, errors in by_level.items():
            said = "nothing learned that holds under such noise"
            self._require_below(float(errors.mean()), "headline", f" at {level} dB", said)

    def _require_below(self, mean: float, variant: str, where: str = "", said: str = "nothing learned yet") -> None:
        seen = self.samples_seen(variant)
        if mean >= LEARNS_NOTHING and seen < PAPER_SAMPLES:
            raise Undecided(
                f"the variant '{variant}' has a mean NMAE of {mean:.3f}{where} after {seen:,} samples, "
                f"{100 * seen / PAPER_SAMPLES:.2g} % of the paper's {PAPER_SAMPLES:,}: {said}"
            )

    def claims(self) -> dict[str, Evidence]:
        """Evidence for each claim that is decided from recorded runs, by the claim's short name.

        A claim whose runs are not recorded at this scale is left out, and one that they do not decide.
        """
        return claims_of(self, CLAIMS)

    def undecided(self, name: str) -> str:
        """Why recorded runs leave a claim (its short name) undecided; empty where they decide it or none are there."""
        return undecided_of(self, {name: CLAIMS[name]}).get(name, "")


def ratio_over_cases(
    name: str, values: np.ndarray[Any, Any], chosen: np.ndarray[Any, Any], resamples: int = 2000
) -> Statistic:
    """Mean of the chosen values over that of the others, with a bootstrap interval within each group."""
    generator = np.random.default_rng(0)
    groups = [np.asarray(values)[chosen], np.asarray(values)[~chosen]]
    drawn = [group[generator.integers(group.size, size=(resamples, group.size))].mean(axis=1) for group in groups]
    ratio = float(groups[0].mean() / groups[1].mean())
    low, high = np.quantile(drawn[0] / drawn[1], (0.025, 0.975))
    return Statistic(name, ratio, min(float(low), ratio), max(float(high), ratio))


def saliency_beside_air(
    saliency: np.ndarray[Any, Any], positions: np.ndarray[Any, Any], concentration: np.ndarray[Any, Any]
) -> tuple[Statistic, int]:
    """Mean saliency around the sphere of air over that around the cylinder with iron, above 1 ug/mm^3.

    'Around' is within one and a half radii of the centre, as `experiments.air_images` places both.

    Parameters
    ----------
    saliency : array, (cases, size, size)
        Of one network.
    positions : array, (size,)
        Of the pixels along x and along z [m].
    concentration : array, (cases,)
        Of the cylinder [ug/mm^3].
    """

    def around(x: float, z: float, radius: float) -> np.ndarray[Any, Any]:
        inside = np.hypot(positions[:, None] - x, positions - z) < 1.5 * radius
        return np.asarray(saliency, dtype=float)[concentration > 1.0][:, inside].mean(axis=1)

    ratios = around(8e-3, 6e-3, 4e-3) / np.maximum(around(-6e-3, -4e-3, 3.5e-3), 1e-12)
    name = "mean saliency around the air over that around the iron"
    return over_cases(name, [[float(ratio) for ratio in ratios]]), ratios.size


def _difference(name: str, variant: str, reference: str) -> Builder:
    def build(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
        sweeps.require_learned(variant, reference)
        values = sweeps.mean_nmae(variant) - sweeps.mean_nmae(reference)
        return over_seeds(name, values), sweeps.scores(variant).shape[1]

    return build


def _least_so_far(sweeps: RecordedSweeps, variant: str) -> np.ndarray[Any, Any]:
    """Least NMAE until each validation, at most that of an estimate of zero, averaged over the training: by seed."""
    _, curves = sweeps.validation_curve(variant)
    return np.minimum.accumulate(np.minimum(curves, 1.0), axis=1).mean(axis=1)


def _speed(name: str, variant: str, reference: str) -> Builder:
    def build(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
        sweeps.require_learned(variant, reference)
        values = _least_so_far(sweeps, variant) - _least_so_far(sweeps, reference)
        return over_seeds(name, values), sweeps.validation_curve(variant)[1].shape[1]

    return build


def _level(name: str, variant: str) -> Builder:
    return lambda sweeps: (over_seeds(name, sweeps.mean_nmae(variant)), sweeps.scores(variant).shape[1])


def _between_sets(name: str, first: str, second: str) -> Builder:
    def build(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
        values = sweeps.mean_nmae("headline", first) - sweeps.mean_nmae("headline", second)
        return over_seeds(name, values), sweeps.scores("headline", first).shape[1]

    return build


def _air(sweeps: RecordedSweeps, low: bool) -> tuple[Statistic, int]:
    nmae = sweeps.arrays("air_sphere", "nmae")
    cgs, concentration = (sweeps.arrays("air_sphere", name)[0] for name in ("susceptibility_cgs", "concentration"))
    chosen = concentration < 1.0 if low else concentration > 1.0
    lowest = sweeps.lowest_trained("headline")
    if concentration[chosen].min() < lowest:
        raise Undecided(
            f"the networks are trained from {lowest:g} ug/mm^3, and the cylinder has {concentration[chosen].min():g}"
        )
    printed = chosen & np.isclose(cgs, AIR_CGS[0], rtol=1e-3)
    difference = nmae[:, printed].mean(axis=1) - nmae[:, chosen & (cgs == 0)].mean(axis=1)
    side = "below" if low else "above"
    name = f"NMAE with the printed susceptibility minus with the void alone, {side} 1 ug/mm^3"
    return over_seeds(name, difference), int(printed.sum())


def _noise_error(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    detail = sweeps.arrays("noise", "detail_nmae")
    noisy, clean = detail[:, 0].mean(axis=1), detail[:, 3].mean(axis=1)
    return over_seeds("logarithm of NMAE at 5 dB over that without noise", np.log(noisy / clean)), detail.shape[2]


def _noise_spread(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    detail = sweeps.arrays("noise", "detail_nmae")
    sweeps.require_works_at_snr({5: detail[:, 0], 19: detail[:, 2]})
    spread = detail.std(axis=2, ddof=1)
    name = "logarithm of the sd of NMAE at 5 dB over that at 19 dB"
    return over_seeds(name, np.log(spread[:, 0] / spread[:, 2])), detail.shape[2]


def _middle(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    concentration = sweeps.arrays("noise", "concentration")[0]
    clean = sweeps.arrays("noise", "nmae")[:, 3].mean(axis=2)
    middle = (concentration >= MIDDLE[0]) & (concentration <= MIDDLE[1])
    values = clean[:, middle].mean(axis=1) - clean[:, concentration > MIDDLE[1]].mean(axis=1)
    return over_seeds("NMAE from 7 to 16 minus above 16 ug/mm^3", values), int(middle.sum())


def slopes_with_scaled_field(sweeps: RecordedSweeps, variant: str = "headline") -> list[float]:
    """Slope of the mean estimate on the scaled field, as a concentration, shape and void being kept: of each seed."""
    factors, middle = (sweeps.arrays("scaled_field", name, variant)[0] for name in ("factors", "concentration"))
    estimated = sweeps.arrays("scaled_field", "estimated", variant)
    return [regression_line(factors * middle, seed.mean(axis=0)).slope.estimate for seed in estimated]


def slopes_over_held_out(sweeps: RecordedSweeps, variant: str = "headline") -> list[float]:
    """Slope of the estimated mean over the region of iron on the true one, over held-out samples: of each seed."""
    true, estimated = (sweeps.scores(variant, kind=kind) for kind in ("true_mean", "estimated_mean"))
    return [regression_line(*pair).slope.estimate for pair in zip(true, estimated, strict=True)]


def _slope(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    cases = sweeps.arrays("scaled_field", "estimated").shape[1]
    return over_seeds("slope of the estimate on the scaled concentration", slopes_with_scaled_field(sweeps)), cases


def _saturation(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    high, low = (sweeps.scores("headline", f"saturation_{f}", "estimated_mean") for f in ("1.15", "0.85"))
    return over_seeds(
        "estimate at 115 % over that at 85 % of sigma_s", high.mean(axis=1) / low.mean(axis=1)
    ), high.shape[1]


def best_constant_nmae(low: float, high: float) -> float:
    """Mean NMAE of the best constant in the perfect shape of single bodies, partly filled pixels filled in part.

    The error of a body of concentration c is |k - c| / c; for c uniform between ``low`` and ``high`` it is least for
    k = sqrt(low high), and its mean then is (low + high - 2 k) / (high - low).
    """
    return (low + high - 2.0 * math.sqrt(low * high)) / (high - low)


def _constant(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    bodies = DeepSpioSettings.at_scale(sweeps.scale).bodies
    baseline = best_constant_nmae(bodies.lowest_concentration, bodies.highest_concentration)
    name = f"NMAE minus that of the best constant in the perfect shape, {baseline:.3f}"
    return over_seeds(name, sweeps.mean_nmae("headline") - baseline), sweeps.scores("headline").shape[1]


def rank_interval(true: np.ndarray[Any, Any], estimated: np.ndarray[Any, Any], seed: int = 0) -> Interval:
    """Spearman correlation of two lists with its bootstrap interval."""
    return rank_correlation(true, estimated, np.random.default_rng(seed))


def _ranks(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    true, estimated = (sweeps.scores("headline", kind=kind) for kind in ("true_mean", "estimated_mean"))
    intervals = [rank_interval(t, e) for t, e in zip(true, estimated, strict=True)]
    worst = min(intervals, key=lambda interval: interval.low)
    return statistic_of("Spearman correlation of region means, seed with the least lower bound", worst), true.shape[1]


def _ranks_without_field(sweeps: RecordedSweeps) -> tuple[Statistic, int]:
    true, estimated = (sweeps.scores("no_field", kind=kind).ravel() for kind in ("true_mean", "estimated_mean"))
    return statistic_of("Spearman correlation of region means without field", rank_interval(true, estimated)), true.size


CLAIMS: dict[str, tuple[tuple[str, ...], Builder]] = {
    "no_bias_on_breast": (("headline",), _between_sets("NMAE on drawn breasts minus on test images", "breast", "test")),
    "air_negligible": (("headline",), lambda sweeps: _air(sweeps, low=False)),
    "air_confuses_low": (("headline",), lambda sweeps: _air(sweeps, low=True)),
    "noise_raises_error": (("headline",), _noise_error),
    "noise_raises_spread": (("headline",), _noise_spread),
    "middle_is_hardest": (("headline",), _middle),
    "reads_the_distortion": (("headline",), _slope),
    "saturation_scales": (("headline",), _saturation),
    "beats_a_constant": (("headline",), _constant),
    "ranks_concentrations": (("headline",), _ranks),
    "unseen_shapes": (("headline",), _between_sets("NMAE on unseen shapes minus on test images", "shapes", "test")),
    "unet_cannot_converge": (("unet",), _level("NMAE of the U-Net", "unet")),
    "unet_cannot_converge_as_printed": (
        ("unet_printed_loss",),
        _level("NMAE of the U-Net with the printed loss from the start", "unet_printed_loss"),
    ),
    "unet_is_worse": (
        ("unet", "reference"),
        _difference("NMAE of the U-Net minus that of four decoders", "unet", "reference"),
    ),
    "decoders_help": (
        ("single_decoder", "reference"),
        _difference("NMAE of one decoder minus of four", "single_decoder", "reference"),
    ),
    "wavelet_helps": (
        ("no_wavelet", "single_decoder"),
        _difference("NMAE without minus with the wavelet", "no_wavelet", "single_decoder"),
    ),
    "wavelet_accelerates": (
        ("no_wavelet", "single_decoder"),
        _speed("least NMAE so far over the training, without minus with the wavelet", "no_wavelet", "single_decoder"),
    ),
    "skips_hinder": (
        ("multi_decoder_with_skips", "reference"),
        _difference("NMAE with minus without skips", "multi_decoder_with_skips", "reference"),
    ),
    "relative_loss_trains": (("printed_loss",), _level("NMAE with the printed loss from the start", "printed_loss")),
    "control_no_field": (("no_field",), _ranks_without_field),
    "control_shuffled": (("shuffled_targets",), _level("NMAE with shuffled targets", "shuffled_targets")),
    "void_not_needed": (("no_void", "reference"), _difference("NMAE without minus with void", "no_void", "reference")),
}
"""By the claim's short name: the variants it rests on, and its statistic."""
