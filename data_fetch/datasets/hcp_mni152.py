"""The MNI152 template with T1 and T2 weighting on one grid, as the HCP pipelines ship it."""

from __future__ import annotations

from data_fetch.citations import HCP_PIPELINES, MNI152
from data_fetch.datasets.weighted_images import read_weighted
from data_fetch.records import Dataset
from data_fetch.sources import RegisteredSource

DATASET = Dataset(
    name="hcp_mni152",
    title="MNI152 T1 and T2 of the HCP pipelines",
    description=(
        "The whole-head MNI152 template, an average of 152 people, with T1 and T2 weighting on one grid. "
        "Subjects are the resolutions 2mm and 1mm."
    ),
    licence="HCP, BSD-style (repository); MNI152 template",
    access="open",
    page="https://github.com/Washington-University/HCPpipelines",
    citations=(HCP_PIPELINES, MNI152),
    subject_count=2,
    bytes_in_all=None,
    formats="NIfTI",
)
SOURCE = RegisteredSource(DATASET, read_weighted)
