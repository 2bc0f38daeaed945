"""Signed distances to simple solids, negative inside, and how they are joined.

Lengths in millimetres: these shapes draw anatomy in stereotactic coordinates. Distances of ellipsoids are exact on the
surface and approximate away from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float

Field = Float[np.ndarray, "x y z"]
Axes = tuple[Field, Field, Field]
Point = tuple[float, float, float]


def sparse_axes(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Axes:
    """Return coordinates along each axis as arrays that broadcast to the volume."""
    a, b, c = (np.asarray(axis, dtype=np.float32) for axis in (x, y, z))
    return a[:, None, None], b[None, :, None], c[None, None, :]


def ellipsoid(axes: Axes, centre: Point, radii: Point, power: float = 2.0) -> Field:
    """Return the distance to a (super)ellipsoid; its power is 2, larger ones tend to a box."""
    terms = (np.abs((axis - c) / r) ** power for axis, c, r in zip(axes, centre, radii, strict=True))
    a, b, c = terms
    level: Field = ((a + b + c) ** (1.0 / power) - 1.0) * min(radii)
    return level


def tube(axes: Axes, points: Sequence[Point], radii: Sequence[float]) -> Field:
    """Return the distance to a polyline of balls whose radius changes linearly between its points."""
    best: Field | None = None
    for (start, end), (first, last) in zip(pairwise(points), pairwise(radii), strict=True):
        along = np.subtract(end, start)
        offsets = [axis - s for axis, s in zip(axes, start, strict=True)]
        share = sum(o * float(d) for o, d in zip(offsets, along, strict=True)) / float(along @ along)
        share = np.clip(share, 0.0, 1.0)
        square = sum((o - share * float(d)) ** 2 for o, d in zip(offsets, along, strict=True))
        distance = np.sqrt(square) - (first + share * (last - first))
        best = distance if best is None else np.minimum(best, distance)
    if best is None:
        raise ValueError("points must hold at least two points: a tube joins them.")
    return best


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
