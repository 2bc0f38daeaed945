"""The whole head around the MNI152 template's brain, from maps that lie in nilearn's package: no download.

The maps are the ICBM 2009a nonlinear symmetric average of 152 heads at 1 mm: T1 and the probabilities of grey and
white matter, without skull (Fonov et al., NeuroImage 54, 313 (2011)). An average has blurred sulci; voxels whose brain
probability is below ``FLUID_BELOW``, or that are dark in T1 against their surroundings, count as fluid.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage

from mrrepro.phantoms.brain_images import load_volume, mni152_path
from mrrepro.phantoms.cranial_cavity import cranial_cavity
from mrrepro.phantoms.head_layers import HeadFrame, HeadProportions, grow_head
from mrrepro.phantoms.head_tissues import TISSUE_LABELS
from mrrepro.phantoms.label_volume import LabelVolume
from mrrepro.phantoms.solid_shapes import Axes, Field, sparse_axes, tube

MNI152_MIDDLE = (0.0, -0.022, 0.010)
"""Where the middle of the brain lies in MNI coordinates [m]: the centroid of the template's grey and white matter,
rounded to a millimetre. A head's coordinates are MNI coordinates less this."""

FLUID_BELOW = 0.6
"""Probability of grey plus white matter below which a voxel is cerebrospinal fluid; our choice."""

LOWEST, HIGHEST = (-97, -140, -92), (97, 112, 106)
"""First and last voxel of the head along each axis [mm], MNI coordinates."""

Mask = Bool[np.ndarray, "x y z"]


@functools.lru_cache(maxsize=1)
def mni152_template() -> LabelVolume:
    """Return the template's head at 1 mm, the middle of its brain at zero."""
    t1, grey, white = (_on_head_grid(path) for path in mni152_maps())
    axes = tuple(np.arange(low, high + 1, dtype=float) for low, high in zip(LOWEST, HIGHEST, strict=True))
    x, y, z = axes
    brain = _brain_labels(t1, grey / 255.0, white / 255.0, sparse_axes(x, y, z))
    cavity = cranial_cavity(t1 > 0, 1.0, z)
    labels = grow_head(brain, cavity, HeadFrame.of(x, y, z, HeadProportions()))
    affine = np.diag([1e-3, 1e-3, 1e-3, 1.0])
    affine[:3, 3] = 1e-3 * np.array(LOWEST) - np.array(MNI152_MIDDLE)
    return LabelVolume(labels, affine)


def mni152_maps() -> tuple[Path, Path, Path]:
    """Return the paths of the template's T1, grey matter and white matter maps."""
    t1 = mni152_path()
    grey, white = (t1.with_name(t1.name.replace("_t1_", f"_{tissue}_")) for tissue in ("gm", "wm"))
    return t1, grey, white


def _on_head_grid(path: Path) -> Float[np.ndarray, "x y z"]:
    """Read a map onto the head's grid; below the template its lowest slice is continued, for the brain stem."""
    import nibabel

    values = load_volume(path)
    corner = nibabel.as_closest_canonical(nibabel.load(path)).affine[:3, 3]
    first = np.round(corner).astype(int) - np.array(LOWEST)
    shape = np.array(HIGHEST) - np.array(LOWEST) + 1
    low, high = np.maximum(-first, 0), np.minimum(shape - first, values.shape)
    part = values[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    before = np.maximum(first, 0)
    after = shape - before - part.shape
    whole = np.pad(part, list(zip(before, after, strict=True)))
    whole[:, :, : before[2] + 1] = whole[:, :, before[2] + 1 : before[2] + 2]
    return whole


def _brain_labels(t1: Field, grey: Field, white: Field, axes: Axes) -> UInt8[np.ndarray, "x y z"]:
    surroundings = ndimage.gaussian_filter(t1, 3.0)
    sulcus = (surroundings - t1 > 16.0) & (grey + white < 0.85) & (white < 0.3)
    fluid = (t1 > 0) & ((grey + white < FLUID_BELOW) | sulcus)
    labels = np.zeros(t1.shape, dtype=np.uint8)
    labels[t1 > 0] = TISSUE_LABELS["grey_matter"]
    labels[(t1 > 0) & (white > grey)] = TISSUE_LABELS["white_matter"]
    z = axes[2]
    labels[(labels != 0) & (_brain_stem(axes) < 0) & (z < -16)] = TISSUE_LABELS["white_matter"]
    labels[fluid] = TISSUE_LABELS["csf"]
    labels[_cerebellum(labels, grey + white, axes)] = TISSUE_LABELS["cerebellum"]
    return labels


def _brain_stem(axes: Axes) -> Field:
    """Distance to midbrain, pons and medulla, which the maps count as grey matter for the most part [mm]."""
    return tube(axes, [(0, -20, -8), (0, -27, -34), (0, -42, -58), (0, -46, -100)], [14.0, 17.0, 9.5, 7.5])


def _cerebellum(labels: UInt8[np.ndarray, "x y z"], brain: Field, axes: Axes) -> Mask:
    """Flood the posterior fossa and the rest from seeds; they meet in the fluid under the tentorium."""
    x, y, z = axes
    tentorium = -3.0 - 0.42 * np.abs(x) - 0.25 * np.abs(y + 55.0)
    stem = _brain_stem(axes)
    markers = np.zeros(labels.shape, dtype=np.int16)
    tissue = (labels != 0) & (labels != TISSUE_LABELS["csf"])
    fossa = (z < tentorium - 5.0) & (y < -34) & (y > -95) & (np.abs(x) < 52)
    markers[tissue & fossa & (stem > 3.0)] = 1
    markers[tissue & ((z > tentorium + 6.0) | (stem < -1.0) | ((y > -27) & (np.abs(x) > 25)))] = 2
    part = (slice(None), slice(0, 140), slice(0, 120))
    cost = np.clip(255.0 * (1.0 - brain[part]), 0, 255).astype(np.uint8)
    found = np.zeros(labels.shape, dtype=bool)
    found[part] = ndimage.watershed_ift(cost, markers[part]) == 1
    return found & tissue
