"""What the recorded runs say about the five models, their start and the patches."""

from __future__ import annotations

import numpy as np

from mrrepro.metrics.evidence import over_seeds
from mrrepro.papers.contrast_t1.recipe import COMPARED_LOSSES, PATCHES_MM, compared
from mrrepro.papers.contrast_t1.recorded_scores import (
    FALSE_FISSURE,
    Claims,
    RecordedScores,
    difference,
    enhances,
)
from mrrepro.runs.records import Statistic

_MODELS = tuple(f"model{k}" for k in range(5))
_ALL_MODELS = tuple(compared(model, loss) for loss in COMPARED_LOSSES for model in _MODELS)

_PATCHES = tuple(f"patch{edge}" for edge in PATCHES_MM)
_ALL_PATCHES = tuple(compared(patch, loss) for loss in COMPARED_LOSSES for patch in _PATCHES)
_ALL_SIZES = tuple(compared(size, loss) for loss in COMPARED_LOSSES for size in ("model1", *_PATCHES))


def _models_equivalent(sweeps: RecordedScores) -> tuple[Statistic, int]:
    best = np.max([sweeps.mean(f"model{k}", "test_ssim") for k in (1, 2, 3, 4)], axis=0)
    return over_seeds(
        "SSIM, best of models 1 to 4 minus model 0", best - sweeps.mean("model0", "test_ssim")
    ), sweeps.cases("model0")


def _dark(sweeps: RecordedScores) -> tuple[Statistic, int]:
    others = np.mean([sweeps.mean(f"model{k}", "test_dark_error") for k in (1, 2, 3, 4)], axis=0)
    values = sweeps.mean("model0", "test_dark_error") - others
    return over_seeds("error of dark voxels beside the tumor, model 0 minus the others", values), sweeps.cases("model0")


def _fissure_with_most(sweeps: RecordedScores) -> tuple[Statistic, int]:
    found = [sweeps.false_fissure(variant) for variant in _ALL_MODELS]
    words = f"{FALSE_FISSURE}, median of 15 networks"
    return over_seeds(words, np.median(found, axis=0)), sweeps.cases("model0")


def _smaller_worse(sweeps: RecordedScores) -> tuple[Statistic, int]:
    """Slope of a line through the means of the four sizes in their order, which are one step apart."""
    slopes = []
    for loss in COMPARED_LOSSES:
        errors = [sweeps.mean(compared(size, loss), "test_mae_t") for size in ("model1", *_PATCHES)]
        slopes.append(np.polyfit(np.arange(len(errors)), np.array(errors), 1)[0])
    words = "mean absolute error in the tumor, slope a step from full to 128, 96 and 64 mm, least of three losses"
    return over_seeds(words, np.min(slopes, axis=0)), sweeps.cases("model1")


CLAIMS: Claims = {
    "models_equivalent": (_MODELS, _models_equivalent),
    "no_model_enhances": (_ALL_MODELS, enhances(_ALL_MODELS, "largest over models 0 to 4 and three losses")),
    "fissure_hallucinated_with_most_models": (_ALL_MODELS, _fissure_with_most),
    "model0_brightens_dark": (_MODELS, _dark),
    "smaller_patches_worse": (_ALL_SIZES, _smaller_worse),
    "smaller_patches_worse_on_same_cube": (
        ("patch64", "model1"),
        difference("mean absolute error over the central cube", "patch64", "model1", "test_central_mae"),
    ),
    "patches_do_not_enhance": (_ALL_PATCHES, enhances(_ALL_PATCHES, "largest over patches and three losses")),
    "xavier_beats_he": (
        ("model1_he", "model1"),
        lambda s: (
            over_seeds(
                "validation loss of model 1, He minus Xavier",
                s.validation_loss("model1_he") - s.validation_loss("model1"),
            ),
            s.cases("model1"),
        ),
    ),
}
