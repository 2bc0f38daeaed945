"""The stage that makes or reads the cohort, normalises it as the thesis does and packs it, and what unpacks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mrrepro.metrics.regions import BACKGROUND, RegionMasks, enhancement_mask
from mrrepro.networks.image_normalization import StandardScoreNormalization
from mrrepro.papers.contrast_t1.own_cohort import good_folders, patient_folders, read_patient
from mrrepro.papers.contrast_t1.settings import CohortSettings, ContrastT1Settings
from mrrepro.phantoms.brain_images import mni152_path, sha256_of
from mrrepro.phantoms.glioma import Anatomy, mni152_template
from mrrepro.runs.artifacts import Artifact
from mrrepro.runs.files import read_json, write_arrays, write_json
from mrrepro.runs.stages import Stage, StageContext
from mrrepro.runs.workers import each
from mrrepro.simulators.glioma_scans import GliomaCohort

CONTRAST = 3
"""Index of the post-contrast T1 among a patient's images; the three before it are the inputs."""

BITS = {"brain": 1, "tumor": 2, "solid": 4, "leaky": 8, "blood": 16, "sinus": 32}
"""Masks of a voxel; the last four are known of simulated patients alone."""

AT_ONCE = 8
"""Patients in a file, which a worker makes at once."""

_FILES_KEPT = 8
"""Files of patients that stay unpacked in memory."""


@dataclass(frozen=True)
class CohortSelection:
    """What the cohort depends on."""

    cohort: CohortSettings


def patients_needed(cohort: CohortSettings) -> int:
    """Training, validation and labelled test patients together."""
    return cohort.train + cohort.validation + max(cohort.test, cohort.labelled)


def patients_in_folder(cohort: CohortSettings) -> int:
    """How many of them a folder must hold."""
    tested = max(cohort.test, cohort.labelled)
    return tested if cohort.folder_for == "test" else patients_needed(cohort)


def make_cohort(context: StageContext[CohortSelection]) -> None:
    """Simulate or read every patient, normalise the images and write what lies inside the brain."""
    source = _source_of(context.settings.cohort, context.derived_seed("patients"))
    firsts = range(0, source.count, AT_ONCE)
    facts = {first: context.resume / f"{first}.json" for first in firsts}
    left = {
        first: (source, first)
        for first in firsts
        if not ((context.workspace / _file(first)).exists() and facts[first].exists())
    }
    bar = context.progress(firsts, description="cohort")
    for _ in range(len(firsts) - len(left)):
        next(bar, None)
    for first, (arrays, found) in each(_normalised_patients, left):
        write_arrays(context.workspace / _file(first), **arrays)
        write_json(facts[first], found)
        next(bar, None)
    write_arrays(context.workspace / "grid.npz", union=source.union, affine_mm=source.affine_mm)
    about = [patient for first in firsts for patient in read_json(facts[first])]
    document = {"source": source.words, "patients": about, "left_out": dict(source.left_out)}
    write_json(context.workspace / "patients.json", document)


def _normalised_patients(source: _Source, first: int) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """Make or read the patients of a file; what is kept of their images and masks, and their facts."""
    normalize = StandardScoreNormalization()
    values, masks, found = [], [], []
    for number in range(first, min(first + AT_ONCE, source.count)):
        images, code, facts_of_patient = source.patient(number)
        inside = torch.from_numpy((code & BITS["brain"]) > 0)
        scaled = normalize(torch.from_numpy(images)[None], inside[None, None])[0].numpy()
        values.append(scaled[:, source.union].astype(np.float16))
        masks.append(code[source.union])
        found.append(facts_of_patient)
    return {"values": np.stack(values), "masks": np.stack(masks)}, found


class _Source(Protocol):
    """Patients by number: images (4, x, y, z), code of masks (x, y, z), facts. Small, for it is sent to workers."""

    words: str
    left_out: dict[str, str]

    @property
    def count(self) -> int: ...
    @property
    def union(self) -> Bool[np.ndarray, "x y z"]: ...
    @property
    def affine_mm(self) -> Float[np.ndarray, "4 4"]: ...

    def patient(self, number: int) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]: ...


