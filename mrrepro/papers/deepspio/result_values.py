"""The numbers of the article that the stages give, by id: what notebooks record, and what is taken of recorded runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from mrrepro.metrics.evidence import FoundValue, StageValues, record_values
from mrrepro.papers.deepspio.evidence import RecordedSweeps
from mrrepro.papers.deepspio.pictures import with_printed_susceptibility
from mrrepro.papers.deepspio.settings import DeepSpioSettings
from mrrepro.runs.bands import LEAST, LEVEL, band_of
from mrrepro.runs.notebook import Run as NotebookRun

Numbers = Sequence[float] | np.ndarray[Any, Any]


def air_id(concentration: float) -> str:
    """Id of a cylinder's NMAE beside a sphere of air, Fig. 6."""
    return f"deepspio.fig6.c{_in_id(concentration)}.nmae"


def table1_id(batch: int, concentration: float) -> str:
    """Id of a row of Table 1, without ``.estimate`` or ``.error``."""
    return f"deepspio.table1.batch{batch}.c{_in_id(concentration)}"


def held_out_values(nmae: Numbers) -> list[FoundValue]:
    """Mean NMAE over held-out samples."""
    errors = np.asarray(nmae)
    return [FoundValue("deepspio.exp1.nmae", float(errors.mean()), float(errors.std(ddof=1)), errors.size)]


def air_values(
    susceptibility_cgs: Numbers, concentration: Numbers, nmae: Numbers, *, lowest: float
) -> list[FoundValue]:
    """NMAE of each cylinder beside a sphere of air with the susceptibility that the paper prints.

    Concentrations below ``lowest`` [ug/mm^3], that of the training, are left out: of them the network says nothing.
    """
    printed = with_printed_susceptibility(np.asarray(susceptibility_cgs))
    cases = zip(np.asarray(concentration)[printed], np.asarray(nmae)[printed], strict=True)
    return [FoundValue(air_id(float(true)), float(error)) for true, error in cases if true >= lowest]


def table1_values(
    batch: Sequence[int], concentration: Numbers, estimated: Numbers, *, lowest: float
) -> list[FoundValue]:
    """Estimated concentration [ug/mm^3] of each bottle and its relative error [%], from ``lowest`` as `air_values`."""
    found = []
    for number, true, estimate in zip(batch, concentration, estimated, strict=True):
        if true < lowest:
            continue
        name = table1_id(int(number), float(true))
        found.append(FoundValue(f"{name}.estimate", float(estimate)))
        found.append(FoundValue(f"{name}.error", float(100 * abs(estimate - true) / true)))
    return found


def _in_id(concentration: float) -> str:
    return f"{concentration:g}".replace(".", "_")


def values_at(scale: str) -> tuple[StageValues, ...]:
    """What recorded runs of a scale decide without a notebook: means over their seeds.

    Concentrations below the lowest that the scale's networks are trained on give no value.
    """
    lowest = DeepSpioSettings.at_scale(scale).bodies.lowest_concentration
    of_air, of_bottles = partial(air_values, lowest=lowest), partial(table1_values, lowest=lowest)
    wanted: tuple[tuple[str, tuple[str, ...], Callable[..., list[FoundValue]]], ...] = (
        ("summary", ("summary",), lambda document: held_out_values(document["test"]["nmae"])),
        ("air_sphere", ("susceptibility_cgs", "concentration", "nmae"), of_air),
        ("agar_phantom", ("batch", "concentration", "estimated"), of_bottles),
    )
    return tuple(
        StageValues("headline", stage, documents, mean_over_seeds(values), over_seeds=True)
        for stage, documents, values in wanted
    )


def mean_over_seeds(values: Callable[..., list[FoundValue]]) -> Callable[..., list[FoundValue]]:
    """Turn the numbers of one run into those of several: means over seeds, with the standard deviation over them.

    One seed keeps the standard deviation over its cases.
    """

    def of_all(*by_seed: Sequence[Any]) -> list[FoundValue]:
        each_run = [values(*documents) for documents in zip(*by_seed, strict=True)]
        return each_run[0] if len(each_run) == 1 else [_over_seeds(found) for found in zip(*each_run, strict=True)]

    return of_all


def _over_seeds(found: Sequence[FoundValue]) -> FoundValue:
    values = np.array([each.value for each in found])
    return FoundValue(found[0].id, float(values.mean()), float(values.std(ddof=1)), found[0].n_cases)


def recorded_at(run: NotebookRun[Any]) -> list[FoundValue]:
    """The numbers of the recorded runs that have the settings of a notebook's run, whatever its seed; or none."""
    as_it_is = run.data.simulated and not run.parameters["overrides"]
    return RecordedSweeps(run.scale).values(values_at(run.scale)) if as_it_is else []


def record_numbers(run: NotebookRun[Any], own: Sequence[FoundValue]) -> None:
    """Record numbers of a run: the means over the recorded runs of its settings, or where there are none its own."""
    ids = {found.id for found in own}
    recorded = [found for found in recorded_at(run) if found.id in ids]
    if recorded:
        record_values(run, recorded, recorded=RecordedSweeps(run.scale).runs("headline"))
    else:
        record_values(run, own)


def expected_words(run: NotebookRun[Any], own: Sequence[FoundValue]) -> str:
    """Say how many numbers of a run lie where those of one more seed are expected from the recorded seeds.

    This is the check that the receipt cannot make, for it holds the means over the recorded seeds.
    """
    recorded = RecordedSweeps(run.scale).runs("headline") if recorded_at(run) else []
    if len(recorded) < LEAST:
        return "Too few runs of these settings are recorded to say what one more seed should give."
    by_seed = [
        {found.id: found.value for wanted in values_at(run.scale) for found in wanted.found_in("deepspio", [each])}
        for each in recorded
    ]
    seeds = [int(each["seed"]) for each in recorded]
    bands = {id: band_of(id, [values[id] for values in by_seed], seeds, "", "") for id in by_seed[0]}
    outside = [f"{each.id} ({each.value:.3g})" for each in own if not bands[each.id].holds(each.value)]
    words = (
        f"{len(own) - len(outside)} of the {len(own)} numbers of this run (seed {run.seed}) lie where one more seed is "
        f"expected, in the {100 * LEVEL:.0f} % prediction interval from {len(seeds)} seeds."
    )
    return f"{words} Outside: {', '.join(outside)}." if outside else words
