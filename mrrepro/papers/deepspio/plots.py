"""The chapter's figures: rows of images with axes in millimetres, and curves with bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def maps_below_images(
    images: Image,
    maps: Mapping[str, Image],
    titles: Sequence[str],
    *,
    field_of_view_mm: float,
    highest: float = 18.0,
    side: float = 1.9,
) -> Figure:
    """View Line images in a row, and below them a row of concentration maps for each label.

    Parameters
    ----------
    images : array, (cases, x, z)
        Even and odd lines together [1].
    maps : mapping
        Label to concentrations (cases, x, z) [ug/mm^3].
    titles : sequence of str
        One a case.
    field_of_view_mm, side : float
        As for `image_grid`.
    highest : float
        Upper end of the colours of all maps [ug/mm^3].
    """
    return image_grid(
        [list(images), *(list(row) for row in maps.values())],
        ["View Line", *maps],
        titles,
        field_of_view_mm=field_of_view_mm,
        maps=[SIGNAL, *[CONCENTRATION] * len(maps)],
        bars=["signal [1]", *[CONCENTRATION_LABEL] * len(maps)],
        ranges=[(0.0, 1.2), *[(0.0, highest)] * len(maps)],
        side=side,
    )


def phantoms(kept: Mapping[str, Image], name: str, rows: Sequence[str], *, field_of_view_mm: float) -> Figure:
    """Cases of an experiment on phantoms as `pictures.keep_pictures` keeps them.

    Parameters
    ----------
    kept : mapping
        The arrays of that file.
    name : str
        ``air`` or ``agar``.
    rows : sequence of str
        Which maps are drawn: ``truth``, ``estimate``.
    field_of_view_mm : float
        Edge of the images [mm].
    """
    cases = zip(kept[f"{name}_concentration"], kept[f"{name}_nmae"], strict=True)
    return maps_below_images(
        kept[f"{name}_images"],
        {row: kept[f"{name}_{row}"] for row in rows},
        [f"{true:g} µg/mm³\nNMAE {error:.2f}" for true, error in cases],
        field_of_view_mm=field_of_view_mm,
        highest=28.0,
    )


def noise_curves(noise: Mapping[str, Image], labels: Sequence[str], middle: tuple[float, float]) -> Figure:
    """NMAE of a bottle against concentration at levels of noise, and in detail at one concentration.

    Parameters
    ----------
    noise : mapping
        ``concentration`` (points,) [ug/mm^3], ``nmae`` (levels, points, draws), ``detail_nmae`` (levels, draws).
    labels : sequence of str
        One a level.
    middle : (low, high)
        Concentrations that are shaded [ug/mm^3].
    """
    from matplotlib import pyplot

    from mrrepro.papers.deepspio.experiments import DETAIL_CONCENTRATION

    figure, panels = pyplot.subplots(1, 2, figsize=(10, 3.8), layout="constrained", width_ratios=(2, 1))
    for errors, label in zip(noise["nmae"], labels, strict=True):
        curve(panels[0], noise["concentration"], errors, label)
    panels[0].axvspan(*middle, color="gray", alpha=0.15, label="'middle' of the paper")
    panels[0].axhline(1.0, color="gray", linestyle=":")
    panels[0].set(xlabel="concentration [µg/mm³]", ylabel="NMAE [1]", ylim=(0, 3))
    panels[0].legend(fontsize=8, title="SNR")
    detail = noise["detail_nmae"]
    panels[1].errorbar(labels, detail.mean(axis=1), detail.std(axis=1, ddof=1), fmt="ko", capsize=4)
    panels[1].set(xlabel="SNR", ylabel="NMAE [1]", title=f"{DETAIL_CONCENTRATION:g} µg/mm³", ylim=(0, None))
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


def curve(panel: Axes, x: Image, samples: Image, label: str) -> None:
    """Mean over the last axis of ``samples`` (points, draws), with a band of one standard deviation."""
    mean, sd = samples.mean(axis=-1), samples.std(axis=-1, ddof=1)
    (line,) = panel.plot(x, mean, marker="o", markersize=3, label=label)
    panel.fill_between(x, mean - sd, mean + sd, alpha=0.2, color=line.get_color(), linewidth=0)
