"""One patient with a glioma: as scanned, and registered, without skull and segmented."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data_fetch.citations import BRATS_TOOLKIT, TCGA_LGG, TCIA
from data_fetch.images import Provenance, Subject
from data_fetch.readers.nifti import read_labels, read_volume
from data_fetch.records import Dataset
from data_fetch.sources import RegisteredSource
from data_fetch.tumour_labels import BRATS_UNTIL_2021

DATASET = Dataset(
    name="tcga_fg_6692",
    title="TCGA-FG-6692, T1, T1 after contrast agent, T2 and FLAIR",
    description=(
        "Subject 'registered': 240 x 240 x 155 at 1 mm, on one grid, without skull, with a segmentation that five "
        "networks voted on (automatic: no reference). Subject 'native': the same patient as scanned, whole head, 5.5 "
        "mm slices, each weighting on its own grid."
    ),
    licence="Apache-2.0 (repository); the scans are TCGA-LGG's of TCIA, CC BY 3.0",
    access="open",
    page="https://github.com/BrainLesion/tutorials",
    citations=(TCGA_LGG, TCIA, BRATS_TOOLKIT),
    subject_count=2,
    bytes_in_all=15_257_458,
    formats="NIfTI",
)


def read(paths: Mapping[str, Path], provenance: Provenance) -> Subject:
    """Read the weightings and, where there is one, the segmentation."""
    images = {role: read_volume(path, role) for role, path in paths.items() if role != "segmentation"}
    labels = {}
    if "segmentation" in paths:
        labels["tumour"] = read_labels(paths["segmentation"], BRATS_UNTIL_2021.names, BRATS_UNTIL_2021.name)
    return Subject(images, labels, provenance)


SOURCE = RegisteredSource(DATASET, read)
