"""Smooth invertible deformations that make another person of a template head.

``to_template(x) = M (x + u(x))``: a displacement ``u`` that is a smooth random field, then an affine map ``M`` of size,
proportions, shear and pose. ``u`` is Lipschitz with a constant L below one, so that ``x + u(x)`` is one to one (Banach)
and its Jacobian determinant at least ``(1 - L)^3``: the map is a homeomorphism that folds nothing. Coordinates are
those of `Head`: metres, the middle of the brain at zero, which deformations move by a few millimetres at most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from mrrepro.validation import require_range

CONTROL_STEP = 0.006
"""Distance of the points at which u is stored [m]; linear in between."""

CONTROL_REACH = 0.162
"""u is stored within this distance of the middle along each axis [m], and constant along the axis beyond."""

CORRELATION_LENGTH = 0.027
"""Standard deviation of the Gaussian that smooths white noise into u [m]."""

DISPLACEMENT_SD = 0.003
"""Standard deviation of each component of u [m]; our choice."""

LARGEST_STRAIN = 0.5
"""Bound of the Lipschitz constant of u. A field that exceeds it is scaled down."""

MEAN_SIZE = 0.95
"""Mean size of a person relative to the template: MNI152 is larger than the people it was averaged from."""

SIZE_SD, PROPORTION_SD, SHEAR_SD, TILT_SD = 0.025, 0.025, 0.02, 0.04
"""Of the common and of each axis' factor, of shears, and of the pose's rotation about each axis [rad]; our choice.
Each draw is cut at two standard deviations."""

BRAIN_RADIUS = 0.065
"""The mean of u over a ball of this radius [m] is zero, so that the middle of the brain stays where it is."""

_STREAM = 20090152


@dataclass(frozen=True)
class HeadDeformation:
    """Maps points of a head onto points of its template.

    Parameters
    ----------
    matrix : ndarray, (3, 3)
        M, applied after the displacement.
    displacement : ndarray, (3, a, b, c)
        u [m] at control points ``CONTROL_STEP`` apart, the first at ``-CONTROL_REACH`` along each axis.
    """

    matrix: Float[np.ndarray, "3 3"]
    displacement: Float[np.ndarray, "3 a b c"]

    def to_template(self, points: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
        """Return where points of the head [m] lie in the template [m]."""
        return (points + self._displaced(points)) @ self.matrix.T

    def from_template(self, points: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
        """Return where points of the template [m] lie in the head [m], to a nanometre."""
        wanted = points @ np.linalg.inv(self.matrix).T
        found = wanted.copy()
        for _ in range(60):  # a contraction by LARGEST_STRAIN at worst: 0.5^60 = 1e-18
            found = wanted - self._displaced(found)
        return found

    def _displaced(self, points: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
        index = np.moveaxis((points + CONTROL_REACH) / CONTROL_STEP, -1, 0)
        moved = [ndimage.map_coordinates(u, index, order=1, mode="nearest") for u in self.displacement.astype(float)]
        return np.stack(moved, axis=-1)


def random_deformation(number: int) -> HeadDeformation:
    """Return the deformation of person ``number`` (1 or more), the same on every machine."""
    require_range("number", number, 1, remedy="number 0 is the template, which is not deformed")
    generator = np.random.default_rng([_STREAM, number])
    points = 2 * round(CONTROL_REACH / CONTROL_STEP) + 1
    noise = generator.standard_normal((3, points, points, points))
    smooth = np.stack([ndimage.gaussian_filter(n, CORRELATION_LENGTH / CONTROL_STEP, mode="wrap") for n in noise])
    smooth = smooth * (DISPLACEMENT_SD / smooth.std())
    place = np.linspace(-CONTROL_REACH, CONTROL_REACH, points) / BRAIN_RADIUS
    brain = place[:, None, None] ** 2 + place[:, None] ** 2 + place**2 < 1.0
    smooth -= smooth[:, brain].mean(axis=1).reshape(3, 1, 1, 1)
    strain = _lipschitz_bound(smooth)
    displacement = (smooth * min(1.0, LARGEST_STRAIN / strain)).astype(np.float32)

    def draw(deviation: float, count: int) -> Float[np.ndarray, " count"]:
        return deviation * np.clip(generator.standard_normal(count), -2.0, 2.0)

    scales = MEAN_SIZE * (1.0 + draw(SIZE_SD, 1)) * (1.0 + draw(PROPORTION_SD, 3))
    shear = np.eye(3)
    shear[0, 1], shear[0, 2], shear[1, 2] = draw(SHEAR_SD, 3)
    person = _rotation(draw(TILT_SD, 3)) @ shear @ np.diag(scales)
    return HeadDeformation(np.linalg.inv(person), displacement)


def _lipschitz_bound(displacement: Float[np.ndarray, "3 a b c"]) -> float:
    """Largest Frobenius norm of the gradient of trilinear interpolation, which bounds its spectral norm."""
    square = np.zeros(tuple(length - 1 for length in displacement.shape[1:]))
    for component in displacement:
        for axis in range(3):
            slope = np.abs(np.diff(component, axis=axis)) / CONTROL_STEP
            for other in range(3):
                if other != axis:  # within a cell the slope lies between those of its four edges
                    slope = np.maximum(slope.take(range(slope.shape[other] - 1), axis=other), _shifted(slope, other))
            square += slope**2
    return float(np.sqrt(square.max()))


def _shifted(values: Float[np.ndarray, "a b c"], axis: int) -> Float[np.ndarray, "d e f"]:
    return values.take(range(1, values.shape[axis]), axis=axis)


def _rotation(angles: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "3 3"]:
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x
