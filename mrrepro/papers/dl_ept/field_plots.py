"""Figures of the pages on fields and Helmholtz EPT: planes of bodies in millimetres, on light grey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mrrepro.papers.dl_ept.reconstruction import Arrays
from mrrepro.phantoms.yee_grid import YeeGrid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAGNITUDE, PHASE, ERROR, PROPERTY = "viridis", "plasma", "RdBu_r", "inferno"
GROUND = "0.85"
"""Grey of what has no value."""

AXES = ("x", "y", "z")
PLANES = {"sagittal": 0, "coronal": 1, "axial": 2}
"""The axis that each plane is perpendicular to."""

Image = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Row:
    """What the images of a row have in common.

    Parameters
    ----------
    label : str
        Of the colour bar, with the unit.
    colours : str
        Colour map.
    low, high : float or None
        Range of colours; by default that of the row's finite values.
    """

    label: str
    colours: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Plane:
    """A plane of a volume as an image.

    Parameters
    ----------
    name : str
        ``axial``, ``coronal`` or ``sagittal``.
    index : int
        Of the voxels along the axis across.
    grid : YeeGrid
    """

    name: str
    index: int
    grid: YeeGrid

    @classmethod
    def through(cls, name: str, grid: YeeGrid, position: float = 0.0) -> Plane:
        """Return the plane nearest to a position along the axis across [m]."""
        return cls(name, int(np.argmin(np.abs(grid.voxel_axes()[PLANES[name]] - position))), grid)

    @property
    def shown(self) -> tuple[int, int]:
        """The axes to the right and upwards."""
        first, second = (axis for axis in range(3) if axis != PLANES[self.name])
        return first, second

    def of(self, volume: Image) -> Image:
        """Return the image (right, up)."""
        return np.take(volume, self.index, axis=PLANES[self.name])

    def extent_mm(self) -> tuple[float, float, float, float]:
        """Return left, right, bottom and top."""
        edges: list[float] = []
        for axis in self.shown:
            low = self.grid.origin[axis]
            edges += [1e3 * low, 1e3 * (low + self.grid.shape[axis] * self.grid.voxel_size)]
        return edges[0], edges[1], edges[2], edges[3]


def grid_of(facts: Mapping[str, Any], arrays: Arrays) -> YeeGrid:
    """Return the grid of a simulated case."""
    x, y, z = (float(corner) for corner in facts["origin"])
    i, j, k = arrays["labels"].shape
    return YeeGrid((i, j, k), float(facts["voxel_size"]), (x, y, z))


def planes(
    rows: Sequence[tuple[Row, Sequence[Image]]],
    titles: Sequence[str],
    where: Sequence[Plane],
    *,
    side: float = 2.0,
) -> Figure:
    """Draw images in rows, one colour bar a row, axes in millimetres; NaN is grey.

    Parameters
    ----------
    rows : sequence of (Row, images)
        Images with axes (right, up), one a column.
    titles : sequence of str
        One a column.
    where : sequence of Plane
        One a column.
    side : float
        Height of an image [inch].
    """
    from matplotlib import colormaps, pyplot

    extents = [plane.extent_mm() for plane in where]
    ratios = [(right - left) / (top - bottom) for left, right, bottom, top in extents]
    figure, axes = pyplot.subplots(
        len(rows),
        len(where),
        figsize=(side * sum(ratios) + 0.45 * len(where) + 1.2, (side + 0.3) * len(rows) + 0.4),
        squeeze=False,
        layout="constrained",
        width_ratios=ratios,
    )
    for number, (line, (row, images)) in enumerate(zip(axes, rows, strict=True)):
        low, high = _range(row, images)
        colours = colormaps[row.colours].with_extremes(bad=GROUND)
        for column, (panel, image, plane) in enumerate(zip(line, images, where, strict=True)):
            drawn = panel.imshow(
                np.asarray(image, dtype=float).T,
                origin="lower",
                extent=extents[column],
                cmap=colours,
                vmin=low,
                vmax=high,
                interpolation="nearest",
            )
            panel.tick_params(labelsize=7)
            last, first = number == len(rows) - 1, column == 0
            right, up = (AXES[axis] for axis in plane.shown)
            panel.set_xlabel(f"{right} [mm]" if last else "", fontsize=8)
            changed = first or plane.shown != where[column - 1].shown
            panel.set_ylabel(f"{up} [mm]" if changed else "", fontsize=8)
            if number == 0:
                panel.set_title(titles[column], fontsize=9)
        figure.colorbar(drawn, ax=list(line), label=row.label, aspect=14, shrink=0.95)
    return figure


def _range(row: Row, images: Sequence[Image]) -> tuple[float, float]:
    finite = np.concatenate([np.asarray(image, dtype=float)[np.isfinite(image)] for image in images])
    if not finite.size:
        finite = np.zeros(1)
    low = float(finite.min()) if row.low is None else row.low
    high = float(finite.max()) if row.high is None else row.high
    return low, high
