"""UCSF-PDGM: 495 patients with diffuse glioma, from a folder that the reader downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data_fetch.citations import UCSF_PDGM
from data_fetch.folder_source import FolderSource, Layout
from data_fetch.images import Provenance, Subject
from data_fetch.readers.nifti import read_labels, read_volume
from data_fetch.records import Dataset
from data_fetch.tumour_labels import BRATS_UNTIL_2021

DATASET = Dataset(
    name="ucsf_pdgm",
    title="UCSF Preoperative Diffuse Glioma MRI",
    description=(
        "T1, T1 after contrast agent (T1c), T2 and FLAIR of 495 patients with diffuse glioma of grade II to IV at 3 T, "
        "1 mm, without skull, with tumour parts labelled as BraTS did until 2021. Many of these patients are in BraTS "
        "2021 too: train and test across the two sets only after taking them out."
    ),
    licence="CC BY 4.0",
    access="own folder",
    page="https://www.cancerimagingarchive.net/collection/ucsf-pdgm/",
    citations=(UCSF_PDGM,),
    subject_count=495,
    bytes_in_all=None,
    formats="NIfTI",
    unverified="no checksum is published; the published layout was tried on files made for the purpose",
)
LAYOUTS = (
    Layout(
        folder=r"(UCSF-PDGM-\d{4}(?:_FU\d{3}d)?)_nifti",
        files={role: f"{{subject}}_{role}.nii.gz" for role in ("T1", "T1c", "T2", "FLAIR")}
        | {"segmentation": "{subject}_tumor_segmentation.nii.gz"},
        convention=BRATS_UNTIL_2021,
    ),
)


def read(paths: Mapping[str, Path], layout: Layout, provenance: Provenance) -> Subject:
    """Read the weightings and the tumour's parts."""
    images = {role: read_volume(path, role) for role, path in paths.items() if role != "segmentation"}
    tumour = read_labels(paths["segmentation"], layout.convention.names, layout.convention.name)
    return Subject(images, {"tumour": tumour}, provenance)


SOURCE = FolderSource(DATASET, LAYOUTS, read)
