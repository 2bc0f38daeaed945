"""Heads with a glioma: tissue maps of simulated patients from a brain template, with known enhancement.

Nothing here is a patient. The template's grey and white matter are deformed smoothly; a tumor with necrosis, solid
core and oedema is put into the white matter; vessels and the sinus at the midline are added. Where contrast agent goes
follows `mrrepro.phantoms.enhancement_law.EnhancementLaw`: the evidence z drives the extents of oedema and necrosis and
the water of the core, and that is all that the images tell about whether the tumor enhances.

All lengths are in metres. A patient is a pure function of grid, anatomy settings, law, seed and number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from mrrepro.phantoms.brain_images import load_volume, mni152_path
from mrrepro.phantoms.enhancement_law import EnhancementLaw
from mrrepro.validation import require_range

CROP_START = (18, 21, 0)
"""First voxel of the central crop of the template's 197 x 233 x 189; so placed, the brain lies in its middle."""

CROP_SHAPE = (160, 192, 160)
"""Voxels of 1 mm of the crop; thesis, section 2.2."""

CROP_ORIGIN_MM = (-80.0, -113.0, -72.0)
"""Position of the crop's first voxel in the template's world [mm]."""

TISSUES = ("white_matter", "grey_matter", "csf", "oedema", "core", "necrosis", "blood")
"""Order of a patient's tissue maps."""

Map = Float[np.ndarray, "x y z"]


@dataclass(frozen=True)
class Anatomy:
    """How patients differ; all is our choice, made so that tumors look like gliomas at 4 mm.

    Parameters
    ----------
    deformation : float
        Standard deviation of the smooth displacement [m].
    core_radius : (float, float)
        Bounds of the core's radius, drawn uniformly [m].
    oedema_width : float
        Width of the oedema at z = 0 [m]; ``exp(0.5 z)`` times that elsewhere.
    necrosis : (float, float)
        Radius of the necrosis as part of the core's at z = 0 and its growth with z; kept within 0 to 0.75.
    core_water : float
        Logarithm by which T2 of the core grows with z; that of T1 grows by 0.4 times as much.
    uptake : (float, float)
        Concentration of contrast agent in leaky core: mean [mol/m^3] and standard deviation as part of it.
    vessel_uptake : float
        Concentration in blood [mol/m^3].
    sinus_probability : float
        How often the sinus at the midline enhances; thesis, section 4.1: 'in most cases'.
    """

    deformation: float = 3e-3
    core_radius: tuple[float, float] = (11e-3, 19e-3)
    oedema_width: float = 8e-3
    necrosis: tuple[float, float] = (0.35, 0.15)
    core_water: float = 0.25
    uptake: tuple[float, float] = (0.22, 0.1)
    vessel_uptake: float = 0.3
    sinus_probability: float = 0.9


@dataclass(frozen=True)
class Template:
    """Grey and white matter and the brain of the MNI152 template on a coarser grid.

    Parameters
    ----------
    voxel : float
        Edge of a voxel [m].
    white_matter, grey_matter, csf : array, (x, y, z)
        Parts of each voxel, which sum to the brain's part.
    brain : array, (x, y, z)
        Where the atlas has brain; the same for all patients, as in the thesis.
    """

    voxel: float
    white_matter: Map
    grey_matter: Map
    csf: Map
    brain: Bool[np.ndarray, "x y z"]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along x (to the right), y (to anterior), z (to superior)."""
        x, y, z = self.brain.shape
        return x, y, z

    @property
    def affine_mm(self) -> Float[np.ndarray, "4 4"]:
        """From indices to the template's world [mm]."""
        edge = self.voxel * 1e3
        affine = np.diag([edge, edge, edge, 1.0])
        affine[:3, 3] = np.array(CROP_ORIGIN_MM) + 0.5 * (edge - 1.0)
        return affine


