"""The Contrast T1 chapter, wired: its settings, its stages in order, and the variants that recorded sweeps compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mrrepro.papers.contrast_t1 import real_data
from mrrepro.papers.contrast_t1.cohort import COHORT
from mrrepro.papers.contrast_t1.experiments import BASELINES, EVALUATION, RADIOMICS
from mrrepro.papers.contrast_t1.settings import ContrastT1Settings
from mrrepro.papers.contrast_t1.stages import TRAINING
from mrrepro.runs.recorded import Variant

SETTINGS = ContrastT1Settings

DATA = real_data.DATA

STAGES = (COHORT, TRAINING, EVALUATION, BASELINES, RADIOMICS)

FEW: dict[str, Any] = {"evaluation.labelled": 48}
"""Patients that are scored, but for the mix, of whom 400 are asked whether they enhance."""

SMALL: dict[str, Any] = {**FEW, "loss.name": "L1B", "network.base_filters": 4, "training.epochs": 2}
"""Width and length at which the five models and the patches are compared: the wider models cost too much at demo."""

NEAR: dict[str, Any] = {**FEW, "training.patch": 16, "training.epochs": 24, "training.batch_size": 4}
"""Small cubes and many epochs: all voxels and steps go to the tumor, which takes least time to come near the optima."""

VISIBLE: dict[str, Any] = {
    "cohort.evidence_separation": 4.0,
    "cohort.enhancing_fraction": 1.0,
    "cohort.labelled": 48,
}
"""A cohort whose images tell whether and where a tumor enhances."""

PATCHES_MM = (128, 96, 64)
"""Edges of the patches [mm]; thesis, section 2.2."""


def _trained(name: str, changes: Mapping[str, Any], meaning: str) -> Variant:
    return Variant(name, {**FEW, **changes}, meaning, (TRAINING, EVALUATION))


def _loss(name: str, meaning: str) -> Variant:
    return _trained(name.lower(), {"loss.name": name}, meaning)


def _near(name: str, loss: str, changes: Mapping[str, Any], meaning: str) -> Variant:
    return Variant(name, {**NEAR, "loss.name": loss, **changes}, meaning, (TRAINING, EVALUATION))


def _small(name: str, changes: Mapping[str, Any], meaning: str) -> Variant:
    return Variant(name, {**SMALL, **changes}, meaning, (TRAINING, EVALUATION))


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
    _trained(
        "visible",
        {"loss.name": "L1B", **VISIBLE},
        "control: the images tell whether and where the tumor enhances, absolute error in the brain",
    ),
    _near("near_l1t", "L1T", {}, "absolute error in the tumor, on cubes of 64 mm around it"),
    _near("near_l2t", "L2T", {}, "squared error in the tumor, on cubes of 64 mm around it"),
    _near("near_visible", "L1T", VISIBLE, "the same as near_l1t where the images tell whether and where"),
    _trained(
        "registered",
        {"loss.name": "L1B", "cohort.shift_mm": 0.0, "cohort.rotation": 0.0, "cohort.labelled": 48},
        "no misregistration, absolute error in the brain",
    ),
    *(_small(f"model{k}", {"network.model": k}, f"model {k}, small and short") for k in range(5)),
    _small("model1_he", {"network.model": 1, "network.start": "he"}, "model 1 from He's weights"),
    *(
        _small(f"patch{edge}", {"network.model": 1, "training.patch": edge // 4}, f"model 1 on patches of {edge} mm")
        for edge in PATCHES_MM
    ),
)
"""Patches are given in voxels of the 4 mm of scales `smoke` and `demo`, at which they are recorded."""
