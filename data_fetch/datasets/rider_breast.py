"""Breast MRI of five patients: one anatomical series each of RIDER Breast MRI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_fetch.citations import IDC, RIDER_BREAST, TCIA
from data_fetch.errors import FetchError, UnexpectedAnswer
from data_fetch.fetching import fetch_files
from data_fetch.images import Provenance, Subject
from data_fetch.kept import keep_digest, kept_checksum, kept_state, require_kept
from data_fetch.readers.dicom import read_series
from data_fetch.records import Checksum, Dataset, FileState, HeldSubject, RemoteFile
from data_fetch.s3 import list_folder
from data_fetch.sources import held_subject, require_subject
from data_fetch.store import Store

BUCKET = "https://idc-open-data.s3.amazonaws.com"
SLICES = 60
SERIES = {
    "RIDER-1125105682": "81f0d0df-324c-48b4-bcad-4cfa92cb67f4",
    "RIDER-1627409910": "f208e18d-48c7-4d9e-a908-b50ca2d0bc8c",
    "RIDER-2217584661": "769db0bd-8154-4b72-bc2e-012c0f145cf0",
    "RIDER-2382137773": "8b3d3a23-c78a-4ac8-b945-57c6034a0363",
    "RIDER-5423859857": "d6343de8-8c6b-42b7-a96d-932f79a17aa8",
}

DATASET = Dataset(
    name="rider_breast",
    title="RIDER Breast MRI, early anatomical reference",
    description=(
        "One anatomical series of 60 slices for each of five patients with breast cancer, from the repeated "
        "examinations of RIDER. Of the open breast sets of the Imaging Data Commons the smallest with images: no "
        "account, 10 MB a patient."
    ),
    licence="CC BY 3.0",
    access="open",
    page="https://www.cancerimagingarchive.net/collection/rider-breast-mri/",
    citations=(RIDER_BREAST, TCIA, IDC),
    subject_count=5,
    bytes_in_all=50_202_070,
    formats="DICOM",
    unverified=(
        "series, licence, slice counts and sizes are those of version 25 of the index of the Imaging Data Commons; the "
        "bucket was not tried, no checksum is written down here: the bucket's own MD5 of each file is used, and the "
        "SHA-256 of what came is kept"
    ),
)


@dataclass(frozen=True)
class BucketSource:
    """A data set of DICOM series, each a folder of a public bucket."""

    dataset: Dataset
    bucket: str
    series: dict[str, str]
    slices: int

    def subjects(self, store: Store) -> tuple[str, ...]:
        """Return the patients."""
        return tuple(self.series)

    def get(self, subjects: Sequence[str], store: Store, show_progress: bool = False) -> list[Path]:
        """Bring the series of these patients, of all if none is named."""
        chosen = subjects or tuple(self.series)
        for subject in chosen:
            require_subject(self.dataset, subject, tuple(self.series))
        return [path for subject in chosen for path in self._series(subject, store, show_progress)]

    def states(self, store: Store) -> list[FileState]:
        """Compare every slice that is here with the digest kept beside it."""
        return [kept_state(path, ours) for subject in self.series for path, ours in self._here(subject, store)]

    def load(self, subject: str, store: Store) -> Subject:
        """Return one patient's series as a volume."""
        paths = self.get([subject], store)
        kept = [(path.name, kept_checksum(path)) for path in paths]
        files = tuple((name, checksum.algorithm, checksum.value) for name, checksum in kept if checksum)
        origin = Provenance(self.dataset.name, subject, self.dataset.licence, files, self.dataset.citations)
        return Subject({"anatomical": read_series(paths, "anatomical")}, {}, origin)

    def here(self, subject: str, store: Store) -> HeldSubject:
        """Return the slices of a patient if all are here."""
        require_subject(self.dataset, subject, tuple(self.series))
        here = self._here(subject, store)
        if len(here) != self.slices:
            return HeldSubject()
        for path, ours in here:
            require_kept(path, ours)
        return held_subject(subject, [("anatomical", path) for path, _ in here], store)

    def _series(self, subject: str, store: Store, show_progress: bool) -> list[Path]:
        here = self._here(subject, store)
        if len(here) == self.slices:
            try:
                for path, ours in here:
                    require_kept(path, ours)
                return [path for path, _ in here]
            except FetchError:
                if not here[0][1]:
                    raise
        listed = list_folder(self.bucket, self.series[subject] + "/", store.patience)
        if len(listed) != self.slices:
            raise UnexpectedAnswer(f"{subject}: the series has {len(listed)} files now, not {self.slices}.")
        files = [
            RemoteFile(
                self.dataset.name,
                subject,
                entry.name,
                f"{self.dataset.name}/{subject}/{entry.name}",
                entry.url,
                entry.size,
                Checksum("md5", entry.md5),
                self.dataset.licence,
            )
            for entry in listed
        ]
        paths = fetch_files(files, store, show_progress)
        for path in paths:
            if store.cache in path.parents:
                keep_digest(path)
        return paths

    def _here(self, subject: str, store: Store) -> list[tuple[Path, bool]]:
        for folder in store.folders:
            paths = sorted((folder / self.dataset.name / subject).glob("*.dcm"))
            if paths:
                return [(path, folder == store.cache) for path in paths]
        return []


SOURCE = BucketSource(DATASET, BUCKET, SERIES, SLICES)
