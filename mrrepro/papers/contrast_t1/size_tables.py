"""What the recorded run at the thesis' size says, beside the thesis and the runs at demo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mrrepro.papers.contrast_t1.evidence import RecordedSweeps
from mrrepro.papers.contrast_t1.settings import ContrastT1Settings

THESIS = {
    "test_mae": ("MAE", "mae"),
    "test_mae_b": ("MAE, brain", "mae_b"),
    "test_mae_t": ("MAE, tumor", "mae_t"),
    "test_ssim": ("SSIM", "ssim"),
    "test_ssim_t": ("SSIM, tumor", "ssim_t"),
}
"""Scores of a summary that Table 8 has too: in words, and as its ids end."""

OURS = {
    "test_dice": "Dice of the enhancement",
    "test_voxel_auc": "area under the curve of voxels",
    "patient_auc_score": "area of patients, by the rise of the core",
}
"""Scores of a summary that the thesis does not have, in words."""


def training_words(sweeps: RecordedSweeps) -> str:
    """Say how long the recorded training was, whether it had ended by itself, where it ran and what was set for it."""
    run = sweeps.runs("headline")[0]
    history, origin = run["numbers"]["contrast_t1/training"]["history"], run["stages"]["contrast_t1/training"]
    record, longest = history["record"], ContrastT1Settings.at_scale(sweeps.scale).training
    epochs = sum("validation" in entry for entry in record["history"])
    words = (
        f"The recorded training of {history['weights'] / 1e6:.3g} million weights (seed {run['seed']}) saw {epochs} "
    )
    words += f"epochs of at most {longest.epochs}"
    if record["stopped_early"]:
        words += f", after {longest.patience} of which had brought nothing it ended by itself."
    elif epochs < longest.epochs:
        words += ": it is a **shortened** one, for it had not ended by itself."
    else:
        words += "."
    given = ", ".join(f"{name} = {value}" for name, value in sweeps.overrides("headline").items())
    words += f" Set for it beside the thesis' sizes: {given}." if given else ""
    return f"{words} It took {origin['seconds'] / 60:.2g} min on {origin['device']} and is of {origin['created'][:10]}."


def size_rows(entries: Mapping[str, Any], at_size: RecordedSweeps, demo: RecordedSweeps) -> list[dict[str, object]]:
    """Scores of the mix: the thesis', those of the recorded run at its size, and the means over seeds at demo.

    Parameters
    ----------
    entries : mapping
        Of the chapter's ledger, by id.
    at_size, demo : RecordedSweeps
        With the headline recorded, both.
    """

    def ours(sweeps: RecordedSweeps) -> dict[str, float]:
        values = {name: float(sweeps.summary("headline", name).mean()) for name in (*THESIS, *OURS)}
        return values | {
            "found": float(sweeps.found("headline").mean()),
            "false": float(sweeps.false_share("headline").mean()),
        }

    words = {name: label for name, (label, _) in THESIS.items()} | {
        "found": "enhancing voxels found, where a tumor enhances",
        "false": "falsely enhanced, where it does not",
        **OURS,
    }
    columns = (ours(at_size), ours(demo))
    rows = []
    for name, label in words.items():
        printed = entries[f"contrast_t1.table8.lm.{THESIS[name][1]}"].value if name in THESIS else ""
        values = [column[name] for column in columns]
        rows.append({"score": label, "thesis": printed, "at its size, one seed": values[0], "demo, seeds": values[1]})
    return rows