@lru_cache(maxsize=4)
def mni152_template(voxel_mm: int) -> Template:
    """Average the template over cubes of ``voxel_mm`` millimetres within the crop of 160 x 192 x 160 mm.

    Parameters
    ----------
    voxel_mm : int
        Edge of the cubes [mm]: 1, 2, 4 or 8, so that 160 and 192 divide.

    Raises
    ------
    ValueError
        For another edge, or where nilearn, which has the template, is not installed.
    """
    if voxel_mm not in (1, 2, 4, 8):
        raise ValueError(f"voxel_mm must be 1, 2, 4 or 8, which divide 160 and 192, but is {voxel_mm!r}.")
    path = mni152_path()
    head, grey, white = (
        _coarse(load_volume(path.with_name(path.name.replace("_t1_", f"_{kind}_"))), voxel_mm)
        for kind in ("t1", "gm", "wm")
    )
    grey, white = grey / 255.0, white / 255.0
    brain = ndimage.binary_fill_holes(head > 0.25 * np.percentile(head[head > 0], 90))
    scale = np.maximum(grey + white, 1.0)
    grey, white = np.where(brain, grey / scale, 0.0), np.where(brain, white / scale, 0.0)
    return Template(voxel_mm * 1e-3, white, grey, np.where(brain, 1.0 - grey - white, 0.0), brain)


@dataclass(frozen=True)
class GliomaPatient:
    """A simulated patient.

    Parameters
    ----------
    name : str
        ``simulated-0007``.
    tissues : array, (7, x, y, z)
        Part of each voxel that is of each of `TISSUES`; 0 outside the head's brain.
    uptake : array, (x, y, z)
        Concentration of contrast agent, over the whole voxel [mol/m^3].
    core_water : float
        Logarithm of the core's T2 over its usual one.
    tumor, solid, leaky, sinus : array, (x, y, z)
        Where more than half is tumor (oedema included, as in the thesis' masks); where more than half is solid core;
        the part of the latter that enhances; the sinus at the midline.
    enhances, sinus_enhances : bool
        Whether the tumor does; whether the sinus does.
    evidence : float
        z.
    grade : int
        2, 3 or 4, drawn from whether it enhances.
    age : float
        [years], drawn from whether it enhances.
    """

    name: str
    tissues: Float[np.ndarray, "tissues x y z"]
    uptake: Map
    core_water: float
    tumor: Bool[np.ndarray, "x y z"]
    solid: Bool[np.ndarray, "x y z"]
    leaky: Bool[np.ndarray, "x y z"]
    sinus: Bool[np.ndarray, "x y z"]
    enhances: bool
    sinus_enhances: bool
    evidence: float
    grade: int
    age: float


GRADES = {True: (0.01, 0.02, 0.97), False: (0.6, 0.37, 0.03)}
"""Probabilities of grades II, III, IV where the tumor enhances and where not: our choice, for 'the vast
majority' of grade IV enhances and the others do in 'rare cases' (thesis, sections 1 and 3.5)."""

AGES = {True: (60.0, 11.0), False: (47.0, 14.0)}
"""Mean and standard deviation of the age [years] where the tumor enhances and where not: our choice."""


