"""What the recorded runs say about the five models, their start and the patches."""

from __future__ import annotations

import numpy as np

from mrrepro.metrics.evidence import over_seeds
from mrrepro.papers.contrast_t1.recorded_scores import Claims, RecordedScores, difference, largest_found, ratio
from mrrepro.runs.records import Statistic

_MODELS = tuple(f"model{k}" for k in range(5))


def _models_equivalent(sweeps: RecordedScores) -> tuple[Statistic, int]:
    best = np.max([sweeps.mean(f"model{k}", "test_ssim") for k in (1, 2, 3, 4)], axis=0)
    return over_seeds(
        "SSIM, best of models 1 to 4 minus model 0", best - sweeps.mean("model0", "test_ssim")
    ), sweeps.cases("model0")


def _dark(sweeps: RecordedScores) -> tuple[Statistic, int]:
    others = np.mean([sweeps.mean(f"model{k}", "test_dark_error") for k in (1, 2, 3, 4)], axis=0)
    values = sweeps.mean("model0", "test_dark_error") - others
    return over_seeds("error of dark voxels beside the tumor, model 0 minus the others", values), sweeps.cases("model0")


CLAIMS: Claims = {
    "models_equivalent": (_MODELS, _models_equivalent),
    "no_model_enhances": (_MODELS, largest_found(_MODELS, "largest over models 0 to 4")),
    "model1_no_checkerboard": (
        ("model0", "model1"),
        ratio("power at the highest frequency, model 0 over model 1", (("model0", "model1"),), "test_checkerboard"),
    ),
    "checkerboard_models_2_3": (
        ("model1", "model2", "model3"),
        ratio(
            "power at the highest frequency, smaller of models 2 and 3 over model 1",
            (("model2", "model1"), ("model3", "model1")),
            "test_checkerboard",
        ),
    ),
    "model0_brightens_dark": (_MODELS, _dark),
    "smaller_patches_worse": (
        ("patch64", "model1"),
        difference("mean absolute error over the input, 64 mm minus full", "patch64", "model1", "test_mae"),
    ),
    "smaller_patches_worse_on_same_cube": (
        ("patch64", "model1"),
        difference("mean absolute error over the central cube", "patch64", "model1", "test_central_mae"),
    ),
    "patches_do_not_enhance": (
        ("patch128", "patch96", "patch64"),
        largest_found(("patch128", "patch96", "patch64"), "largest over patches"),
    ),
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
