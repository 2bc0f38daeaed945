"""Heads of 13 tissues in cubic voxels, from a template, from a drawing or from label maps of people.

===================  =================================================================================================
source               what it is
===================  =================================================================================================
``"mni152"``         The brain of the MNI152 template with skull, scalp and face grown around it; number 0 is the
                     template itself, each other number a deformed person.
``"folded"``         A drawn head: a folded cortex on an ellipsoidal brain, no warp of MNI152.
a folder or file     Whole-head label maps in SynthSeg's numbering, by their place in the order of names.
===================  =================================================================================================

All are reoriented to RAS (x to the right, y to the front, z up), have the middle of the brain (the centroid of grey
matter, white matter and cerebellum; of the template in deformed heads) at zero, and end ``NECK_CUT`` below it: the
least that SynthSeg's maps share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from mrrepro.phantoms.dielectric_body import DielectricBody
from mrrepro.phantoms.folded_head import folded_template
from mrrepro.phantoms.head_deformation import HeadDeformation, random_deformation
from mrrepro.phantoms.head_label_maps import label_map_files, read_label_map
from mrrepro.phantoms.head_tissues import BRAIN_TISSUES, HEAD_TISSUES, labels_of
from mrrepro.phantoms.label_volume import LabelVolume, default_oversampling, require_oversampling
from mrrepro.phantoms.mni152_head import mni152_template
from mrrepro.phantoms.yee_grid import YeeGrid, require_isotropic_voxel
from mrrepro.tissues import TISSUES, DielectricProperties, tissue_properties
from mrrepro.validation import require_range, require_shape

Vector = Float[np.ndarray, "3"]

NECK_CUT = 0.075
"""Heads end this far below the middle of the brain [m]."""

LARGEST_VOXEL = 0.02
"""Voxels above 2 cm [m] make no head."""

MARGIN = 2
"""Voxels of air around a head."""


@dataclass(frozen=True)
class Head:
    """Tissue labels of a head.

    Parameters
    ----------
    labels : ndarray of uint8, (x, y, z)
        Indices into ``HEAD_TISSUES``, axes in RAS order.
    voxel_size : float
        Edge of the cubic voxels [m].
    origin : tuple of 3 float
        Position of the corner of voxel (0, 0, 0) [m]; the middle of the brain is at zero.
    name : str
    """

    labels: UInt8[np.ndarray, "x y z"]
    voxel_size: float
    origin: tuple[float, float, float]
    name: str

    def __post_init__(self) -> None:
        require_shape("labels", self.labels, (None, None, None), "give one volume")
        if self.labels.dtype != np.uint8 or self.labels.max(initial=0) >= len(HEAD_TISSUES):
            raise ValueError(
                f"labels must be uint8 and at most {len(HEAD_TISSUES) - 1}, the last index of HEAD_TISSUES, but are "
                f"{self.labels.dtype} up to {self.labels.max(initial=0)}: translate them to HEAD_TISSUES first."
            )
        if not self.labels.any():
            raise ValueError("labels must hold tissue, but are all air: check the map or its field of view.")
        object.__setattr__(self, "voxel_size", require_isotropic_voxel(self.voxel_size))
        object.__setattr__(self, "origin", self.grid.origin)

    @property
    def grid(self) -> YeeGrid:
        """The voxels' grid."""
        x, y, z = self.labels.shape
        return YeeGrid((x, y, z), self.voxel_size, self.origin)

    def affine_mm(self) -> Float[np.ndarray, "4 4"]:
        """Return the affine from a voxel's index to its centre in millimetres, as NIfTI has it."""
        affine = np.diag([*[self.voxel_size] * 3, 1e-3]) * 1e3
        affine[:3, 3] = (np.array(self.origin) + 0.5 * self.voxel_size) * 1e3
        return affine

    def mask(self, *tissues: str) -> Bool[np.ndarray, "x y z"]:
        """Return the voxels of any of the named tissues."""
        found: Bool[np.ndarray, "x y z"] = np.isin(self.labels, labels_of(tissues))
        return found

    def brain(self) -> Bool[np.ndarray, "x y z"]:
        """Return the voxels of grey matter, white matter and cerebellum."""
        return self.mask(*BRAIN_TISSUES)

    def volume(self, *tissues: str) -> float:
        """Return the volume of the named tissues [m^3]."""
        return float(self.mask(*tissues).sum() * self.voxel_size**3)

    def cropped(self, margin: int = MARGIN) -> Head:
        """Return the smallest box that holds the head and ``margin`` voxels of air on every side."""
        require_range("margin", margin, 0)
        box = _bounds(self.labels)
        labels = np.pad(self.labels[box], int(margin))
        corner = self.grid.cropped([part.start - margin for part in box], (1, 1, 1)).origin
        return Head(labels, self.voxel_size, corner, self.name)

    def property_maps(
        self, properties: Mapping[str, DielectricProperties]
    ) -> tuple[Float[np.ndarray, "x y z"], Float[np.ndarray, "x y z"]]:
        """Return relative permittivity (1 in air) and conductivity [S/m] (0 in air) of each voxel.

        Parameters
        ----------
        properties : mapping
            Of every tissue that the head holds, such as `head_properties` returns; air needs none.

        Raises
        ------
        ValueError
            If a tissue of the head has no properties.
        """
        present = {HEAD_TISSUES[label] for label in np.unique(self.labels)} - {"air"}
        if missing := sorted(present - set(properties)):
            raise ValueError(
                f"properties must name every tissue of the head, but lacks {', '.join(missing)}: add them, or start "
                "from head_properties(frequency)."
            )
        air = DielectricProperties(1.0, 0.0)
        table = [properties[tissue] if tissue in present else air for tissue in HEAD_TISSUES]
        permittivity = np.array([entry.relative_permittivity for entry in table])
        conductivity = np.array([entry.conductivity for entry in table])
        return permittivity[self.labels], conductivity[self.labels]

    def dielectric_body(
        self, properties: Mapping[str, DielectricProperties], frequency: float, margin: int = MARGIN
    ) -> DielectricBody:
        """Return the head and ``margin`` voxels of air (at least 1) as the field solvers take it, at a frequency [Hz].

        Raises
        ------
        ValueError
            If a tissue of the head has no properties.
        """
        require_range("margin", margin, 1, remedy="the solver needs air around the body")
        head = self.cropped(margin)
        permittivity, conductivity = head.property_maps(properties)
        return DielectricBody(head.grid, permittivity, conductivity, frequency)

    def sphere(
        self, centre: tuple[float, float, float], radius: float, within: tuple[str, ...] = BRAIN_TISSUES
    ) -> Bool[np.ndarray, "x y z"]:
        """Return the voxels of a spherical inclusion such as a tumour, to overwrite property maps with.

        Parameters
        ----------
        centre : tuple of 3 float
            [m], in the head's coordinates.
        radius : float
            [m], positive.
        within : tuple of str
            Only voxels of these tissues are taken.

        Raises
        ------
        ValueError
            If no voxel of these tissues has its centre in the sphere.
        """
        require_range("radius", radius, 0.0, 0.2, unit="m", low_open=True, remedy="give metres, 15 mm being 0.015")
        distances = (axis - middle for axis, middle in zip(self.grid.voxel_axes(), centre, strict=True))
        x, y, z = np.meshgrid(*distances, indexing="ij", sparse=True)
        found: Bool[np.ndarray, "x y z"] = (x**2 + y**2 + z**2 < radius**2) & self.mask(*within)
        if not found.any():
            raise ValueError(
                f"the sphere at {tuple(centre)} m of radius {radius} m holds no voxel of {', '.join(within)}: place "
                "its centre inside the brain; coordinates are in metres from the brain's middle."
            )
        return found