class _Simulated:
    words = "simulated patients; they say nothing about real ones"

    def __init__(self, cohort: CohortSettings, seed: int) -> None:
        self.cohort, self.seed = cohort, seed
        self.left_out: dict[str, str] = {}

    @property
    def count(self) -> int:
        return patients_needed(self.cohort)

    @property
    def union(self) -> Bool[np.ndarray, "x y z"]:
        return mni152_template(self.cohort.voxel_mm).brain

    @property
    def affine_mm(self) -> Float[np.ndarray, "4 4"]:
        return mni152_template(self.cohort.voxel_mm).affine_mm

    def patient(self, number: int) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        template, law = mni152_template(self.cohort.voxel_mm), self.cohort.law()
        scan = GliomaCohort(template, law, Anatomy(), self.cohort.variation(), self.seed).scan(number)
        patient = scan.patient
        parts = {"brain": scan.brain, "tumor": scan.tumor, "solid": patient.solid, "leaky": patient.leaky}
        parts |= {"blood": patient.tissues[6] > 0.5, "sinus": patient.sinus}
        facts = {"name": patient.name, "enhances": patient.enhances, "evidence": patient.evidence}
        facts["sinus_enhances"] = patient.sinus_enhances
        return scan.images, _code(parts), facts | {"grade": patient.grade, "age": patient.age, "field": scan.field}


class _Folder:
    def __init__(self, cohort: CohortSettings) -> None:
        self.folders, self.left_out = _folders(cohort)
        self.count = len(self.folders)
        first = read_patient(self.folders[0])
        self.shape, self.affine_mm = first.brain.shape, first.affine_mm
        self.words = f"{self.count} patients of the folder {Path(cohort.data).name}"

    @property
    def union(self) -> Bool[np.ndarray, "x y z"]:
        return np.ones(self.shape, dtype=bool)

    def patient(self, number: int) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        return _read(self.folders[number], self.shape)


class _Tested:
    """Simulated patients to train and validate on, a folder's to test on, which must lie on the grid of the former."""

    def __init__(self, cohort: CohortSettings, seed: int) -> None:
        self.simulated, self.first = _Simulated(cohort, seed), cohort.train + cohort.validation
        self.folders, self.left_out = _folders(cohort)
        self.count, self.affine_mm = self.first + len(self.folders), self.simulated.affine_mm
        self.words = f"simulated patients to train on; {len(self.folders)} of {Path(cohort.data).name} to test on"

    @property
    def union(self) -> Bool[np.ndarray, "x y z"]:
        return np.ones_like(self.simulated.union)  # a real brain may reach beyond the template's

    def patient(self, number: int) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        if number < self.first:
            return self.simulated.patient(number)
        return _read(self.folders[number - self.first], self.simulated.union.shape)


def _folders(cohort: CohortSettings) -> tuple[list[Path], dict[str, str]]:
    """The patients' folders, and what is wrong with those that were left out when asked to."""
    needed, data = patients_in_folder(cohort), Path(cohort.data)
    bad: dict[str, str] = {}
    return (good_folders(data, needed, bad) if cohort.skip_bad_patients else patient_folders(data, needed)), bad


def _source_of(cohort: CohortSettings, seed: int) -> _Source:
    if cohort.data == "simulated":
        return _Simulated(cohort, seed)
    return _Folder(cohort) if cohort.folder_for == "all" else _Tested(cohort, seed)