def glioma_patient(
    template: Template, law: EnhancementLaw, anatomy: Anatomy, *, seed: int, number: int
) -> GliomaPatient:
    """Make patient ``number`` of the cohort of a seed; every second patient enhances.

    Parameters
    ----------
    template : Template
        Grid and healthy anatomy.
    law : EnhancementLaw
        What ties evidence to enhancement.
    anatomy : Anatomy
        How patients differ.
    seed, number : int
        Together they fix the patient, both at least 0.
    """
    require_range("number", number, 0)
    generator = np.random.default_rng([seed, number])
    enhances = number % 2 == 1
    evidence = law.evidence(enhances, generator)
    shown = law.appearance(evidence)
    healthy = _deformed(template, anatomy, generator)
    depth = _tumor_depth(template, healthy[0], anatomy, generator)
    tissues, core_radius = np.zeros((len(TISSUES), *template.shape), dtype=np.float32), depth.radius
    width = anatomy.oedema_width * math.exp(0.5 * shown)
    necrotic = core_radius * float(np.clip(anatomy.necrosis[0] + anatomy.necrosis[1] * shown, 0.0, 0.75))
    edge = 0.3 * template.voxel
    spread = _step(depth.level - width * (1.3 * healthy[0] + 0.35), edge)  # oedema follows white matter
    core, dead = _step(depth.level, edge), _step(depth.level + core_radius - necrotic, edge)
    tumor = np.maximum(spread, core)
    tissues[:3] = healthy * (1.0 - tumor)
    tissues[3], tissues[4], tissues[5] = tumor - core, core - np.minimum(dead, core), np.minimum(dead, core)
    tissues *= template.brain
    blood, sinus, sinus_enhances = _vessels(template, healthy, anatomy, generator)
    tissues[:3] *= 1.0 - blood
    blood = blood * (1.0 - tissues[3:6].sum(0))
    tissues[6] = blood
    solid = tissues[4] > 0.5
    leaky = _leaky_part(solid, law, template, generator) & enhances
    amount = anatomy.uptake[0] * max(0.3, generator.normal(1.0, anatomy.uptake[1]))
    in_blood = anatomy.vessel_uptake * blood * np.where(sinus, float(sinus_enhances), 1.0)
    uptake = np.where(leaky, amount * tissues[4], 0.0) + in_blood
    grade = int(generator.choice((2, 3, 4), p=GRADES[enhances]))
    age = float(np.clip(generator.normal(*AGES[enhances]), 19.0, 86.0))
    tumor_mask = tissues[3:6].sum(0) > 0.5
    return GliomaPatient(
        f"simulated-{number:04d}",
        tissues,
        uptake.astype(np.float32),
        anatomy.core_water * shown,
        tumor_mask,
        solid & tumor_mask,
        leaky & tumor_mask,
        sinus & (blood > 0.5),
        enhances,
        sinus_enhances,
        evidence,
        grade,
        age,
    )


def smooth_field(
    shape: tuple[int, ...], length: float, voxel: float, generator: np.random.Generator
) -> Float[np.ndarray, "x y z"]:
    """Draw a Gaussian field of mean 0 and standard deviation 1 over the volume.

    A sum of products of cosines whose weights fall as the spectrum of white noise smoothed by a Gaussian of standard
    deviation ``length`` [m] does, cut where they are below 4 %; the mean over the volume is taken out.
    """
    waves, spectra = [], []
    for side in shape:
        highest = math.ceil(2.5 * side * voxel / (math.pi * length))
        order = np.arange(min(side, highest + 1))
        waves.append(np.cos(np.pi * np.outer(order, (np.arange(side) + 0.5) / side)).astype(np.float32))
        spectra.append(np.exp(-0.5 * (np.pi * order * length / (side * voxel)) ** 2).astype(np.float32))
    weights = generator.standard_normal([len(each) for each in spectra], dtype=np.float32)
    weights *= spectra[0][:, None, None] * spectra[1][:, None] * spectra[2]
    weights[0, 0, 0] = 0.0
    field = np.tensordot(np.tensordot(np.tensordot(weights, waves[0], (0, 0)), waves[1], (0, 0)), waves[2], (0, 0))
    return np.asarray(field / field.std())


@dataclass(frozen=True)
class _Depth:
    level: Map  # signed distance to the core's surface [m], negative inside
    radius: float


