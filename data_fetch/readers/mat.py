"""Numeric arrays from MATLAB files: version 5 by SciPy, version 7.3 as the HDF5 that it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_fetch.content import refuse_disguised
from data_fetch.errors import MissingPackage, UnreadableFile
from data_fetch.readers.damage import parsing
from data_fetch.readers.hdf5 import read_dataset

if TYPE_CHECKING:
    import h5py


def read_mat(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read named numeric variables of a MATLAB file, in MATLAB's axis order, whichever version wrote it.

    Cells, structures, objects and function handles are refused: they are no arrays, and an object's class is code.

    Raises
    ------
    UnreadableFile
        The file is damaged or no MATLAB file; a variable is missing or not numeric.
    """
    refuse_disguised(path)
    with path.open("rb") as stream:
        start = stream.read(128)
    if start.startswith(b"MATLAB 7.3 MAT-file"):
        return _read_7_3(path, names)
    if start.startswith(b"MATLAB 5.0 MAT-file"):
        return _read_5(path, names)
    raise UnreadableFile(f"{path.name}: no MATLAB file of version 5 or 7.3.")


def _read_5(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    from scipy.io import loadmat

    with parsing(path.name, "MATLAB 5"):
        held = loadmat(path, variable_names=list(names), verify_compressed_data_integrity=True)
    return {name: _numeric(path, name, held.get(name)) for name in names}


def _read_7_3(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    try:
        import h5py
    except ImportError:
        raise MissingPackage("MATLAB 7.3 files are read with h5py: pip install h5py.") from None
    with parsing(path.name, "MATLAB 7.3"), h5py.File(path, "r") as opened:
        return {name: _from_hdf5(path, opened, name) for name in names}


def _from_hdf5(path: Path, opened: h5py.File, name: str) -> np.ndarray:
    stored = read_dataset(opened, name, path.name)
    kind = opened[name].attrs.get("MATLAB_class", b"")
    if kind in (b"cell", b"struct", b"function_handle", b"char"):
        raise UnreadableFile(f"{path.name}: {name} is a MATLAB {kind.decode()}, not a numeric array.")
    if stored.dtype.names:  # complex numbers are stored as pairs
        stored = stored["real"] + 1j * stored["imag"]
    if kind == b"logical":
        stored = stored.astype(bool)
    return np.ascontiguousarray(stored.T)  # MATLAB stores the first axis fastest


def _numeric(path: Path, name: str, found: object) -> np.ndarray:
    if found is None:
        raise UnreadableFile(f"{path.name}: there is no variable {name}.")
    if not isinstance(found, np.ndarray) or found.dtype.hasobject or found.dtype.kind not in "iufcb":
        raise UnreadableFile(f"{path.name}: {name} is no numeric array.")
    return found
