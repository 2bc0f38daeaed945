"""The three patients on whom generality was shown: TCGA-02-0006, TCGA-14-1794 and TCGA-19-0963."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_fetch.citations import IDC, TCGA_GBM, TCIA
from data_fetch.errors import MissingPackage, NotAtHand
from data_fetch.fetching import locked
from data_fetch.images import Provenance, Subject
from data_fetch.kept import keep_digest, kept_checksum, kept_state, require_kept
from data_fetch.readers.dicom import read_series
from data_fetch.records import Dataset, FileState, HeldSubject
from data_fetch.sources import held_subject, require_subject
from data_fetch.store import Store

# Table IV of the paper: the description of the T1 and of the T2 series of each patient.
TABLE_IV = {
    "TCGA-02-0006": {"T1": "AX T1", "T2": "AX T2 FSE"},
    "TCGA-14-1794": {"T1": "AX T1 PRE", "T2": "T2 GRASE"},
    "TCGA-19-0963": {"T1": "MRHG T1 AX", "T2": "MRHG T2 AX"},
}

DATASET = Dataset(
    name="tcga_gbm",
    title="TCGA-GBM, the T1 and T2 series of three patients",
    description=(
        "Head scans at 1.5 T on scanners of three makers. They are no longer open: version 25 of the index of the "
        "Imaging Data Commons lists no MR series of the collection, and TCIA gives its head scans on application. "
        "Where your index lists them idc-index fetches them; else ask at TCIA, and put the slices in "
        "tcga_gbm/<patient>/<T1 or T2>/*.dcm."
    ),
    licence="TCIA restricted, on application",
    access="account",
    page="https://www.cancerimagingarchive.net/collection/tcga-gbm/",
    citations=(TCGA_GBM, TCIA, IDC),
    subject_count=3,
    bytes_in_all=None,
    formats="DICOM",
    unverified="no download was tried: the index that was at hand lists none of these series",
)


@dataclass(frozen=True)
class IndexSource:
    """DICOM series that the package idc-index finds and brings, or that the reader put into a folder."""

    dataset: Dataset
    collection: str
    series: dict[str, dict[str, str]]

    def subjects(self, store: Store) -> tuple[str, ...]:
        """Return the patients."""
        return tuple(self.series)

    def get(self, subjects: Sequence[str], store: Store, show_progress: bool = False) -> list[Path]:
        """Bring both series of these patients, of all if none is named."""
        chosen = subjects or tuple(self.series)
        for subject in chosen:
            require_subject(self.dataset, subject, tuple(self.series))
        return [
            path
            for subject in chosen
            for role in self.series[subject]
            for path in self._slices(subject, role, store, show_progress)
        ]

    def states(self, store: Store) -> list[FileState]:
        """Compare every slice that is here with the digest kept beside it."""
        return [
            kept_state(path, ours)
            for subject, roles in self.series.items()
            for role in roles
            for path, ours in self._here(subject, role, store)
        ]

    def load(self, subject: str, store: Store) -> Subject:
        """Return both series of a patient, each on its own grid."""
        require_subject(self.dataset, subject, tuple(self.series))
        paths = {role: self._slices(subject, role, store, False) for role in self.series[subject]}
        kept = [(path.name, kept_checksum(path)) for slices in paths.values() for path in slices]
        files = tuple((name, checksum.algorithm, checksum.value) for name, checksum in kept if checksum)
        origin = Provenance(self.dataset.name, subject, self.dataset.licence, files, self.dataset.citations)
        return Subject({role: read_series(slices, role) for role, slices in paths.items()}, {}, origin)

    def here(self, subject: str, store: Store) -> HeldSubject:
        """Return the slices of both series of a patient if both are here."""
        require_subject(self.dataset, subject, tuple(self.series))
        found = {role: self._here(subject, role, store) for role in self.series[subject]}
        if not all(found.values()):
            return HeldSubject()
        for path, ours in (slices for series in found.values() for slices in series):
            require_kept(path, ours)
        return held_subject(subject, [(role, path) for role, series in found.items() for path, _ in series], store)

    def _slices(self, subject: str, role: str, store: Store, show_progress: bool) -> list[Path]:
        here = self._here(subject, role, store)
        if not here:
            with locked(f"{self.dataset.name}/{subject}/{role}", store):
                if not self._here(subject, role, store):  # another process may have brought it
                    self._download(subject, role, store, show_progress)
            here = self._here(subject, role, store)
        for path, ours in here:
            require_kept(path, ours)
        return [path for path, _ in here]

    def _here(self, subject: str, role: str, store: Store) -> list[tuple[Path, bool]]:
        for folder in store.folders:
            paths = sorted((folder / self.dataset.name / subject / role).glob("*.dcm"))
            if paths:
                return [(path, folder == store.cache) for path in paths]
        return []

    def _download(self, subject: str, role: str, store: Store, show_progress: bool) -> None:
        client = self._client(store)
        uid = self._find(client, subject, self.series[subject][role])
        final = store.cache / self.dataset.name / subject / role
        final.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{role}.", dir=final.parent))
        try:
            client.download_dicom_series(
                seriesInstanceUID=uid, downloadDir=str(staging), dirTemplate=None, show_progress_bar=show_progress
            )
            slices = sorted(staging.rglob("*.dcm"))
            if not slices:
                raise NotAtHand(f"{subject}: idc-index brought no file of the series {uid}.")
            for path in slices:
                keep_digest(path)
            staging.chmod(0o755)
            staging.replace(final)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _find(self, client: Any, subject: str, description: str) -> str:
        found = client.sql_query(
            "SELECT SeriesInstanceUID, SeriesDescription FROM index "
            f"WHERE collection_id = '{self.collection}' AND PatientID = '{subject}' AND Modality = 'MR'"
        )
        rows = zip(found["SeriesInstanceUID"], found["SeriesDescription"], strict=True)
        uids = [str(uid) for uid, name in rows if str(name).strip().upper() == description]
        if len(uids) != 1:
            raise NotAtHand(
                f"{subject}: the index of the Imaging Data Commons lists {len(uids)} series '{description}': the head "
                f"scans of TCGA are under controlled access. Ask for them at {self.dataset.page}."
            )
        return uids[0]

    def _client(self, store: Store) -> Any:
        try:
            from idc_index import IDCClient
        except ImportError:
            raise MissingPackage(
                f"{self.dataset.name}: fetched by the package idc-index (pip install idc-index, about 500 MB); or ask "
                f"at {self.dataset.page} and put the slices in {store.cache / self.dataset.name}/<patient>/<T1 or T2>/."
            ) from None
        return IDCClient()


SOURCE = IndexSource(DATASET, "tcga_gbm", TABLE_IV)
