"""Conventions for tumour labels, which differ between data sets under one number, and what they have in common.

=========================  ========  ==========================  =======  ===========
convention                 whole     necrotic, non-enhancing     oedema   enhancing
=========================  ========  ==========================  =======  ===========
BraTS until 2021           1, 2, 4   1                           2        4
BraTS from 2023            1, 2, 3   1                           2        3
EGD                        1         not told apart              --       --
=========================  ========  ==========================  =======  ===========

A label 3 therefore means nothing before 2023 and enhancing tumour after; and 1 is the whole tumour in EGD but its
necrotic core in BraTS. UCSF-PDGM follows BraTS until 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool

from data_fetch.images import LabelMap


@dataclass(frozen=True)
class TumourConvention:
    """What the labels of a tumour map mean; ``enhancing`` and ``core`` are empty where they are not told apart."""

    name: str
    names: MappingProxyType[int, str]
    whole: tuple[int, ...]
    core: tuple[int, ...]
    enhancing: tuple[int, ...]


BRATS_UNTIL_2021 = TumourConvention(
    "BraTS until 2021",
    MappingProxyType(
        {0: "no tumour", 1: "necrotic and non-enhancing core", 2: "oedema and infiltration", 4: "enhancing tumour"}
    ),
    whole=(1, 2, 4),
    core=(1, 4),
    enhancing=(4,),
)
BRATS_FROM_2023 = TumourConvention(
    "BraTS from 2023",
    MappingProxyType({0: "no tumour", 1: "necrotic core", 2: "oedema and infiltration (FLAIR)", 3: "enhancing tumour"}),
    whole=(1, 2, 3),
    core=(1, 3),
    enhancing=(3,),
)
EGD_BINARY = TumourConvention(
    "EGD", MappingProxyType({0: "no tumour", 1: "whole tumour"}), whole=(1,), core=(), enhancing=()
)
CONVENTIONS = MappingProxyType({entry.name: entry for entry in (BRATS_UNTIL_2021, BRATS_FROM_2023, EGD_BINARY)})


def whole_tumour(label_map: LabelMap) -> Bool[np.ndarray, "x y z"]:
    """Return where there is tumour of any kind: the one region that all conventions share."""
    return np.isin(label_map.labels, _convention(label_map).whole)


def enhancing_tumour(label_map: LabelMap) -> Bool[np.ndarray, "x y z"]:
    """Return where tumour takes up contrast agent; raise ``ValueError`` where the convention does not tell."""
    return np.isin(label_map.labels, _told_apart(label_map, "enhancing"))


def tumour_core(label_map: LabelMap) -> Bool[np.ndarray, "x y z"]:
    """Return the tumour without its oedema; raise ``ValueError`` where the convention does not tell."""
    return np.isin(label_map.labels, _told_apart(label_map, "core"))


def _convention(label_map: LabelMap) -> TumourConvention:
    if label_map.convention not in CONVENTIONS:
        known = ", ".join(CONVENTIONS)
        raise ValueError(f"label_map must follow one of {known}, but follows {label_map.convention!r}.")
    return CONVENTIONS[label_map.convention]


def _told_apart(label_map: LabelMap, region: str) -> tuple[int, ...]:
    convention = _convention(label_map)
    labels: tuple[int, ...] = getattr(convention, region)
    if not labels:
        raise ValueError(f"label_map follows {convention.name}, which marks the whole tumour only: no {region} part.")
    return labels
