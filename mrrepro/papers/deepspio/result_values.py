"""The numbers of the article that the stages give, by id: what notebooks record, and what is taken of recorded runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mrrepro.metrics.evidence import FoundValue, StageValues
from mrrepro.papers.deepspio.pictures import typical_example, with_printed_susceptibility

Numbers = Sequence[float] | np.ndarray[Any, Any]


def air_id(concentration: float) -> str:
    """Id of a cylinder's NMAE beside a sphere of air, Fig. 6."""
    return f"deepspio.fig6.c{_in_id(concentration)}.nmae"


def table1_id(batch: int, concentration: float) -> str:
    """Id of a row of Table 1, without ``.estimate`` or ``.error``."""
    return f"deepspio.table1.batch{batch}.c{_in_id(concentration)}"


def held_out_values(nmae: Numbers) -> list[FoundValue]:
    """Mean NMAE over held-out samples, and that of the example that is nearest to it."""
    errors = np.asarray(nmae)
    example = FoundValue("deepspio.fig4.nmae", float(errors[typical_example(errors)]))
    return [_mean_over_samples("deepspio.exp1.nmae", errors), example]


def breast_values(nmae: Numbers) -> list[FoundValue]:
    """Mean NMAE over samples on drawn breasts."""
    return [_mean_over_samples("deepspio.fig5.nmae", np.asarray(nmae))]


def air_values(susceptibility_cgs: Numbers, concentration: Numbers, nmae: Numbers) -> list[FoundValue]:
    """NMAE of each cylinder beside a sphere of air with the susceptibility that the paper prints."""
    printed = with_printed_susceptibility(np.asarray(susceptibility_cgs))
    cases = zip(np.asarray(concentration)[printed], np.asarray(nmae)[printed], strict=True)
    return [FoundValue(air_id(float(true)), float(error)) for true, error in cases]


def table1_values(batch: Sequence[int], concentration: Numbers, estimated: Numbers) -> list[FoundValue]:
    """Estimated concentration [ug/mm^3] of each bottle and its relative error [%]."""
    found = []
    for number, true, estimate in zip(batch, concentration, estimated, strict=True):
        name = table1_id(int(number), float(true))
        found.append(FoundValue(f"{name}.estimate", float(estimate)))
        found.append(FoundValue(f"{name}.error", float(100 * abs(estimate - true) / true)))
    return found


def _mean_over_samples(name: str, errors: np.ndarray[Any, Any]) -> FoundValue:
    return FoundValue(name, float(errors.mean()), float(errors.std(ddof=1)), errors.size)


def _in_id(concentration: float) -> str:
    return f"{concentration:g}".replace(".", "_")


VALUES = (
    StageValues("headline", "summary", ("summary",), lambda document: held_out_values(document["test"]["nmae"])),
    StageValues("headline", "summary", ("summary",), lambda document: breast_values(document["breast"]["nmae"])),
    StageValues("headline", "air_sphere", ("susceptibility_cgs", "concentration", "nmae"), air_values),
    StageValues("headline", "agar_phantom", ("batch", "concentration", "estimated"), table1_values),
)
"""What a recorded run decides without a notebook."""
