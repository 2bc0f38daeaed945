"""What the recorded runs say about the classification by radiomics."""

from __future__ import annotations

import numpy as np

from mrrepro.metrics.evidence import over_seeds
from mrrepro.papers.contrast_t1.recorded_scores import Build, Claims, RecordedScores
from mrrepro.runs.records import Statistic


def _radiomics_band(sweeps: RecordedScores) -> tuple[Statistic, int]:
    """Interval of the seed that has the widest."""
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


CLAIMS: Claims = {
    "radiomics_auc": (("radiomics",), _radiomics_band),
    "control_permuted_labels": (("radiomics",), _control("permuted_auc", "area under the curve, labels permuted")),
    "leaked_selection_inflates": (
        ("radiomics",),
        _control("leak_auc", "area under the curve on noise, selected before the splits"),
    ),
}
