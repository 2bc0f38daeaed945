"""Artifacts: the results of stages on disk, found by key, verified on load, listed and cleaned."""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from mrrepro.runs.files import digest_of, read_arrays, read_json, seal_holds, sha256_of

ROOT_VARIABLE = "MRREPRO_ARTIFACTS"
MANIFEST = "manifest.json"
MANIFEST_SCHEMA = "mrrepro-artifact/1"
RESUME = "resume"
PARTIAL = ".partial"
STAGE_NAME = re.compile(r"[a-z0-9_]+(/[a-z0-9_][a-z0-9_.-]*)+")
_FOLDER = re.compile(r"[0-9a-f]{16}(\.partial)?")
_verified: set[tuple[str, int, int, str]] = set()  # path, mtime, size, checksum: hashed once in a process


class ArtifactError(RuntimeError):
    """An artifact on disk is not what was written: truncated, altered, or of another kind."""


@dataclass(frozen=True)
class Artifact:
    """The files of one stage with one set of settings, one seed and the inputs named in the manifest.

    Parameters
    ----------
    stage : str
        Name of the stage, ``"deepspio/train"``.
    key : str
        SHA-256 of everything the result depends on.
    path : Path
        The folder that holds the files.
    manifest : mapping
        What the engine wrote beside them.
    """

    stage: str
    key: str
    path: Path
    manifest: Mapping[str, Any]

    @property
    def checksum(self) -> str:
        """SHA-256 over names, sizes and checksums of all files."""
        return digest_of(self.manifest["files"])

    @property
    def seconds(self) -> float:
        """Time to make it [s], summed over resumed attempts."""
        return float(self.manifest["seconds"])

    def file(self, name: str) -> Path:
        """Return the path of a file; ``ValueError`` lists the files there are."""
        if name not in self.manifest["files"]:
            raise ValueError(f"{self.stage} holds no file {name!r}; it holds {', '.join(self.manifest['files'])}.")
        path = self.path / name
        if not path.is_file():
            raise ArtifactError(f"{path} was removed after it had been found: run again.")
        return path

    def json(self, name: str) -> Any:
        """Read a JSON file."""
        return read_json(self.file(name))

    def arrays(self, name: str) -> dict[str, np.ndarray[Any, Any]]:
        """Read the named arrays of an ``.npz``."""
        return read_arrays(self.file(name))


@dataclass(frozen=True)
class StoredArtifact:
    """A line of the store's listing; ``used`` and ``made`` are seconds since the epoch."""

    name: str
    stage: str
    key16: str
    partial: bool
    in_use: bool
    files: int
    bytes: int
    used: float
    path: Path


