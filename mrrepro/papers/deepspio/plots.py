"""The chapter's figures: rows of images with axes in millimetres, and curves with bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIGNAL, CONCENTRATION, DIFFERENCE, ATTENTION = "gray", "viridis", "RdBu_r", "inferno"
CONCENTRATION_LABEL = "C [µg/mm³]"

Image = np.ndarray[Any, Any]


def image_grid(
    rows: Sequence[Sequence[Image]],
    row_labels: Sequence[str],
    titles: Sequence[str],
    *,
    maps: Sequence[str],
    bars: Sequence[str],
    field_of_view_mm: float,
    ranges: Sequence[tuple[float, float] | None] | None = None,
    side: float = 1.9,
) -> Figure:
    """Images in rows, one colour map, range and colour bar a row; x to the right, z (along B_0) upwards.

    Parameters
    ----------
    rows : sequence of sequences of array, (size, size)
        Images with axes (x, z).
    row_labels, titles : sequence of str
        One a row; one a column.
    maps, bars : sequence of str
        Colour map and label of the colour bar of each row.
    field_of_view_mm : float
        Edge of the images [mm].
    ranges : sequence of (low, high) or None, optional
        Colour range of each row; by default 0 (or minus the maximum, for `DIFFERENCE`) to the row's maximum.
    side : float
        Edge of an image [inch].
    """
    from matplotlib import pyplot

    columns = max(len(row) for row in rows)
    figure, axes = pyplot.subplots(
        len(rows),
        columns,
        figsize=(side * columns + 1.6, side * len(rows) + 0.5),
        squeeze=False,
        layout="constrained",
        sharex=True,
        sharey=True,
    )
    half, tick = field_of_view_mm / 2, round(0.4 * field_of_view_mm)
    for number, (row, label) in enumerate(zip(rows, row_labels, strict=True)):
        low, high = _range(row, maps[number], ranges[number] if ranges else None)
        for column in range(columns):
            panel = axes[number, column]
            if column >= len(row):
                panel.set_axis_off()
                continue
            drawn = panel.imshow(
                np.asarray(row[column], dtype=np.float32).T,
                origin="lower",
                extent=(-half, half, -half, half),
                cmap=maps[number],
                vmin=low,
                vmax=high,
            )
            panel.set_xticks((-tick, 0, tick))
            panel.set_yticks((-tick, 0, tick))
            if number == 0 and column < len(titles):
                panel.set_title(titles[column], fontsize=9)
        axes[number, 0].set_ylabel(f"{label}\nz [mm]", fontsize=9)
        figure.colorbar(drawn, ax=list(axes[number]), label=bars[number], shrink=0.9, aspect=14)
    for panel in axes[-1]:
        panel.set_xlabel("x [mm]", fontsize=9)
    return figure


def _range(row: Sequence[Image], colours: str, given: tuple[float, float] | None) -> tuple[float, float]:
    if given is not None:
        return given
    high = max(float(np.max(np.abs(image))) for image in row) or 1.0
    return (-high, high) if colours == DIFFERENCE else (0.0, high)


def combined(images: Image) -> Image:
    """Even and odd lines in one picture: (..., 2, x, z) to (..., x, z)."""
    return np.asarray(images, dtype=np.float32).sum(axis=-3)


def to_own_maximum(maps: Image) -> Image:
    """Each map divided by its maximum; a map of zeros stays one."""
    values = np.asarray(maps, dtype=np.float32)
    return values / np.maximum(values.max(axis=(-2, -1), keepdims=True), 1e-12)


def curve(panel: Axes, x: Image, samples: Image, label: str, *, colour: str | None = None, marker: str = "o") -> None:
    """Mean over the last axis of ``samples`` (points, draws), with a band of one standard deviation."""
    mean, sd = samples.mean(axis=-1), samples.std(axis=-1, ddof=1)
    (line,) = panel.plot(x, mean, marker=marker, markersize=3, label=label, color=colour)
    panel.fill_between(x, mean - sd, mean + sd, alpha=0.2, color=line.get_color(), linewidth=0)
