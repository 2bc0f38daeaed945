"""Rows of the chapter's tables, and the sentences beside them, from a run at hand and from recorded runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mrrepro.metrics.evidence import FoundValue
from mrrepro.papers.deepspio.evidence import (
    RecordedSweeps,
    rank_interval,
    slopes_over_held_out,
    slopes_with_scaled_field,
)
from mrrepro.papers.deepspio.experiments import AIR_CONCENTRATIONS, TABLE_1
from mrrepro.papers.deepspio.result_values import air_id, table1_id
from mrrepro.papers.deepspio.settings import DeepSpioSettings

Array = np.ndarray[Any, Any]
Columns = Mapping[str, Sequence[FoundValue]]
"""Heading of a column to the numbers that stand in it."""


def nmae_rows(entries: Mapping[str, Any], columns: Columns) -> list[dict[str, object]]:
    """NMAE of experiments 1 and 3: the paper's, and a column for each run; with its sd where there is one."""
    rows = []
    for name in ("deepspio.exp1.nmae", *map(air_id, AIR_CONCENTRATIONS)):
        entry = entries[name]
        row: dict[str, object] = {"NMAE": f"{entry.item}: {entry.system}"}
        row["paper"] = f"{entry.value} ± {entry.sd}" if entry.sd else entry.value
        for heading, values in columns.items():
            row[heading] = _cell({value.id: value for value in values}.get(name))
        rows.append(row)
    return rows


def table1_rows(entries: Mapping[str, Any], columns: Columns) -> list[dict[str, object]]:
    """Table 1: the paper's estimate of scans, and for each run the estimate of a simulated bottle with its error."""
    rows = []
    for batch, true in TABLE_1:
        name = table1_id(batch, true)
        row: dict[str, object] = {"batch": batch, "true [µg/mm³]": true}
        row["paper, scanned"] = float(entries[f"{name}.estimate"].value)
        for heading, values in columns.items():
            held = {value.id: value for value in values}
            row[heading] = _cell(held.get(f"{name}.estimate"))
            row[f"{heading}: error [%]"] = _cell(held.get(f"{name}.error"), digits=1)
        rows.append(row)
    return rows


def _cell(found: FoundValue | None, digits: int = 2) -> str:
    if found is None:
        return "below the training"
    return f"{found.value:.{digits}f}" + (f" ± {found.sd:.{digits}f}" if found.sd is not None else "")


def noise_rows(levels: Sequence[str], detail: Array) -> list[dict[str, object]]:
    """A bottle under noise: mean NMAE and its spread over draws at each level, (levels, draws)."""
    return [
        {"SNR": label, "mean NMAE": values.mean(), "sd over draws": values.std(ddof=1), "draws": values.size}
        for label, values in zip(levels, detail, strict=True)
    ]


def snr_labels(snr_db: Array) -> list[str]:
    """Levels of noise in words."""
    return ["none" if np.isinf(level) else f"{level:.0f} dB" for level in snr_db]


def undecided_words(sweeps: RecordedSweeps, entries: Mapping[str, Any], names: Sequence[str]) -> str:
    """Say which of these claims recorded runs leave undecided, and why; claims by their short names."""
    by_reason: dict[str, list[str]] = {}
    for name in names:
        reason = sweeps.undecided(name)
        if reason:
            by_reason.setdefault(reason, []).append(f"'{entries[f'deepspio.claim.{name}'].claim.rstrip('.')}'")
    said = [f"Left undecided: {', '.join(claims)}. The reason: {reason}." for reason, claims in by_reason.items()]
    return " ".join(said) or "The recorded runs decide all of these claims."


def concentration_words(where: str, constant: float, scores: Mapping[str, Array]) -> str:
    """Say whether a run beats the best constant in the perfect shape, and how its estimates rank.

    Parameters
    ----------
    where : str
        How the sentence begins, as ``"In this run"``.
    constant : float
        NMAE of that constant.
    scores : mapping
        Of held-out samples: ``nmae``, ``true_mean``, ``estimated_mean``.
    """
    errors, true, estimated = (np.asarray(scores[name]) for name in ("nmae", "true_mean", "estimated_mean"))
    better = "is beaten" if errors.mean() < constant else "is not beaten"
    interval = rank_interval(true, estimated)
    return (
        f"{where} the best constant in the perfect shape {better}. Apart from the shape: the mean estimate over the "
        f"region of iron has a rank correlation with the truth of {interval.estimate:.2f} "
        f"({100 * interval.level:.0f} % interval {interval.low:.2f} to {interval.high:.2f}, {errors.size} samples)."
    )


def slope_rows(sweeps: RecordedSweeps) -> list[dict[str, object]]:
    """Slopes of the estimate on the truth, over held-out samples and with the field alone scaled, by recorded seed."""
    rows = (
        ("held-out samples", slopes_over_held_out, "headline"),
        ("only the field scaled, void kept", slopes_with_scaled_field, "headline"),
        ("held-out samples, no field in training and test", slopes_over_held_out, "no_field"),
    )
    return [
        {"slope of the estimate on the truth": what}
        | {f"seed {seed}": slope for seed, slope in zip(sweeps.seeds(variant), slopes(sweeps, variant), strict=True)}
        for what, slopes, variant in rows
        if sweeps.seeds(variant)
    ]


def training_words(sweeps: RecordedSweeps) -> str:
    """Say how much the recorded training saw of what the paper's saw, where it ran, and what was set for it."""
    run = sweeps.runs("headline")[0]
    history = run["numbers"]["deepspio/training"]["history"]
    seen, whole = history["record"]["samples_seen"], DeepSpioSettings.at_scale("paper").training.samples
    words = f"The recorded training of {history['weights'] / 1e6:.3g} million weights (seed {run['seed']}) saw "
    if seen < whole:
        words += f"{seen:,} samples of the paper's {whole:,}, {100 * seen / whole:.2g} %: a **shortened** training."
    else:
        words += f"{seen:,} samples, as many as the paper's."
    return f"{words} {sweeps.how_it_ran('headline', 'training')}"


def validation_rows(sweeps: RecordedSweeps) -> list[dict[str, object]]:
    """Error on fresh samples along the recorded training of the lowest seed."""
    seen, curves = sweeps.validation_curve("headline")
    return [
        {"samples seen": f"{count:,.0f}", "NMAE on fresh samples [1]": float(error)}
        for count, error in zip(seen, curves[0], strict=True)
    ]
