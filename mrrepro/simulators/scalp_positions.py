"""Positions of the international 10-10 system on a head's outer surface, and the scalp's normal there.

Four landmarks span the system: nasion, inion and the two preauricular points. Curves are intersections of the scalp
with planes; positions divide them by arc length. Cz halves both the curve from nasion to inion and the one from ear
to ear. The outermost ring runs at 10% above the landmarks; the positions of each row lie on the curve through its two
ring positions and its midline position. C3, for instance, lies at 30% of the curve from the left preauricular point
over Cz to the right.

All coordinates are world coordinates in metres, x to the right, y to the front, z up.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy import ndimage

from mrrepro.validation import require_finite, require_range, require_shape

Point = Float64[np.ndarray, "3"]

_MIDLINE = ("Fpz", "AFz", "Fz", "FCz", "Cz", "CPz", "Pz", "POz", "Oz")
_RING_LEFT = ("Fp1", "AF7", "F7", "FT7", "T7", "TP7", "P7", "PO7", "O1")
_RING_RIGHT = ("Fp2", "AF8", "F8", "FT8", "T8", "TP8", "P8", "PO8", "O2")
_FULL_ROWS = ("F", "FC", "C", "CP", "P")
_RAYS = 241
_SMOOTHED_RAYS = 13


@dataclass(frozen=True)
class Landmarks:
    """World coordinates [m] of the four landmarks.

    Parameters
    ----------
    nasion, inion : tuple of float
        Front and back.
    left, right : tuple of float
        Preauricular points (LPA, RPA).
    """

    nasion: tuple[float, float, float]
    inion: tuple[float, float, float]
    left: tuple[float, float, float]
    right: tuple[float, float, float]


@dataclass(frozen=True)
class HeadSurface:
    """The outer surface of a head as the mask's outermost crossing along a ray.

    Parameters
    ----------
    head : Bool[ndarray, "n0 n1 n2"]
        True inside the head.
    affine : Float64[ndarray, "4 4"]
        From voxel index to world [m].
    """

    head: Bool[np.ndarray, "n0 n1 n2"]
    affine: Float64[np.ndarray, "4 4"]

    def __post_init__(self) -> None:
        require_shape("head", self.head, (None, None, None))
        require_shape("affine", self.affine, (4, 4))
        require_finite("affine", self.affine)
        if self.head.all() or not self.head.any():
            raise ValueError("head must have both voxels of the head and of air, but is all one: check the mask.")

    @property
    def voxel_size(self) -> float:
        """Smallest voxel edge [m]."""
        return float(np.linalg.norm(self.affine[:3, :3], axis=0).min())

    def crossing(self, origin: Point, directions: Float64[np.ndarray, "rays 3"]) -> Float64[np.ndarray, "rays 3"]:
        """Outermost points of the head along rays, to a fraction of a voxel.

        Raises
        ------
        ValueError
            If a ray meets no part of the head.
        """
        step = 0.25 * self.voxel_size
        corners = self._world(np.array(np.meshgrid(*[(0, n - 1) for n in self.head.shape])).reshape(3, -1).T)
        middle = corners.mean(axis=0)
        half = float(np.linalg.norm(corners - middle, axis=1).max()) + step
        away = float(np.linalg.norm(origin - middle))
        distances = np.arange(max(0.0, away - half), away + half, step)
        inverse = np.linalg.inv(self.affine)
        points = origin + distances[:, None, None] * directions
        index = points @ inverse[:3, :3].T + inverse[:3, 3]
        values = ndimage.map_coordinates(self.head.astype(np.float32), index.reshape(-1, 3).T, order=1)
        inside = values.reshape(len(distances), len(directions)) >= 0.5
        if not inside.any(axis=0).all():
            raise ValueError("landmarks must lie on the head, but a ray between them meets no voxel of it: check "
                             "their coordinates (metres, world) and the affine.")  # fmt: skip
        last = len(distances) - 1 - np.argmax(inside[::-1], axis=0)
        return origin + distances[last][:, None] * directions

    def curve(self, start: Point, via: Point, stop: Point) -> Float64[np.ndarray, "rays 3"]:
        """Points of the scalp from ``start`` over ``via`` to ``stop``, in their plane.

        Radii about the middle of ``start`` and ``stop`` are averaged over 10 degrees, which removes the voxels' steps.
        """
        centre = 0.5 * (start + stop)
        first = (start - stop) / np.linalg.norm(start - stop)
        second = via - centre - ((via - centre) @ first) * first
        if np.linalg.norm(second) < 1e-6:
            raise ValueError("three points of a curve must not lie on one line: check the landmarks.")
        second /= np.linalg.norm(second)
        angle = np.linspace(0.0, np.pi, _RAYS)
        directions = np.outer(np.cos(angle), first) + np.outer(np.sin(angle), second)
        radii = np.linalg.norm(self.crossing(centre, directions) - centre, axis=1)
        smooth = ndimage.uniform_filter1d(radii, _SMOOTHED_RAYS, mode="nearest")
        return centre + smooth[:, None] * directions

    def normal(self, point: Point, radius: float = 20e-3) -> Point:
        """Outward normal of the plane fitted to the scalp within a radius [m] of a point."""
        require_range("radius", radius, low=2.0 * self.voxel_size, unit="m", remedy="the patch needs several voxels")
        shell = self.head & ~ndimage.binary_erosion(ndimage.binary_fill_holes(self.head))
        patch = self._world(np.argwhere(shell))
        patch = patch[np.linalg.norm(patch - point, axis=1) < radius]
        if len(patch) < 10:
            raise ValueError(
                f"point must lie on the scalp, but only {len(patch)} surface voxels lie within {radius:g} m."
            )
        middle = patch.mean(axis=0)
        normal = np.linalg.svd(patch - middle, full_matrices=False)[2][2]
        outward = point - self._world(np.argwhere(self.head)).mean(axis=0)
        return normal if normal @ outward > 0.0 else -normal

    def _world(self, index: np.ndarray[Any, np.dtype[Any]]) -> Float64[np.ndarray, "points 3"]:
        return index @ self.affine[:3, :3].T + self.affine[:3, 3]


def ten_ten_positions(surface: HeadSurface, landmarks: Landmarks) -> dict[str, Point]:
    """All positions of the 10-10 system from Fpz to Oz, by name.

    Raises
    ------
    ValueError
        If a landmark is not finite or a curve misses the head.
    """
    nasion, inion = np.asarray(landmarks.nasion, float), np.asarray(landmarks.inion, float)
    left, right = np.asarray(landmarks.left, float), np.asarray(landmarks.right, float)
    require_finite("landmarks", np.stack([nasion, inion, left, right]))
    up = np.cross(right - left, nasion - inion)
    vertex = 0.5 * (left + right) + up / np.linalg.norm(up) * np.linalg.norm(right - left)
    for _ in range(6):
        vertex = _at(surface.curve(nasion, vertex, inion), 0.5)
        vertex = _at(surface.curve(left, vertex, right), 0.5)
    midline = surface.curve(nasion, vertex, inion)
    positions = {name: _at(midline, 0.1 * n) for n, name in enumerate(_MIDLINE, start=1)}
    positions["Cz"] = vertex
    ears = surface.curve(left, vertex, right)
    for side, names, share in (("7", _RING_LEFT, 0.1), ("8", _RING_RIGHT, 0.9)):
        temporal = _at(ears, share)
        ring = surface.curve(positions["Fpz"], temporal, positions["Oz"])
        positions |= {name: _at(ring, 0.1 * n) for n, name in enumerate(names, start=1)}
        positions[f"T{side}"] = temporal
    for row in _FULL_ROWS:
        ends = {"FC": "FT", "C": "T", "CP": "TP"}.get(row, row)
        across = surface.curve(positions[f"{ends}7"], positions[f"{row}z"], positions[f"{ends}8"])
        middle = _fraction_of(across, positions[f"{row}z"])
        for step, (odd, even) in enumerate((("5", "6"), ("3", "4"), ("1", "2")), start=1):
            positions[row + odd] = _at(across, 0.25 * step * middle)
            positions[row + even] = _at(across, 1.0 - 0.25 * step * (1.0 - middle))
    for row in ("AF", "PO"):
        across = surface.curve(positions[f"{row}7"], positions[f"{row}z"], positions[f"{row}8"])
        middle = _fraction_of(across, positions[f"{row}z"])
        positions[f"{row}3"] = _at(across, 0.5 * middle)
        positions[f"{row}4"] = _at(across, 1.0 - 0.5 * (1.0 - middle))
    return positions


def position_named(positions: Mapping[str, Point], name: str) -> Point:
    """One position; an unknown name raises ``ValueError`` with the nearest known ones."""
    by_lower = {known.lower(): known for known in positions}
    if name.lower() in by_lower:
        return positions[by_lower[name.lower()]]
    nearest = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.4)
    hint = " or ".join(by_lower[match] for match in nearest) or ", ".join(sorted(positions))
    raise ValueError(f"name must be a 10-10 position, but is {name!r}: did you mean {hint}?")


def _at(curve: Float64[np.ndarray, "points 3"], fraction: float) -> Point:
    """Point at a fraction of a curve's length."""
    length = _lengths(curve)
    return np.array([np.interp(fraction * length[-1], length, curve[:, axis]) for axis in range(3)])


def _fraction_of(curve: Float64[np.ndarray, "points 3"], point: Float[np.ndarray, 3]) -> float:
    """Fraction of a curve's length at its point nearest to the given one."""
    length = _lengths(curve)
    return float(length[np.argmin(np.linalg.norm(curve - point, axis=1))] / length[-1])


def _lengths(curve: Float64[np.ndarray, "points 3"]) -> Float64[np.ndarray, points]:  # noqa: F821
    """Arc length from the start."""
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
