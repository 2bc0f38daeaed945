"""All features of one patient: the shape of the region once, intensity and texture for each image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from mrrepro.radiomics.cooccurrence import cooccurrence_features, cooccurrence_matrix
from mrrepro.radiomics.intensity import grey_levels, histogram_statistics, intensity_statistics
from mrrepro.radiomics.morphology import centre_of_mass_shift, shape_features
from mrrepro.validation import require_finite, require_range


def patient_features(
    images: Mapping[str, Float[np.ndarray, "depth height width"]],
    mask: Bool[np.ndarray, "depth height width"],
    voxel_sides: tuple[float, float, float],
    number_of_levels: int = 32,
) -> dict[str, float]:
    """Compute the features of a region in each image, named ``shape.<feature>`` and ``<image>.<feature>``.

    All as the Image Biomarker Standardisation Initiative defines them, but for the shift of the centre of mass: there
    intensities count from their minimum in the region on, since those of MR have no natural zero and may be negative.

    Parameters
    ----------
    images : mapping of str to ndarray
        The patient's images by name, on one grid.
    mask : ndarray
        The region, for instance the tumor.
    voxel_sides : tuple of float
        Lengths of a voxel along the axes [m, or any one unit].
    number_of_levels : int
        Grey levels of histogram and texture features.

    Raises
    ------
    ValueError
        For no image, images of another shape than the mask, values that are not finite in the region, a mask that is
        not boolean or too small for a surface and neighbours.
    """
    if not images:
        raise ValueError("images must hold at least one image, but is empty.")
    if mask.dtype != bool or mask.ndim != 3:
        raise ValueError(f"mask must be a boolean volume, but is {mask.dtype} of shape {mask.shape}.")
    for axis, side in enumerate(voxel_sides):
        require_range(f"voxel_sides[{axis}]", side, 0.0, low_open=True)
    _require_extent(mask)
    box = tuple(slice(int(index.min()), int(index.max()) + 1) for index in np.nonzero(mask))
    region = mask[box]
    features = {f"shape.{name}": value for name, value in shape_features(region, voxel_sides).items()}
    for name, image in images.items():
        if image.shape != mask.shape:
            raise ValueError(
                f"image {name!r} must have the mask's shape {mask.shape}, but has {image.shape}: resample to one grid."
            )
        part = np.asarray(image[box], dtype=np.float64)
        require_finite(f"image {name!r}", part[region])
        values = image_features(part, region, number_of_levels)
        above_lowest = np.where(region, part - part[region].min(), 0.0)
        values["centre_of_mass_shift"] = centre_of_mass_shift(above_lowest, region, voxel_sides)
        features |= {f"{name}.{feature}": value for feature, value in values.items()}
    return features


def image_features(
    image: Float[np.ndarray, "depth height width"],
    mask: Bool[np.ndarray, "depth height width"],
    number_of_levels: int,
) -> dict[str, float]:
    """Compute intensity, histogram and texture features of one image in a region."""
    values = image[mask]
    levels = np.zeros(mask.shape, dtype=np.int64)
    levels[mask] = grey_levels(values, number_of_levels)
    texture = cooccurrence_features(cooccurrence_matrix(levels, mask, number_of_levels))
    return intensity_statistics(values) | histogram_statistics(levels[mask]) | texture


def feature_table(
    patients: Sequence[Mapping[str, float]],
) -> tuple[Float[np.ndarray, "patients features"], tuple[str, ...]]:
    """Stack the features of patients, one row each, and return the columns' names; all must have the same names."""
    if not patients:
        raise ValueError("patients must hold at least one set of features, but is empty.")
    names = tuple(patients[0])
    for row, features in enumerate(patients):
        if set(features) != set(names):
            odd = sorted(set(features) ^ set(names))
            raise ValueError(f"patients[{row}] must have the features of patients[0], but differs in {odd[:5]}.")
    return np.array([[features[name] for name in names] for features in patients]), names


def _require_extent(mask: Bool[np.ndarray, "depth height width"]) -> None:
    positions = np.argwhere(mask)
    spans = np.ptp(positions, axis=0) + 1 if len(positions) else np.zeros(3, dtype=int)
    if min(spans) < 2:
        raise ValueError(
            f"mask must be at least 2 voxels wide along every axis, but spans {tuple(int(span) for span in spans)}: "
            "leave this patient out, or use finer voxels."
        )
