"""The DeepSPIO chapter, wired: its settings, its stages in order, and the variants that recorded sweeps compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mrrepro.papers.deepspio import real_data
from mrrepro.papers.deepspio.attention import ATTENTION
from mrrepro.papers.deepspio.experiments import AGAR_PHANTOM, AIR_SPHERE, HELD_OUT, NOISE, SCALED_FIELD, SUMMARY
from mrrepro.papers.deepspio.pictures import PICTURES
from mrrepro.papers.deepspio.settings import DeepSpioSettings
from mrrepro.papers.deepspio.stages import IMAGES, TRAINING
from mrrepro.runs.recorded import Variant

SETTINGS = DeepSpioSettings

DATA = real_data.DATA

STAGES = (IMAGES, TRAINING, HELD_OUT, SUMMARY, SCALED_FIELD, AIR_SPHERE, AGAR_PHANTOM, NOISE, ATTENTION, PICTURES)

WHOLE = (TRAINING, SUMMARY, SCALED_FIELD, AIR_SPHERE, AGAR_PHANTOM, NOISE, PICTURES)
"""Stages whose numbers are kept of the headline run, and with ``--arrays`` its pictures."""

COMPARED = (TRAINING, SUMMARY, SCALED_FIELD)
"""Stages whose numbers are kept of the variants."""

SHORT: dict[str, Any] = {"training.samples": 6000}
"""The length at which variants are compared at equal cost, about a third of the demo's."""

MATCHED_WIDTHS = {"single_decoder": 10.625, "multi_decoder_with_skips": 6.625, "no_wavelet": 10.25, "unet": 9.0}
"""Base widths at which the networks cost what `multi_decoder` of width 8 does, within 10% (tested)."""


def _short(name: str, changes: Mapping[str, Any], meaning: str) -> Variant:
    return Variant(name, {**SHORT, **changes}, meaning, COMPARED)


VARIANTS = (
    Variant("headline", {}, "the chapter's network and schedule, at full length", WHOLE),
    _short("reference", {}, "the same, as short as the comparisons"),
    _short("printed_loss", {"training.square_fraction": 0.0}, "the printed loss from the first step"),
    _short("square_loss", {"training.square_fraction": 1.0}, "the normalised square deviation to the end"),
    _short("shuffled_targets", {"training.shuffled_targets": True}, "control: each image with another's map"),
    _short("no_field", {"iron.saturation_magnetisation": 0.0}, "control: no field, the void kept"),
    _short("no_void", {"iron.transverse_relaxivity": 0.0}, "no void: signal is left inside the source"),
    _short("equal_gradients", {"sequence.readout_gradient_mt_per_m": 100.0}, "G_r = G_s: stripes stay straight"),
    _short(
        "unet_printed_loss",
        {"network.kind": "unet", "network.width": MATCHED_WIDTHS["unet"], "training.square_fraction": 0.0},
        "unet at equal cost with the printed loss from the first step",
    ),
    *(
        _short(kind, {"network.kind": kind, "network.width": width}, f"{kind.replace('_', ' ')} at equal cost")
        for kind, width in MATCHED_WIDTHS.items()
    ),
)
