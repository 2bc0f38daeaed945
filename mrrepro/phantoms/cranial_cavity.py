"""The inner surface of the skull: a smooth hull around a brain."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from mrrepro.phantoms.solid_shapes import Field

VAULT_CLOSING, BASE_CLOSING = 24.0, 9.0
"""Radii of the balls that close the brain's hull above the base and at it [mm]; our choice."""

VAULT_ABOVE = -8.0
"""Where the vault begins, in the stereotactic frame [mm]."""

OUTWARD = 1.5
"""How far the skull stands off the hull [mm]; our choice."""

COARSE = 2.0
"""Voxels of the hull [mm]: it is smooth, and linear interpolation between them suffices."""

_PADDING = 24


def cranial_cavity(mask: Bool[np.ndarray, "x y z"], spacing: float, z: Float[np.ndarray, " z"]) -> Field:
    """Return the signed distance to the inner surface of the skull [mm], negative inside.

    Parameters
    ----------
    mask : ndarray of bool, (x, y, z)
        The brain with its fluid, continued to the lowest slice by the brain stem or spinal cord.
    spacing : float
        [mm], at most ``COARSE``.
    z : ndarray, (z,)
        Height of the slices in the stereotactic frame [mm].
    """
    pad = round(_PADDING / spacing)
    padded = np.pad(mask, pad, mode="edge").astype(np.float32)
    factor = spacing / COARSE
    coarse = ndimage.zoom(padded, factor, order=1, grid_mode=True, mode="nearest") > 0.5
    apart = COARSE * ndimage.distance_transform_edt(~coarse)
    height = np.interp((np.arange(coarse.shape[2]) + 0.5) / coarse.shape[2], _shares(z.size, pad), z)
    hull = _closed(apart, BASE_CLOSING) | (_closed(apart, VAULT_CLOSING) & (height > VAULT_ABOVE))
    distance = COARSE * (ndimage.distance_transform_edt(~hull) - ndimage.distance_transform_edt(hull))
    smooth = ndimage.gaussian_filter(distance.astype(np.float32), 3.0 / COARSE) - OUTWARD
    zooms = [fine / rough for fine, rough in zip(padded.shape, smooth.shape, strict=True)]
    fine = ndimage.zoom(smooth, zooms, order=1, grid_mode=True, mode="nearest")
    x, y, height_count = mask.shape
    return fine[pad : pad + x, pad : pad + y, pad : pad + height_count]


def _shares(length: int, pad: int) -> Float[np.ndarray, " z"]:
    """Return where the slices' middles lie along the padded axis, from 0 to 1."""
    return (np.arange(length) + pad + 0.5) / (length + 2 * pad)


def _closed(apart: Field, radius: float) -> Bool[np.ndarray, "x y z"]:
    """Morphological closing by a ball, of a mask to which ``apart`` is the distance [mm]."""
    found: Bool[np.ndarray, "x y z"] = COARSE * ndimage.distance_transform_edt(apart < radius) >= radius
    return found
