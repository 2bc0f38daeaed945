"""The chapter's figures: three slices of a volume, a head with a quarter cut away, profiles and boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Float32

from mrrepro.papers.condnet.planes import three_slices

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIGNAL, CONDUCTIVITY, FIELD, DIFFERENCE = "gray", "viridis", "inferno", "RdBu_r"
CONDUCTIVITY_LABEL, FIELD_LABEL = "σ [S/m]", "|E| [V/m]"
LARGEST_SHOWN = 2.0
"""Upper end of the colours of a conductivity [S/m]; they are spaced by its square root."""

Volume = Float[np.ndarray, "x y z"]


def slice_rows(
    columns: Mapping[str, Volume],
    at: tuple[int, int, int],
    voxel_mm: float,
    ranges: Mapping[str, tuple[str, float, float]],
    bars: Mapping[str, str],
) -> Figure:
    """Axial, sagittal and coronal slices, one row each, of several volumes, one column each.

    Parameters
    ----------
    columns : mapping
        Title to volume.
    at : tuple of 3 int
        Voxel that the slices go through.
    voxel_mm : float
        Edge of a voxel [mm].
    ranges : mapping
        Colour map and range of each title.
    bars : mapping
        Label of the colour bar below a column; a title that is missing gets none.
    """
    return plane_rows({title: three_slices(volume, at) for title, volume in columns.items()}, voxel_mm, ranges, bars)


def plane_rows(
    columns: Mapping[str, Sequence[np.ndarray[Any, Any]]],
    voxel_mm: float,
    ranges: Mapping[str, tuple[str, float, float]],
    bars: Mapping[str, str],
) -> Figure:
    """The same from an axial, a sagittal and a coronal slice of each volume."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        3, len(columns), figsize=(2.0 * len(columns) + 0.6, 6.2), layout="constrained", squeeze=False
    )
    for column, (title, parts) in enumerate(columns.items()):
        colours, low, high = ranges[title]
        for row, part in enumerate(parts):
            drawn = draw(axes[row, column], part, voxel_mm, colours, low, high)
        axes[0, column].set_title(title, fontsize=9)
        if title in bars:
            figure.colorbar(drawn, ax=axes[2, column], label=bars[title], location="bottom", shrink=0.9, aspect=12)
    for row, name in enumerate(("axial", "sagittal", "coronal")):
        axes[row, 0].set_ylabel(f"{name}\n[mm]", fontsize=9)
    return figure


def draw(panel: Axes, part: np.ndarray[Any, Any], voxel_mm: float, colours: str, low: float, high: float) -> Any:
    """One slice with axes in millimetres; conductivities are spaced by their square root."""
    from matplotlib.colors import Normalize, PowerNorm

    norm = PowerNorm(0.5, low, high) if colours == CONDUCTIVITY else Normalize(low, high)
    extent = (0.0, part.shape[0] * voxel_mm, 0.0, part.shape[1] * voxel_mm)
    drawn = panel.imshow(np.asarray(part, np.float32).T, origin="lower", extent=extent, cmap=colours, norm=norm)
    panel.tick_params(labelsize=6)
    return drawn


def magnified(
    rows: Mapping[str, Sequence[np.ndarray[Any, Any]]], titles: Sequence[str], voxel_mm: float, high: float
) -> Figure:
    """Parts of slices of the field, one row a map and one column a title, all in one scale of colours."""
    from matplotlib import pyplot

    size = (2.4 * len(titles) + 1.2, 2.4 * len(rows) + 0.4)
    figure, axes = pyplot.subplots(len(rows), len(titles), figsize=size, layout="constrained", squeeze=False)
    for row, (name, parts) in enumerate(rows.items()):
        for column, part in enumerate(parts):
            drawn = draw(axes[row, column], part, voxel_mm, FIELD, 0.0, high)
        axes[row, 0].set_ylabel(f"{name}\n[mm]", fontsize=9)
    for column, title in enumerate(titles):
        axes[0, column].set_title(title, fontsize=9)
    figure.colorbar(drawn, ax=axes, label=FIELD_LABEL, shrink=0.8)
    return figure


def around(part: np.ndarray[Any, Any], at: tuple[int, int], half: int) -> np.ndarray[Any, Any]:
    """The square of a slice that reaches ``half`` pixels to every side of a pixel, as far as the slice goes."""
    first, second = (slice(max(0, place - half), place + half + 1) for place in at)
    return part[first, second]


