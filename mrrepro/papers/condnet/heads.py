"""The heads of the chapter with their images: who is trained on, who is tested on, and what a scanner would show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from mrrepro.papers.condnet.scanners import TRAINED, ScannerVariant, Tissues, with_receive_effects
from mrrepro.papers.condnet.settings import CondNetSettings, HeadSettings, ImageSettings
from mrrepro.papers.condnet.table1 import by_label
from mrrepro.phantoms.brain_images import sha256_of
from mrrepro.phantoms.head import Head, build_head, tissue_fractions
from mrrepro.phantoms.head_label_maps import label_map_files
from mrrepro.phantoms.head_tissues import BRAIN_TISSUES, HEAD_TISSUES, labels_of
from mrrepro.phantoms.mni152_head import mni152_maps
from mrrepro.runs.artifacts import Artifact
from mrrepro.runs.files import write_arrays, write_json
from mrrepro.runs.stages import Stage, StageContext
from mrrepro.runs.workers import each

PURE = 0.999
"""Part of a voxel that one tissue must fill to count as a region of homogeneous tissue."""

SIMULATED = ("mni152", "folded")
_PEOPLE_A_SEED = 1000
_FIRST_TEST = 500
_TISSUE_STREAM = 20200127


@dataclass(frozen=True)
class HeadSelection:
    """What the heads and their images depend on."""

    heads: HeadSettings
    images: ImageSettings


@dataclass(frozen=True)
class Person:
    """Which head: a source, its number there, and whether it is a test head that is no warp of a training one."""

    source: str
    number: int
    another_anatomy: bool


@dataclass(frozen=True)
class HeadWithImages:
    """A head as the stages use it.

    Parameters
    ----------
    name : str
        Of the head.
    person : Person
        Where it comes from.
    labels : UInt8[ndarray, "x y z"]
        Indices into ``HEAD_TISSUES``.
    pure : Bool[ndarray, "x y z"]
        Voxels that one tissue fills.
    images : Float32[ndarray, "2 x y z"]
        T1- and T2-weighted, in units of the signal of white matter.
    affine : Float[ndarray, "4 4"]
        From voxel index to world [m].
    """

    name: str
    person: Person
    labels: UInt8[np.ndarray, "x y z"]
    pure: Bool[np.ndarray, "x y z"]
    images: Float32[np.ndarray, "2 x y z"]
    affine: Float[np.ndarray, "4 4"]

    @property
    def voxel_size(self) -> float:
        """Edge of a voxel [m]."""
        return float(self.affine[0, 0])

    @property
    def as_head(self) -> Head:
        """The labels on their grid."""
        x, y, z = (float(place) - 0.5 * self.voxel_size for place in self.affine[:3, 3])
        return Head(self.labels, self.voxel_size, (x, y, z), self.name)

    @property
    def head(self) -> Bool[np.ndarray, "x y z"]:
        """All tissues."""
        return self.labels > 0

    @property
    def brain(self) -> Bool[np.ndarray, "x y z"]:
        """Grey and white matter and cerebellum."""
        return self.mask(*BRAIN_TISSUES)

    def mask(self, *tissues: str) -> Bool[np.ndarray, "x y z"]:
        """Voxels of any of the named tissues."""
        return np.isin(self.labels, labels_of(tissues))

    def uniform(self, column: Mapping[str, float]) -> Float32[np.ndarray, "x y z"]:
        """Map of one conductivity a tissue [S/m]."""
        return by_label(column, HEAD_TISSUES).astype(np.float32)[self.labels]


def people(settings: HeadSettings, seed: int) -> tuple[list[Person], list[Person]]:
    """Who is trained on and who is tested on; every seed has persons of its own, or draws them anew from a folder.

    Raises
    ------
    ValueError
        If a folder holds too few label maps, or drawn test heads are asked for together with a folder.
    """
    if settings.source in SIMULATED:
        first = seed * _PEOPLE_A_SEED + 1
        training = [Person(settings.source, first + n, False) for n in range(settings.training)]
        warps = settings.testing - settings.drawn_testing
        testing = [Person(settings.source, first + _FIRST_TEST + n, settings.source == "folded") for n in range(warps)]
        testing += [Person("folded", first + _FIRST_TEST + 100 + n, True) for n in range(settings.drawn_testing)]
        return training, testing
    files = label_map_files(Path(settings.source))
    needed = settings.training + settings.testing
    if len(files) < needed:
        raise ValueError(f"heads.source must hold heads.training + heads.testing = {needed} label maps, but "
                         f"{settings.source} holds {len(files)}: ask for fewer.")  # fmt: skip
    if settings.drawn_testing:
        raise ValueError("heads.drawn_testing must be 0 with a folder of label maps, each of which is an anatomy of "
                         f"its own, but is {settings.drawn_testing}.")  # fmt: skip
    order = [int(n) for n in np.random.default_rng(seed).permutation(len(files))]
    chosen = [Person(settings.source, n, True) for n in order[:needed]]
    return chosen[: settings.training], chosen[settings.training :]


def image_person(
    person: Person, settings: HeadSelection, variant: ScannerVariant, generator: np.random.Generator
) -> tuple[HeadWithImages, Float32[np.ndarray, "tissue x y z"]]:
    """Build a head and image it; the part of each voxel that every tissue fills comes with it."""
    size = settings.heads.voxel_size_mm * 1e-3
    head = build_head(person.source, person.number, size)
    fractions = tissue_fractions(person.source, person.number, size)
    affine = head.affine_mm() * 1e-3
    affine[3, 3] = 1.0
    images = variant.ideal_images(fractions, tissues_of(person, variant, settings.images))
    images[:, :, :, below(affine, head.labels.shape, settings.images.images_end_below_mm)] = 0.0
    noisy = with_receive_effects(images, head, settings.images.snr, settings.images.bias, generator)
    return HeadWithImages(head.name, person, head.labels, fractions.max(axis=0) > PURE, noisy, affine), fractions


def tissues_of(person: Person, variant: ScannerVariant, images: ImageSettings) -> Tissues:
    """Relaxation of a person's tissues at the scanner's field, the same person at any field and in any folder."""
    generator = np.random.default_rng([_TISSUE_STREAM, *Path(person.source).name.encode(), person.number])
    return variant.tissues_of(images.tissue_spread, generator)


def below(affine: Float[np.ndarray, "4 4"], shape: tuple[int, ...], depth_mm: float) -> slice:
    """The slices across z whose centres lie further than this below the brain's middle."""
    heights = affine[2, 3] + affine[2, 2] * np.arange(shape[2])
    return slice(0, int((heights < -depth_mm * 1e-3 - 1e-9).sum()))


