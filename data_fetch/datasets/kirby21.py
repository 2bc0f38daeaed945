"""Three people with T1 and T2 at 3 T: a part of the Kirby 21 reproducibility study."""

from __future__ import annotations

from data_fetch.citations import KIRBY21
from data_fetch.datasets.weighted_images import read_weighted
from data_fetch.records import Dataset
from data_fetch.sources import RegisteredSource

DATASET = Dataset(
    name="kirby21",
    title="Kirby 21 multi-modal MRI reproducibility, three subjects",
    description="T1- and T2-weighted images, first visit, of subjects 113, 505 and 934, as packaged by J. Muschelli.",
    licence="GPL-2 (R package); Kirby 21 MMRR",
    access="open",
    page="https://www.nitrc.org/projects/multimodal",
    citations=(KIRBY21,),
    subject_count=3,
    bytes_in_all=None,
    formats="NIfTI",
    unverified="the addresses were not tried; the checksums are the repository's own",
)
SOURCE = RegisteredSource(DATASET, read_weighted)
