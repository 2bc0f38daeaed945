"""The order of the tissues in a head's label map."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

import numpy as np
from jaxtyping import UInt8

from mrrepro.validation import require_choice

HEAD_TISSUES: tuple[str, ...] = (
    "air",
    "blood",
    "bone_cancellous",
    "bone_cortical",
    "cerebellum",
    "csf",
    "dura",
    "fat",
    "grey_matter",
    "mucous_tissue",
    "muscle",
    "skin",
    "vitreous_humour",
    "white_matter",
)
"""Air, then the 13 tissues of `mrrepro.tissues.TISSUES` in alphabetical order: a label is the index in this tuple."""

TISSUE_LABELS = MappingProxyType({tissue: label for label, tissue in enumerate(HEAD_TISSUES)})
"""The label of each tissue."""

BRAIN_TISSUES = ("grey_matter", "white_matter", "cerebellum")
"""What counts as brain: neither cerebrospinal fluid nor dura."""


def labels_of(tissues: Iterable[str]) -> UInt8[np.ndarray, " tissues"]:
    """Return the labels of tissues by name."""
    chosen = tuple(tissues)
    for tissue in chosen:
        require_choice("tissue", tissue, HEAD_TISSUES)
    return np.array([TISSUE_LABELS[tissue] for tissue in chosen], dtype=np.uint8)
