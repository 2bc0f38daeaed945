"""Skull, scalp, face and vessels, grown around a brain.

All positions are in millimetres in the stereotactic frame of MNI152 (x to the right, y to the front, z up, the
anterior commissure at zero), for a brain of that template's size; ``HeadProportions`` stretches the frame for others.
The inner surface of the skull is given as a signed distance ``cavity``; dura lines it, the skull is a cortical inner
and outer table with diploe between, the outer surface is the skull's plus the scalp, joined smoothly with face, nose,
ears and neck. Thicknesses are typical of adults (skull 4 to 8 mm, scalp 5 to 7 mm, skin 2 mm); positions of eyes,
sinuses, ears, bones and vessels were read off averages of MNI152. This is a drawing for field computations: the face is
nobody's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8
from scipy import ndimage

from mrrepro.phantoms.head_tissues import TISSUE_LABELS, labels_of
from mrrepro.phantoms.solid_shapes import Axes, Field, Point, blend, bump, ellipsoid, normalised, sparse_axes, tube

Labels = UInt8[np.ndarray, "x y z"]


@dataclass(frozen=True)
class HeadProportions:
    """What differs between heads outside the brain.

    Parameters
    ----------
    stretch : tuple of 3 float
        Size of the head's frame relative to MNI152 along each axis.
    skull, scalp, skin : float
        Typical thickness of the vault and of the scalp with its skin, and of the skin [mm].
    nose : float
        How far the nose stands out, relative to an average.
    """

    stretch: Point = (1.0, 1.0, 1.0)
    skull: float = 6.5
    scalp: float = 6.0
    skin: float = 2.0
    nose: float = 1.0


@dataclass(frozen=True)
class HeadFrame:
    """The grid on which a head grows: coordinates [mm] in the stretched frame, spacing [mm], proportions."""

    axes: Axes
    spacing: float
    proportions: HeadProportions

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray, z: np.ndarray, proportions: HeadProportions) -> HeadFrame:
        """Return the frame of a grid with these coordinates along its axes [mm]."""
        stretched = [axis / factor for axis, factor in zip((x, y, z), proportions.stretch, strict=True)]
        return cls(sparse_axes(*stretched), float(x[1] - x[0]), proportions)

    def mirrored(self) -> Axes:
        """Return the axes with |x|: a shape on the right then stands on both sides."""
        x, y, z = self.axes
        return np.abs(x), y, z


def grow_head(brain: Labels, cavity: Field, frame: HeadFrame) -> Labels:
    """Return the whole head around a brain.

    Parameters
    ----------
    brain : ndarray of uint8, (x, y, z)
        Grey and white matter, cerebellum and cerebrospinal fluid; what is left 0 inside the cavity becomes fluid.
    cavity : ndarray, (x, y, z)
        Signed distance to the skull's inner surface [mm], negative inside.
    frame : HeadFrame
    """
    skull = _skull_thickness(frame)
    outer = _outer_surface(cavity - skull, frame)
    depth = -normalised(outer, frame.spacing)
    head = outer < 0.0
    labels = np.zeros(cavity.shape, dtype=np.uint8)
    labels[head] = TISSUE_LABELS["muscle"]
    _paint(labels, head & (depth < frame.proportions.skin + _fat_thickness(frame)), "fat")
    soft = head & (cavity > 0.0) & (depth > frame.proportions.skin)
    _add_face(labels, soft, frame)
    _add_skull(labels, soft, cavity, skull, frame)
    _add_sinuses(labels, soft & (cavity > 1.5), frame)
    _add_eyes(labels, soft & (cavity > 1.0), frame)
    _fill_cavity(labels, brain, cavity, frame)
    _add_vessels(labels, cavity, frame)
    _cover_with_skin(labels, head, depth, frame)
    return labels


def _paint(labels: Labels, where: Bool[np.ndarray, "x y z"], tissue: str) -> None:
    labels[where] = TISSUE_LABELS[tissue]


def _skull_thickness(frame: HeadFrame) -> Field:
    sides = frame.mirrored()
    temporal = bump(sides, (70, 5, -8), (18, 28, 18))
    frontal = bump(sides, (0, 78, -18), (22, 14, 12))
    occipital = bump(sides, (0, -108, -15), (18, 18, 14))
    vault: Field = frame.proportions.skull - 2.8 * temporal + 3.5 * frontal + 2.5 * occipital
    return vault


def _outer_surface(skull_surface: Field, frame: HeadFrame) -> Field:
    """Level set of the skin, negative inside [mm]."""
    sides, nose = frame.mirrored(), frame.proportions.nose
    scalp = frame.proportions.scalp + 3.0 * bump(sides, (72, 22, -28), (16, 22, 20))
    surface = skull_surface - scalp
    face = ellipsoid(sides, (0, 8, -70), (77, 66, 62), 2.6)
    neck = ellipsoid(sides, (0, -40, -90), (68, 66, 52), 2.4)
    surface = blend(blend(surface, face, 14.0), neck, 14.0)
    bridge = tube(sides, [(0, 72, -34), (0, 73 + 12 * nose, -64), (0, 64 + 12 * nose, -80)], [8.0, 12.0, 20.0])
    brow = tube(sides, [(12, 72, -24), (38, 64, -26)], [7.0, 7.0])
    cheek = ellipsoid(sides, (44, 48, -60), (18, 17, 14))
    for feature, width in ((brow, 14.0), (cheek, 12.0), (bridge, 8.0)):
        surface = blend(surface, feature, width)
    socket = ellipsoid(sides, (34, 76, -40), (13, 8, 9))
    surface = -blend(-surface, socket, 6.0)
    x, y, z = sides
    ear = ellipsoid((x - 0.35 * (-y - 28) - 0.08 * (z + 48), y, z), (80, -30, -48), (4.5, 15, 26))
    return blend(surface, ear, 3.0)


def _fat_thickness(frame: HeadFrame) -> Field:
    sides = frame.mirrored()
    cheeks = bump(sides, (60, 40, -60), (22, 26, 20))
    nape = bump(sides, (0, -100, -60), (60, 25, 22))
    thickness: Field = 2.8 + 4.0 * cheeks + 2.5 * nape
    return thickness


def _add_face(labels: Labels, soft: Bool[np.ndarray, "x y z"], frame: HeadFrame) -> None:
    """Fat pads and the bones of the face that do not enclose the brain."""
    sides = frame.mirrored()
    _paint(labels, soft & (ellipsoid(sides, (58, 30, -52), (8, 18, 18)) < 0), "fat")
    upper_jaw = ellipsoid(sides, (24, 46, -66), (23, 24, 22), 2.4)
    cheek_bone = blend(
        ellipsoid(sides, (47, 49, -55), (9, 9, 9)),
        tube(sides, [(50, 46, -54), (66, 25, -52), (69, -8, -50)], [5.0, 3.2, 3.5]),
        4.0,
    )
    jaw = tube(sides, [(52, -4, -56), (52, 4, -70), (50, 14, -90)], [6.0, 5.0, 5.5])
    base = blend(
        tube(sides, [(52, -26, -42), (16, -8, -42)], [9.0, 7.0]), ellipsoid(sides, (53, -30, -54), (11, 13, 16)), 5.0
    )
    sphenoid = ellipsoid(sides, (0, 8, -42), (17, 18, 13))
    wing = tube(sides, [(16, 22, -36), (46, 32, -38)], [3.0, 4.0])
    for bone, table in ((upper_jaw, 2.5), (cheek_bone, 2.2), (jaw, 2.2), (base, 2.0), (sphenoid, 1.8), (wing, 2.0)):
        _paint(labels, soft & (bone < 0), "bone_cortical")
        _paint(labels, soft & (bone < -table), "bone_cancellous")
    nasal_bone = tube(sides, [(3, 76, -34), (3, 80, -46), (4, 83, -54)], [3.0, 2.5, 2.0])
    _paint(labels, soft & (nasal_bone < 0), "bone_cortical")


def _add_skull(labels: Labels, soft: Bool[np.ndarray, "x y z"], cavity: Field, skull: Field, frame: HeadFrame) -> None:
    share = cavity / skull
    _paint(labels, soft & (share < 1.0), "bone_cortical")
    _paint(labels, soft & (share > 0.3) & (share < 0.7) & (skull > 4.8), "bone_cancellous")


def _add_sinuses(labels: Labels, free: Bool[np.ndarray, "x y z"], frame: HeadFrame) -> None:
    """Nasal cavity, paranasal sinuses, nasopharynx and mastoid cells: air behind a lining of mucous tissue."""
    sides = frame.mirrored()
    x, y, z = sides
    nose = np.maximum(ellipsoid(sides, (0, 52, -62), (15, 36, 21), 3.0), y - 88)
    ethmoid = ellipsoid(sides, (0, 42, -38), (11, 22, 9), 3.0)
    _paint(labels, free & (ethmoid < 1.2), "bone_cortical")
    lined = (
        (ellipsoid(sides, (27, 45, -65), (14, 16, 15)), 1.5),
        (ellipsoid(sides, (7, 10, -42), (6.0, 10, 7.0)), 1.2),
        (ellipsoid(sides, (9, 77, -20), (8, 3.6, 9)), 1.2),
        (ellipsoid(sides, (0, 8, -72), (12, 11, 13)), 2.5),
    )
    _paint(labels, free & (np.minimum(nose, ethmoid) < 0), "mucous_tissue")
    for cave, lining in lined:
        _paint(labels, free & (cave < lining + 1.6), "bone_cortical")
        _paint(labels, free & (cave < lining), "mucous_tissue")
        _paint(labels, free & (cave < 0), "air")
    turbinate = 6.5 + 2.6 * np.sin((z + 75) * (2 * np.pi / 13.0))
    passage = (np.abs(x - turbinate) < 1.3) & (nose < -2.0)
    _paint(labels, free & passage, "air")
    _paint(labels, free & (x < 1.0) & (nose < 0) & (y < 60), "bone_cortical")
    cells = (np.abs(np.sin(x * 0.75)) > 0.45) & (np.abs(np.sin(y * 0.6)) > 0.45) & (np.abs(np.sin(z * 0.7)) > 0.45)
    _paint(labels, free & cells & (x > 2) & (ethmoid < -1.5), "air")
    mastoid = ellipsoid(sides, (54, -28, -50), (6, 8, 10))
    _paint(labels, free & cells & (mastoid < 0), "air")


def _add_eyes(labels: Labels, free: Bool[np.ndarray, "x y z"], frame: HeadFrame) -> None:
    """Orbits of thin bone, filled with fat; globes in their white coat, straight muscles, optic nerves."""
    sides = frame.mirrored()
    orbit = tube(sides, [(34, 60, -39), (30, 46, -38), (16, 20, -36)], [17.0, 16.0, 5.0])
    y = sides[1]
    _paint(labels, free & (orbit < 1.8) & (orbit > 0) & (y < 64), "bone_cortical")
    _paint(labels, free & (orbit < 0), "fat")
    for dx, dz in ((9, 0), (-9, 0), (0, 9), (0, -9)):
        strap = tube(sides, [(18, 22, -36), (30 + dx, 44, -38 + dz), (34 + dx, 56, -39 + dz)], [1.6, 2.2, 1.6])
        _paint(labels, free & (strap < 0), "muscle")
    nerve = tube(sides, [(33, 46, -39), (17, 21, -36), (7, 8, -28)], [2.3, 2.3, 2.3])
    _paint(labels, free & (nerve < 0), "white_matter")
    globe = ellipsoid(sides, (34, 57, -39), (12.2, 12.2, 12.2))
    _paint(labels, free & (globe < 1.2), "muscle")
    _paint(labels, free & (globe < 0), "vitreous_humour")


def _fill_cavity(labels: Labels, brain: Labels, cavity: Field, frame: HeadFrame) -> None:
    """The brain in its fluid, and dura: the lining of the skull, the falx and the tentorium."""
    inside = cavity < 0
    labels[inside] = TISSUE_LABELS["csf"]
    tissue = inside & (brain != 0) & (cavity < -2.2)
    labels[tissue] = brain[tissue]
    _paint(labels, inside & (cavity > -1.0), "dura")
    x, y, z = frame.axes
    half = 0.55 * frame.spacing + 0.1
    soft = np.isin(labels, labels_of(("csf", "grey_matter"))) & inside
    falx = soft & (np.abs(x) < half) & (z > 0.0) & (cavity > -(20.0 + 0.15 * (70.0 - y)))
    _paint(labels, falx, "dura")
    reach = max(1, round(1.0 / frame.spacing))
    cerebellum = ndimage.binary_dilation(labels == TISSUE_LABELS["cerebellum"], iterations=reach)
    cerebrum = np.isin(labels, labels_of(("grey_matter", "white_matter")))
    near = ndimage.binary_dilation(cerebrum & (y < -30), iterations=reach)
    sheet = cerebellum & near & (y < -42) & (z > -42) & (labels != TISSUE_LABELS["cerebellum"])
    _paint(labels, sheet & inside & (labels != TISSUE_LABELS["white_matter"]), "dura")


def _add_vessels(labels: Labels, cavity: Field, frame: HeadFrame) -> None:
    """Venous sinuses in the dura, jugular veins, internal carotid and basilar arteries."""
    sides = frame.mirrored()
    x, y, z = sides
    rim = (cavity < 0) & (cavity > -6.0)
    sagittal = rim & (x < 0.75 * (cavity + 6.0)) & ((z > 25) | ((y < -60) & (z > -12)))
    transverse = rim & (y < -38) & (x < 62) & (np.abs(z + 11 + 0.2 * (y + 106)) < 3.5)
    _paint(labels, sagittal | transverse, "blood")
    head = labels != 0
    carotid = tube(sides, [(28, -6, -95), (25, -8, -58), (14, 2, -46), (10, 0, -34), (11, 3, -26)], [2.6] * 5)
    jugular = tube(sides, [(34, -22, -95), (30, -30, -58)], [5.0, 4.5])
    _paint(labels, head & (np.minimum(carotid, jugular) < 0) & (labels != TISSUE_LABELS["white_matter"]), "blood")
    basilar = tube(sides, [(0, -18, -52), (0, -10, -36), (0, -8, -20)], [2.0] * 3)
    _paint(labels, (labels == TISSUE_LABELS["csf"]) & (basilar < 0), "blood")


def _cover_with_skin(labels: Labels, head: Bool[np.ndarray, "x y z"], depth: Field, frame: HeadFrame) -> None:
    outside = np.pad(~head, ((1, 1), (1, 1), (0, 1)), constant_values=True)  # below, the neck is cut
    exposed = ndimage.binary_dilation(outside)[1:-1, 1:-1, :-1]
    _paint(labels, head & (exposed | (depth < frame.proportions.skin)), "skin")
