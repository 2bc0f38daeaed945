"""The pseudo spin-echo image of cGANtissue: one signal for each tissue, as the paper assigns them.

The sequence parameters stand in the paper's supplement, which is not at hand. Ours are those of a T2-weighted spin
echo. T1 and T2 of white and grey matter, blood and muscle are those of Stanisz et al., Magn. Reson. Med. 54, 507
(2005), at 3 and 1.5 T; all other values are estimates, made so that bone is dark and fluid bright.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8

from mrrepro.phantoms.head_tissues import HEAD_TISSUES
from mrrepro.simulators.mr_signals import RelaxingTissue, SpinEcho
from mrrepro.validation import require_choice

SEQUENCE = SpinEcho(repetition_time=2.5, echo_time=0.05)
"""TR and TE [s]; our choice."""

RELAXATION: dict[str, dict[str, tuple[float, float, float]]] = {
    "3 T": {
        "blood": (0.8, 1.932, 0.275),
        "bone_cancellous": (0.4, 0.4, 0.06),
        "bone_cortical": (0.05, 0.25, 0.002),
        "cerebellum": (0.8, 1.5, 0.09),
        "csf": (1.0, 4.2, 1.5),
        "dura": (0.5, 1.0, 0.03),
        "fat": (0.9, 0.37, 0.07),
        "grey_matter": (0.82, 1.820, 0.099),
        "mucous_tissue": (0.85, 1.5, 0.06),
        "muscle": (0.75, 1.412, 0.050),
        "skin": (0.6, 1.0, 0.03),
        "vitreous_humour": (1.0, 3.5, 1.0),
        "white_matter": (0.7, 1.084, 0.069),
    },
    "1.5 T": {
        "blood": (0.8, 1.441, 0.290),
        "bone_cancellous": (0.4, 0.35, 0.07),
        "bone_cortical": (0.05, 0.20, 0.002),
        "cerebellum": (0.8, 1.1, 0.09),
        "csf": (1.0, 4.2, 2.0),
        "dura": (0.5, 0.8, 0.04),
        "fat": (0.9, 0.29, 0.08),
        "grey_matter": (0.82, 1.124, 0.095),
        "mucous_tissue": (0.85, 1.2, 0.08),
        "muscle": (0.75, 1.008, 0.044),
        "skin": (0.6, 0.8, 0.04),
        "vitreous_humour": (1.0, 3.2, 1.2),
        "white_matter": (0.7, 0.884, 0.072),
    },
}
"""Proton density [of water], T1 and T2 [s] of each tissue."""

WATER = (0.95, 1.4, 0.09)
"""A saline gel, and a tumour."""


def pseudo_spin_echo(labels: UInt8[np.ndarray, "x y z"], field: str = "3 T") -> Float[np.ndarray, "x y z"]:
    """Return the signal [of water's equilibrium] of labelled tissue: the index in ``HEAD_TISSUES``, or beyond it.

    Labels beyond the table (a cylinder, a tumour) have the signal of `WATER`; air has none.
    """
    require_choice("field", field, tuple(RELAXATION))
    table: np.ndarray[Any, Any] = np.full((256, 3), WATER)
    table[HEAD_TISSUES.index("air")] = (0.0, 1.0, 1.0)
    for tissue, values in RELAXATION[field].items():
        table[HEAD_TISSUES.index(tissue)] = values
    density, t1, t2 = torch.tensor(table, dtype=torch.float32).T
    signal: np.ndarray[Any, Any] = SEQUENCE.signal(RelaxingTissue(density, t1, t2)).numpy()
    return signal[labels]
