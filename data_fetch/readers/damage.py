"""One name for what parsers raise on a damaged file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from data_fetch.errors import FetchError, UnreadableFile


@contextmanager
def parsing(name: str, kind: str) -> Iterator[None]:
    """Turn whatever a parser raises into `UnreadableFile`, with the cause kept.

    The parsers of nibabel, SciPy, h5py and pydicom name damage by some twenty classes, which differ between versions;
    what a reader has to know is the same for all.
    """
    try:
        yield
    except (FetchError, ImportError):
        raise
    except Exception as error:
        raise UnreadableFile(f"{name}: damaged, or no {kind} file: {type(error).__name__}: {error}.") from error
