"""A drawn head with a folded cortex that is no warp of MNI152: an anatomy to hold out.

Two hemispheres, each part of an ellipsoid, are folded by a band-limited random field that is constant along rays from
inside the hemisphere: where it is zero, a sulcus runs from the surface inwards. Grey matter is a layer of constant
thickness along the surface and the walls of the sulci, white matter what is left; insula, deep nuclei, ventricles,
corpus callosum, brain stem and cerebellum are drawn. Outside the brain the head grows as in `head_layers`, with
proportions of its own. Every size varies with the number, within the spread of adults; the brain's folds are random.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from scipy import ndimage

from mrrepro.phantoms.cranial_cavity import cranial_cavity
from mrrepro.phantoms.head_layers import HeadFrame, HeadProportions, grow_head
from mrrepro.phantoms.head_tissues import BRAIN_TISSUES, TISSUE_LABELS, labels_of
from mrrepro.phantoms.label_volume import LabelVolume
from mrrepro.phantoms.solid_shapes import Axes, Field, blend, ellipsoid, normalised, sparse_axes, tube

FINEST = 1.0
"""Spacing [mm] at which a head is drawn for voxels up to 1 mm; larger ones are divided into at least three."""

CORTEX = 2.7
"""Mean thickness of the cortex [mm]: 2.5 (Fischl and Dale, PNAS 97, 11050 (2000)) and some partial volume."""

FOLD_WAVELENGTH = 15.0
"""Of the random field on the surface [mm]. Sulci lie where it is zero: a line meets one every 0.87 wavelengths."""

_STREAM = 7340033
_REFERENCE_HALVES = (70.0, 88.0, 68.0)
_LATTICE, _LATTICE_STEP = 96, 2.5


@dataclass(frozen=True)
class _Person:
    """What varies between drawn heads: half-axes of the cerebrum, cortex and sulci [mm], ventricles' size, the rest."""

    halves: tuple[float, float, float]
    cortex: float
    sulcus: float
    depth: float
    ventricles: float
    proportions: HeadProportions
    folds: np.random.Generator


def _person(number: int) -> _Person:
    generator = np.random.default_rng([_STREAM, number])

    def draw(mean: float, deviation: float) -> float:
        return mean + deviation * float(np.clip(generator.standard_normal(), -2.0, 2.0))

    size = draw(0.95, 0.03)
    a, b, c = (half * size * draw(1.0, 0.025) for half in _REFERENCE_HALVES)
    stretch = (a / _REFERENCE_HALVES[0], b / _REFERENCE_HALVES[1], c / _REFERENCE_HALVES[2])
    proportions = HeadProportions(stretch, draw(6.5, 0.6), draw(6.2, 0.6), 2.0, draw(1.0, 0.3))
    return _Person(
        (a, b, c), draw(CORTEX, 0.12), draw(0.75, 0.12), draw(15.0, 1.5), draw(1.0, 0.15), proportions, generator
    )


@functools.lru_cache(maxsize=4)
def folded_template(number: int, voxel_size: float) -> LabelVolume:
    """Return drawn head ``number``, on a grid fine enough for voxels of this size [m]."""
    spacing = max(FINEST, min(2.0, voxel_size * 1e3 / 3.0))
    person = _person(number)
    grown = np.array(person.proportions.stretch)
    low, high = np.array([-97.0, -118.0, -100.0]) * grown, np.array([97.0, 136.0, 96.0]) * grown
    x, y, z = (
        np.arange(math.floor(a / spacing), math.ceil(b / spacing) + 1) * spacing for a, b in zip(low, high, strict=True)
    )
    axes = sparse_axes(x, y, z)
    brain, cavity = _brain(axes, spacing, person)
    # the frame of the face: MNI coordinates, whose zero lies 22 mm in front of and 10 mm below the brain's middle
    offset = np.array([0.0, -22.0, 10.0]) * grown
    frame = HeadFrame.of(x + offset[0], y + offset[1], z + offset[2], person.proportions)
    labels = grow_head(brain, cavity, frame)
    affine = np.diag([1e-3 * spacing] * 3 + [1.0])
    middle = spacing * np.array(ndimage.center_of_mass(np.isin(labels, labels_of(BRAIN_TISSUES))))
    affine[:3, 3] = -1e-3 * middle
    return LabelVolume(labels, affine)