def head_properties(frequency: float) -> dict[str, DielectricProperties]:
    """Return the dielectric properties of all 13 tissues at a frequency [Hz], from `mrrepro.tissues`."""
    return {tissue: tissue_properties(tissue, frequency) for tissue in TISSUES}


def build_head(source: str | Path, number: int, voxel_size: float, oversampling: int | None = None) -> Head:
    """Return a head in cubic voxels, each with the label of the tissue that fills most of it.

    Parameters
    ----------
    source : str or Path
        ``"mni152"``, ``"folded"``, or a folder or file of label maps.
    number : int
        Which person: 0 and up for the first two, the place in the order of file names for a folder. The same number
        is the same head on every machine.
    voxel_size : float
        [m], at most 20 mm.
    oversampling : int, optional
        Points along a voxel's edge at which the source is looked up; by default enough to meet every voxel of 1 mm.

    Raises
    ------
    ValueError
        For an unknown source, a number that it does not have, or a voxel size in another unit.
    """
    return _head_and_fractions(source, number, voxel_size, oversampling, keep=False)[0]


def tissue_fractions(
    source: str | Path, number: int, voxel_size: float, oversampling: int | None = None
) -> Float32[np.ndarray, "tissue x y z"]:
    """Return which part of each voxel every tissue of ``HEAD_TISSUES`` fills, summing to 1.

    On the grid of ``build_head`` with the same arguments, whose labels are the largest fractions.
    """
    fractions = _head_and_fractions(source, number, voxel_size, oversampling, keep=True)[1]
    assert fractions is not None
    return fractions


