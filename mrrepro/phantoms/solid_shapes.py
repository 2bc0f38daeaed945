"""Signed distances to simple solids, negative inside, and how they are joined.

Lengths in millimetres: these shapes draw anatomy in stereotactic coordinates. Distances of ellipsoids are exact on the
surface and approximate away from it; those above ``reach`` are given as ``reach``, which is all that painting a solid
needs. A blend of solids needs a reach of at least its width.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float

NEAR = 4.0
"""Default reach [mm]."""

FAR = 24.0
"""Reach of solids that are blended [mm]."""

Field = Float[np.ndarray, "x y z"]
Axes = tuple[Field, Field, Field]
Point = tuple[float, float, float]


def sparse_axes(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Axes:
    """Return coordinates along each axis as arrays that broadcast to the volume."""
    a, b, c = (np.asarray(axis, dtype=np.float32) for axis in (x, y, z))
    return a[:, None, None], b[None, :, None], c[None, None, :]


def ellipsoid(axes: Axes, centre: Point, radii: Point, power: float = 2.0, reach: float = NEAR) -> Field:
    """Return the distance to a (super)ellipsoid; its power is 2, larger ones tend to a box."""
    low, high = np.subtract(centre, radii), np.add(centre, radii)
    box, part = _near(axes, low, high, 1.5 * reach)
    a, b, c = (np.abs((axis - m) / r) ** power for axis, m, r in zip(part, centre, radii, strict=True))
    return _placed(axes, box, ((a + b + c) ** (1.0 / power) - 1.0) * min(radii), reach)


def tube(axes: Axes, points: Sequence[Point], radii: Sequence[float], reach: float = NEAR) -> Field:
    """Return the distance to a polyline of balls whose radius changes linearly between its points."""
    if len(points) < 2 or len(points) != len(radii):
        raise ValueError(f"points and radii must be two or more each, but are {len(points)} and {len(radii)}.")
    widest = max(radii)
    box, part = _near(axes, np.min(points, axis=0) - widest, np.max(points, axis=0) + widest, reach)
    best: Field | None = None
    for (start, end), (first, last) in zip(pairwise(points), pairwise(radii), strict=True):
        along = np.subtract(end, start)
        offsets = [axis - s for axis, s in zip(part, start, strict=True)]
        share = sum(o * float(d / (along @ along)) for o, d in zip(offsets, along, strict=True))
        share = np.clip(share, 0.0, 1.0)
        square = sum((o - share * float(d)) ** 2 for o, d in zip(offsets, along, strict=True))
        distance = np.sqrt(square) - (first + share * (last - first))
        best = distance if best is None else np.minimum(best, distance)
    assert best is not None
    return _placed(axes, box, best, reach)


def _near(axes: Axes, low: np.ndarray, high: np.ndarray, reach: float) -> tuple[tuple[slice, ...], Axes]:
    """Return the part of the grid within ``reach`` of a box, and its axes."""
    box, part = [], []
    for number, (axis, first, last) in enumerate(zip(axes, low - reach, high + reach, strict=True)):
        inside = np.flatnonzero((axis.ravel() >= first) & (axis.ravel() <= last))
        box.append(slice(int(inside[0]), int(inside[-1]) + 1) if inside.size else slice(0, 0))
        part.append(axis[tuple(box[-1] if other == number else slice(None) for other in range(3))])
    return tuple(box), (part[0], part[1], part[2])


def _placed(axes: Axes, box: tuple[slice, ...], distance: Field, reach: float) -> Field:
    whole = np.full(np.broadcast_shapes(*(axis.shape for axis in axes)), reach, dtype=np.float32)
    whole[box] = np.minimum(distance, reach)
    return whole


def blend(first: Field, second: Field, width: float) -> Field:
    """Return the union of two solids, rounded over ``width``; the polynomial smooth minimum."""
    overlap = np.maximum(width - np.abs(first - second), 0.0)
    joined: Field = np.minimum(first, second) - overlap**2 / (4.0 * width)
    return joined


def bump(axes: Axes, centre: Point, widths: Point) -> Field:
    """Return a Gaussian of height 1, standard deviations ``widths``."""
    a, b, c = (((axis - m) / w) ** 2 for axis, m, w in zip(axes, centre, widths, strict=True))
    found: Field = np.exp(-0.5 * (a + b + c))
    return found


def normalised(level: Field, spacing: float) -> Field:
    """Return a level set divided by its slope: the distance to its surface, to first order."""
    slope = np.sqrt(sum(np.gradient(level, spacing, axis=axis) ** 2 for axis in range(3)))
    scaled: Field = level / np.maximum(slope, 0.3)
    return scaled