def _brain(axes: Axes, spacing: float, person: _Person) -> tuple[UInt8[np.ndarray, "x y z"], Field]:
    """Return the brain's labels and the signed distance to the skull's inner surface [mm]."""
    x, y, z = axes
    a, b, c = person.halves
    unit: Axes = (np.abs(x) * (70.0 / a), y * (88.0 / b), z * (68.0 / c))  # in the frame of the mean brain
    outline = _cerebrum(unit)
    cerebellum = ellipsoid(unit, (23, -43, -46), (31, 27, 25), 2.2)
    vermis = ellipsoid(unit, (0, -42, -42), (13, 24, 27))
    cerebellum = blend(cerebellum, vermis, 4.0)
    stem = tube(unit, [(0, -6, -16), (0, -6, -32), (0, -16, -60), (0, -24, -110)], [15.0, 16.0, 9.0, 6.5])
    cavity = cranial_cavity((outline < 0) | (cerebellum < 0) | (stem < 0), spacing, z.ravel() + 10.0)
    labels = np.zeros(cavity.shape, dtype=np.uint8)
    surface = normalised(outline, spacing)
    hemisphere = np.maximum(surface, 1.0 - np.abs(x))
    folds, wall = _folds(axes, surface, spacing, person)
    sylvian = _sylvian(unit)
    # distance from a point of the hemisphere to the nearest pial surface: outline, sulcal walls, Sylvian fissure
    bottom = person.depth * (0.75 + 0.35 * np.tanh(wall)) + hemisphere
    pial = np.minimum(-hemisphere, np.hypot(folds, np.maximum(-bottom, 0.0)) - person.sulcus)
    pial = np.minimum(pial, sylvian)
    labels[pial > 0] = TISSUE_LABELS["grey_matter"]
    labels[pial > person.cortex] = TISSUE_LABELS["white_matter"]
    _add_deep_structures(labels, unit, person)
    labels[(stem < 0) & (labels == 0)] = TISSUE_LABELS["white_matter"]
    folia = 1.1 * np.sin(0.9 * unit[2] + 0.25 * unit[1])
    labels[(cerebellum + np.maximum(folia, 0.0) < -0.3) & (stem > 0)] = TISSUE_LABELS["cerebellum"]
    tent = np.abs(cerebellum) < 1.2
    labels[tent & (stem > 0)] = TISSUE_LABELS["csf"]
    labels[ellipsoid(unit, (0, -24, -42), (5.5, 4.5, 11)) < 0] = TISSUE_LABELS["csf"]
    return labels, cavity


def _cerebrum(unit: Axes) -> Field:
    """Outline of the cerebrum: an ellipsoid cut flat below, with a temporal lobe on each side."""
    vault = ellipsoid(unit, (0, 3, 8), (68, 88, 62), 2.2)
    floor = -unit[2] - 28.0 - 0.10 * unit[1]
    upper: Field = -blend(-vault, -floor, 14.0)
    temporal = tube(unit, [(40, 36, -36), (46, 0, -36), (40, -45, -22)], [15.0, 17.5, 15.0])
    return blend(upper, temporal, 7.0)


def _folds(axes: Axes, surface: Field, spacing: float, person: _Person) -> tuple[Field, Field]:
    """Return the distance to the nearest sulcal wall [mm], and a slower field by which depths vary."""
    x, y, z = axes
    noise = _band_limited(person.folds)
    side = np.sign(x) + (x == 0)
    # rays leave a segment inside each hemisphere, so that walls stand upright on the outline
    core = (0.33 * person.halves[0] * side, np.clip(y, -0.62 * person.halves[1], 0.6 * person.halves[1]), 0.0 * z)
    ray = [axis - start for axis, start in zip(axes, core, strict=True)]
    length = np.sqrt(ray[0] ** 2 + ray[1] ** 2 + ray[2] ** 2) + 1e-3
    reach = np.maximum(length - surface, 10.0)  # to the outline, as rays meet it at nearly right angles
    point = [start + reach * part / length for start, part in zip(core, ray, strict=True)]
    bent = np.stack([np.broadcast_to(p, length.shape) for p in point])
    bent = bent + 0.12 * (length - reach) * np.array([0.3, 1.0, -0.5], dtype=np.float32)[:, None, None, None]
    index = bent / _LATTICE_STEP + 0.5 * _LATTICE
    index[0] += np.where(side > 0, 0.0, 17.0)  # the two sides fold differently
    level = ndimage.map_coordinates(noise, index, order=1, mode="grid-wrap")
    slow = ndimage.gaussian_filter(noise, 3.0, mode="wrap")
    wall = ndimage.map_coordinates(slow / slow.std(), index + 20.0, order=1, mode="grid-wrap")
    level = ndimage.gaussian_filter(level, 0.8 / spacing)
    return np.abs(_wall_distance(level, spacing)), wall


