"""How far two electric fields in a conductor differ, and how rough one is.

Fields are vectors in volumes, (n0, n1, n2, 3) [V/m]; a region is a mask of their voxels. Magnitude is the length of the
vector.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from mrrepro.validation import require_range, require_shape

Field = Float[np.ndarray, "n0 n1 n2 3"]
Region = Bool[np.ndarray, "n0 n1 n2"]


@dataclass(frozen=True)
class GlobalError:
    """Mean and standard deviation of the difference in magnitude, as a share of the largest magnitude [%]."""

    mean: float
    sd: float


@dataclass(frozen=True)
class FieldDifference:
    """One field against a reference in one region.

    Parameters
    ----------
    global_error : GlobalError
        Eq. 6 of the source.
    relative_l2 : float
        ||field - reference||_2 / ||reference||_2 over the vectors [1].
    rdm : float
        Relative difference measure, || field / ||field|| - reference / ||reference|| ||_2, in [0, 2]: the pattern.
    mag : float
        ||field||_2 / ||reference||_2 [1]: the size.
    percentile_ratio : float
        99th percentile of the field's magnitude over that of the reference's [1].
    voxels : int
        Voxels of the region.
    """

    global_error: GlobalError
    relative_l2: float
    rdm: float
    mag: float
    percentile_ratio: float
    voxels: int


def field_difference(field: Field, reference: Field, region: Region, percentile: float = 99.0) -> FieldDifference:
    """Compare a field with a reference within a region.

    The global error is ``mean |E_i - F_i| / max_i (E_i, F_i)`` over the magnitudes of the region's voxels. It divides
    by a regional maximum, which one voxel decides, and so may be small for fields that differ much; the other
    measures do not.

    Parameters
    ----------
    field, reference : Field
        On one grid.
    region : Region
        Not empty, and the reference not zero throughout it.
    percentile : float
        Of `FieldDifference.percentile_ratio`.

    Raises
    ------
    ValueError
        If shapes differ, the region is empty, or the reference or the field is zero in it.

    Notes
    -----
    Source of the global error: Rashed, Gomez-Tames and Hirata, IEEE Trans. Med. Imaging 39, 2351-2362, 2020, eq. 6.
    RDM and MAG: Meijs et al., IEEE Trans. Biomed. Eng. 36, 1038-1049, 1989.
    """
    require_range("percentile", percentile, 0.0, 100.0)
    one, other = _within("field", field, region), _within("reference", reference, region)
    if one.shape != other.shape:
        raise ValueError(f"field and reference must share a grid, but have {field.shape} and {reference.shape}.")
    sizes = float(np.linalg.norm(one)), float(np.linalg.norm(other))
    if min(sizes) == 0.0:
        raise ValueError("field and reference must not be zero throughout the region: check coil, current and mask.")
    first, second = np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1)
    deviation = np.abs(first - second) / max(float(first.max()), float(second.max())) * 100.0
    return FieldDifference(
        GlobalError(float(deviation.mean()), float(deviation.std())),
        float(np.linalg.norm(one - other)) / sizes[1],
        float(np.linalg.norm(one / sizes[0] - other / sizes[1])),
        sizes[0] / sizes[1],
        float(np.percentile(first, percentile) / np.percentile(second, percentile)),
        len(one),
    )


def magnitude(field: Field) -> Float[np.ndarray, "n0 n1 n2"]:
    """Length of the vectors [V/m]."""
    return np.linalg.norm(field, axis=-1)


def hot_spot(
    field: Field, region: Region, affine: Float[np.ndarray, "4 4"], percentile: float = 99.9
) -> Float64[np.ndarray, 3]:
    """World position [m] of the strongest field of a region: centre of the voxels at or above a percentile.

    The centre is weighted by the magnitude. A single largest voxel would jump with the staircase of the tissue
    boundaries.
    """
    require_range("percentile", percentile, 0.0, 100.0)
    strength = np.linalg.norm(_within("field", field, region), axis=1).astype(np.float64)
    kept = strength >= np.percentile(strength, percentile)
    index = np.argwhere(region)[kept]
    centre = np.average(index, axis=0, weights=strength[kept])
    return np.asarray(affine, np.float64)[:3, :3] @ centre + np.asarray(affine, np.float64)[:3, 3]


def roughness(field: Field, region: Region) -> float:
    """Root mean square of the magnitude minus the mean of its six neighbours, over that of the magnitude.

    Only voxels whose six neighbours lie in the region count: what is measured is the jitter within a region, not
    the jump at its edge. A field that is linear in space has none; the steps of a binary conductivity make it grow.

    Raises
    ------
    ValueError
        If no voxel of the region has its six neighbours in it.
    """
    require_shape("region", region, tuple(field.shape[:3]))
    strength = magnitude(field).astype(np.float64)
    inner = tuple(slice(1, -1) for _ in range(3))
    inside = region[inner].copy()
    mean = np.zeros(inside.shape)
    for axis in range(3):
        for shift in (-1, 1):
            moved = tuple(
                slice(1 + shift * (a == axis), n - 1 + shift * (a == axis)) for a, n in enumerate(region.shape)
            )
            inside &= region[moved]
            mean += strength[moved] / 6.0
    if not inside.any():
        raise ValueError("region must have a voxel whose six neighbours lie in it: it is too thin for this measure.")
    jitter = (strength[inner] - mean)[inside]
    return float(np.sqrt(np.mean(jitter**2) / np.mean(strength[inner][inside] ** 2)))


def _within(name: str, field: Field, region: Region) -> Float[np.ndarray, "voxels 3"]:
    require_shape(name, field, (None, None, None, 3), "the last axis holds the components")
    require_shape("region", region, tuple(field.shape[:3]), "give the mask on the field's grid")
    if not region.any():
        raise ValueError("region must hold a voxel, but is empty: check the labels and the grid.")
    return field[region]