class ArtifactStore:
    """A folder of artifacts, shared by all runs of a user.

    Parameters
    ----------
    root : Path or str, optional
        The folder; by default that of the environment variable ``MRREPRO_ARTIFACTS``, else the platform's cache.
    """

    def __init__(self, root: Path | str | None = None) -> None:
        chosen = root or os.environ.get(ROOT_VARIABLE) or default_root()
        self.root = Path(chosen).expanduser().resolve()
        if self.root.exists() and not self.root.is_dir():
            raise ValueError(f"artifacts must be a folder, but {self.root} is a file: name another.")

    def __repr__(self) -> str:
        return f"ArtifactStore({str(self.root)!r})"

    def folder(self, stage: str, key: str) -> Path:
        """Where the finished artifact of a key lies."""
        return self.root / stage / key[:16]

    def lock(self, stage: str, key: str) -> FileLock:
        """The lock that whoever makes or removes the artifact of a key holds."""
        folder = self.root / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{stage.replace('/', '-')}-{key[:16]}.lock")

    def find(self, stage: str, key: str) -> Artifact | None:
        """Return the verified artifact of a key, None where there is none.

        Raises
        ------
        ArtifactError
            A file is missing, truncated or altered, or the manifest is.
        """
        folder = self.folder(stage, key)
        if not folder.exists():
            return None
        try:
            manifest = self._manifest(folder)
            if manifest.get("stage") != stage or manifest.get("key") != key:
                owner = f"{manifest.get('stage')} {str(manifest.get('key'))[:16]}"
                raise self._refusal(folder, f"{MANIFEST} belongs to {owner}")
            for name, expected in manifest["files"].items():
                self._verify(folder, name, expected)
        except (ArtifactError, FileNotFoundError):
            if not folder.exists():  # another run cleaned it meanwhile
                return None
            raise
        with suppress(OSError):
            os.utime(folder)  # last use, for `clean`
        return Artifact(stage, key, folder, manifest)

    def manifests(self, stage: str) -> Iterator[dict[str, Any]]:
        """Yield the manifests of a stage's finished artifacts, the last used first; damaged ones are left out."""
        folders = [path for path in (self.root / stage).glob("*") if _FOLDER.fullmatch(path.name)]
        finished = [path for path in folders if not path.name.endswith(PARTIAL)]
        for folder in sorted(finished, key=lambda path: path.stat().st_mtime, reverse=True):
            with suppress(ArtifactError, OSError):
                yield self._manifest(folder)

    def verify(self, item: StoredArtifact) -> None:
        """Raise `ArtifactError` where a finished artifact is not as its manifest says."""
        manifest = self._manifest(item.path)
        for name, expected in manifest["files"].items():
            self._verify(item.path, name, expected)

    def list(self) -> tuple[StoredArtifact, ...]:
        """Return everything in the store, finished and unfinished, sorted by name."""
        return tuple(sorted(self._scan(), key=lambda item: item.name))

    def remove(self, name: str) -> StoredArtifact:
        """Remove one artifact by its name, ``"deepspio/train/0123456789abcdef"``, as `list` gives it."""
        stored = {item.name: item for item in self._scan()}
        if name not in stored:
            near = ", ".join(other for other in stored if other.startswith(name))
            raise ValueError(f"{self.root} holds no artifact {name!r}." + (f" It holds {near}." if near else ""))
        if not self._drop(stored[name]):
            raise ValueError(f"{name} is being made by another run: wait for it, or end it first.")
        return stored[name]

    def clean(
        self, *, partials: bool = False, older_than_days: float | None = None, chapter: str | None = None
    ) -> tuple[StoredArtifact, ...]:
        """Remove what all given conditions select, except what another run is making.

        Parameters
        ----------
        partials : bool
            Only unfinished artifacts that nobody works on.
        older_than_days : float, optional
            Only what was last used before that many days.
        chapter : str, optional
            Only the stages of this chapter.

        Returns
        -------
        tuple of StoredArtifact
            What was removed.
        """
        if not partials and older_than_days is None and chapter is None:
            raise ValueError("Say what to clean: partials, older_than_days, a chapter, or several of these.")
        if older_than_days is not None and not older_than_days >= 0:
            raise ValueError(f"older_than_days must be at least 0, but is {older_than_days!r}.")
        limit = time.time() - 86400 * older_than_days if older_than_days is not None else None
        removed = []
        for item in self.list():
            if partials and not item.partial:
                continue
            if limit is not None and item.used > limit:
                continue
            if chapter is not None and item.stage.partition("/")[0] != chapter:
                continue
            if self._drop(item):
                removed.append(item)
        return tuple(removed)

    def _manifest(self, folder: Path) -> dict[str, Any]:
        path = folder / MANIFEST
        if not path.is_file():
            raise self._refusal(folder, f"{MANIFEST} is missing")
        try:
            manifest = read_json(path)
        except ValueError as error:
            raise self._refusal(folder, str(error)) from None
        if not isinstance(manifest, dict) or manifest.get("schema") != MANIFEST_SCHEMA:
            found = manifest.get("schema") if isinstance(manifest, dict) else None
            raise self._refusal(folder, f"{MANIFEST} has schema {found!r}, expected {MANIFEST_SCHEMA!r}")
        if not seal_holds(manifest):
            raise self._refusal(folder, f"{MANIFEST} was altered: its digest does not fit its content")
        return manifest

    def _verify(self, folder: Path, name: str, expected: Mapping[str, Any]) -> None:
        path = folder / name
        if not path.is_file():
            raise self._refusal(folder, f"file {name} is missing, expected {expected['bytes']} bytes")
        stat = path.stat()
        if stat.st_size != expected["bytes"]:
            raise self._refusal(folder, f"file {name} has {stat.st_size} bytes, expected {expected['bytes']}")
        mark = (str(path), stat.st_mtime_ns, stat.st_size, expected["sha256"])
        if mark in _verified:
            return
        found = sha256_of(path)
        if found != expected["sha256"]:
            raise self._refusal(folder, f"file {name} has SHA-256 {found}, expected {expected['sha256']}")
        _verified.add(mark)

    def _refusal(self, folder: Path, what: str) -> ArtifactError:
        name = folder.relative_to(self.root).as_posix()
        return ArtifactError(
            f"The artifact {name} cannot be trusted: {what}. Remove it and run again: "
            f'mrrepro artifacts clean {name} --artifacts "{self.root}"'
        )

    def _scan(self) -> Iterator[StoredArtifact]:
        if not self.root.is_dir():
            return
        waiting = [path for path in self.root.iterdir() if path.is_dir() and not path.name.startswith(".")]
        while waiting:
            folder = waiting.pop()
            if not _FOLDER.fullmatch(folder.name):
                with suppress(OSError):
                    waiting.extend(path for path in folder.iterdir() if path.is_dir())
                continue
            with suppress(FileNotFoundError):  # removed or finished meanwhile
                yield self._entry(folder)

    def _entry(self, folder: Path) -> StoredArtifact:
        sizes, newest = [], folder.stat().st_mtime
        for path in folder.rglob("*"):
            if path.is_file():
                stat = path.stat()
                sizes.append(stat.st_size)
                newest = max(newest, stat.st_mtime)
        stage, key16 = folder.parent.relative_to(self.root).as_posix(), folder.name.removesuffix(PARTIAL)
        partial = folder.name.endswith(PARTIAL)
        name = folder.relative_to(self.root).as_posix()
        in_use = partial and self._held(stage, key16)
        return StoredArtifact(name, stage, key16, partial, in_use, len(sizes), sum(sizes), newest, folder)

    def _held(self, stage: str, key16: str) -> bool:
        lock = self.lock(stage, key16)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        lock.release()
        return False

    def _drop(self, item: StoredArtifact) -> bool:
        lock = self.lock(item.stage, item.key16)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        try:
            trash = self.root / f".trash-{uuid.uuid4().hex[:8]}"
            try:
                item.path.replace(trash)  # at once, so that nobody finds half of it
            except FileNotFoundError:
                return True
            shutil.rmtree(trash, ignore_errors=True)
        finally:
            lock.release()
        return True


def default_root() -> Path:
    """Return the folder for artifacts on this platform."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("mrrepro", appauthor=False)) / "artifacts"