def _wall_distance(level: Field, spacing: float) -> Field:
    """Return a random field divided by its slope, the slope smoothed and bounded below."""
    square = sum(np.gradient(level, spacing, axis=axis) ** 2 for axis in range(3))
    slope = np.sqrt(ndimage.gaussian_filter(square, 1.5 / spacing))
    bounded: Field = level / np.maximum(slope, 0.35 * float(slope.mean()))
    return bounded


def _band_limited(generator: np.random.Generator) -> Float[np.ndarray, "n n n"]:
    """Return a periodic random field of unit variance whose wavelengths lie around ``FOLD_WAVELENGTH``."""
    white = generator.standard_normal((_LATTICE,) * 3)
    wave = np.fft.fftfreq(_LATTICE, _LATTICE_STEP)
    half = np.fft.rfftfreq(_LATTICE, _LATTICE_STEP)
    number = np.sqrt(wave[:, None, None] ** 2 + wave[None, :, None] ** 2 + half[None, None, :] ** 2)
    band = np.exp(-0.5 * ((number * FOLD_WAVELENGTH - 1.0) / 0.18) ** 2)
    field = np.fft.irfftn(np.fft.rfftn(white) * band, s=white.shape, axes=(0, 1, 2))
    scaled: Float[np.ndarray, "n n n"] = (field / field.std()).astype(np.float32)
    return scaled


def _sylvian(unit: Axes) -> Field:
    """Distance to the lateral fissure [mm]: a curved sheet that ends at the insula."""
    x, y, z = unit
    sheet = z - (-12.0 - 0.30 * y + 0.0020 * y**2)
    inward = 40.0 - x
    ahead = np.maximum(y - 42.0, -28.0 - y)
    distance: Field = np.sqrt(sheet**2 + np.maximum(inward, 0.0) ** 2 + np.maximum(ahead, 0.0) ** 2) - 1.0
    insula = (
        np.sqrt((x - 40.0) ** 2 + np.maximum(np.abs(sheet) - 9.0, 0.0) ** 2 + np.maximum(ahead + 8, 0.0) ** 2) - 0.8
    )
    return np.minimum(distance, insula)


def _add_deep_structures(labels: UInt8[np.ndarray, "x y z"], unit: Axes, person: _Person) -> None:
    """Corpus callosum, basal ganglia, thalami, hippocampi and the ventricles."""
    size = person.ventricles
    core = ellipsoid(unit, (16, -4, 2), (24, 40, 22), 2.3) < 0
    labels[core] = TISSUE_LABELS["white_matter"]
    arch = tube(unit, [(0, 32, -2), (0, 34, 10), (0, 22, 22), (0, -10, 25), (0, -32, 20), (0, -38, 10)], [4.0] * 6)
    wide = (unit[0] < 16) & (arch < 0)
    labels[wide] = TISSUE_LABELS["white_matter"]
    nuclei = (
        tube(unit, [(13, 26, 2), (16, 8, 14), (18, -18, 14)], [6.0, 4.5, 3.0]),
        ellipsoid(unit, (27, 8, 0), (6, 17, 11)),
        ellipsoid(unit, (11, -14, 4), (8.5, 14, 9)),
        tube(unit, [(25, 4, -22), (28, -20, -18), (20, -34, -4)], [6.0, 4.5, 3.5]),
    )
    for nucleus in nuclei:
        labels[nucleus < 0] = TISSUE_LABELS["grey_matter"]
    lateral = tube(
        unit,
        [(8, 34, 4), (8, 14, 14), (9, -14, 17), (20, -36, 10), (34, -18, -16), (34, -2, -24)],
        [4.5 * size, 5.0 * size, 5.0 * size, 6.0 * size, 2.2 * size, 1.5 * size],
    )
    third = ellipsoid(unit, (0, -10, -2), (2.2 * size, 14, 12))
    fissure = (unit[0] < 1.0) & (arch > 0) & ~(ellipsoid(unit, (0, -8, -4), (30, 26, 20)) < 0) & core
    labels[(lateral < 0) | (third < 0) | fissure] = TISSUE_LABELS["csf"]
