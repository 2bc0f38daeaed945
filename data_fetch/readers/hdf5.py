"""Arrays from HDF5 files, from nothing but the file itself."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from data_fetch.content import disguised
from data_fetch.errors import MissingPackage, UnreadableFile
from data_fetch.readers.damage import parsing

if TYPE_CHECKING:
    import h5py

LARGEST_ARRAY = 4 << 30


def read_arrays(content: bytes, names: Sequence[str], title: str) -> dict[str, np.ndarray]:
    """Read the named numeric datasets of an HDF5 file.

    A dataset behind an external link, with external storage, or virtual would read other files of this machine:
    these are refused, and so are variable-length, compound and object types.

    Parameters
    ----------
    content
        That of the file.
    names
        Paths of datasets, such as ``group/data``.
    title
        Name of the file, for messages.

    Returns
    -------
    dict
        The arrays by name, axes and type as stored.
    """
    try:
        import h5py
    except ImportError:
        raise MissingPackage("HDF5 files are read with h5py: pip install h5py.") from None
    if failure := disguised(title, content[:512]):
        raise failure
    with parsing(title, "HDF5"), h5py.File(io.BytesIO(content), "r") as opened:
        return {name: _read_dataset(opened, name, title) for name in names}


def _read_dataset(opened: h5py.File, name: str, title: str) -> np.ndarray:
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
    if kind.hasobject or kind.kind not in "iufcb":
        raise UnreadableFile(f"{title}: {name} holds no numbers but {kind}.")
    if dataset.size is None or dataset.size * kind.itemsize > LARGEST_ARRAY:
        raise UnreadableFile(f"{title}: {name} is empty or claims a shape of {dataset.shape}: refused.")
    return np.asarray(dataset[()])


def _dangling(opened: h5py.File, name: str) -> bool:
    parent, _, last = name.rpartition("/")
    group = opened.get(parent or "/")
    return hasattr(group, "keys") and last in group.keys()  # noqa: SIM118 - membership would follow the link
