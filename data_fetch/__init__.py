"""Public data sets for the chapters: fetched, verified and read into arrays with their geometry.

>>> import data_fetch
>>> "synthseg_heads" in data_fetch.names()
True

``data_fetch.load("synthseg_heads", "01")`` returns a subject, downloading what is missing. Files go to the folder
named by ``MRREPRO_DATA`` (by default this platform's cache folder); a folder named by ``MRREPRO_DATA_MIRROR`` is tried
first. Nothing is downloaded on import. On the command line: ``python -m data_fetch --help``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_fetch.errors import FetchError
from data_fetch.images import FieldMaps, Geometry, LabelMap, Loaded, Provenance, Subject, Volume
from data_fetch.store import Store

if TYPE_CHECKING:
    from data_fetch.held import AtHand

__all__ = [
    "FetchError",
    "FieldMaps",
    "Geometry",
    "LabelMap",
    "Loaded",
    "Provenance",
    "Store",
    "Subject",
    "Volume",
    "at_hand",
    "get",
    "load",
    "names",
    "subjects",
]


def names() -> tuple[str, ...]:
    """Return the names of the data sets."""
    from data_fetch.datasets import SOURCES

    return tuple(SOURCES)


def subjects(name: str, store: Store | None = None) -> tuple[str, ...]:
    """Return the subjects of a data set that can be asked for."""
    from data_fetch.datasets import source_of

    return source_of(name).subjects(store or Store.from_environment())


def get(name: str, subjects: Sequence[str] = (), store: Store | None = None, show_progress: bool = False) -> list[Path]:
    """Bring the files of some subjects of a data set, of all if none is named, and return their verified paths."""
    from data_fetch.datasets import source_of

    return source_of(name).get(tuple(subjects), store or Store.from_environment(), show_progress)


def at_hand(name: str, subjects: Sequence[str], store: Store | None = None) -> AtHand:
    """Return what of these subjects is here, verified, and what is missing; nothing is downloaded."""
    from data_fetch.held import look_for

    return look_for(name, subjects, store)


def load(name: str, subject: str, store: Store | None = None) -> Loaded:
    """Return one subject of a data set, downloading what is missing.

    Parameters
    ----------
    name
        One of `names`.
    subject
        One of `subjects`.
    store
        Folders and patience; by default those of the environment.

    Raises
    ------
    ValueError
        There is no such data set or subject.
    FetchError
        The data cannot be fetched, verified or read; the class and the message say why.
    """
    from data_fetch.datasets import source_of

    return source_of(name).load(subject, store or Store.from_environment())
