"""Table I: the conductivity of 13 tissues, twice, and what Gabriel's Cole-Cole terms give at 10 kHz."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from jaxtyping import Float64

from mrrepro.tissues import ColeCole, tissue_properties

COLUMN_A: Mapping[str, float] = MappingProxyType(
    {
        "blood": 0.700,
        "bone_cancellous": 0.080,
        "bone_cortical": 0.020,
        "cerebellum": 0.130,
        "csf": 2.000,
        "dura": 0.500,
        "fat": 0.040,
        "grey_matter": 0.100,
        "mucous_tissue": 0.070,
        "muscle": 0.340,
        "skin": 0.100,
        "vitreous_humour": 1.500,
        "white_matter": 0.070,
    }
)
"""Column A, "the Cole-Cole model" at 10 kHz [S/m]; the first volume conductor."""

COLUMN_B: Mapping[str, float] = MappingProxyType(
    {
        "blood": 0.700,
        "bone_cancellous": 0.025,
        "bone_cortical": 0.007,
        "cerebellum": 0.276,
        "csf": 1.654,
        "dura": 0.500,
        "fat": 0.040,
        "grey_matter": 0.276,
        "mucous_tissue": 0.070,
        "muscle": 0.400,
        "skin": 0.456,
        "vitreous_humour": 1.500,
        "white_matter": 0.126,
    }
)
"""Column B, "typical values from computational studies" [S/m]; the second volume conductor."""

LENS = ColeCole(4.0, (42.0, 1500.0, 2.0e5, 4.0e7), (7.958, 79.577, 159.155, 15.915), (0.10, 0.10, 0.10, 0.00), 0.300)
"""The lens of the eye (cortex), which is none of the 13 tissues; Gabriel's report of 1996, appendix C."""

FREQUENCY = 10e3
"""Of column A [Hz]."""

NOT_COLE_COLE = ("grey_matter", "mucous_tissue", "skin")
"""Tissues whose printed value no Cole-Cole model of Gabriel's gives at this frequency; see `deviations_from_table`."""


def deviations_from_table(frequency: float = FREQUENCY) -> dict[str, float]:
    """Gabriel's conductivity minus the printed one, by tissue [S/m]."""
    return {tissue: tissue_properties(tissue, frequency).conductivity - printed for tissue, printed in COLUMN_A.items()}


def largest_cole_cole_deviation() -> float:
    """Largest deviation [S/m] over the ten tissues that the model does give; the table rounds to 0.01 S/m."""
    return max(abs(value) for tissue, value in deviations_from_table().items() if tissue not in NOT_COLE_COLE)


def by_label(column: Mapping[str, float], tissues: Sequence[str]) -> Float64[np.ndarray, " labels"]:
    """Conductivity [S/m] by label, the position of a tissue in ``tissues``; that of air is 0.

    Raises
    ------
    ValueError
        If the column lacks a tissue.
    """
    values = {"air": 0.0, **column}
    unknown = [tissue for tissue in tissues if tissue not in values]
    if unknown:
        raise ValueError(f"the column lacks {', '.join(unknown)}; it has {', '.join(column)}.")
    return np.array([values[tissue] for tissue in tissues])
