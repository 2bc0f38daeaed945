"""What the recorded sweeps say about the thesis' claims, and a sceptic's: one statistic with its interval each.

The statistics and criteria stand in the chapter's ledger, which was written before any of these runs; where one was
changed or added later, its reason says so. Each kind of claim has a module of its own beside this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mrrepro.metrics.evidence import Evidence, claims_of
from mrrepro.papers.contrast_t1 import law_claims, loss_claims, mix_claims, model_claims, radiomics_claims
from mrrepro.papers.contrast_t1.cohort import make_cohort
from mrrepro.papers.contrast_t1.experiments import baselines, evaluate, radiomics
from mrrepro.papers.contrast_t1.recorded_scores import Claims, RecordedScores
from mrrepro.papers.contrast_t1.stages import train_network

MAKERS = (make_cohort, train_network, evaluate, baselines, radiomics)
"""What made the recorded runs: a change of their code makes a record stale."""

CLAIMS: Claims = {
    **loss_claims.CLAIMS,
    **law_claims.CLAIMS,
    **model_claims.CLAIMS,
    **mix_claims.CLAIMS,
    **radiomics_claims.CLAIMS,
}
"""Every claim that is decided from recorded runs, by its short name."""


class RecordedSweeps(RecordedScores):
    """The recorded runs of the chapter at one scale, and what they say about its claims."""

    def claim(self, name: str) -> Evidence | None:
        """Evidence for a claim by its short name; None where recorded runs do not decide it (see `claims_of`)."""
        return claims_of(self, {name: CLAIMS[name]}).get(name)

    def claims(self) -> dict[str, Evidence]:
        """Evidence for each claim that can be decided from the recorded runs, by the claim's short name."""
        return claims_of(self, CLAIMS)


BASELINES = {
    "copy": "copy of T1",
    "linear": "linear map of each voxel",
    "oracle_absolute": "knows z, best for L1",
    "oracle_squared": "knows z, best for L2",
    "truth": "truth",
}
"""What needs no network, in words."""

COLUMNS = {"MAE, brain": "mae_b", "MAE, tumor": "mae_t", "Dice": "e_dice", "found": "found_0.3"}


def score_row(estimate: str, arrays: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A row of a table: means over the patients for whom a score is defined, that of Dice over those who enhance.

    These are the patients whose core leaks, as in a network's summary. Of real patients no leak is known: there they
    are those whose tumor holds a voxel above the threshold.

    Parameters
    ----------
    estimate : str
        What is scored, in words.
    arrays : mapping
        Scores of patients, by ``<name>_<score>``.
    name : str
        Of the set or the baseline.
    """

    def of(score: str) -> np.ndarray[Any, Any]:
        return np.asarray(arrays[f"{name}_{score}"], dtype=float)

    leaks = np.isfinite(of("true_rise_leaky"))
    enhances = leaks if leaks.any() else np.isfinite(of("e_mae"))
    values = {label: of(score) for label, score in COLUMNS.items()}
    values["Dice"] = np.where(enhances, values["Dice"], np.nan)
    return {"estimate": estimate} | {label: float(np.nanmean(found)) for label, found in values.items()}


def baseline_rows(arrays: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of those baselines that the arrays hold; real patients have no z."""
    return [score_row(words, arrays, name) for name, words in BASELINES.items() if f"{name}_mae_b" in arrays]
