"""What of a data set is here already, verified, and what is missing: asked before a run, and nothing is downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_fetch.datasets import source_of
from data_fetch.datasets.egd import XnatSource, first_count
from data_fetch.datasets.ixi_pd import TarSource
from data_fetch.errors import FetchError, in_words
from data_fetch.fetching import look_up
from data_fetch.folder_source import FolderSource
from data_fetch.records import Dataset
from data_fetch.registry import subject_files
from data_fetch.sources import RegisteredSource
from data_fetch.store import Store


@dataclass(frozen=True)
class HeldFile:
    """A verified file of a subject: ``local`` is its place below a cache folder, ``path`` where it lies."""

    subject: str
    role: str
    local: str
    path: Path


@dataclass(frozen=True)
class AtHand:
    """The files that are here, the subjects that are not whole, and what of them would have to travel [byte]."""

    dataset: Dataset
    files: tuple[HeldFile, ...]
    missing: tuple[str, ...]
    bytes_missing: int | None = None
    refusals: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every subject that was asked for is here."""
        return not self.missing

    def sentence(self) -> str:
        """Say what is missing, how much that is, and how to get it; empty where nothing is."""
        if self.complete:
            return ""
        facts, names = self.dataset, ",".join(self.missing)
        size = f" (about {_size(self.bytes_missing)})" if self.bytes_missing else ""
        if facts.access == "own folder":
            how = f"download them from {facts.page} under their own terms and put them in the folder {facts.name}"
        else:
            how = f"get them with: mrrepro data get {facts.name} --subjects {names}"
            if facts.access == "account":
                how += f" (needs an account, asked for at {facts.page})"
        whose = f"{'' if len(self.missing) == 1 else 's'} {', '.join(self.missing)}"
        words = f"{facts.name} ({facts.title}, {facts.page}): subject{whose} not at hand{size}; {how}."
        return " ".join([words, *self.refusals])


def at_hand(name: str, subjects: Sequence[str], store: Store | None = None) -> AtHand:
    """Look for subjects of a data set in mirror and cache, verify what is there, and download nothing.

    Raises
    ------
    ValueError
        There is no such data set or subject.
    """
    source, place = source_of(name), store or Store.from_environment()
    if isinstance(source, RegisteredSource):
        return _registered(source, subjects, place)
    found: list[HeldFile] = []
    missing: list[str] = []
    refusals: list[str] = []
    for subject in subjects:
        try:
            here = _unregistered(source, subject, place)
        except FetchError as failure:
            here = None
            refusals.append(in_words(failure))
        if here:
            found.extend(here)
        else:
            missing.append(subject)
    travels = sum(_share(source.dataset, subject) for subject in missing) if missing else 0
    return AtHand(source.dataset, tuple(found), tuple(missing), round(travels) or None, tuple(refusals))


def _share(facts: Dataset, subject: str) -> float:
    """About how many bytes a subject, or ``first:N`` of them, are of the whole data set."""
    count = int(subject.removeprefix("first:")) if subject.startswith("first:") else 1
    return count * (facts.bytes_in_all or 0) / facts.subject_count


def _registered(source: RegisteredSource, subjects: Sequence[str], store: Store) -> AtHand:
    found: list[HeldFile] = []
    missing: list[str] = []
    refusals: list[str] = []
    count = 0.0
    for subject in subjects:
        absent = []
        for role, file in subject_files(source.dataset.name, subject).items():
            state = look_up(file, store)
            if state.path is None:
                absent.append(file.size)
                refusals.extend([in_words(state.refusal)] if state.refusal else [])
            else:
                found.append(HeldFile(subject, role, file.local, state.path))
        if absent:
            missing.append(subject)
            known = [size for size in absent if size is not None]
            count += sum(known) if len(known) == len(absent) else _share(source.dataset, subject)
    return AtHand(source.dataset, tuple(found), tuple(missing), round(count) or None, tuple(refusals))


def _unregistered(source: object, subject: str, store: Store) -> list[HeldFile] | None:
    """Files of a subject whose home has no registry here; None where they are not here."""
    if isinstance(source, XnatSource) and subject.startswith("first:"):
        count = first_count(subject)
        held = [_unregistered(source, name, store) for name in source.held(store)]
        whole = [files for files in held if files]
        return [file for files in whole[:count] for file in files] if len(whole) >= count else None
    if isinstance(source, TarSource):
        paths = source.here(subject, store)
        return None if paths is None else [HeldFile(subject, "PD", f"ixi_pd/{path.name}", path) for path in paths]
    if not isinstance(source, XnatSource | FolderSource):
        raise ValueError(f"{type(source).__name__} cannot tell what is at hand without its home.")
    roles = source.here(subject, store)
    if roles is None:
        return None
    return [HeldFile(subject, role, f"{subject}/{path.name}", path) for role, path in roles.items()]


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"
