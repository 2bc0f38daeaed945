"""A stage that keeps maps of a few cases of the experiments: small enough to stay with a run of the paper's size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mrrepro.papers.deepspio.experiments import (
    AGAR_PHANTOM,
    AIR_CGS,
    AIR_SPHERE,
    HELD_OUT,
    HELD_OUT_EXAMPLES,
    Experiment,
    select,
)
from mrrepro.runs.files import write_arrays
from mrrepro.runs.stages import Stage, StageContext

EXAMPLES_FILE, PHANTOMS_FILE = "examples.npz", "phantoms.npz"

SIGNAL_STEP, CONCENTRATION_STEP = 1 / 64, 1 / 16
"""Maps are kept in these steps, of signal [1] and concentration [ug/mm^3]; a figure shows no finer ones."""

Array = np.ndarray[Any, Any]


def typical_example(errors: Array) -> int:
    """Which of the held-out samples that are kept whole is nearest to the mean error of all samples."""
    return int(np.abs(errors[:HELD_OUT_EXAMPLES] - errors.mean()).argmin())


def chosen_examples(errors: Array) -> list[int]:
    """Of the held-out samples that are kept whole: the typical one, that of the least error, that of the largest."""
    ordered = np.argsort(errors[:HELD_OUT_EXAMPLES], kind="stable")
    return list(dict.fromkeys([typical_example(errors), int(ordered[0]), int(ordered[-1])]))


def with_printed_susceptibility(susceptibility_cgs: Array) -> Array:
    """Which cases of the experiment with air have the susceptibility that the paper prints."""
    return np.isclose(susceptibility_cgs, AIR_CGS[0], rtol=1e-3, atol=0.0)


def keep_pictures(context: StageContext[Experiment]) -> None:
    """Images (even and odd lines together), true and estimated maps of some cases of experiments 1 to 4.

    Arrays are ``<set>_<what>`` with ``images``, ``truth``, ``estimate`` (cases, x, z) and ``nmae`` or
    ``concentration`` (cases,). Sets are ``test`` and ``breast`` in one file, ``air`` (the printed susceptibility) and
    ``agar`` (the first batch, which the paper shows) in the other.
    """
    held_out = context.inputs[HELD_OUT.name].arrays("held_out.npz")
    examples: dict[str, Array] = {}
    for name in ("test", "breast"):
        own = {key.removeprefix(f"{name}_"): value for key, value in held_out.items() if key.startswith(f"{name}_")}
        examples |= _kept(name, own, np.array(chosen_examples(own["nmae"])), "nmae")
    write_arrays(context.workspace / EXAMPLES_FILE, **examples)
    air = context.inputs[AIR_SPHERE.name].arrays("air.npz")
    agar = context.inputs[AGAR_PHANTOM.name].arrays("agar.npz")
    printed = np.flatnonzero(with_printed_susceptibility(air["susceptibility_cgs"]))
    phantoms = _kept("air", air, printed, "nmae", "concentration")
    phantoms |= _kept("agar", agar, np.flatnonzero(agar["batch"] == 1), "nmae", "concentration")
    write_arrays(context.workspace / PHANTOMS_FILE, **phantoms)


def _kept(name: str, arrays: Mapping[str, Array], chosen: Array, *scalars: str) -> dict[str, Array]:
    maps = {
        "images": _in_steps(arrays["images"][chosen].astype(np.float32).sum(axis=1), SIGNAL_STEP),
        "truth": _in_steps(arrays["truth"][chosen], CONCENTRATION_STEP),
        "estimate": _in_steps(arrays["estimate"][chosen], CONCENTRATION_STEP),
    }
    return {f"{name}_{what}": value for what, value in (maps | {s: arrays[s][chosen] for s in scalars}).items()}


def _in_steps(maps: Array, step: float) -> Array:
    return (np.round(maps.astype(np.float32) / step) * step).astype(np.float16)


PICTURES = Stage("deepspio/pictures", keep_pictures, select, inputs=(HELD_OUT, AIR_SPHERE, AGAR_PHANTOM))
