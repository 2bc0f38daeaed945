"""Simulated glioma patients as files that other tools open, that `apply` takes, and that a notebook takes as `data`."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mrrepro.papers.contrast_t1.own_cohort import NAMINGS
from mrrepro.papers.contrast_t1.settings import ContrastT1Settings
from mrrepro.phantoms.glioma import TISSUES, Anatomy, mni152_template
from mrrepro.runs.nifti import Placement, encode_nifti
from mrrepro.runs.outputs import csv_table, require_free, write_together
from mrrepro.runs.progress import shown
from mrrepro.simulators.glioma_scans import GliomaCohort, GliomaScan
from mrrepro.validation import require_range

NAMING = "BraTS"
"""Of the files; BraTS alone tells enhancing tumor from the rest."""

CORE, OEDEMA, ENHANCING = 1, 2, 3
"""Labels of the tumor mask as in BraTS: necrosis and core that does not enhance, oedema, enhancing core."""

WORDS = ("T1", "T2", "FLAIR", "T1 after contrast agent", "tumor: 1 core, 2 oedema, 3 enhancing", "brain")
"""What the files of a patient hold, for their headers; in the order of `NAMINGS`, then the brain's mask."""

TABLE = "patients.csv"

COLUMNS = ("patient", "enhances", "grade", "age_years", "evidence", "field_t", "tumor_voxels")


@dataclass(frozen=True)
class PatientsRequest:
    """What `simulate_to_folder` is asked.

    Parameters
    ----------
    folder : Path
        Made if missing; one folder a patient, and a table of what is known of them, go into it. Patients that are
        there already stay, and so do their rows.
    count : int
        Patients, at least 1.
    first : int
        Number of the first; every second patient enhances.
    voxel_mm : int
        1, 2, 4 or 8.
    seed : int
        A patient is a pure function of seed and number.
    force : bool
        Replace existing files.
    """

    folder: Path
    count: int = 1
    first: int = 0
    voxel_mm: int = 4
    seed: int = 0
    force: bool = False

    def __post_init__(self) -> None:
        require_range("patients", self.count, 1, 100_000)
        require_range("first", self.first, 0, 1_000_000_000)
        require_range("seed", self.seed, 0, 2**63 - 1)


def simulate_to_folder(request: PatientsRequest) -> list[Path]:
    """Simulate patients with the chapter's law and scanners, and write images, tumor mask and brain mask of each.

    The images are 0 outside the brain, as those of a database without skulls. A patient's files take their names
    together; a command that was interrupted leaves whole patients, and the table is written last.

    Returns
    -------
    list of Path
        The patients' folders.

    Raises
    ------
    ValueError
        For another edge of a voxel, where a file would be replaced, or where a table with other columns is there;
        nothing is written then.
    """
    names = {number: f"simulated-{number:04d}" for number in range(request.first, request.first + request.count)}
    table = request.folder / TABLE
    _require_free(
        request.folder, [path for name in names.values() for path in _files(request.folder / name)], request.force
    )
    _require_free(request.folder, [table], force=True)
    known = _known(table)
    cohort = ContrastT1Settings.at_scale("demo").cohort
    template = mni152_template(request.voxel_mm)
    patients = GliomaCohort(template, cohort.law(), Anatomy(), cohort.variation(), request.seed)
    placement, rows = Placement(template.affine_mm), []
    for number, name in shown(names.items(), len(names), "patients"):
        scan = patients.scan(number)
        volumes = [*np.where(scan.brain, scan.images, 0.0), tumor_labels(scan), scan.brain]
        files = _files(request.folder / name)
        files[0].parent.mkdir(parents=True, exist_ok=True)
        write_together(
            {
                path: encode_nifti(path, volume, placement, f"{words}, simulated; mrrepro")
                for path, volume, words in zip(files, volumes, WORDS, strict=True)
            }
        )
        rows.append(_row(name, scan))
    joined = known | {str(row["patient"]): row for row in rows}
    write_together({table: csv_table([joined[name] for name in sorted(joined)])})
    return [request.folder / name for name in names.values()]


def tumor_labels(scan: GliomaScan) -> UInt8[np.ndarray, "x y z"]:
    """The parts of a tumor by their labels, 0 elsewhere."""
    patient = scan.patient
    necrosis = patient.tissues[TISSUES.index("necrosis")] > 0.5
    labels = np.where(patient.solid | necrosis, CORE, OEDEMA)
    labels = np.where(patient.leaky, ENHANCING, labels)
    return np.asarray(np.where(scan.tumor & scan.brain, labels, 0), np.uint8)


def _require_free(folder: Path, outputs: list[Path], force: bool) -> None:
    if folder.is_file():
        raise ValueError(f"output {folder} is a file: give the name of a folder.")
    require_free([path for path in outputs if path.parent.is_dir()], force=force)


def _known(table: Path) -> dict[str, dict[str, Any]]:
    """Rows of a table that is there already, by the patient's name."""
    if not table.exists():
        return {}
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns = tuple(reader.fieldnames or ())
        if columns != COLUMNS:
            raise ValueError(
                f"{table} has the columns {', '.join(columns) or 'of no table'}, and not {', '.join(COLUMNS)}: "
                "move it away, or give another folder."
            )
        return {row["patient"]: dict(row) for row in reader}


def _files(folder: Path) -> list[Path]:
    return [folder / f"{folder.name}{ending}.nii.gz" for ending in (*NAMINGS[NAMING], "-brain")]


def _row(name: str, scan: GliomaScan) -> dict[str, Any]:
    patient = scan.patient
    values = (name, int(patient.enhances), patient.grade, round(patient.age, 1), round(patient.evidence, 3))
    return dict(zip(COLUMNS, (*values, scan.field, int(scan.tumor.sum())), strict=True))