def make_heads(context: StageContext[HeadSelection]) -> None:
    """Build the training and the test heads and image them; each is kept as soon as it is there."""
    training, testing = people(context.settings.heads, context.seed)
    groups = {"training": training, "testing": testing}
    everyone = {f"{group}_{n}": (group, n, person) for group, those in groups.items() for n, person in enumerate(those)}
    left = {
        key: (person, context.settings, context.derived_seed(f"{group} {n}"), group == "testing")
        for key, (group, n, person) in everyone.items()
        if not (context.workspace / _file_of(key)).exists()
    }
    bar = context.progress(range(len(everyone)), description="heads")
    for _ in range(len(everyone) - len(left)):
        next(bar, None)
    for key, arrays in each(_stored_arrays, left):
        write_arrays(context.workspace / _file_of(key), **arrays)
        next(bar, None)
    document = {
        group: [{"key": f"{group}_{n}", "person": asdict(person)} for n, person in enumerate(those)]
        for group, those in groups.items()
    }
    write_json(context.workspace / "heads.json", document)


def _stored_arrays(
    person: Person, settings: HeadSelection, seed: int, with_fractions: bool
) -> dict[str, np.ndarray[Any, Any]]:
    """Make a head and return what is kept of it."""
    made, fractions = image_person(person, settings, TRAINED, np.random.default_rng(seed))
    arrays: dict[str, np.ndarray[Any, Any]] = {
        "name": np.array(made.name),
        "labels": made.labels,
        "pure": made.pure,
        "images": made.images.astype(np.float16),
        "affine": made.affine,
    }
    if with_fractions:
        arrays["fractions"] = np.round(255.0 * fractions).astype(np.uint8)
    return arrays


def _file_of(key: str) -> str:
    return f"{key}.npz"


def read_heads(artifact: Artifact, group: str) -> list[HeadWithImages]:
    """The heads of ``"training"`` or ``"testing"``."""
    found = []
    for entry in artifact.json("heads.json")[group]:
        arrays = artifact.arrays(_file_of(entry["key"]))
        found.append(
            HeadWithImages(
                str(arrays["name"]),
                Person(**entry["person"]),
                arrays["labels"],
                arrays["pure"],
                arrays["images"].astype(np.float32),
                arrays["affine"],
            )
        )
    return found


def read_fractions(artifact: Artifact, number: int) -> Float32[np.ndarray, "tissue x y z"]:
    """Part of each voxel of a test head that every tissue fills, to 1 in 255."""
    stored = artifact.arrays(_file_of(f"testing_{number}"))["fractions"]
    return stored.astype(np.float32) / np.float32(255.0)


def data_checksums(settings: CondNetSettings) -> dict[str, str]:
    """sha256 of the template or of the label maps that the heads are made from; drawn heads need none."""
    if settings.heads.source == "folded":
        return {}
    if settings.heads.source == "mni152":
        return {path.name: sha256_of(path) for path in mni152_maps()}
    return {path.name: sha256_of(path) for path in label_map_files(Path(settings.heads.source))}


HEADS = Stage(
    "condnet/heads",
    make_heads,
    select=lambda settings: HeadSelection(settings.heads, settings.images),
    data=data_checksums,
)
