"""The chapter's figures: axial maps with axes in centimetres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Image = np.ndarray[Any, Any]

METHODS = {"helmholtz": "H-EPT", "mask": "cGANmask", "tissue": "cGANtissue"}
QUANTITY_LABELS = {"conductivity": "conductivity [S/m]", "relative_permittivity": "relative permittivity [1]"}
RANGES = {"conductivity": (0.0, 2.5), "relative_permittivity": (0.0, 100.0)}
CONDITION_LABELS = {"no shield": "wide shield (700 mm)"}
"""What a recorded condition is, where its name says something else."""


def axial_grid(
    rows: Sequence[Sequence[Image]],
    row_labels: Sequence[str],
    titles: Sequence[str],
    *,
    voxel_size: float,
    bars: Sequence[str],
    ranges: Sequence[tuple[float, float]],
    colours: Sequence[str] | None = None,
    contour: Image | None = None,
    side: float = 1.9,
) -> Figure:
    """Axial slices in rows, one colour range and bar a row; the subject's right is on the left, the nose at the top.

    Parameters
    ----------
    rows : sequence of sequences of array, (x, y)
        Maps; NaN is drawn white.
    row_labels, titles : sequence of str
        One a row; one a column.
    voxel_size : float
        [m].
    bars : sequence of str
        Label of each row's colour bar.
    ranges : sequence of (low, high)
        Of each row.
    colours : sequence of str, optional
        Colour map of each row.
    contour : array of bool, (x, y), optional
        A region to outline in every map.
    side : float
        Edge of a map [inch].
    """
    from matplotlib import pyplot

    columns = max(len(row) for row in rows)
    size = (side * columns + 1.5, 1.15 * side * len(rows) + 0.5)
    figure, axes = pyplot.subplots(len(rows), columns, figsize=size, squeeze=False, layout="constrained")
    for number, (row, label) in enumerate(zip(rows, row_labels, strict=True)):
        for column in range(columns):
            panel = axes[number, column]
            if column >= len(row):
                panel.set_axis_off()
                continue
            image = np.asarray(row[column], dtype=np.float32)[::-1]  # radiological: right on the left
            half = [50.0 * voxel_size * length for length in image.shape]
            drawn = panel.imshow(
                image.T,
                origin="lower",
                extent=(half[0], -half[0], -half[1], half[1]),
                cmap=colours[number] if colours else "viridis",
                vmin=ranges[number][0],
                vmax=ranges[number][1],
            )
            if contour is not None and contour.any():
                x, y = np.linspace(half[0], -half[0], image.shape[0]), np.linspace(-half[1], half[1], image.shape[1])
                panel.contour(x, y, contour[::-1].T.astype(float), levels=[0.5], colors="white", linewidths=0.9)
            if number == 0 and column < len(titles):
                panel.set_title(titles[column], fontsize=9)
            if number == len(rows) - 1:
                panel.set_xlabel("x [cm]", fontsize=8)
            panel.tick_params(labelsize=7)
        axes[number, 0].set_ylabel(f"{label}\ny [cm]", fontsize=8)
        figure.colorbar(drawn, ax=list(axes[number]), label=bars[number], shrink=0.9, aspect=14)
    return figure


def reconstructions(maps: Image, titles: Sequence[str], voxel_size: float, contour: Image | None = None) -> Figure:
    """Conductivity above, permittivity below; truth and methods in columns.

    Parameters
    ----------
    maps : array, (columns, 2, x, y)
    titles : sequence of str
        One a column.
    voxel_size : float
        [m].
    contour : array of bool, (x, y), optional
    """
    quantities = ("conductivity", "relative_permittivity")
    return axial_grid(
        [[column[index] for column in maps] for index in range(2)],
        ["conductivity", "permittivity"],
        titles,
        voxel_size=voxel_size,
        bars=[QUANTITY_LABELS[q] for q in quantities],
        ranges=[RANGES[q] for q in quantities],
        contour=contour,
    )