def _coarse(volume: Map, edge: int) -> Map:
    (x, y, z), (nx, ny, nz) = CROP_START, CROP_SHAPE
    cropped = volume[x : x + nx, y : y + ny, z : z + nz]
    blocks = cropped.reshape(nx // edge, edge, ny // edge, edge, nz // edge, edge)
    return np.asarray(blocks.mean(axis=(1, 3, 5), dtype=np.float64).astype(np.float32))


def _deformed(template: Template, anatomy: Anatomy, generator: np.random.Generator) -> Float[np.ndarray, "3 x y z"]:
    """Healthy tissue after a smooth displacement; the brain's outline stays, as after registration."""
    shift = [
        anatomy.deformation / template.voxel * smooth_field(template.shape, 16e-3, template.voxel, generator)
        for _ in range(3)
    ]
    index = np.indices(template.shape, dtype=np.float32) + np.stack(shift)
    white, grey = (
        ndimage.map_coordinates(part, index, order=1, mode="nearest")
        for part in (template.white_matter, template.grey_matter)
    )
    fluid = np.clip(1.0 - white - grey, 0.0, 1.0)
    return np.stack([white, grey, fluid]) * template.brain


def _tumor_depth(template: Template, white: Map, anatomy: Anatomy, generator: np.random.Generator) -> _Depth:
    """Signed distance to the surface of a bumpy core in white matter, away from the brain's surface."""
    radius = float(generator.uniform(*anatomy.core_radius))
    inside = _distance_inside(template.voxel)
    places = np.argwhere((inside > 0.8 * radius) & (white > 0.5))
    centre = places[generator.integers(len(places))] + generator.uniform(-0.5, 0.5, 3)
    axes = [np.arange(side) - c for side, c in zip(template.shape, centre, strict=True)]
    stretch = np.exp(generator.normal(0.0, 0.12, 3))
    squares = [(axis * template.voxel * s) ** 2 for axis, s in zip(axes, stretch, strict=True)]
    distance = np.sqrt(squares[0][:, None, None] + squares[1][None, :, None] + squares[2][None, None, :])
    bumps = 0.12 * radius * smooth_field(template.shape, 7e-3, template.voxel, generator)
    return _Depth(distance - radius + bumps, radius)


@lru_cache(maxsize=4)
def _distance_inside(voxel: float) -> Map:
    brain = mni152_template(round(voxel * 1e3)).brain
    return np.asarray(ndimage.distance_transform_edt(brain) * voxel)


def _step(level: Map, width: float) -> Map:
    """From 1 inside to 0 outside, over about two widths."""
    return np.asarray(np.clip(0.5 - level / (4.0 * width), 0.0, 1.0))


def _vessels(
    template: Template, healthy: Float[np.ndarray, "3 x y z"], anatomy: Anatomy, generator: np.random.Generator
) -> tuple[Map, Bool[np.ndarray, "x y z"], bool]:
    """Part of each voxel that is blood, where it is the midline sinus, and whether that enhances, as vessels always do.

    Thin vessels are where two smooth fields vanish together, which are curves; the sinus is the fluid between the
    hemispheres near the upper rim.
    """
    one, other = (smooth_field(template.shape, 14e-3, template.voxel, generator) for _ in range(2))
    tubes = 0.8 * np.exp(-(one**2 + other**2) / (2 * 0.08**2)) * template.brain
    affine = template.affine_mm
    x, z = (affine[axis, axis] * np.arange(template.shape[axis]) + affine[axis, 3] for axis in (0, 2))
    near = np.clip(1.6 - np.abs(x) / 3.0, 0.0, 1.0)[:, None, None] * (z > 8.0)[None, None, :]
    sinus = near * np.clip(2.0 * healthy[2], 0.0, 1.0) * (_distance_inside(template.voxel) < 26e-3)
    sinus_enhances = bool(generator.random() < anatomy.sinus_probability)
    blood = np.clip(np.maximum(tubes, sinus), 0.0, 1.0)
    blood = np.where(blood < 0.05, 0.0, blood)
    return blood, np.asarray(sinus > tubes), sinus_enhances


def _leaky_part(
    solid: Bool[np.ndarray, "x y z"], law: EnhancementLaw, template: Template, generator: np.random.Generator
) -> Bool[np.ndarray, "x y z"]:
    """Return a connected-looking fraction q of the solid core that nothing else depends on."""
    field = smooth_field(template.shape, 5e-3, template.voxel, generator)
    if not solid.any():
        return solid
    return np.asarray(solid & (field <= np.quantile(field[solid], law.enhancing_fraction)))
