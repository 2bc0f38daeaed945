"""Scores of the recorded runs, by variant, seed and patient, and the statistics that several claims share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mrrepro.metrics.evidence import RecordedRuns, over_cases, over_seeds
from mrrepro.metrics.statistics import Interval, mean_interval
from mrrepro.runs.records import Statistic

Values = np.ndarray[Any, Any]

ABOVE_T1 = "share of the truly enhancing tumor voxels that exceed T1 by 0.3"

TELLING = f"{ABOVE_T1}, less that of tumors that do not enhance"

FALSE_FISSURE = "estimated rise of a fissure that does not enhance over the true rise of one that does"


class RecordedScores(RecordedRuns):
    """The recorded runs of the chapter at one scale."""

    paper = "contrast_t1"

    def scores(self, variant: str, name: str, stage: str = "evaluation") -> Values:
        """Numbers of patients, (seeds, patients), NaN where undefined."""
        return np.array(self.documents(variant, stage, name), dtype=float)

    def mean(self, variant: str, name: str) -> Values:
        """Mean of a score over the patients of each seed for whom it is defined."""
        return np.nanmean(self.scores(variant, name), axis=1)

    def found(self, variant: str, name: str = "test_found_0.3") -> Values:
        """Share of the truly enhancing voxels found in new patients whose tumor enhances, mean of each seed."""
        enhances = np.isfinite(self.scores(variant, "test_true_rise_leaky"))
        return np.nanmean(np.where(enhances, self.scores(variant, name), np.nan), axis=1)

    def found_again(self, variant: str) -> Values:
        """The same in patients that were trained on."""
        enhances = np.isfinite(self.scores(variant, "seen_true_rise_leaky"))
        return np.nanmean(np.where(enhances, self.scores(variant, "seen_found_0.3"), np.nan), axis=1)

    def false_share(self, variant: str, name: str = "test_false_share_0.3") -> Values:
        """Falsely enhanced share of the tumor in new patients whose tumor does not enhance, mean of each seed."""
        quiet = ~np.isfinite(self.scores(variant, "test_true_rise_leaky"))
        return np.nanmean(np.where(quiet, self.scores(variant, name), np.nan), axis=1)

    def enhanced(self, variant: str, threshold: str = "0.3") -> Values:
        """Share of the truly enhancing voxels found, less the falsely enhanced share of other tumors, of each seed.

        In new patients. By the first alone a network that brightens every tumor would enhance; by the difference it
        does not, nor does one that draws nothing.
        """
        return self.found(variant, f"test_found_{threshold}") - self.false_share(
            variant, f"test_false_share_{threshold}"
        )

    def false_fissure(self, variant: str) -> Values:
        """Mean estimated rise of fissures that do not enhance over the mean true rise of those that do, of each seed.

        The true rise stands below, and not the estimated one: the inputs do not tell which fissure enhances, so that a
        network's estimates of both are alike even where it draws nothing.
        """
        rise, true = (self.scores(variant, f"test_{name}_sinus") for name in ("rise", "true_rise"))
        rows = zip(rise, true, self.scores(variant, "test_sinus_enhances") > 0.5, strict=True)
        return np.array([np.nanmean(row[~yes]) / np.nanmean(truly[yes]) for row, truly, yes in rows])

    def cases(self, variant: str) -> int:
        """New patients whose images are scored."""
        return int(self.scores(variant, "test_mae_b").shape[1])

    def summary(self, variant: str, name: str) -> Values:
        """One value of the summary of each seed."""
        return np.array([found[name] for found in self.documents(variant, "evaluation", "summary")], dtype=float)

    def radiomics(self, name: str) -> Values:
        """One value of the classification by radiomics of each seed."""
        return np.array([found[name] for found in self.documents("radiomics", "radiomics", "radiomics")], dtype=float)

    def training(self, variant: str) -> list[dict[str, Any]]:
        """The record of the training of each seed."""
        return [history["record"] for history in self.documents(variant, "training", "history")]

    def kept_in_training(self, variant: str) -> tuple[Values, Values]:
        """How much of the true rise the validation patients' enhancing tumor voxels get as the training goes on.

        Returns
        -------
        volumes : array, (validations,)
            Volumes seen until each validation of the first seed.
        kept : array, (seeds, validations)
            Mean rise over T1 of the output as part of that of the true image; NaN where no voxel enhances.
        """
        volumes, rise = self.in_training(variant, "rise")
        true = self.in_training(variant, "true_rise")[1]
        return volumes, rise / np.where(true == 0.0, np.nan, true)

    def in_training(self, variant: str, name: str) -> tuple[Values, Values]:
        """A value of the validations, by its name in the history (``"score"``: the mean loss), as the training goes on.

        Returns
        -------
        volumes : array, (validations,)
            Volumes seen until each validation of the first seed.
        values : array, (seeds, validations)
        """
        records = self.training(variant)
        found = [[each for each in record["history"] if "validation" in each] for record in records]
        length = min(map(len, found))
        steps = np.array([each["step"] for each in found[0][:length]], dtype=float)
        values = np.array([[each["validation"][name] for each in row[:length]] for row in found], dtype=float)
        return steps * (records[0]["samples_seen"] / records[0]["steps"]), values.reshape(len(found), length)

    def validation_loss(self, variant: str) -> Values:
        """Best validation loss of each seed."""
        return np.array([record["best_score"] for record in self.training(variant)])


Build = Callable[[RecordedScores], tuple[Statistic, int]]
"""From the recorded runs to a claim's statistic and the number of cases a seed."""

