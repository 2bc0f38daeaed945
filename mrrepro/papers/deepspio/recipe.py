"""The DeepSPIO chapter, wired: its settings, its stages in order, and the variants that recorded sweeps compare."""

from __future__ import annotations

from mrrepro.papers.deepspio.attention import ATTENTION
from mrrepro.papers.deepspio.experiments import AGAR_PHANTOM, AIR_SPHERE, HELD_OUT, NOISE, SCALED_FIELD, SUMMARY
from mrrepro.papers.deepspio.settings import DeepSpioSettings
from mrrepro.papers.deepspio.stages import IMAGES, TRAINING
from mrrepro.runs.recorded import Variant

SETTINGS = DeepSpioSettings

STAGES = (IMAGES, TRAINING, HELD_OUT, SUMMARY, SCALED_FIELD, AIR_SPHERE, AGAR_PHANTOM, NOISE, ATTENTION)

RECORDED = (TRAINING, SUMMARY, SCALED_FIELD, AIR_SPHERE, AGAR_PHANTOM, NOISE)
"""Stages whose numbers a recorded sweep keeps."""

SHORT = {"training.samples": 6000}
"""The length at which variants are compared at equal cost, about a third of the demo's."""

MATCHED_WIDTHS = {"single_decoder": 10.625, "multi_decoder_with_skips": 6.625, "no_wavelet": 10.25, "unet": 9.0}
"""Base widths at which the networks cost what `multi_decoder` of width 8 does, within 10% (tested)."""

VARIANTS = (
    Variant("headline", {}, "the chapter's network and schedule, at full length"),
    Variant("reference", SHORT, "the same, as short as the comparisons"),
    Variant("printed_loss", SHORT | {"training.square_fraction": 0.0}, "the printed loss from the first step"),
    Variant("square_loss", SHORT | {"training.square_fraction": 1.0}, "the normalised square deviation to the end"),
    Variant("shuffled_targets", SHORT | {"training.shuffled_targets": True}, "control: each image with another's map"),
    Variant("no_field", SHORT | {"iron.saturation_magnetisation": 0.0}, "control: no field, the void kept"),
    Variant("no_void", SHORT | {"iron.transverse_relaxivity": 0.0}, "no void: signal is left inside the source"),
    Variant(
        "equal_gradients", SHORT | {"sequence.readout_gradient_mt_per_m": 100.0}, "G_r = G_s: stripes stay straight"
    ),
    *(
        Variant(kind, SHORT | {"network.kind": kind, "network.width": width}, f"{kind} at equal cost")
        for kind, width in MATCHED_WIDTHS.items()
    ),
)
