"""The CondNet chapter, wired: its settings, its stages in order, and the variants that recorded sweeps compare."""

from __future__ import annotations

from mrrepro.papers.condnet import real_data
from mrrepro.papers.condnet.estimation import MAPS, MAPS_OF_TWO, TIMING
from mrrepro.papers.condnet.generality import SCANNERS, UNSEEN
from mrrepro.papers.condnet.heads import HEADS
from mrrepro.papers.condnet.refinement import REFINED
from mrrepro.papers.condnet.settings import CondNetSettings
from mrrepro.papers.condnet.stages import TRAININGS, TRAININGS_OF_TWO
from mrrepro.papers.condnet.stimulation import COIL_SWEEP, FIELDS
from mrrepro.runs.recorded import Variant

SETTINGS = CondNetSettings

DATA = real_data.DATA

STAGES = (HEADS, *TRAININGS, *TRAININGS_OF_TWO, MAPS, MAPS_OF_TWO, FIELDS, COIL_SWEEP, REFINED, SCANNERS, UNSEEN)

WHOLE = (*TRAININGS, MAPS, FIELDS, REFINED, SCANNERS, UNSEEN)
"""Stages whose numbers are kept of the headline run."""

VARIANTS = (
    Variant("headline", {}, "the chapter's networks at full length, and the experiments on them", WHOLE),
    Variant("two", {}, "two conductors at once beside one", (MAPS, MAPS_OF_TWO)),
    Variant("timing", {}, "a map of 256^3 voxels, timed", (TIMING,)),
    Variant(
        "neck",
        {"images.images_end_below_mm": 45.0},
        "labels go on below where the images end: the paper's neck problem",
        (*TRAININGS, MAPS),
    ),
)
