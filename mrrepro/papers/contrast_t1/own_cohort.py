"""Patients as files: one folder each, in the naming of the Erasmus database, of BraTS or of UCSF; checked on reading.

Every error names the patient and the file. `survey` looks at a whole folder and reports each bad patient beside the
good ones, for those who want to go on without them.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from mrrepro.runs.nifti import Volume, read_volume, same_place

NAMINGS = {
    "EGD": ("T1", "T2", "FLAIR", "T1GD", "MASK"),
    "BraTS": ("-t1n", "-t2w", "-t2f", "-t1c", "-seg"),
    "UCSF-PDGM": ("_T1", "_T2", "_FLAIR", "_T1c", "_tumor_segmentation"),
}
"""How file names end before ``.nii.gz``: T1, T2, FLAIR, post-contrast T1, tumor mask."""

KINDS = ("T1", "T2", "FLAIR", "post-contrast T1", "tumor mask")

LABELS = (0, 1, 2, 3, 4)
"""Labels of tumor masks: EGD has 0 and 1, BraTS and UCSF up to 4; all but 0 are tumor, oedema included."""

SATURATED_SHARE = 0.05
"""Part of the voxels at an integer type's largest value above which scaling is taken to have overflowed."""


@dataclass(frozen=True)
class PatientImages:
    """A patient read from files.

    Parameters
    ----------
    name : str
        The folder's.
    images : array, (4, x, y, z)
        T1, T2, FLAIR, post-contrast T1, in the order R, A, S.
    brain, tumor : array, (x, y, z)
        Where all images have signal; the mask, without its labels.
    affine_mm : array, (4, 4)
        From indices to the scanner's millimetres.
    enhances : bool
        Whether BraTS' label of enhancing tumor (3 or 4) is in the mask; of a mask of one label, False.
    grade : int or None
        Not known from these files.
    """

    name: str
    images: Float[np.ndarray, "4 x y z"]
    brain: Bool[np.ndarray, "x y z"]
    tumor: Bool[np.ndarray, "x y z"]
    affine_mm: Float[np.ndarray, "4 4"]
    enhances: bool
    grade: int | None = None


def patient_folders(folder: Path, needed: int) -> list[Path]:
    """Return the first ``needed`` folders of patients by name, all for 0; ``ValueError`` where there are fewer."""
    if not folder.is_dir():
        raise ValueError(f"data must be 'simulated' or a folder with one folder a patient, but {folder} is none.")
    folders = sorted(path for path in folder.iterdir() if path.is_dir() and any(path.glob("*.nii*")))
    if len(folders) < needed:
        raise ValueError(
            f"{folder} holds {len(folders)} folders with NIfTI files, but cohort.train, .validation and .test (or "
            f".labelled, if more) ask for {needed}: lower them."
        )
    return folders[: needed or None]


def good_folders(folder: Path, needed: int, bad: dict[str, str]) -> list[Path]:
    """Return the first ``needed`` folders whose patients can be read and lie on the grid of the first good one.

    Parameters
    ----------
    folder : Path
        With one folder a patient.
    needed : int
        Patients to find.
    bad : dict
        Gets, for each patient that was met before enough were found, what is wrong with which file.

    Raises
    ------
    ValueError
        If too few are good; every bad patient is named.
    """
    good: list[Path] = []
    shape: tuple[int, ...] | None = None
    for path in patient_folders(folder, 0):
        if len(good) == needed:
            break
        try:
            shape = read_patient(path, shape).brain.shape
            good.append(path)
        except ValueError as error:
            bad[path.name] = str(error)
            warnings.warn(f"left out {error}", stacklevel=2)
    if len(good) < needed:
        faults = "; ".join(bad.values()) or "no patient is faulty"
        raise ValueError(
            f"{folder} holds {len(good)} good patients, but cohort.train, .validation and .test (or .labelled, if "
            f"more) ask for {needed}: lower them or repair the files. Left out: {faults}"
        )
    return good


def read_patient(folder: Path, shape: tuple[int, ...] | None = None) -> PatientImages:
    """Read and check one patient.

    Parameters
    ----------
    folder : Path
        With five files named in one of `NAMINGS`.
    shape : tuple of int, optional
        What the images must have.

    Raises
    ------
    ValueError
        For a missing or unreadable file, images on different grids, NaN, an image of zero variance, integers that
        overflowed, a mask that is empty, fills the volume or holds other labels; patient and file are named.
    """
    paths = find_files(folder)
    volumes = [_read(folder.name, path) for path in paths]
    require_one_grid(folder.name, volumes)
    *images, mask = volumes
    if shape is not None and mask.data.shape != shape:
        raise ValueError(
            f"patient {folder.name}: {mask.path.name} must have the cohort's shape {shape}, but has "
            f"{mask.data.shape}: register all patients to one atlas."
        )
    for image in images:
        require_image(folder.name, image)
    tumor = tumor_of(folder.name, mask)
    brain = np.logical_and.reduce([image.data != 0 for image in images])
    stacked = np.stack([image.data for image in images])
    return PatientImages(folder.name, stacked, brain, tumor & brain, mask.affine, bool((mask.data >= 3).any()))


