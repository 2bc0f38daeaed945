"""Data sets that the reader downloads under their own terms: recognised by the names in their folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_fetch.errors import NotAtHand
from data_fetch.images import Loaded, Provenance
from data_fetch.kept import kept_state
from data_fetch.records import Dataset, FileState, HeldSubject
from data_fetch.sources import held_subject, own_folder, require_subject
from data_fetch.store import Store
from data_fetch.tumour_labels import TumourConvention


@dataclass(frozen=True)
class Layout:
    """How a release names its files, and what its tumour labels mean.

    ``folder`` is a pattern for the name of a subject's folder, whose first group is the subject; ``files`` gives the
    file of each role in it.
    """

    folder: str
    files: Mapping[str, str]
    convention: TumourConvention


@dataclass(frozen=True)
class FolderSource:
    """A data set in a folder of the reader's own, at any depth below ``<mirror or cache>/<name>``."""

    dataset: Dataset
    layouts: tuple[Layout, ...]
    read: Callable[[Mapping[str, Path], Layout, Provenance], Loaded]

    def subjects(self, store: Store) -> tuple[str, ...]:
        """Return the subjects whose folders are here."""
        return tuple(self._found(store))

    def get(self, subjects: Sequence[str], store: Store, show_progress: bool = False) -> list[Path]:
        """Return the files of these subjects, of all if none is named; there is nothing to download."""
        found = self._found(store)
        chosen = subjects or tuple(found)
        return [path for subject in chosen for path in self._files(subject, found).values()]

    def states(self, store: Store) -> list[FileState]:
        """Read every file through: no checksum is published for these."""
        try:
            found = self._found(store)
        except NotAtHand:
            return []
        states = []
        for subject in found:
            try:
                states += [kept_state(path, ours=False) for path in self._files(subject, found).values()]
            except NotAtHand as failure:
                states.append(FileState(subject, "refused", None, str(failure)))
        return states

    def load(self, subject: str, store: Store) -> Loaded:
        """Return one subject."""
        found = self._found(store)
        paths = self._files(subject, found)
        origin = Provenance(self.dataset.name, subject, self.dataset.licence, (), self.dataset.citations)
        return self.read(paths, found[subject][1], origin)

    def here(self, subject: str, store: Store) -> HeldSubject:
        """Return a subject's files if its folder is here."""
        try:
            found = self._found(store)
        except NotAtHand:
            return HeldSubject()
        return held_subject(subject, self._files(subject, found).items() if subject in found else None, store)

    def _found(self, store: Store) -> dict[str, tuple[Path, Layout]]:
        root = own_folder(self.dataset, store)
        found: dict[str, tuple[Path, Layout]] = {}
        for place in sorted(path for path in root.rglob("*") if path.is_dir()):
            for layout in self.layouts:
                if match := re.fullmatch(layout.folder, place.name):
                    found[match[1]] = (place, layout)
        if not found:
            raise NotAtHand(
                f"{self.dataset.name}: {root} holds no folder that is named as {self.dataset.title} names it."
            )
        return found

    def _files(self, subject: str, found: Mapping[str, tuple[Path, Layout]]) -> dict[str, Path]:
        require_subject(self.dataset, subject, tuple(found))
        place, layout = found[subject]
        paths = {role: place / name.format(subject=subject) for role, name in layout.files.items()}
        missing = [path.name for path in paths.values() if not path.is_file()]
        if missing:
            raise NotAtHand(f"{subject}: {', '.join(missing)} missing in {place}: complete the download.")
        return paths
