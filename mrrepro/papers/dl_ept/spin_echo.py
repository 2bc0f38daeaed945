"""The pseudo spin-echo image of cGANtissue: one signal for each tissue, as the paper assigns them.

The sequence parameters stand in the paper's supplement, which is not at hand. Ours are those of a T2-weighted spin
echo, in which fluid is bright and grey matter brighter than white.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from mrrepro.phantoms.head_tissues import HEAD_TISSUES
from mrrepro.simulators.head_images import HeadScan, head_relaxation
from mrrepro.simulators.mr_signals import SpinEcho

SEQUENCE = SpinEcho(repetition_time=2.5, echo_time=0.05)
"""TR and TE [s]; our choice."""


def pseudo_spin_echo(labels: UInt8[np.ndarray, "x y z"], field_strength: float) -> Float[np.ndarray, "x y z"]:
    """Return the signal [of fully relaxed water] of labelled tissue at 1.5 or 3 T.

    Labels beyond ``HEAD_TISSUES`` (a cylinder, a tumour) have the signal of grey matter.
    """
    signals = HeadScan(SEQUENCE, head_relaxation(field_strength)).tissue_signals()
    table: np.ndarray[Any, Any] = np.full(256, signals[HEAD_TISSUES.index("grey_matter")], dtype=np.float32)
    table[: len(signals)] = signals
    return table[labels]
