"""The types that loaders return: arrays with their geometry and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32


@dataclass(frozen=True)
class Provenance:
    """Where an array comes from; enough to cite it and to find the same bytes again.

    ``files`` holds one (file name, algorithm, digest) for each file that was read.
    """

    dataset: str
    subject: str
    licence: str
    files: tuple[tuple[str, str, str], ...]
    citations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Geometry:
    """Where voxels lie.

    ``affine`` maps a voxel index (i, j, k, 1) to RAS+ scanner coordinates [m]: x to the right, y to the front, z to
    the head. ``voxel_size`` [m] is the length of its columns and ``axis_codes`` the anatomical direction in which
    each array axis grows, e.g. ``LPS``. ``oriented`` is false where the file states no orientation, so that left
    and right are a guess.
    """

    affine: Float[np.ndarray, "4 4"]
    voxel_size: tuple[float, float, float]
    axis_codes: str
    oriented: bool = True


@dataclass(frozen=True)
class Volume:
    """A scalar image on a regular grid, float32, in the unit of the file (arbitrary for weighted MRI)."""

    values: Float32[np.ndarray, "x y z"]
    geometry: Geometry
    modality: str


@dataclass(frozen=True)
class LabelMap:
    """An integer label for each voxel; ``names`` gives the meaning of each label that may occur."""

    labels: Int32[np.ndarray, "x y z"]
    geometry: Geometry
    names: Mapping[int, str]
    convention: str


@dataclass(frozen=True)
class Subject:
    """The images and label maps of one subject; whether they share a grid is told by ``on_one_grid``."""

    images: Mapping[str, Volume]
    labels: Mapping[str, LabelMap]
    provenance: Provenance
    metadata: Mapping[str, object] = field(default_factory=dict)

    @property
    def on_one_grid(self) -> bool:
        """Whether all arrays have one shape and one affine (within a micrometre)."""
        shapes = [image.values.shape for image in self.images.values()]
        shapes += [label.labels.shape for label in self.labels.values()]
        grids = [image.geometry.affine for image in self.images.values()]
        grids += [label.geometry.affine for label in self.labels.values()]
        return len(set(shapes)) <= 1 and all(np.allclose(grid, grids[0], rtol=0.0, atol=1e-6) for grid in grids)


@dataclass(frozen=True)
class FieldMaps:
    """Maps of an electric properties tomography experiment on one grid, array axes (x, y, z).

    ``transmit_sensitivity`` is the magnitude of the rotating transmit field (|B1+|, in the file's own unit),
    ``transceive_phase`` [rad], ``conductivity`` the true one [S/m], ``inside`` where these are defined; outside they
    are zero. They stay float64: conductivity follows from second derivatives, in which the rounding of float32
    would show. ``frequency`` [Hz], ``voxel_size`` [m].
    """

    transmit_sensitivity: Float[np.ndarray, "x y z"]
    transceive_phase: Float[np.ndarray, "x y z"]
    conductivity: Float[np.ndarray, "x y z"]
    white_matter: Bool[np.ndarray, "x y z"]
    inside: Bool[np.ndarray, "x y z"]
    voxel_size: tuple[float, float, float]
    frequency: float
    time_convention: str
    provenance: Provenance


Loaded = Subject | FieldMaps
