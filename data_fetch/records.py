"""What is known of a data set before a byte of it is here: who, where, which licence, which files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

Access = Literal["open", "account", "own folder"]


@dataclass(frozen=True)
class Checksum:
    """A digest and its algorithm: ``sha256``, ``md5`` or ``git-blob-sha1``.

    ``git-blob-sha1`` is the name that git gives to a file's content: the SHA-1 of ``b"blob %d\\0" % size`` followed
    by the content. It is what a public git repository publishes for each file.
    """

    algorithm: Literal["sha256", "md5", "git-blob-sha1"]
    value: str


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set.

    ``local`` is its place below the cache folder and, alike, below a mirror folder. ``size`` [byte] is ``None``
    where the home of the data states none. ``checksum`` is ``None`` only where a server states none when it is asked:
    such a file is taken when it is whole by its own format (see `data_fetch.kept`).
    """

    dataset: str
    subject: str
    role: str
    local: str
    url: str
    size: int | None
    checksum: Checksum | None
    licence: str

    def __post_init__(self) -> None:
        place = PurePosixPath(self.local)
        if place.is_absolute() or ".." in place.parts or "\\" in self.local or not place.parts:
            raise ValueError(f"local must be a path below the cache folder, but is {self.local!r}.")


@dataclass(frozen=True)
class Dataset:
    """The facts of a data set that a reader needs before downloading it.

    ``access`` is ``open`` (anyone, no account), ``account`` (an account or an agreement, asked for at ``page``) or
    ``own folder`` (the reader downloads it from ``page`` under its own terms and names the folder). ``bytes_in_all``
    is ``None`` where the home does not say. ``unverified`` names what could not be checked when this was written.
    """

    name: str
    title: str
    description: str
    licence: str
    access: Access
    page: str
    citations: tuple[str, ...]
    subject_count: int
    bytes_in_all: int | None
    formats: str
    unverified: str = ""


@dataclass(frozen=True)
class HeldFile:
    """A verified file of a subject: ``local`` is its place below cache or mirror folder, ``path`` where it lies."""

    subject: str
    role: str
    local: str
    path: Path


@dataclass(frozen=True)
class HeldSubject:
    """The verified files of a subject that are here, and whether they are all.

    ``bytes_missing`` [byte] is what would have to travel, ``None`` where only the home knows; ``refusals`` say which
    files are here and wrong.
    """

    files: tuple[HeldFile, ...] = ()
    complete: bool = False
    bytes_missing: int | None = None
    refusals: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileState:
    """Whether a file is here: ``fine``, ``absent`` or ``refused`` (``message`` says why), and where."""

    local: str
    state: str
    path: Path | None = None
    message: str = ""
