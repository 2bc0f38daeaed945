"""Bodies of uniform concentration: metaballs, tori, spheres and cylinders, with smooth edges.

A body is a signed distance: negative inside, positive outside. The occupancy of a voxel of edge h
is clip(1/2 - distance / h, 0, 1), which keeps the volume of a body larger than a few voxels to
better than a thousandth, so that the field does not jump when a body moves by a part of a voxel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from mrrepro.validation import require_choice, require_finite, require_range

METABALL_UNIT = 0.5e-3
"""Unit of length in which equation 2's threshold and equation 3's radii are read [m]; our choice, not stated."""

HIGHEST_CONCENTRATION = 200.0
"""No suspension of iron oxide holds more iron than this [kg/m^3 = ug/mm^3]; undiluted ferucarbotran has 27.9."""

Point = tuple[float, float, float]
Bounds = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


class Shape(Protocol):
    """A body: its signed distance and the box that holds it."""

    def signed_distance(
        self, x: Float[Tensor, "x 1 1"], y: Float[Tensor, "1 y 1"], z: Float[Tensor, "1 1 z"]
    ) -> Float[Tensor, "x y z"]:
        """Distance to the surface [m], negative inside."""

    def bounds(self) -> Bounds:
        """Lowest and highest x, y, z of the body [m]."""


@dataclass(frozen=True)
class Metaballs:
    """Points with sum_i 1 / |r - r_i|^2 >= threshold, lengths in units of `METABALL_UNIT` (equation 2).

    The signed distance is (sum_i 1/d_i^2)^(-1/2) - threshold^(-1/2), exact for one ball.

    Parameters
    ----------
    centres : tuple of (x, y, z)
        Centres of the balls [m].
    threshold : float
        l of equation 2 [1/unit^2]; a single ball has the radius l^(-1/2) units.
    """

    centres: tuple[Point, ...]
    threshold: float

    def __post_init__(self) -> None:
        if not self.centres:
            raise ValueError("centres must hold at least one ball, but is empty.")
        require_range("threshold", self.threshold, 0.0, low_open=True)

    def signed_distance(
        self, x: Float[Tensor, "x 1 1"], y: Float[Tensor, "1 y 1"], z: Float[Tensor, "1 1 z"]
    ) -> Float[Tensor, "x y z"]:
        """Distance to the surface [m], negative inside; exact far away from other balls."""
        total: Tensor | float = 0.0
        for centre in self.centres:
            squared = (x - centre[0]).square() + (y - centre[1]).square() + (z - centre[2]).square()
            total = total + squared.clamp_min_(1e-12).reciprocal_()
        assert isinstance(total, Tensor)
        return total.rsqrt_().sub_(METABALL_UNIT * self.threshold**-0.5)

    def bounds(self) -> Bounds:
        """A box: every point of the body lies within sqrt(N / l) of some centre."""
        reach = METABALL_UNIT * (len(self.centres) / self.threshold) ** 0.5
        axes = tuple(zip(*self.centres, strict=True))
        return tuple((min(axis) - reach, max(axis) + reach) for axis in axes)  # type: ignore[return-value]


@dataclass(frozen=True)
class Torus:
    """A torus around the z axis through its centre (equation 3).

    Parameters
    ----------
    centre : (x, y, z)
        [m].
    tube_radius, revolution_radius : float
        r and R of equation 3 [m].
    """

    centre: Point
    tube_radius: float
    revolution_radius: float

    def __post_init__(self) -> None:
        require_range("tube_radius", self.tube_radius, 0.0, unit="m", low_open=True)
        require_range("revolution_radius", self.revolution_radius, 0.0, unit="m")

    def signed_distance(
        self, x: Float[Tensor, "x 1 1"], y: Float[Tensor, "1 y 1"], z: Float[Tensor, "1 1 z"]
    ) -> Float[Tensor, "x y z"]:
        """Distance to the surface [m], negative inside."""
        around = ((x - self.centre[0]).square() + (y - self.centre[1]).square()).sqrt_() - self.revolution_radius
        return (around.square_() + (z - self.centre[2]).square()).sqrt_().sub_(self.tube_radius)

    def bounds(self) -> Bounds:
        """The box around the torus."""
        wide = self.revolution_radius + self.tube_radius
        reach = (wide, wide, self.tube_radius)
        return tuple((c - r, c + r) for c, r in zip(self.centre, reach, strict=True))  # type: ignore[return-value]


@dataclass(frozen=True)
class Sphere:
    """A ball of ``radius`` [m] around ``centre`` [m]."""

    centre: Point
    radius: float

    def __post_init__(self) -> None:
        require_range("radius", self.radius, 0.0, unit="m", low_open=True)

    def signed_distance(
        self, x: Float[Tensor, "x 1 1"], y: Float[Tensor, "1 y 1"], z: Float[Tensor, "1 1 z"]
    ) -> Float[Tensor, "x y z"]:
        """Distance to the surface [m], negative inside."""
        squared = (x - self.centre[0]).square() + (y - self.centre[1]).square() + (z - self.centre[2]).square()
        return squared.sqrt_().sub_(self.radius)

    def bounds(self) -> Bounds:
        """The box around the ball."""
        return tuple((c - self.radius, c + self.radius) for c in self.centre)  # type: ignore[return-value]


@dataclass(frozen=True)
class Cylinder:
    """A finite cylinder of ``radius`` and ``length`` [m] around ``centre`` [m], along ``axis`` ("x", "y" or "z")."""

    centre: Point
    radius: float
    length: float
    axis: str = "z"

    def __post_init__(self) -> None:
        require_range("radius", self.radius, 0.0, unit="m", low_open=True)
        require_range("length", self.length, 0.0, unit="m", low_open=True)
        require_choice("axis", self.axis, ("x", "y", "z"))

    def signed_distance(
        self, x: Float[Tensor, "x 1 1"], y: Float[Tensor, "1 y 1"], z: Float[Tensor, "1 1 z"]
    ) -> Float[Tensor, "x y z"]:
        """Distance to the surface [m], negative inside."""
        offsets = [x - self.centre[0], y - self.centre[1], z - self.centre[2]]
        along = offsets.pop("xyz".index(self.axis)).abs() - self.length / 2
        across = (offsets[0].square() + offsets[1].square()).sqrt() - self.radius
        outside = (along.clamp_min(0).square() + across.clamp_min(0).square()).sqrt()
        return outside + torch.maximum(along, across).clamp_max(0)

    def bounds(self) -> Bounds:
        """The box around the cylinder."""
        reach = [self.radius] * 3
        reach["xyz".index(self.axis)] = self.length / 2
        return tuple((c - r, c + r) for c, r in zip(self.centre, reach, strict=True))  # type: ignore[return-value]


@dataclass(frozen=True)
class Body:
    """A shape filled with a uniform concentration.

    Parameters
    ----------
    shape : Shape
        Its geometry.
    concentration : float
        Iron in it [kg/m^3], which is the same number in ug/mm^3; 0 to 200.
    """

    shape: Shape
    concentration: float

    def __post_init__(self) -> None:
        require_range(
            "concentration",
            self.concentration,
            0.0,
            HIGHEST_CONCENTRATION,
            unit="kg/m^3 (= ug/mm^3)",
            remedy="undiluted ferucarbotran holds 27.9; a value in ug/mL must be divided by 1000",
        )


def voxel_box(bounds: Bounds, size: int, half_depth: int, voxel: float) -> tuple[slice, slice, slice]:
    """Index ranges (x, y, z) of the voxels that a body can touch, with its smooth edge.

    Raises
    ------
    ValueError
        If the body reaches a face of the grid, which would cut it.
    """
    slices = []
    for name, (low, high), (origin, length) in zip(
        "xyz", bounds, ((size // 2, size), (half_depth, 2 * half_depth + 1), (size // 2, size)), strict=True
    ):
        first = int((low / voxel - 0.5) // 1) + origin
        last = int(-((-high / voxel - 0.5) // 1)) + origin
        if first < 1 or last > length - 2:
            extent = (voxel * (1 - origin) * 1e3, voxel * (length - 2 - origin) * 1e3)
            raise ValueError(
                f"a body spans {low * 1e3:.2f} to {high * 1e3:.2f} mm along {name}, but the grid holds "
                f"{extent[0]:.2f} to {extent[1]:.2f} mm: move or shrink it, or enlarge the grid (a cut source has "
                "another field)."
            )
        slices.append(slice(first, last + 1))
    return slices[0], slices[1], slices[2]


def occupancy(
    shape: Shape, box: tuple[slice, slice, slice], size: int, half_depth: int, voxel: float, device: torch.device | str
) -> Float[Tensor, "x y z"]:
    """Part of each voxel of ``box`` that the shape fills, 0 to 1."""
    axes = [
        (torch.arange(part.start, part.stop, device=device, dtype=torch.float32) - origin) * voxel
        for part, origin in zip(box, (size // 2, half_depth, size // 2), strict=True)
    ]
    distance = shape.signed_distance(axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :])
    return distance.mul_(-1.0 / voxel).add_(0.5).clamp_(0.0, 1.0)


def concentration_volume(
    bodies: tuple[Body, ...], size: int, half_depth: int, voxel: float, device: torch.device | str = "cpu"
) -> Float[Tensor, "x slabs z"]:
    """Superposition of bodies on a grid: (size, 2 half_depth + 1, size) voxels [kg/m^3]."""
    volume = torch.zeros(size, 2 * half_depth + 1, size, device=device)
    for body in bodies:
        box = voxel_box(body.shape.bounds(), size, half_depth, voxel)
        volume[box] += body.concentration * occupancy(body.shape, box, size, half_depth, voxel, device)
    require_finite("concentration", volume)
    return volume
