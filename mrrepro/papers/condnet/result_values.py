"""The numbers of the article that the stages give, by id: what notebooks record, and what is taken of recorded runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mrrepro.metrics.evidence import FoundValue, StageValues
from mrrepro.papers.condnet.evidence import Entry, global_error
from mrrepro.papers.condnet.generality import ROI_TISSUES
from mrrepro.papers.condnet.strengths import REGIONS

SCANS = ("tcga_02_0006", "tcga_14_1794", "tcga_19_0963")
"""Of Tables IV and V."""

_SHORT = {"vitreous_humour": "vitreous_humor", "grey_matter": "gm", "white_matter": "wm"}


TABLE3 = {name: "head_with_air" if name == "head" else name for name in REGIONS}
"""Of what the error is that stands beside that of each region of Table III: the paper's head counts air."""


def table3_values(entries: Sequence[Entry]) -> list[FoundValue]:
    """Mean over the test heads of the global error [%], by region; a simulated head stands for no named subject."""
    found = []
    for region, ours in TABLE3.items():
        values = [global_error(entry, ours) for entry in entries]
        found.append(FoundValue(f"condnet.table3.average.{region}", float(np.mean(values)), None, len(values)))
    return found


def table5_id(scan: str, tissue: str) -> str:
    """Id of a tissue's conductivity in one of the scans."""
    return f"condnet.table5.{scan}.{_SHORT.get(tissue, tissue)}"


def tissue_means(entries: Sequence[Entry], place: int) -> dict[str, list[float]]:
    """Mean conductivity [S/m] of each tissue in heads where it fills voxels, by a scanner; 0 is the one trained on."""
    variants: list[Mapping[str, Entry]] = [entry["variants"][place]["tissues"] for entry in entries]
    return {
        tissue: [float(held[tissue]["conductivity"]["mean"]) for held in variants if tissue in held]
        for tissue in ROI_TISSUES
    }


def table5_values(entries: Sequence[Entry]) -> list[FoundValue]:
    """Mean conductivity [S/m] of the tissues in images of three scanners that training never saw."""
    found = []
    for place, scan in enumerate(SCANS, start=1):
        for tissue, values in tissue_means(entries, place).items():
            if values:
                found.append(FoundValue(table5_id(scan, tissue), float(np.mean(values)), None, len(values)))
    return found


def lens_values(entries: Sequence[Entry]) -> list[FoundValue]:
    """Mean conductivity [S/m] of a lens that training never saw, where the voxels are small enough for one."""
    lenses = [float(entry["lens"]["with"]["mean"]) for entry in entries if "lens" in entry]
    return [FoundValue("condnet.discussion.lens", float(np.mean(lenses)), None, len(lenses))] if lenses else []


VALUES = (
    StageValues("headline", "fields", ("fields",), lambda document: table3_values(document["heads"])),
    StageValues("headline", "scanners", ("scanners",), lambda document: table5_values(document["heads"])),
    StageValues("headline", "unseen", ("unseen",), lambda document: lens_values(document["heads"])),
)
"""What a recorded run decides without a notebook."""