Claims = Mapping[str, tuple[tuple[str, ...], Build]]
"""By a claim's short name: the variants that it compares, and what makes its statistic."""


LEAST_SHARE = 1e-3
"""Distance that a share is kept from 0 and 1, where its logit is infinite: about one voxel of all enhancing ones."""


def share_over_seeds(name: str, shares: Sequence[float] | Values) -> Statistic:
    """Mean over seeds of a share, with Student's t interval, both on the scale of log(p / (1 - p)).

    The interval of plain shares may leave 0 to 1, and is too narrow on one side where they lie near 0 or 1. The
    estimate is that of the mean logit, and not the mean share.

    Parameters
    ----------
    name : str
        What is averaged.
    shares : sequence of float
        One for each seed, in [0, 1].

    Raises
    ------
    OneSeed
        There is one share, which has no interval.
    """
    found = over_seeds(name, shares, _interval_of_logits)
    return replace(found, name=f"{found.name}, mean of logits")


def _interval_of_logits(shares: Values) -> Interval:
    kept = np.clip(shares, LEAST_SHARE, 1.0 - LEAST_SHARE)
    found = mean_interval(np.log(kept / (1.0 - kept)))
    value, low, high = (float(1.0 / (1.0 + np.exp(-logit))) for logit in (found.estimate, found.low, found.high))
    return Interval(value, low, high, found.level)


def most_enhanced(sweeps: RecordedScores, variants: Sequence[str], threshold: str = "0.3") -> Values:
    """What `RecordedScores.enhanced` gives of the variant that has most of it in each seed."""
    return np.asarray(np.max([sweeps.enhanced(variant, threshold) for variant in variants], axis=0))


def enhances(variants: Sequence[str], words: str) -> Build:
    """Whether some variants enhance, by the one that does most in each seed."""
    return lambda sweeps: (
        over_seeds(f"{TELLING}, {words}", most_enhanced(sweeps, variants)),
        sweeps.cases(variants[0]),
    )


def paired(words: str, variant: str, others: Sequence[str], score: str, best: Callable[..., Any] = np.min) -> Build:
    """A variant's score minus that of the best of others by their mean over seeds and patients, patient by patient."""

    def build(sweeps: RecordedScores) -> tuple[Statistic, int]:
        tables = [sweeps.scores(other, score) for other in others]
        means = [float(np.nanmean(table)) for table in tables]
        chosen = tables[means.index(best(means))]
        return over_cases(words, list(sweeps.scores(variant, score) - chosen)), chosen.shape[1]

    return build


def difference(words: str, variant: str, other: str, score: str) -> Build:
    """A variant's mean score minus another's, seed by seed."""
    return lambda sweeps: (
        over_seeds(words, sweeps.mean(variant, score) - sweeps.mean(other, score)),
        sweeps.cases(variant),
    )


def ratio(words: str, pairs: Sequence[tuple[str, str]], score: str) -> Build:
    """The smaller of the ratios of pairs of variants."""
    return lambda sweeps: (
        over_seeds(words, np.min([sweeps.mean(a, score) / sweeps.mean(b, score) for a, b in pairs], axis=0)),
        sweeps.cases(pairs[0][0]),
    )