def crossing(parts: Sequence[np.ndarray[Any, Any]]) -> tuple[int, int, int]:
    """Voxel that an axial, a sagittal and a coronal slice of a volume go through: where they hold the same line."""
    axial, sagittal, coronal = (np.asarray(part, np.float32) for part in parts)
    x, z = _common_line(axial, sagittal.T)
    y, _ = _common_line(axial.T, coronal.T)
    return x, y, z


def _common_line(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> tuple[int, int]:
    """Rows of two pictures that are the same, the brightest pair of them."""
    same = np.array([(other == line).all(axis=1) for line in one])
    first, second = np.unravel_index(np.argmax(same * (1.0 + one.sum(axis=1, keepdims=True))), same.shape)
    return int(first), int(second)


def cutaway(conductivity: Volume, threshold: float = 0.01) -> Float32[np.ndarray, "rows columns 3"]:
    """Rendering of a head from the front left with its front left upper quarter cut away.

    Rays run along an oblique direction; the first conducting voxel of each gives the colour (its conductivity, spaced
    by the square root), the slope of the depth the shade. Nearest voxels, no perspective.

    Parameters
    ----------
    conductivity : Volume
        [S/m], axes RAS.
    threshold : float
        Below it rays pass [S/m].
    """
    from matplotlib import colormaps

    solid = np.where(conductivity > threshold, conductivity, 0.0)
    nx, ny, nz = solid.shape
    solid[: nx // 2, ny // 2 :, nz // 2 :] = 0.0
    size = max(solid.shape)
    span = np.linspace(-0.62, 0.62, 2 * size)
    right, up = np.meshgrid(span, span, indexing="xy")
    view = np.array([0.6, -0.7, -0.4])  # from left, front and above, into the head
    view /= np.linalg.norm(view)
    side = np.cross(view, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side)
    top = np.cross(side, view)
    depth = np.full(right.shape, np.nan)
    value = np.zeros(right.shape)
    middle = 0.5 * (np.array(solid.shape) - 1.0)
    for step in np.arange(-0.9 * size, 0.9 * size, 0.7):
        place = middle + size * (right[..., None] * side + up[..., None] * top) + step * view
        index = np.rint(place).astype(int)
        inside = ((index >= 0) & (index < np.array(solid.shape))).all(axis=-1) & np.isnan(depth)
        if not inside.any():
            continue
        met = solid[tuple(index[inside].T)]
        rows = np.flatnonzero(inside.ravel())[met > 0.0]
        depth.ravel()[rows] = step
        value.ravel()[rows] = met[met > 0.0]
    slope = np.hypot(*np.gradient(np.nan_to_num(depth, nan=0.9 * size)))
    shade = np.clip(1.1 - 0.12 * np.minimum(slope, 6.0), 0.35, 1.0)[..., None]
    picture = colormaps[CONDUCTIVITY](np.sqrt(np.clip(value / LARGEST_SHOWN, 0.0, 1.0)))[..., :3] * shade
    picture[np.isnan(depth)] = 1.0
    return picture[::-1].astype(np.float32)


def boxes(panel: Axes, summaries: Sequence[Mapping[str, float]], positions: Sequence[float], colour: str) -> None:
    """Quartile boxes with the median, and the mean plus and minus the standard deviation as whiskers."""
    for summary, place in zip(summaries, positions, strict=True):
        low, high, median = summary["low"], summary["high"], summary["median"]
        panel.fill_between([place - 0.14, place + 0.14], low, high, color=colour, alpha=0.35, linewidth=0)
        panel.plot([place - 0.14, place + 0.14], [median, median], color=colour)
        ends = [max(summary["mean"] - summary["sd"], 1e-4), summary["mean"] + summary["sd"]]
        panel.plot([place, place], ends, color=colour, linewidth=0.8)


def by_voxel(entries: Sequence[Mapping[str, Any]], what: str, value: str) -> list[dict[str, Any]]:
    """Rows of a table: one for each ``what``, with a column for each voxel size, from a list of both with a value."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        found.setdefault(entry[what], {what: entry[what]})[f"{entry['voxel_mm']:g} mm"] = entry[value]
    return list(found.values()) or [{what: "nothing is recorded at this scale"}]