def survey(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Read every patient of a folder; return the names of the good ones, and of the bad ones what is wrong."""
    good, bad = [], {}
    for path in sorted(each for each in folder.iterdir() if each.is_dir()):
        try:
            read_patient(path)
            good.append(path.name)
        except ValueError as error:
            bad[path.name] = str(error)
    return good, bad


def find_files(folder: Path) -> list[Path]:
    """Find a patient's five files, in the order of `KINDS`.

    Raises
    ------
    ValueError
        If no naming gives all five; what the nearest one lacks is named.
    """
    best: tuple[int, str, list[Path | None]] | None = None
    for naming, endings in NAMINGS.items():
        found: list[Path | None] = [_ending(folder, ending) for ending in endings]
        count = sum(path is not None for path in found)
        if best is None or count > best[0]:
            best = (count, naming, found)
    assert best is not None
    _, naming, found = best
    missing = [
        f"{kind} (*{ending}.nii.gz)"
        for kind, ending, path in zip(KINDS, NAMINGS[naming], found, strict=True)
        if path is None
    ]
    if missing:
        raise ValueError(
            f"patient {folder.name}: {', '.join(missing)} missing in {folder}, whose files are nearest to the naming "
            f"of {naming}: add or rename the file."
        )
    return [path for path in found if path is not None]


def require_one_grid(patient: str, volumes: list[Volume]) -> None:
    """Raise ``ValueError`` unless all volumes lie on the grid of the first."""
    first = volumes[0]
    for other in volumes[1:]:
        if other.data.shape != first.data.shape or not same_place(first.affine, other.affine):
            raise ValueError(
                f"patient {patient}: {other.path.name} must lie on the grid of {first.path.name}, shape "
                f"{first.data.shape}, but has shape {other.data.shape} or another affine: register and resample first."
            )


def require_image(patient: str, image: Volume) -> None:
    """Raise ``ValueError`` for an image of zero variance or one whose integers overflowed."""
    inside = image.data[image.data != 0]
    if inside.size < 2 or float(inside.std()) == 0.0:
        raise ValueError(
            f"patient {patient}: {image.path.name} must vary over the brain, but is constant: check or replace it."
        )
    highest = float(inside.max())
    stored = 2.0 ** np.arange(7, 17) - 1.0
    if highest in stored and float((inside == highest).mean()) > SATURATED_SHARE:
        raise ValueError(
            f"patient {patient}: {image.path.name} has {(inside == highest).mean():.0%} of its voxels at {highest:g}, "
            "the largest value of an integer type: its scaling overflowed; convert it anew, as float."
        )


def tumor_of(patient: str, mask: Volume) -> Bool[np.ndarray, "x y z"]:
    """Return where a mask has a tumor.

    Raises
    ------
    ValueError
        If the mask is empty, fills the volume or holds other values than `LABELS`.
    """
    labels = np.unique(mask.data)
    other = [float(label) for label in labels if label not in LABELS]
    if other:
        raise ValueError(
            f"patient {patient}: {mask.path.name} must hold labels {', '.join(map(str, LABELS))}, but holds "
            f"{other[:5]}: is it an image, or was it interpolated?"
        )
    tumor = mask.data > 0
    if not tumor.any():
        raise ValueError(f"patient {patient}: {mask.path.name} is empty, so there is no tumor: leave the patient out.")
    if tumor.all():
        raise ValueError(f"patient {patient}: {mask.path.name} marks every voxel as tumor: check the file.")
    return np.asarray(tumor)


def _ending(folder: Path, ending: str) -> Path | None:
    for suffix in (".nii.gz", ".nii"):
        for path in sorted(folder.glob(f"*{suffix}")):
            stem = path.name.removesuffix(suffix)
            if stem == ending or (ending[0] in "-_" and stem.endswith(ending)):
                return path
    return None


def _read(patient: str, path: Path) -> Volume:
    try:
        return read_volume(path)
    except ValueError as error:
        raise ValueError(f"patient {patient}: {error}") from None
