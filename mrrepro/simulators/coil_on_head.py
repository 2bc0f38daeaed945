"""Putting a coil on a head of any size by 10-10 position, gap and angle, and MNI positions into that head.

The 10-10 system needs four landmarks, which nobody clicks here: MNI's landmarks are carried into the head by the box of
its brain, and from there along the ray from the brain's middle to the scalp. An MNI position is carried by the boxes
alone. Both are meant for upright heads in RAS axes; they are good to several millimetres, not to one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float64

from mrrepro.simulators.scalp_positions import HeadSurface, Landmarks, position_named, ten_ten_positions
from mrrepro.simulators.tms_coil import FigureEight, PlacedCoil, check_clearance, place_coil
from mrrepro.validation import require_shape

MNI_LANDMARKS = Landmarks(
    (0.0, 87e-3, -40e-3), (0.0, -118e-3, -23e-3), (-86e-3, -20e-3, -48e-3), (86e-3, -20e-3, -48e-3)
)
"""Nasion, inion, left and right preauricular point [m], rounded: Oostenveld and Praamstra, Clin. Neurophysiol. 112,
713-719, 2001, in MNI coordinates."""

MNI_BRAIN_BOX = ((-70e-3, -104e-3, -64e-3), (70e-3, 70e-3, 78e-3))
"""Box [m] that holds 99.8 % of the voxels of the MNI152 brain mask along each axis."""

HAND_KNOB = (-42e-3, -13e-3, 66e-3)
"""Middle of the hand motor area [m, MNI]: Section IV-B of the source."""

_TAIL = 0.001
Point = Float64[np.ndarray, "3"]


@dataclass(frozen=True)
class BrainFrame:
    """A head's brain beside MNI's: an affine map along the axes that takes one's box to the other's.

    Parameters
    ----------
    low, high : Float64[ndarray, "3"]
        Corners of the brain's box in the world [m].
    """

    low: Point
    high: Point

    @classmethod
    def of(cls, brain: Bool[np.ndarray, "n0 n1 n2"], affine: Float[np.ndarray, "4 4"]) -> BrainFrame:
        """Box of a brain's mask, one in a thousand voxels left out at each end of each axis.

        Raises
        ------
        ValueError
            If the mask is empty or flat.
        """
        require_shape("brain", brain, (None, None, None))
        index = np.argwhere(brain)
        if len(index) == 0:
            raise ValueError("brain must hold a voxel, but is empty: check the labels.")
        world = index @ np.asarray(affine, np.float64)[:3, :3].T + np.asarray(affine, np.float64)[:3, 3]
        low, high = np.quantile(world, [_TAIL, 1.0 - _TAIL], axis=0)
        if (high <= low).any():
            raise ValueError("brain must extend along all three axes, but its box is flat: check the labels.")
        return cls(low, high)

    def from_mni(self, point: Float[np.ndarray, 3] | tuple[float, float, float]) -> Point:
        """World position [m] in this head of an MNI position [m]."""
        low, high = (np.asarray(corner) for corner in MNI_BRAIN_BOX)
        return self.low + (np.asarray(point, np.float64) - low) / (high - low) * (self.high - self.low)

    def landmarks(self, surface: HeadSurface) -> Landmarks:
        """MNI's landmarks on this head's scalp: outermost crossings of rays from the brain's middle.

        Raises
        ------
        ValueError
            If a ray misses the head.
        """
        middle = 0.5 * (self.low + self.high)
        given = (MNI_LANDMARKS.nasion, MNI_LANDMARKS.inion, MNI_LANDMARKS.left, MNI_LANDMARKS.right)
        rays = np.stack([self.from_mni(point) - middle for point in given])
        points = surface.crossing(middle, rays / np.linalg.norm(rays, axis=1, keepdims=True))
        x = [(float(a), float(b), float(c)) for a, b, c in points]
        return Landmarks(x[0], x[1], x[2], x[3])


@dataclass(frozen=True)
class CoilChoice:
    """Which coil and where; the source states the position and the diameters alone.

    Parameters
    ----------
    position : str
        Name in the 10-10 system.
    gap : float
        From the scalp to the plane of the wires [m].
    angle : float
        Of the coil's y axis from anterior, anticlockwise seen from outside [rad].
    coil : FigureEight
        Its geometry.
    """

    position: str = "C3"
    gap: float = 10e-3
    angle: float = -np.pi / 4
    coil: FigureEight = field(default_factory=FigureEight)


def scalp_site(
    head: Bool[np.ndarray, "n0 n1 n2"], brain: Bool[np.ndarray, "n0 n1 n2"], affine: Float[np.ndarray, "4 4"], name: str
) -> tuple[Point, Point]:
    """Position [m] and outward normal of a 10-10 position on a head.

    Raises
    ------
    ValueError
        For an unknown name (the nearest are named), an empty brain, or a head without air round it.
    """
    surface = HeadSurface(head, np.asarray(affine, np.float64))
    positions = ten_ten_positions(surface, BrainFrame.of(brain, affine).landmarks(surface))
    point = position_named(positions, name)
    return point, surface.normal(point)


def coil_on_head(
    conductivity: Float[np.ndarray, "n0 n1 n2"],
    brain: Bool[np.ndarray, "n0 n1 n2"],
    affine: Float[np.ndarray, "4 4"],
    choice: CoilChoice,
) -> PlacedCoil:
    """Place a coil on a head.

    Parameters
    ----------
    conductivity : Float[ndarray, "n0 n1 n2"]
        Positive in the head, zero in air.
    brain : Bool[ndarray, "n0 n1 n2"]
        Mask of the brain.
    affine : Float[ndarray, "4 4"]
        From voxel index to world [m]; x to the right, y to anterior, z up.
    choice : CoilChoice
        Coil, position, gap and angle.

    Raises
    ------
    ValueError
        As `scalp_site`, or if a wire would pass through the head.
    """
    point, normal = scalp_site(np.asarray(conductivity) > 0.0, brain, affine, choice.position)
    placed = place_coil(choice.coil, point, normal, choice.gap, choice.angle)
    check_clearance(placed, conductivity, affine)
    return placed
