"""Size and shape of a region, from its voxels and from its surface mesh.

Definitions follow the Image Biomarker Standardisation Initiative (IBSI), reference manual, chapter 3 (Zwanenburg et
al., arXiv:1612.07003), section 'Morphological features': the mesh is the surface of value 1/2 of the mask by marching
cubes. Needs scikit-image.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist


def shape_features(
    mask: Bool[np.ndarray, "depth height width"], voxel_sides: tuple[float, float, float]
) -> dict[str, float]:
    """Compute 13 features of a region's shape.

    Parameters
    ----------
    mask : ndarray
        The region, at least two voxels wide along each axis somewhere, so that its mesh and axes exist.
    voxel_sides : tuple of float
        Lengths of a voxel along the axes; lengths, areas and volumes are returned in this unit and its powers.
    """
    from skimage.measure import marching_cubes, mesh_surface_area

    padded = np.pad(mask, 1).astype(np.float32)
    vertices, faces, *_ = marching_cubes(padded, level=0.5, spacing=voxel_sides)
    corners = vertices[faces].astype(np.float64)
    volume = abs(float(np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])))) / 6.0
    area = float(mesh_surface_area(vertices, faces))
    hull = ConvexHull(vertices).vertices
    major, minor, least = principal_axes(mask, voxel_sides)
    return {
        "mesh_volume": volume,
        "voxel_volume": float(mask.sum()) * math.prod(voxel_sides),
        "surface_area": area,
        "surface_to_volume_ratio": area / volume,
        "compactness_1": volume / (math.sqrt(math.pi) * area**1.5),
        "sphericity": (36.0 * math.pi * volume**2) ** (1.0 / 3.0) / area,
        "asphericity": (area**3 / (36.0 * math.pi * volume**2)) ** (1.0 / 3.0) - 1.0,
        "maximum_diameter": float(pdist(vertices[hull]).max()),
        "major_axis_length": major,
        "minor_axis_length": minor,
        "least_axis_length": least,
        "elongation": minor / major,
        "flatness": least / major,
    }


def principal_axes(
    mask: Bool[np.ndarray, "depth height width"], voxel_sides: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Return ``4 sqrt(eigenvalue)`` of the covariance of the voxels' positions (n - 1), longest first."""
    positions = np.argwhere(mask) * np.asarray(voxel_sides)
    covariance = np.cov(positions, rowvar=False, bias=False)
    least, minor, major = np.sqrt(np.clip(np.linalg.eigvalsh(covariance), 0.0, None)) * 4.0
    return float(major), float(minor), float(least)


def centre_of_mass_shift(
    weights: Float[np.ndarray, "depth height width"],
    mask: Bool[np.ndarray, "depth height width"],
    voxel_sides: tuple[float, float, float],
) -> float:
    """Return the distance between the region's centre and its centre weighted by intensity.

    Parameters
    ----------
    weights : ndarray
        Intensities, at least 0 in the region; all zero gives no shift.
    mask, voxel_sides
        As in `shape_features`.
    """
    if bool((weights[mask] < 0).any()):
        raise ValueError(
            "weights must be at least 0 in the region, or their centre of mass has no meaning: take intensities from "
            "their minimum on."
        )
    if not weights[mask].any():
        return 0.0
    positions = np.argwhere(mask) * np.asarray(voxel_sides)
    return float(np.linalg.norm(positions.mean(0) - np.average(positions, axis=0, weights=weights[mask])))