def mni152_deformation(number: int) -> HeadDeformation | None:
    """Return the deformation that makes person ``number`` of the MNI152 template; None for 0, the template itself."""
    return random_deformation(number) if number else None


def _head_and_fractions(
    source: str | Path, number: int, voxel_size: float, oversampling: int | None, *, keep: bool
) -> tuple[Head, Float32[np.ndarray, "tissue x y z"] | None]:
    size = require_isotropic_voxel(voxel_size)
    require_range("voxel_size", size, high=LARGEST_VOXEL, unit="m", remedy="give metres, 2 mm being 0.002")
    require_range("number", number, 0, remedy="people are counted from 0")
    points = default_oversampling(size) if oversampling is None else require_oversampling(oversampling)
    volume, deformation, name = _source(source, int(number), size)
    grid = _target_grid(volume, deformation, size)
    labels = np.empty(grid.shape, dtype=np.uint8)
    fractions = np.empty((len(HEAD_TISSUES), *grid.shape), dtype=np.float32) if keep else None
    for i, counts in enumerate(volume.slabs(grid, points, deformation)):
        labels[i] = counts.argmax(axis=-1)
        if fractions is not None:
            fractions[:, i] = np.moveaxis(counts, -1, 0) / np.float32(points**3)
    head = Head(labels, size, grid.origin, name)
    if fractions is not None:
        part = fractions[(slice(None), *_bounds(labels))]
        fractions = np.pad(part, ((0, 0), *[(MARGIN, MARGIN)] * 3))
        fractions[0] += 1.0 - fractions.sum(axis=0)
    return head.cropped(), fractions


def _source(source: str | Path, number: int, voxel_size: float) -> tuple[LabelVolume, HeadDeformation | None, str]:
    if source == "mni152":
        return mni152_template(), mni152_deformation(number), f"mni152-{number:03d}"
    if source == "folded":
        return folded_template(number, voxel_size), None, f"folded-{number:03d}"
    files = label_map_files(Path(source))
    if number >= len(files):
        raise ValueError(
            f"number must be below {len(files)}, the number of label maps in {str(source)!r}, but is {number}: people "
            "are counted from 0 in the order of file names."
        )
    return read_label_map(files[number].resolve()), None, files[number].name.split(".nii")[0]


def _target_grid(volume: LabelVolume, deformation: HeadDeformation | None, size: float) -> YeeGrid:
    """Grid around the whole source with a voxel centred at zero, from the lowest voxel wholly above the neck's cut."""
    low, high = _extent(volume, deformation)
    low[2] = max(low[2], -NECK_CUT)
    first = np.floor(low / size + 0.5 + 1e-9)
    first[2] = np.ceil(low[2] / size + 0.5 - 1e-9)
    x, y, z = (int(length) for length in np.ceil(high / size + 0.5) - first)
    corner = (first - 0.5) * size
    return YeeGrid((x, y, z), size, (float(corner[0]), float(corner[1]), float(corner[2])))


def _extent(volume: LabelVolume, deformation: HeadDeformation | None) -> tuple[Vector, Vector]:
    corners = volume.corners()
    slack = 0.0
    if deformation is not None:
        corners = corners @ np.linalg.inv(deformation.matrix).T
        slack = float(np.abs(deformation.displacement).max())
    return corners.min(axis=0) - slack, corners.max(axis=0) + slack


def _bounds(labels: UInt8[np.ndarray, "x y z"]) -> tuple[slice, slice, slice]:
    found = [np.flatnonzero(labels.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    x, y, z = (slice(int(index[0]), int(index[-1]) + 1) for index in found)
    return x, y, z
