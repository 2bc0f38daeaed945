"""Arrays from HDF5 files, from nothing but the file itself."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_fetch.content import disguised, refuse_disguised
from data_fetch.errors import MissingPackage, UnreadableFile
from data_fetch.readers.damage import parsing

if TYPE_CHECKING:
    import h5py

LARGEST_ARRAY = 4 << 30


def read_arrays(source: Path | bytes, names: Sequence[str], label: str = "") -> dict[str, np.ndarray]:
    """Read the named numeric datasets of an HDF5 file.

    A dataset behind an external link, with external storage, or virtual would read other files of this machine:
    these are refused, and so are variable-length and object types.

    Parameters
    ----------
    source
        A file, or its content.
    names
        Paths of datasets, such as ``group/data``.
    label
        Name for messages, where ``source`` is bytes.

    Returns
    -------
    dict
        The arrays by name, axes and type as stored.
    """
    try:
        import h5py
    except ImportError:
        raise MissingPackage("HDF5 files are read with h5py: pip install h5py.") from None
    title = source.name if isinstance(source, Path) else label or "HDF5 content"
    if isinstance(source, Path):
        refuse_disguised(source)
    elif failure := disguised(title, source[:512]):
        raise failure
    content = io.BytesIO(source) if isinstance(source, bytes) else source
    with parsing(title, "HDF5"), h5py.File(content, "r") as opened:
        return {name: read_dataset(opened, name, title) for name in names}


def read_dataset(opened: h5py.File, name: str, title: str) -> np.ndarray:
    """Read one dataset of an open file under the rules of `read_arrays`."""
    import h5py

    walked = ""
    for step in name.strip("/").split("/"):
        walked = f"{walked}/{step}"
        link = opened.get(walked, getlink=True) if walked in opened or _dangling(opened, walked) else None
        if link is None:
            raise UnreadableFile(
                f"{title}: there is no dataset {name}; the file holds {', '.join(opened) or 'nothing'}."
            )
        if not isinstance(link, h5py.HardLink):
            raise UnreadableFile(f"{title}: {walked} is a link to elsewhere, which is not followed.")
    dataset = opened[name]
    if not isinstance(dataset, h5py.Dataset):
        raise UnreadableFile(f"{title}: {name} is a group, not a dataset.")
    if dataset.is_virtual or dataset.external:
        raise UnreadableFile(f"{title}: {name} keeps its values in other files, which are not read.")
    kind = dataset.dtype
    if kind.hasobject or (kind.kind not in "iufcb" and set(kind.names or ()) != {"real", "imag"}):
        raise UnreadableFile(f"{title}: {name} holds no numbers but {kind}.")
    if dataset.size is None or dataset.size * kind.itemsize > LARGEST_ARRAY:
        raise UnreadableFile(f"{title}: {name} is empty or claims a shape of {dataset.shape}: refused.")
    return np.asarray(dataset[()])


def _dangling(opened: h5py.File, name: str) -> bool:
    parent, _, last = name.rpartition("/")
    group = opened.get(parent or "/")
    return hasattr(group, "keys") and last in group.keys()  # noqa: SIM118 - membership would follow the link
