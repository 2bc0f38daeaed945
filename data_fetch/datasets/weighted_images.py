"""The reading that several data sets share: weighted NIfTI images by role, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data_fetch.images import Provenance, Subject
from data_fetch.readers.nifti import read_volume


def read_weighted(paths: Mapping[str, Path], provenance: Provenance) -> Subject:
    """Read each file as a volume under its role."""
    return Subject({role: read_volume(path, role) for role, path in paths.items()}, {}, provenance)
