"""Twenty whole heads as label maps: brain, skull, soft tissue, vessels, eyes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data_fetch.citations import SYNTHSEG
from data_fetch.head_labels import CONVENTION, HEAD_LABELS
from data_fetch.images import Provenance, Subject
from data_fetch.readers.nifti import read_labels
from data_fetch.records import Dataset
from data_fetch.sources import RegisteredSource

DATASET = Dataset(
    name="synthseg_heads",
    title="SynthSeg training label maps",
    description=(
        "Label maps of 20 real heads at 1 mm, 256 x 256 x 256, axes to the left, the feet and the front. Fields of "
        "view differ, some end at the neck. The labels stand in data_fetch.head_labels; air cavities share label 0 "
        "with the outside."
    ),
    licence="Apache-2.0 (repository)",
    access="open",
    page="https://github.com/BBillot/SynthSeg",
    citations=(SYNTHSEG,),
    subject_count=20,
    bytes_in_all=32_976_642,
    formats="NIfTI",
)


def read(paths: Mapping[str, Path], provenance: Provenance) -> Subject:
    """Read the label map, int32 whatever the file's number type."""
    return Subject({}, {"head": read_labels(paths["labels"], HEAD_LABELS, CONVENTION)}, provenance)


SOURCE = RegisteredSource(DATASET, read)
