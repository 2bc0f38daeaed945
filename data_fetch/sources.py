"""What a data set can do, whatever home it has: name its subjects, fetch, verify, load."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from data_fetch.errors import NotAtHand, in_words
from data_fetch.fetching import fetch_files, look_up
from data_fetch.images import Loaded, Provenance
from data_fetch.records import Dataset, FileState, HeldFile, HeldSubject, RemoteFile
from data_fetch.registry import registered_files, subject_files
from data_fetch.store import Store


class Source(Protocol):
    """A data set with its ways in."""

    @property
    def dataset(self) -> Dataset:
        """The facts."""

    def subjects(self, store: Store) -> tuple[str, ...]:
        """Return the names of the subjects that can be asked for."""

    def get(self, subjects: Sequence[str], store: Store, show_progress: bool = False) -> list[Path]:
        """Bring the files of these subjects, of all if none is named, and return their paths."""

    def states(self, store: Store) -> list[FileState]:
        """Read every file that is here and tell whether it is right."""

    def load(self, subject: str, store: Store) -> Loaded:
        """Return one subject, downloading what is missing."""

    def here(self, subject: str, store: Store) -> HeldSubject:
        """Return the files of a subject that are here and right; nothing is downloaded.

        Raises
        ------
        FetchError
            A file is here and wrong.
        ValueError
            There is no such subject.
        """


@dataclass(frozen=True)
class RegisteredSource:
    """A data set whose files stand in the registry, each with its checksum.

    ``read`` turns the verified files of a subject, by role, into the library's types.
    """

    dataset: Dataset
    read: Callable[[Mapping[str, Path], Provenance], Loaded]

    def subjects(self, store: Store) -> tuple[str, ...]:
        """Return the registry's subjects."""
        return tuple(dict.fromkeys(file.subject for file in registered_files(self.dataset.name)))

    def get(self, subjects: Sequence[str], store: Store, show_progress: bool = False) -> list[Path]:
        """Fetch the files of these subjects, of all if none is named."""
        chosen = subjects or self.subjects(store)
        files = [file for subject in chosen for file in subject_files(self.dataset.name, subject).values()]
        return fetch_files(files, store, show_progress)

    def states(self, store: Store) -> list[FileState]:
        """Verify every file of the registry that is here."""
        return [state_of(file, store) for file in registered_files(self.dataset.name)]

    def load(self, subject: str, store: Store) -> Loaded:
        """Fetch a subject's files and read them."""
        files = subject_files(self.dataset.name, subject)
        paths = dict(zip(files, fetch_files(files.values(), store), strict=True))
        return self.read(paths, provenance(self.dataset, subject, files.values()))

    def here(self, subject: str, store: Store) -> HeldSubject:
        """Look for each file of a subject; what is wrong is missing, and its refusal is said."""
        found: list[HeldFile] = []
        sizes: list[int | None] = []
        refusals: list[str] = []
        for role, file in subject_files(self.dataset.name, subject).items():
            state = look_up(file, store)
            if state.path is not None:
                found.append(HeldFile(subject, role, file.local, state.path))
                continue
            sizes.append(file.size)
            refusals.extend([in_words(state.refusal)] if state.refusal else [])
        known = [size for size in sizes if size is not None]
        missing = sum(known) if len(known) == len(sizes) else None
        return HeldSubject(tuple(found), not sizes, missing, tuple(refusals))


def state_of(file: RemoteFile, store: Store) -> FileState:
    """Read a file that may be here, every byte of it, and tell its state."""
    found = look_up(file, store, afresh=True)
    if found.path:
        return FileState(file.local, "fine", found.path)
    if found.refusal:
        return FileState(file.local, "refused", None, str(found.refusal))
    return FileState(file.local, "absent")


def provenance(dataset: Dataset, subject: str, files: Iterable[RemoteFile]) -> Provenance:
    """Return what identifies the bytes of a subject."""
    known = tuple((file.local, file.checksum.algorithm, file.checksum.value) for file in files if file.checksum)
    return Provenance(dataset.name, subject, dataset.licence, known, dataset.citations)


def require_subject(dataset: Dataset, subject: str, known: Sequence[str]) -> None:
    """Raise ``ValueError`` unless a subject is one of those known."""
    if subject not in known:
        listed = ", ".join(known) if len(known) <= 60 else f"{', '.join(known[:5])}, ... ({len(known)} in all)"
        raise ValueError(f"subject must be one of {listed} for {dataset.name}, but is {subject!r}.")


def held_subject(subject: str, paths: Iterable[tuple[str, Path]] | None, store: Store) -> HeldSubject:
    """Describe the files of a subject, each with its role, that were found in mirror or cache; ``None``: not here."""
    if paths is None:
        return HeldSubject()
    return HeldSubject(tuple(HeldFile(subject, role, local_of(path, store), path) for role, path in paths), True)


def local_of(path: Path, store: Store) -> str:
    """Return the place of a file below the mirror or cache folder that holds it."""
    folder = next(folder for folder in store.folders if path.is_relative_to(folder))
    return path.relative_to(folder).as_posix()


def own_folder(dataset: Dataset, store: Store) -> Path:
    """Return the folder of a data set that its user downloads: ``<mirror or cache>/<name>``."""
    for folder in store.folders:
        if (folder / dataset.name).is_dir():
            return folder / dataset.name
    raise NotAtHand(
        f"{dataset.name}: these data are downloaded by you, under their own terms, from {dataset.page}; put (or link) "
        f"them in {store.cache / dataset.name}."
    )
