"""Simulated fields in a head at 64 MHz with the true conductivity: the brain of EPTlib's tutorial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from data_fetch.archives import read_zip_member
from data_fetch.citations import EPTLIB
from data_fetch.errors import UnreadableFile
from data_fetch.images import FieldMaps, Provenance
from data_fetch.readers.hdf5 import read_arrays
from data_fetch.records import Dataset
from data_fetch.sources import RegisteredSource

MEMBER = "data/15t-brain.h5"
FREQUENCY = 64e6
VOXEL_SIZE = (2e-3, 2e-3, 2e-3)
LARGEST_MEMBER = 64 << 20

DATASET = Dataset(
    name="eptlib_tutorial",
    title="Brain of the EPTlib tutorial",
    description=(
        "Magnitude of the transmit field, transceive phase, conductivity and white matter of a head (BrainWeb subject "
        "04) in a birdcage coil at 64 MHz, simulated without noise, 2 mm. Stored with axes (z, y, x), returned as "
        "(x, y, z); the time convention is exp(+i omega t); outside the head the file holds NaN. The transmit field is "
        "in the file's own unit, which is not stated."
    ),
    licence="MIT",
    access="open",
    page="https://eptlib.github.io",
    citations=(EPTLIB,),
    subject_count=1,
    bytes_in_all=1_616_002,
    formats="zip, HDF5",
)


def read(paths: Mapping[str, Path], provenance: Provenance) -> FieldMaps:
    """Read the maps; voxels that any of them leaves undefined are outside and become zero."""
    content = read_zip_member(paths["archive"], MEMBER, LARGEST_MEMBER)
    stored = read_arrays(content, ("tx-sens", "trx-phase", "sigma", "mask-wm"), MEMBER)
    if len({array.shape for array in stored.values()}) != 1 or stored["sigma"].ndim != 3:
        raise UnreadableFile(f"{MEMBER}: the maps must share one shape of three dimensions.")
    maps = {name: np.ascontiguousarray(array.T) for name, array in stored.items()}
    inside = np.isfinite(maps["tx-sens"]) & np.isfinite(maps["trx-phase"]) & np.isfinite(maps["sigma"])
    if not inside.any():
        raise UnreadableFile(f"{MEMBER}: no voxel has all maps.")
    return FieldMaps(
        transmit_sensitivity=np.where(inside, maps["tx-sens"], 0.0),
        transceive_phase=np.where(inside, maps["trx-phase"], 0.0),
        conductivity=np.where(inside, maps["sigma"], 0.0),
        white_matter=maps["mask-wm"].astype(bool) & inside,
        inside=inside,
        voxel_size=VOXEL_SIZE,
        frequency=FREQUENCY,
        time_convention="exp(+i omega t)",
        provenance=provenance,
    )


SOURCE = RegisteredSource(DATASET, read)