def _read(folder: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    found = read_patient(folder, shape=shape)
    facts: dict[str, Any] = {"name": found.name, "enhances": found.enhances, "evidence": None, "grade": found.grade}
    facts |= {"sinus_enhances": False, "age": None, "field": None}
    return found.images, _code({"brain": found.brain, "tumor": found.tumor}), facts


def _code(parts: Mapping[str, np.ndarray]) -> np.ndarray:
    """One byte a voxel for several masks."""
    total = sum(BITS[name] * mask.astype(np.uint8) for name, mask in parts.items())
    return np.asarray(total, dtype=np.uint8)


def _file(first: int) -> str:
    return f"patients-{first:05d}.npz"


class Cohort:
    """The patients of a cohort's artifact, unpacked when asked for.

    Parameters
    ----------
    artifact : Artifact
        Of `COHORT`.
    settings : CohortSettings
        How many patients of each set.
    """

    def __init__(self, artifact: Artifact, settings: CohortSettings) -> None:
        self._artifact = artifact
        grid = artifact.arrays("grid.npz")
        self.union, self.affine_mm = torch.from_numpy(grid["union"]), grid["affine_mm"]
        document = artifact.json("patients.json")
        self.source: str = document["source"]
        self.about: list[dict[str, Any]] = document["patients"]
        self.left_out: dict[str, str] = document["left_out"]
        held_out = settings.train + settings.validation
        self.sets = {
            "train": range(settings.train),
            "validation": range(settings.train, held_out),
            "test": range(held_out, held_out + settings.test),
            "labelled": range(held_out, held_out + max(settings.labelled, settings.test)),
        }
        self._files: dict[int, dict[str, np.ndarray]] = {}

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels of a volume."""
        x, y, z = self.union.shape
        return x, y, z

    def facts(self, name: str, numbers: Sequence[int]) -> np.ndarray:
        """One fact of some patients: ``"enhances"``, ``"evidence"``, ``"grade"``, ``"age"``."""
        return np.array([self.about[number][name] for number in numbers])

    def images(self, numbers: Sequence[int]) -> Float[Tensor, "batch 4 x y z"]:
        """Normalised images of patients, -1 outside the brain."""
        volumes = torch.full((len(numbers), 4, *self.shape), BACKGROUND)
        for volume, number in zip(volumes, numbers, strict=True):
            volume[:, self.union] = torch.from_numpy(self._packed(number, "values").astype(np.float32))
        return volumes

    def mask(self, name: str, numbers: Sequence[int]) -> Bool[Tensor, "batch 1 x y z"]:
        """One of the masks of `BITS` of patients."""
        volumes = torch.zeros((len(numbers), 1, *self.shape), dtype=torch.bool)
        for volume, number in zip(volumes, numbers, strict=True):
            volume[:, self.union] = torch.from_numpy((self._packed(number, "masks") & BITS[name]) > 0)
        return volumes

    def region_masks(self, numbers: Sequence[int], images: Float[Tensor, "batch 4 x y z"]) -> RegionMasks:
        """Brain, tumor and, from the images, enhancement (rise above 0.3; thesis, section 2.6), on their device."""
        risen = enhancement_mask(images[:, CONTRAST : CONTRAST + 1], images[:, :1])
        brain, tumor = (self.mask(name, numbers).to(images.device) for name in ("brain", "tumor"))
        return RegionMasks(brain, tumor, risen)

    def _packed(self, number: int, name: str) -> np.ndarray:
        first = number - number % AT_ONCE
        if first not in self._files:
            while len(self._files) >= _FILES_KEPT:
                self._files.pop(next(iter(self._files)))
            self._files[first] = self._artifact.arrays(_file(first))
        return np.asarray(self._files[first][name][number - first])


def template_checksums(settings: ContrastT1Settings) -> Mapping[str, str]:
    """sha256 of every file that the patients are made or read from."""
    cohort = settings.cohort
    found: dict[str, str] = {}
    if cohort.data == "simulated" or cohort.folder_for == "test":
        t1 = mni152_path()
        paths = [t1.with_name(t1.name.replace("_t1_", f"_{kind}_")) for kind in ("t1", "gm", "wm")]
        found |= {path.name: sha256_of(path) for path in paths}
    if cohort.data != "simulated":
        folders = patient_folders(Path(cohort.data), 0 if cohort.skip_bad_patients else patients_in_folder(cohort))
        files = [path for folder in folders for path in sorted(folder.glob("*.nii*"))]
        found |= {f"{path.parent.name}/{path.name}": sha256_of(path) for path in files}
    return found


COHORT = Stage(
    "contrast_t1/cohort",
    make_cohort,
    select=lambda settings: CohortSelection(settings.cohort),
    data=template_checksums,
)
