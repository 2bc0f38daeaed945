"""The DL-EPT chapter, wired: its settings, its stages in order, and the variants that recorded sweeps compare."""

from __future__ import annotations

from typing import Any

from mrrepro.papers.dl_ept import real_data
from mrrepro.papers.dl_ept.database import ANATOMIES, DATABASE, TESTS
from mrrepro.papers.dl_ept.experiments import (
    FINE_HEAD,
    HELMHOLTZ_BOUNDARIES,
    HELMHOLTZ_VOXELS,
    MASK_NETWORKS,
    NOISE_LEVELS,
    OTHER_ANATOMY,
    OTHER_CONDITIONS,
    TABLE_1,
    UNSEEN_SETS,
)
from mrrepro.papers.dl_ept.held_out_fields import HELD_OUT_FIELDS
from mrrepro.papers.dl_ept.networks import TRAININGS
from mrrepro.papers.dl_ept.settings import DlEptSettings
from mrrepro.runs.recorded import Variant

SETTINGS = DlEptSettings

DATA = real_data.DATA

EXPERIMENTS = (
    TABLE_1,
    UNSEEN_SETS,
    OTHER_ANATOMY,
    NOISE_LEVELS,
    MASK_NETWORKS,
    HELMHOLTZ_BOUNDARIES,
    HELMHOLTZ_VOXELS,
    OTHER_CONDITIONS,
)

STAGES = (ANATOMIES, HELD_OUT_FIELDS, DATABASE, TESTS, FINE_HEAD, *TRAININGS.values(), *EXPERIMENTS)

WHOLE = (*TRAININGS.values(), *EXPERIMENTS)
"""Stages whose numbers are kept of the headline run."""

COMPARED = (TRAININGS["mask", "conductivity"], TRAININGS["mask", "relative_permittivity"], MASK_NETWORKS)
"""Stages whose numbers are kept of the variants, which train the networks with a mask alone."""


SHORT: dict[str, Any] = {"training.steps": 500}
"""The length at which variants are compared, less than half of the demo's."""


def _weights(name: str, gan: float, l1: float, l2: float, meaning: str) -> Variant:
    weights = {"training.gan_weight": gan, "training.l1_weight": l1, "training.l2_weight": l2}
    return Variant(name, {**SHORT, **weights}, meaning, COMPARED)


VARIANTS = (
    Variant("headline", {}, "the chapter's networks, at full length", WHOLE),
    Variant("reference", SHORT, "lambda 2 / 100 / 200, as short as the comparisons", COMPARED),
    _weights("unet", 0.0, 100.0, 200.0, "no adversarial term: a U-Net"),
    _weights("heavier", 2.0, 1000.0, 2000.0, "lambda 2 / 1000 / 2000, the paper's for the tumour"),
    _weights("lighter", 2.0, 10.0, 20.0, "lambda 2 / 10 / 20"),
    Variant("transmit_phase", {**SHORT, "measurement.phase": "transmit"}, "the true phase of B1+", COMPARED),
)
