"""Digests of files, and the refusal of a file whose size or digest is not the registry's."""

from __future__ import annotations

import hashlib
from pathlib import Path

from data_fetch.errors import WrongChecksum, WrongSize
from data_fetch.records import Checksum

BLOCK = 1 << 20


def digest(path: Path, algorithm: str) -> str:
    """Compute the digest of a file, reading it in blocks.

    Parameters
    ----------
    path
        The file.
    algorithm
        ``sha256``, ``md5`` or ``git-blob-sha1`` (see `Checksum`).

    Returns
    -------
    str
        Lower-case hexadecimal digits.
    """
    if algorithm == "git-blob-sha1":
        running = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    elif algorithm in ("sha256", "md5"):
        running = hashlib.new(algorithm, usedforsecurity=False)
    else:
        raise ValueError(f"algorithm must be one of sha256, md5, git-blob-sha1, but is {algorithm!r}.")
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            running.update(block)
    return running.hexdigest()


def require_match(path: Path, size: int | None, checksum: Checksum | None, name: str, remedy: str) -> None:
    """Raise unless the file has this size and this digest, where known; the message shows both values.

    Raises
    ------
    WrongSize, WrongChecksum
    """
    found = path.stat().st_size
    if size is not None and found != size:
        raise WrongSize(name, size, found, remedy)
    if checksum is None:
        return
    value = digest(path, checksum.algorithm)
    if value != checksum.value.lower():
        raise WrongChecksum(name, checksum.algorithm, checksum.value.lower(), value, remedy)
