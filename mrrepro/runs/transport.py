"""Artifacts in one file, to bring them to a machine that could not make them."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mrrepro.runs.artifacts import MANIFEST, ArtifactStore, StoredArtifact
from mrrepro.runs.files import atomic_file


def export_artifacts(store: ArtifactStore, names: Sequence[str], path: Path) -> list[StoredArtifact]:
    """Write finished artifacts into a tar file, each checked against its manifest first.

    Parameters
    ----------
    store : ArtifactStore
    names : sequence of str
        Artifacts as the store lists them, or stages, or chapters.
    path : Path
        The file; it is there whole or not at all.

    Raises
    ------
    ValueError
        If a name selects nothing.
    ArtifactError
        If an artifact is not as its manifest says.
    """
    finished = [item for item in store.list() if not item.partial]
    chosen: dict[str, StoredArtifact] = {}
    for name in names:
        found = [item for item in finished if f"{item.name}/".startswith(f"{name.strip('/')}/")]
        if not found:
            known = ", ".join(sorted({item.stage for item in finished})) or "nothing"
            raise ValueError(f"{store.root} holds no finished artifact of {name!r}; it holds {known}.")
        chosen |= {item.name: item for item in found}
    for item in chosen.values():
        store.verify(item)
    with atomic_file(path) as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for item in chosen.values():
            archive.add(item.path, arcname=item.name)
    return list(chosen.values())


def import_artifacts(store: ArtifactStore, path: Path) -> tuple[list[str], list[str]]:
    """Put the artifacts of such a file into the store, each checked, and return the new ones and those that were there.

    Raises
    ------
    ValueError
        If the file is no tar file of artifacts, or holds what could be written elsewhere.
    ArtifactError
        If an artifact is not as its manifest says; nothing is taken over then.
    """
    store.root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".import-", dir=store.root) as folder:
        brought = ArtifactStore(folder)
        try:
            with tarfile.open(path) as archive:
                _unpack(archive, Path(folder).resolve())
        except (tarfile.TarError, EOFError) as error:
            raise ValueError(f"{path} is no file of `mrrepro artifacts export` ({error}).") from None
        items = [item for item in brought.list() if (item.path / MANIFEST).exists()]
        if not items:
            raise ValueError(f"{path} holds no artifact.")
        for item in items:
            brought.verify(item)
        new, there = [], []
        for item in items:
            with store.lock(item.stage, item.key16):
                place = store.root / item.name
                if place.exists():
                    there.append(item.name)
                    continue
                shutil.rmtree(place.with_name(place.name + ".partial"), ignore_errors=True)
                place.parent.mkdir(parents=True, exist_ok=True)
                item.path.rename(place)
                new.append(item.name)
    return new, there


def _unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Write the archive's files into a folder: plain files alone, and none elsewhere.

    ``TarFile.extractall`` has a filter for that, but not yet in Python 3.11.2.
    """
    for member in archive:
        target = (folder / member.name).resolve()
        if not (member.isfile() or member.isdir()) or not target.is_relative_to(folder):
            raise tarfile.TarError(f"{member.name} is no plain file within it")
        source = archive.extractfile(member)
        if source is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            with source, target.open("wb") as stream:
                shutil.copyfileobj(source, stream)
