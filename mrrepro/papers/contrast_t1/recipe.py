"""The Contrast T1 chapter, wired: its settings, its stages in order, and the variants that recorded sweeps compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mrrepro.papers.contrast_t1 import real_data
from mrrepro.papers.contrast_t1.cohort import COHORT
from mrrepro.papers.contrast_t1.experiments import BASELINES, EVALUATION, RADIOMICS
from mrrepro.papers.contrast_t1.settings import OCCURRENCE, ContrastT1Settings
from mrrepro.papers.contrast_t1.stages import TRAINING
from mrrepro.runs.recorded import Variant

SETTINGS = ContrastT1Settings

DATA = real_data.DATA

STAGES = (COHORT, TRAINING, EVALUATION, BASELINES, RADIOMICS)

FEW: dict[str, Any] = {"evaluation.labelled": 48}
"""Patients that are scored, but for the mix, of whom 400 are asked whether they enhance."""

SMALL: dict[str, Any] = {**FEW, "loss.name": "L1B", "network.base_filters": 4, "training.epochs": 2}
"""Width and length at which the five models and the patches are compared: the wider models cost too much at demo."""

NEAR: dict[str, Any] = {
    "cohort.train": 384,
    "cohort.validation": 24,
    "cohort.labelled": 48,
    "cohort.core_contrast": 0.5,
    "network.model": 1,
    "training.patch": 16,
    "training.epochs": 8,
    "training.batch_size": 4,
}
"""Cubes of 64 mm around the tumor, four times the patients and four times the steps: all voxels and steps go to the
tumor, which takes least time to come near the optima, and patients are not learned by heart. The core stands out, as
the optima suppose: with the usual contrast a classifier of single voxels' surroundings finds half of it. Model 1 sees
single voxels: model 0 has, at this width, no more features than it needs to copy T1."""

CELLS: dict[str, tuple[float, float]] = {
    "usual": (1.14, 0.6),
    "chance": (0.0, 1.0),
    "sparse": (1.14, 0.2),
    "whole": (1.14, 1.0),
    "visible": (4.0, 1.0),
}
"""Laws (d', q) at which the amplitude that L1 and L2 keep is set beside its optimum: whether a tumor enhances cannot be
seen at all, as usual, or nearly always; where it does, in a fifth of the core, in three fifths, or in all of it."""

PATCHES_MM = (128, 96, 64)
"""Edges of the patches [mm]; thesis, section 2.2."""

COMPARED_LOSSES = {"L1B": "", "L2B": ", squared error in the brain", "LSSIM": ", structural similarity"}
"""Losses under which models and patches are compared (thesis, Tables 6 and 7), as a variant's meaning says them."""


def compared(name: str, loss: str) -> str:
    """Name of the variant of a model or a patch size under one of `COMPARED_LOSSES`: ``model2``, ``model2_l2b``."""
    return name if loss == "L1B" else f"{name}_{loss.lower()}"


def _trained(name: str, changes: Mapping[str, Any], meaning: str) -> Variant:
    return Variant(name, {**FEW, **changes}, meaning, (TRAINING, EVALUATION))


def _loss(name: str, meaning: str) -> Variant:
    return _trained(name.lower(), {"loss.name": name}, meaning)


def law_of(cell: str) -> dict[str, Any]:
    """Settings of a law of `CELLS`."""
    separation, fraction = CELLS[cell]
    return {"cohort.evidence_separation": separation, "cohort.enhancing_fraction": fraction}


def _near(name: str, loss: str, cell: str, meaning: str) -> Variant:
    changes = {**NEAR, "loss.name": loss, **law_of(cell)}
    return Variant(name, changes, f"{meaning}, on cubes of 64 mm around the tumor", (TRAINING, EVALUATION))


def _cells() -> tuple[Variant, ...]:
    words = {"l1t": "absolute error in the tumor", "l2t": "squared error in the tumor"}
    return tuple(
        _near(f"{cell}_{loss}", loss.upper(), cell, f"{meaning}, d' = {law[0]:g}, q = {law[1]:g}")
        for cell, law in CELLS.items()
        for loss, meaning in words.items()
    )


def _small(name: str, changes: Mapping[str, Any], meaning: str) -> Variant:
    return Variant(name, {**SMALL, **changes}, meaning, (TRAINING, EVALUATION))


def _compared(loss: str, words: str) -> tuple[Variant, ...]:
    """The five models and the patches under a loss."""
    models = (
        _small(
            compared(f"model{k}", loss), {"network.model": k, "loss.name": loss}, f"model {k}, small and short{words}"
        )
        for k in range(5)
    )
    patches = (
        _small(
            compared(f"patch{edge}", loss),
            {"network.model": 1, "training.patch": edge // 4, "loss.name": loss},
            f"model 1 on patches of {edge} mm{words}",
        )
        for edge in PATCHES_MM
    )
    return (*models, *patches)


VARIANTS = (
    Variant("headline", {}, "model 0 with the mix of eq. 4, even weights", (TRAINING, EVALUATION)),
    Variant("baselines", {}, "copy of T1, linear map, and what the law allows", (BASELINES,)),
    Variant("radiomics", {}, "grade IV against II and III by radiomics", (RADIOMICS,)),
    _loss("L1B", "absolute error in the brain"),
    _loss("L2B", "squared error in the brain"),
    _loss("LSSIM", "structural similarity"),
    _loss("L1", "absolute error"),
    _loss("L2", "squared error"),
    _loss("L1T", "absolute error in the tumor"),
    _loss("L2T", "squared error in the tumor"),
    _trained("mix_tumor", {"loss.third_region": "tumor"}, "the mix with the tumor in place of the enhancement"),
    _trained("mix_light", {"loss.third": 0.1}, "the mix with a tenth of the third term"),
    _trained("mix_heavy", {"loss.third": 10.0}, "the mix with ten times the third term"),
    _trained(
        "mix_gan",
        {"loss.adversarial": 0.02},
        "the mix beside an adversarial term, in the proportion to the absolute error that DL-EPT has",
    ),
    Variant(
        "where",
        {"loss.name": OCCURRENCE},
        "where enhancement occurs, by cross-entropy in the brain",
        (TRAINING, EVALUATION),
    ),
    _near("near_l1b", "L1B", "usual", "absolute error in the brain"),
    _near("near_l2b", "L2B", "usual", "squared error in the brain"),
    _near(
        "visible",
        "L1B",
        "visible",
        "control: the images tell whether and where the tumor enhances, absolute error in the brain",
    ),
    *_cells(),
    _trained(
        "registered",
        {"loss.name": "L1B", "cohort.shift_mm": 0.0, "cohort.rotation": 0.0, "cohort.labelled": 48},
        "no misregistration, absolute error in the brain",
    ),
    _small("model1_he", {"network.model": 1, "network.start": "he"}, "model 1 from He's weights"),
    *(variant for loss, words in COMPARED_LOSSES.items() for variant in _compared(loss, words)),
)
"""Patches are given in voxels of the 4 mm of scales `smoke` and `demo`, at which they are recorded."""
