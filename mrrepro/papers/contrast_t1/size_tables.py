"""What the recorded run at the thesis' size says, beside the thesis and the runs at demo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mrrepro.papers.contrast_t1.evidence import RecordedSweeps
from mrrepro.papers.contrast_t1.settings import ContrastT1Settings
from mrrepro.runs.settings import configure

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
    "patient_auc_score": "area under the curve of the patients asked, by the rise of their core",
}
"""Scores of a summary that the thesis does not have, in words."""


def training_words(sweeps: RecordedSweeps) -> str:
    """Say how long the recorded training was, whether it had ended by itself, where it ran and what was set for it."""
    run = sweeps.runs("headline")[0]
    history = run["numbers"]["contrast_t1/training"]["history"]
    used: ContrastT1Settings = configure(ContrastT1Settings, sweeps.scale, sweeps.overrides("headline"))
    whole = ContrastT1Settings.at_scale(sweeps.scale).training.epochs
    epochs, weights = sum("validation" in entry for entry in history["record"]["history"]), history["weights"] / 1e6
    words = (
        f"The recorded training of {weights:.3g} million weights (seed {run['seed']}) saw {epochs} epochs of at most "
    )
    if history["record"]["stopped_early"]:
        words += f"{whole}, after {used.training.patience} of which had brought nothing it ended by itself."
    elif epochs < whole:
        words += f"{whole}: it is a **shortened** one, for it had not ended by itself."
    else:
        words += f"{whole}."
    return f"{words} {sweeps.how_it_ran('headline', 'training')}"


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
    columns = {_heading("its size", at_size): ours(at_size), _heading("demo", demo): ours(demo)}
    rows = []
    for name, label in words.items():
        printed = entries[f"contrast_t1.table8.lm.{THESIS[name][1]}"].value if name in THESIS else ""
        rows.append({"score": label, "thesis": printed} | {head: values[name] for head, values in columns.items()})
    return rows


def _heading(words: str, sweeps: RecordedSweeps) -> str:
    """With the seeds, and of how many patients each the last row asks whether they enhance."""
    seeds = len(sweeps.seeds("headline"))
    asked = sweeps.scores("headline", "labelled_score").shape[1]
    return f"{words}: {seeds} seed{'s' * (seeds > 1)}, {asked} patients asked"
