"""Thirty patients with multiple sclerosis: T1 before and after contrast agent, T2, FLAIR and lesions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data_fetch.citations import OPEN_MS
from data_fetch.images import Provenance, Subject
from data_fetch.readers.nifti import read_labels, read_volume
from data_fetch.records import Dataset
from data_fetch.sources import RegisteredSource

LESION_LABELS = {0: "no lesion", 1: "white matter lesion"}

DATASET = Dataset(
    name="open_ms",
    title="3D MR image database of multiple sclerosis patients",
    description=(
        "T1, T1 after contrast agent (T1POST), T2 and FLAIR of 30 patients with a consensus of three raters on white "
        "matter lesions; in MNI space at 1 mm, co-registered, bias-corrected, without skull, as reprocessed by J. "
        "Muschelli. Interpolation left small negative values outside the brain."
    ),
    licence="CC BY (Lesjak et al. 2017)",
    access="open",
    page="https://github.com/muschellij2/open_ms_data",
    citations=(OPEN_MS,),
    subject_count=30,
    bytes_in_all=490_000_000,
    formats="NIfTI",
    unverified="the addresses of 29 of the 30 patients were not tried; their checksums are the repository's own",
)


def read(paths: Mapping[str, Path], provenance: Provenance) -> Subject:
    """Read the four weightings and the lesions."""
    images = {role: read_volume(path, role) for role, path in paths.items() if role != "lesions"}
    lesions = read_labels(paths["lesions"], LESION_LABELS, "lesion mask")
    return Subject(images, {"lesions": lesions}, provenance)


SOURCE = RegisteredSource(DATASET, read)
