"""The Erasmus Glioma Database, over XNAT, with an account of one's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_fetch.citations import EGD
from data_fetch.credentials import find_credentials
from data_fetch.errors import NotFound
from data_fetch.fetching import fetch_files, locked
from data_fetch.images import Provenance, Subject
from data_fetch.kept import keep_digest, kept_checksum, kept_state, require_kept
from data_fetch.readers.nifti import read_labels, read_volume
from data_fetch.records import Checksum, Dataset, FileState, HeldSubject, RemoteFile
from data_fetch.sources import held_subject
from data_fetch.store import Store
from data_fetch.tumour_labels import EGD_BINARY
from data_fetch.xnat import XnatArchive, XnatFile

SERVER = "https://xnat.bmia.nl"
PROJECT = "egd"
IMAGES = ("T1", "T2", "FLAIR", "T1GD")
MASK = "MASK"
METADATA = "metadata.json"

DATASET = Dataset(
    name="egd",
    title="Erasmus Glioma Database",
    description=(
        "T1, T2, FLAIR and T1 after contrast agent (T1GD) of 774 patients with glioma, 197 x 233 x 189 at 1 mm on one "
        "grid, with a binary mask of the whole tumour (manual or automatic) and genetic labels. first:20 stands for "
        "the first twenty labels."
    ),
    licence="EGD data licence: agreed to when the account is granted; not to be passed on",
    access="account",
    page="https://xnat.bmia.nl/data/archive/projects/egd",
    citations=(EGD,),
    subject_count=774,
    bytes_in_all=40_000_000_000,
    formats="NIfTI",
    unverified=(
        "the requests follow the database's own public downloader and were tried against an imitation, not against the "
        "server; checksums are those that the server states"
    ),
)


@dataclass(frozen=True)
class XnatSource:
    """A data set in an XNAT project, laid out as its own downloader does: ``SUBJECTS/<id>/<scan>.nii.gz``."""

    dataset: Dataset
    server: str
    project: str

    def subjects(self, store: Store) -> tuple[str, ...]:
        """Return the subjects that the server lists for this account."""
        return tuple(self._archive(store).subjects())

    def get(self, subjects: Sequence[str], store: Store, show_progress: bool = False) -> list[Path]:
        """Bring the files of these subjects, of all if none is named; what is here needs no account."""
        chosen: list[str] = []
        for subject in subjects or self.subjects(store):
            chosen.extend(self.subjects(store)[: first_count(subject)] if subject.startswith("first:") else [subject])
        return [path for subject in chosen for path in self._files(subject, store, show_progress).values()]

    def held(self, store: Store) -> list[str]:
        """Return the subjects of whom something is here, in the order of their labels."""
        places = [folder / self.dataset.name / "SUBJECTS" for folder in store.folders]
        return sorted({path.name for place in places for path in place.glob("*") if path.is_dir()})

    def states(self, store: Store) -> list[FileState]:
        """Compare every file that is here with the digest kept beside it; without one, read it through."""
        found = []
        for folder in store.folders:
            for path in sorted((folder / self.dataset.name / "SUBJECTS").glob("*/*")):
                if path.name.endswith((".nii.gz", ".json")):
                    found.append(kept_state(path, folder == store.cache))
        return found

    def load(self, subject: str, store: Store) -> Subject:
        """Return one subject; the mask tells tumour from none, and no parts of it."""
        paths = self._files(subject, store, False)
        images = {role: read_volume(paths[role], role) for role in IMAGES}
        labels = {"tumour": read_labels(paths[MASK], EGD_BINARY.names, EGD_BINARY.name)}
        kept = [(path.name, kept_checksum(path)) for path in paths.values()]
        files = tuple((name, checksum.algorithm, checksum.value) for name, checksum in kept if checksum)
        origin = Provenance(self.dataset.name, subject, self.dataset.licence, files, self.dataset.citations)
        metadata = json.loads(paths[METADATA].read_text(encoding="utf-8")) if METADATA in paths else {}
        return Subject(images, labels, origin, metadata)

    def _files(self, subject: str, store: Store, show_progress: bool) -> dict[str, Path]:
        here = self._roles(subject, store)
        if here is not None:
            return here
        archive = self._archive(store)
        with locked(f"{self.dataset.name}/{subject}", store):
            listed = self._listed(subject, archive)
            paths = fetch_files(listed.values(), store, show_progress, archive.header())
            for path in paths:
                if store.cache in path.parents:
                    keep_digest(path)
        return dict(zip(listed, paths, strict=True))

    def here(self, subject: str, store: Store) -> HeldSubject:
        """Return the files of a subject, or of the first so many of ``first:N`` who are here."""
        if not subject.startswith("first:"):
            roles = self._roles(subject, store)
            return held_subject(subject, None if roles is None else roles.items(), store)
        count = first_count(subject)
        whole = [held for held in (self.here(name, store) for name in self.held(store)) if held.complete]
        if len(whole) < count:
            return HeldSubject()
        return HeldSubject(tuple(file for held in whole[:count] for file in held.files), True)

    def _roles(self, subject: str, store: Store) -> dict[str, Path] | None:
        """Return a subject's files by role if its images and mask are all here and right."""
        for folder in store.folders:
            place = folder / self.dataset.name / "SUBJECTS" / subject
            paths = {role: place / f"{role}.nii.gz" for role in (*IMAGES, MASK)}
            if all(path.is_file() for path in paths.values()):
                if (place / METADATA).is_file():
                    paths[METADATA] = place / METADATA
                for path in paths.values():
                    require_kept(path, folder == store.cache)
                return paths
        return None

    def _listed(self, subject: str, archive: XnatArchive) -> dict[str, RemoteFile]:
        if not subject or "/" in subject or subject.startswith("."):
            raise ValueError(f"subject must be a label such as EGD-0001, but is {subject!r}.")
        experiment = f"MR_{subject}"
        found: dict[str, RemoteFile] = {}
        for scan in archive.scans(subject, experiment):
            role = scan.get("type", "")
            if role in (*IMAGES, MASK):
                for file in archive.scan_files(subject, experiment, scan["ID"], "NIFTI"):
                    if file.name == f"{role}.nii.gz":
                        found[role] = self._record(subject, role, file)
        missing = [role for role in (*IMAGES, MASK) if role not in found]
        if missing:
            raise NotFound(f"{subject}: the server lists no {', '.join(missing)} for this account.")
        for file in archive.subject_files(subject, "METADATA"):
            if file.name == METADATA:
                found[METADATA] = self._record(subject, METADATA, file)
        return found

    def _record(self, subject: str, role: str, file: XnatFile) -> RemoteFile:
        local = f"{self.dataset.name}/SUBJECTS/{subject}/{file.name}"
        checksum = Checksum("md5", file.md5) if file.md5 else None
        return RemoteFile(self.dataset.name, subject, role, local, file.url, file.size, checksum, self.dataset.licence)

    def _archive(self, store: Store) -> XnatArchive:
        credentials = find_credentials(self.server, self.dataset.page)
        return XnatArchive(self.server, self.project, credentials, store.patience)


def first_count(subject: str) -> int:
    """Understand ``first:20``."""
    count = subject.removeprefix("first:")
    if not count.isdigit() or int(count) < 1:
        raise ValueError(f"subjects must read first:N with N of at least 1, but are {subject}.")
    return int(count)


SOURCE = XnatSource(DATASET, SERVER, PROJECT)
