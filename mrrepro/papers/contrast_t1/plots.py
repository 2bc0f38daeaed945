"""Drawings of the Contrast T1 chapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

MODALITY_NAMES = ("T1", "T2", "FLAIR", "post-contrast T1")

Array = np.ndarray[Any, Any]


def brain_grid(
    rows: Sequence[Sequence[Array]],
    columns: Sequence[str],
    row_labels: Sequence[str] = (),
    outlines: Sequence[Array | None] = (),
) -> Figure:
    """Axial slices in rows, intensities from -1 to 1, front up; a tumor's outline in each row where one is given.

    Parameters
    ----------
    rows : sequence of sequences of arrays, (x, y)
        Slices; left of the image is the patient's left.
    columns, row_labels : sequence of str
        Headings, and what stands left of the rows.
    outlines : sequence of arrays or None
        Mask of each row.
    """
    side = 1.5  # of a slice [inch]
    height, width = rows[0][0].shape[1], rows[0][0].shape[0]
    size = (side * len(columns) + 0.6, side * height / width * len(rows) + 0.3)
    figure, axes = plt.subplots(len(rows), len(columns), figsize=size, squeeze=False, layout="constrained")
    for r, row in enumerate(rows):
        for c, image in enumerate(row):
            panel: Axes = axes[r, c]
            panel.imshow(np.asarray(image, dtype=float).T, origin="lower", cmap="gray", vmin=-1, vmax=1)
            if outlines and outlines[r] is not None:
                panel.contour(np.asarray(outlines[r], dtype=float).T, levels=[0.5], colors="tab:red", linewidths=0.8)
            panel.set(xticks=[], yticks=[])
            if r == 0:
                panel.set_title(columns[c], fontsize=8)
        if row_labels:
            axes[r, 0].set_ylabel(row_labels[r], fontsize=8)
    return figure


def synthetic_patients(slices: Array, enhances: Sequence[bool]) -> Figure:
    """Patients in rows: T1, FLAIR, true and synthetic post-contrast T1, and the synthetic rise over T1.

    Parameters
    ----------
    slices : array, (patients, 7, x, y)
        As the evaluation keeps them: four images, the synthetic one, tumor and solid core.
    enhances : sequence of bool
        Of these patients first.
    """
    rows = [
        [*each[[0, 2, 3]], in_brain(each[4], each[0]), in_brain(each[4] - each[0], each[0])]
        for each in slices.astype(float)
    ]
    columns = ["T1", "FLAIR", "post-contrast T1", "synthetic", "synthetic - T1"]
    labels = ["enhances" if yes else "does not" for yes in enhances[: len(slices)]]
    return brain_grid(rows, columns, labels, [each[5] for each in slices])


def in_brain(image: Array, t1: Array) -> Array:
    """A slice with -1 put where T1 has the background."""
    return np.where(np.asarray(t1, dtype=float) <= -1.0, -1.0, np.asarray(image, dtype=float))


def by_seed(panel: Axes, values: Mapping[str, Array], label: str, marks: Mapping[str, float] | None = None) -> None:
    """One dot a seed for each variant and a line at their mean; a cross where an optimum is known."""
    for place, (name, seeds) in enumerate(values.items()):
        panel.plot([place] * len(seeds), seeds, "o", color="tab:blue", markersize=4, alpha=0.7)
        panel.plot([place - 0.25, place + 0.25], [np.mean(seeds)] * 2, color="tab:blue")
        if marks and name in marks:
            panel.plot(place, marks[name], "x", color="tab:red", markersize=8)
    panel.set_xticks(range(len(values)), list(values), rotation=35, ha="right", fontsize=8)
    panel.set_ylabel(label, fontsize=8)
    panel.grid(axis="y", alpha=0.3)


def radiomics_roc(arrays: Mapping[str, Any]) -> Figure:
    """The mean receiver operating characteristic over the splits with its band, and the diagonal of chance.

    Parameters
    ----------
    arrays : mapping
        ``areas`` by split; ``false_positive_rate`` and at it ``mean``, ``low`` and ``high`` of the true positive one.
    """
    figure, panel = plt.subplots(figsize=(4, 4), layout="constrained")
    panel.plot(arrays["false_positive_rate"], arrays["mean"], label=f"mean over {len(arrays['areas'])} splits")
    panel.fill_between(arrays["false_positive_rate"], arrays["low"], arrays["high"], alpha=0.25)
    panel.plot([0, 1], [0, 1], color="gray", linestyle=":", label="chance")
    panel.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    panel.legend(fontsize=8)
    return figure


def against_optimum(panel: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Amplitude kept against its optimum, a dot a seed, and the line on which both are equal.

    Parameters
    ----------
    panel : Axes
    rows : sequence of mapping
        As `mrrepro.papers.contrast_t1.law_claims.amplitudes` gives them.
    """
    colours = {"L1T": "tab:orange", "L2T": "tab:blue"}
    panel.plot([-0.1, 1.1], [-0.1, 1.1], ":", color="gray", label="at the optimum")
    for row in rows:
        seen = row["loss"] in panel.get_legend_handles_labels()[1]
        colour, label = colours[row["loss"]], None if seen else row["loss"]
        panel.plot([row["optimum"]] * len(row["kept"]), row["kept"], "o", color=colour, markersize=4, label=label)
        words = f"{row['separation']:g}, {row['fraction']:g}"
        panel.annotate(words, (row["optimum"], np.max(row["kept"])), (3, 3), textcoords="offset points", fontsize=6)
    panel.set(xlabel="optimum of the law", ylabel="amplitude kept")
    panel.legend(fontsize=7)
    panel.grid(alpha=0.3)


def in_training(panel: Axes, curves: Mapping[str, tuple[Array, Array]], label: str) -> None:
    """Mean over seeds against the volumes seen, with a band from the least to the largest seed.

    ``curves`` has, by name, the volumes (validations,) and the values (seeds, validations).
    """
    for name, (volumes, values) in curves.items():
        (line,) = panel.plot(volumes, values.mean(axis=0), ".-", label=name)
        panel.fill_between(volumes, values.min(axis=0), values.max(axis=0), color=line.get_color(), alpha=0.2)
    panel.set(xlabel="volumes seen", ylabel=label)
    panel.legend(fontsize=7)
    panel.grid(alpha=0.3)
