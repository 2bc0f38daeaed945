"""Which settings of the CondNet chapter do not go together, said before anything is computed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from mrrepro.papers.condnet.settings import CondNetSettings

POSITIONS = (
    *("Fpz", "AFz", "Fz", "FCz", "Cz", "CPz", "Pz", "POz", "Oz"),
    *("Fp1", "AF7", "F7", "FT7", "T7", "TP7", "P7", "PO7", "O1"),
    *("Fp2", "AF8", "F8", "FT8", "T8", "TP8", "P8", "PO8", "O2"),
    *(f"{row}{number}" for row in ("F", "FC", "C", "CP", "P") for number in range(1, 7)),
    *("AF3", "AF4", "PO3", "PO4"),
)
"""Names of the 10-10 system from Fpz to Oz, those of `mrrepro.simulators.scalp_positions`."""


def conflicts(settings: CondNetSettings) -> Iterator[str]:
    """Say of each conflict which setting must be what, what it is and what to do."""
    for name in ("encoder_kernel", "convolution_kernel", "map_kernel"):
        size = getattr(settings.network, name)
        if size % 2 == 0:
            yield (
                f"network.{name} must be odd, so that slices keep their size, but is {size}: "
                f"take {size - 1} or {size + 1}."
            )
    stimulation = settings.stimulation
    known = {name.lower(): name for name in POSITIONS}
    if stimulation.position.lower() not in known:
        near = difflib.get_close_matches(stimulation.position.lower(), known, n=3, cutoff=0.4)
        yield (
            f"stimulation.position must be a position of the 10-10 system, but is {stimulation.position!r}: take "
            f"{' or '.join(known[name] for name in near) or ', '.join(sorted(POSITIONS))}."
        )
    if stimulation.inner_diameter_mm > stimulation.outer_diameter_mm:
        yield (
            f"stimulation.inner_diameter_mm must be at most stimulation.outer_diameter_mm "
            f"({stimulation.outer_diameter_mm:g} mm), but is {stimulation.inner_diameter_mm:g} mm: change one of them."
        )
    for name, values, what in (
        ("evaluation.gaps_mm", settings.evaluation.gaps_mm, "gap"),
        ("solver.voxels_mm", settings.solver.voxels_mm, "edge"),
        ("solver.grids", settings.solver.grids, "grid"),
    ):
        if not values:
            yield f"{name} must name at least one {what}, but is empty: leave it out or give some, with commas."
