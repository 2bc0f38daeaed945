"""BraTS, adult glioma, in either of its two layouts, from a folder that the reader downloaded."""

from __future__ import annotations

from data_fetch.citations import BRATS
from data_fetch.datasets.ucsf_pdgm import read
from data_fetch.folder_source import FolderSource, Layout
from data_fetch.records import Dataset
from data_fetch.tumour_labels import BRATS_FROM_2023, BRATS_UNTIL_2021

DATASET = Dataset(
    name="brats",
    title="Brain Tumor Segmentation challenge, adult glioma",
    description=(
        "T1, T1 after contrast agent (T1c), T2 and FLAIR, 240 x 240 x 155 at 1 mm, without skull, with tumour parts. "
        "Folders of 2020 and 2021 (BraTS2021_00000) and of 2023 (BraTS-GLI-00000-000) are told apart by their names, "
        "and with them the meaning of the labels: enhancing tumour is 4 in the former, 3 in the latter."
    ),
    licence="the challenge's own terms, accepted on registration",
    access="own folder",
    page="https://www.synapse.org/Synapse:syn51156910",
    citations=(BRATS,),
    subject_count=1251,
    bytes_in_all=None,
    formats="NIfTI",
    unverified="no checksum is published; the published layouts were tried on files made for the purpose",
)
_ROLES_2021 = {"T1": "t1", "T1c": "t1ce", "T2": "t2", "FLAIR": "flair", "segmentation": "seg"}
_ROLES_2023 = {"T1": "t1n", "T1c": "t1c", "T2": "t2w", "FLAIR": "t2f", "segmentation": "seg"}
LAYOUTS = (
    Layout(
        folder=r"(BraTS2021_\d{5}|BraTS20_Training_\d{3})",
        files={role: f"{{subject}}_{name}.nii.gz" for role, name in _ROLES_2021.items()},
        convention=BRATS_UNTIL_2021,
    ),
    Layout(
        folder=r"(BraTS-GLI-\d{5}-\d{3})",
        files={role: f"{{subject}}-{name}.nii.gz" for role, name in _ROLES_2023.items()},
        convention=BRATS_FROM_2023,
    ),
)
SOURCE = FolderSource(DATASET, LAYOUTS, read)
