"""One patient with a glioma, as scanned on another maker's scanner than TCGA-FG-6692."""

from __future__ import annotations

from data_fetch.citations import TCGA_LGG, TCIA
from data_fetch.datasets.weighted_images import read_weighted
from data_fetch.records import Dataset
from data_fetch.sources import RegisteredSource

DATASET = Dataset(
    name="tcga_du_7294",
    title="TCGA-DU-7294, T1, T1 after contrast agent, T2 and FLAIR",
    description="One patient with a glioma as scanned (GE), whole head, each weighting on its own grid.",
    licence="Apache-2.0 (repository); the scans are TCGA-LGG's of TCIA, CC BY 3.0",
    access="open",
    page="https://github.com/BrainLesion/preprocessing",
    citations=(TCGA_LGG, TCIA),
    subject_count=1,
    bytes_in_all=None,
    formats="NIfTI",
    unverified="the addresses were not tried; the checksums are the repository's own",
)
SOURCE = RegisteredSource(DATASET, read_weighted)
