"""Atomic writes: a file is there whole, with what it should hold, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import numpy as np
from filelock import FileLock

_UNFINISHED = ".unfinished-"

_FAST = 1
"""Level of compression: half the time of zlib's default for three percent more bytes of simulated fields."""


@contextmanager
def atomic_file(path: Path | str) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only when the block ends without an error.

    The bytes are flushed to the disk before the name is given, so that neither a kill nor a loss of power leaves
    a half-written file under ``path``; what was there before stays until then.
    """
    path = Path(path)
    with _unfinished(path) as unfinished:
        with unfinished.open("wb") as stream:
            yield stream
            _flush(stream)
        unfinished.replace(path)
    sync_folder(path.parent)


def write_whole(contents: Mapping[Path, bytes]) -> None:
    """Write several files; not one takes its name before all of them lie on the disk as a whole."""
    with ExitStack() as stack:
        written = [(stack.enter_context(_unfinished(path)), path) for path in contents]
        for unfinished, path in written:
            with unfinished.open("wb") as stream:
                stream.write(contents[path])
                _flush(stream)
        for unfinished, path in written:
            unfinished.replace(path)
    for folder in {path.parent for path in contents}:
        sync_folder(folder)


def read_verified(path: Path, sha256: str) -> bytes:
    """Read a file; ``ValueError`` where its bytes are not of this SHA-256."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{path} is not what was written there (its SHA-256 is another): make it again.")
    return content


def lock_beside(path: Path) -> FileLock:
    """Return the lock that one process at a time holds while it reads a small file and writes it anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path.with_name(f".{path.name}.lock"))


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """Give the name under which a file is written beside its place; after an error nothing lies there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.parent / f"{_UNFINISHED}{path.name}-{uuid.uuid4().hex[:8]}"
    try:
        yield unfinished
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


def _flush(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, where the system can."""
    if os.name == "nt":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def drop_unfinished(folder: Path) -> None:
    """Remove what killed writers left in a folder and below: those of this module, and of training checkpoints."""
    for pattern in (f"{_UNFINISHED}*", ".*.partial"):
        for path in folder.rglob(pattern):
            with suppress(OSError):
                path.unlink()


def write_text(path: Path | str, text: str) -> None:
    """Write text atomically, in UTF-8 with Unix line ends."""
    with atomic_file(path) as stream:
        stream.write(text.encode("utf-8"))


def canonical_json(document: object) -> str:
    """Give one text per JSON value: sorted keys, no spaces, no NaN or infinity."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def write_json(path: Path | str, document: object) -> None:
    """Write JSON atomically, indented so that a person can read and compare it."""
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Read JSON; ``ValueError`` names the file and the place where it breaks off."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no valid JSON ({error}); it was truncated or altered.") from None


def write_arrays(path: Path | str, **arrays: np.ndarray[Any, Any]) -> None:
    """Write named arrays atomically as a compressed ``.npz``; object arrays are refused."""
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise ValueError(f"{name} must be an array of numbers or text, but holds Python objects.")
    with atomic_file(path) as stream, ZipFile(stream, "w", ZIP_DEFLATED, compresslevel=_FAST) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=False)


def read_arrays(path: Path | str) -> dict[str, np.ndarray[Any, Any]]:
    """Read the named arrays of an ``.npz``; ``ValueError`` names a file that is none, or not a whole one."""
    try:
        with np.load(Path(path), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise
    except (BadZipFile, zlib.error, OSError, EOFError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} is no whole .npz file of arrays ({error}): make or copy it again.") from None


def sha256_of(path: Path | str) -> str:
    """SHA-256 of a file, as hexadecimal text."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_of(document: object) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(canonical_json(document).encode("utf-8")).hexdigest()


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Add ``digest``, a SHA-256 over all the rest, so that an alteration shows.

    It shows accidents and edits by hand; it is no signature, for anyone can compute it anew.
    """
    content = {key: value for key, value in document.items() if key != "digest"}
    return {**content, "digest": digest_of(content)}


def seal_holds(document: Mapping[str, Any]) -> bool:
    """Tell whether a document is as `sealed` left it."""
    content = {key: value for key, value in document.items() if key != "digest"}
    try:
        return document.get("digest") == digest_of(content)
    except ValueError:  # NaN written by hand
        return False
