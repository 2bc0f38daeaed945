"""The CondNet chapter, wired: its settings, its stages in order, and the variants that recorded sweeps compare."""

from __future__ import annotations

from mrrepro.papers.condnet import real_data
from mrrepro.papers.condnet.estimation import MAPS, MAPS_OF_TWO, TIMING
from mrrepro.papers.condnet.generality import SCANNERS, UNSEEN
from mrrepro.papers.condnet.heads import HEADS
from mrrepro.papers.condnet.pictures import PICTURES
from mrrepro.papers.condnet.refinement import REFINED
from mrrepro.papers.condnet.settings import CondNetSettings
from mrrepro.papers.condnet.sphere_study import SPHERES
from mrrepro.papers.condnet.stages import TRAININGS, TRAININGS_OF_TWO
from mrrepro.papers.condnet.stimulation import COIL_SWEEP, FIELDS
from mrrepro.papers.condnet.strengths import STRENGTHS
from mrrepro.runs.recorded import Variant

SETTINGS = CondNetSettings

AXIAL = TRAININGS[2]
"""The training whose length the choices of start and rate are compared in."""

DATA = real_data.DATA

STAGES = (HEADS, *TRAININGS, *TRAININGS_OF_TWO, MAPS, MAPS_OF_TWO, FIELDS, COIL_SWEEP, REFINED, SCANNERS, UNSEEN)
"""What the notebooks make; pictures, strengths, spheres and timing are recorded alone."""

WHOLE = (*TRAININGS, MAPS, FIELDS, REFINED, SCANNERS, UNSEEN)
"""Stages whose numbers are kept of the headline run."""

VARIANTS = (
    Variant("headline", {}, "the chapter's networks at full length, and the experiments on them", WHOLE),
    Variant("two", {}, "two conductors at once beside one", (MAPS, MAPS_OF_TWO)),
    Variant(
        "two_as_long",
        {"training.epochs_of_two": 10.0},
        "two conductors at once, trained for as many passes as one",
        (MAPS_OF_TWO,),
    ),
    Variant("pictures", {}, "slices of a test head, its maps and its fields", (PICTURES,)),
    Variant("strengths", {}, "how strong the field is in each region of Table III", (STRENGTHS,)),
    Variant("spheres", {}, "the solver against closed forms by voxel size, and its cycles by grid", (SPHERES,)),
    Variant("timing", {}, "a map of 256^3 voxels, timed", (TIMING,)),
    Variant(
        "neck",
        {"images.images_end_below_mm": 45.0},
        "labels go on below where the images end: the paper's neck problem",
        (*TRAININGS, MAPS),
    ),
    Variant(
        "one_head",
        {"heads.training": 1, "training.epochs": 40.0},
        "a quarter of the training heads, as many steps",
        (MAPS,),
    ),
    Variant(
        "six_heads",
        {"heads.training": 6, "training.epochs": 6.667},
        "half as many training heads again, as many steps",
        (MAPS,),
    ),
    Variant("drawn_start", {"training.start": "drawn"}, "weights by torch's rule, no bias set", (AXIAL,)),
    Variant(
        "default_rate",
        {"training.learning_rate": 1e-3, "training.decay_from": 1.0},
        "Adam's default rate, never lowered, as at scale paper",
        (AXIAL,),
    ),
    Variant("wider_gap", {"stimulation.gap_mm": 20.0}, "the coil twice as far from the scalp", (FIELDS,)),
    Variant("turned_coil", {"stimulation.angle_deg": 45.0}, "the coil turned by a right angle", (FIELDS,)),
    Variant("thinner_air", {"stimulation.air_below": 0.0005}, "less of an estimated map is called air", (FIELDS,)),
)
