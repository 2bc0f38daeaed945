"""What the recorded runs keep of the enhancement, beside the optima that the cohort's law makes known."""

from __future__ import annotations

from typing import Any

import numpy as np

from mrrepro.metrics.evidence import over_seeds
from mrrepro.papers.contrast_t1.recipe import CELLS
from mrrepro.papers.contrast_t1.recorded_scores import Build, Claims, RecordedScores, enhances
from mrrepro.papers.contrast_t1.settings import ContrastT1Settings
from mrrepro.phantoms.enhancement_law import EnhancementLaw
from mrrepro.runs.records import Statistic
from mrrepro.runs.settings import configure

CELL_VARIANTS = tuple(f"{cell}_{loss}" for cell in CELLS for loss in ("l1t", "l2t"))


def _near_optimum(variant: str, rise: str) -> Build:
    def build(sweeps: RecordedScores) -> tuple[Statistic, int]:
        optimum = configure(ContrastT1Settings, sweeps.scale).cohort.law().amplitude_kept(rise)
        values = sweeps.summary(variant, "test_amplitude") - optimum
        return over_seeds(f"amplitude kept minus its optimum, {optimum:.3f}", values), sweeps.cases(variant)

    return build


def amplitudes(sweeps: RecordedScores) -> list[dict[str, Any]]:
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


def _follows_the_law(sweeps: RecordedScores) -> tuple[Statistic, int]:
    rows = amplitudes(sweeps)
    optimum, kept = np.array([row["optimum"] for row in rows]), np.array([row["kept"] for row in rows])
    values = [np.corrcoef(optimum, kept[:, seed])[0, 1] for seed in range(kept.shape[1])]
    return over_seeds("correlation of the amplitude kept with its optimum", values), sweeps.cases(CELL_VARIANTS[0])


CLAIMS: Claims = {
    "l1_near_optimum": (("near_l1b",), _near_optimum("near_l1b", "absolute")),
    "l2_near_optimum": (("near_l2b",), _near_optimum("near_l2b", "squared")),
    "amplitude_follows_the_law": (CELL_VARIANTS, _follows_the_law),
    "visible_enhancement_is_learned": (("visible",), enhances(("visible",), "all visible, L1B")),
}
