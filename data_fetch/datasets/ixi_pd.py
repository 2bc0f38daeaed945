"""Proton density images of healthy people: members of one tar of 4 GB, taken out of it one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from data_fetch.citations import IXI
from data_fetch.fetching import locked
from data_fetch.images import Provenance, Subject
from data_fetch.kept import kept_checksum, kept_state, require_kept
from data_fetch.readers.nifti import read_volume
from data_fetch.records import Checksum, Dataset, FileState, HeldSubject, RemoteFile
from data_fetch.remote_tar import RemoteTar, open_tar, take_members
from data_fetch.sources import held_subject, state_of
from data_fetch.store import Store

TAR = RemoteFile(
    dataset="ixi_pd",
    subject="all",
    role="archive",
    local="ixi_pd/IXI-PD.tar",
    url="http://biomedic.doc.ic.ac.uk/brain-development/downloads/IXI/IXI-PD.tar",
    size=4_068_966_400,
    checksum=Checksum("md5", "88ecd9d1fa33cb4a2278183b42ffd749"),
    licence="CC BY-SA 3.0",
)
SUFFIX = "-PD.nii.gz"

DATASET = Dataset(
    name="ixi_pd",
    title="IXI, proton density",
    description=(
        "Proton-density-weighted images of 578 healthy people from three London hospitals, 1.5 T and 3 T. A subject is "
        "IXI012 or IXI012-HH-1211; first:20 stands for the first twenty of the archive. Only the asked-for subjects "
        "travel, about 7 MB each."
    ),
    licence="CC BY-SA 3.0",
    access="open",
    page="https://brain-development.org/ixi-dataset/",
    citations=(IXI,),
    subject_count=578,
    bytes_in_all=4_068_966_400,
    formats="tar, NIfTI",
    unverified=(
        "the publisher gives no checksum: the archive is checked by its size, each member by its own CRC-32. The MD5 "
        "of the whole archive, used where you have it, is the one that the library TorchIO records. The address was "
        "not tried"
    ),
)


@dataclass(frozen=True)
class Wanted:
    """Which members of an archive are asked for: by name, the first so many, or, where both are empty, all."""

    names: tuple[str, ...]
    first: int = 0

    @classmethod
    def parse(cls, subjects: Sequence[str]) -> Wanted:
        """Understand ``IXI012``, ``IXI012-HH-1211`` and ``first:20``."""
        counts = [name.removeprefix("first:") for name in subjects if name.startswith("first:")]
        if any(not count.isdigit() or int(count) < 1 for count in counts):
            raise ValueError(f"subjects must read first:N with N of at least 1, but are {', '.join(subjects)}.")
        names = tuple(name for name in subjects if not name.startswith("first:"))
        return cls(names, max((int(count) for count in counts), default=0))

    @property
    def everything(self) -> bool:
        """Whether all members are asked for."""
        return not self.names and not self.first

    def includes(self, stem: str, position: int) -> bool:
        """Tell whether the member ``stem`` at ``position`` (from 0) of the archive is asked for."""
        return self.everything or position < self.first or any(belongs(stem, name) for name in self.names)

    def met_by(self, stems: Sequence[str]) -> bool:
        """Tell whether an archive that begins with ``stems`` need not be read further."""
        named = all(any(belongs(stem, name) for stem in stems) for name in self.names)
        return not self.everything and named and len(stems) >= self.first


def belongs(stem: str, subject: str) -> bool:
    """Tell whether a member is the subject's, given in full or by its number alone."""
    return subject in (stem, stem.split("-")[0])


@dataclass(frozen=True)
class TarSource:
    """A data set whose subjects are members of one tar archive.

    The order of the members that were walked past is kept in ``order.txt``, so that a second call with the same wish
    needs no network.
    """

    dataset: Dataset
    tar: RemoteFile
    suffix: str

    def subjects(self, store: Store) -> tuple[str, ...]:
        """Return the subjects known so far: the archive's table of contents is known to the archive alone."""
        here = {path.name.removesuffix(self.suffix) for path, _ in self._members(store)}
        return tuple(sorted(here | set(self._order(store)[0])))

    def get(self, subjects: Sequence[str], store: Store, show_progress: bool = False) -> list[Path]:
        """Take these subjects out of the archive, from the mirror's copy of it if there is one.

        Without subjects all are taken, 4 GB. What is here already does not travel again.
        """
        wanted = Wanted.parse(subjects)
        paths = self._paths(wanted, store)
        if paths is None:
            with locked(self.tar.local, store):
                self._walk(wanted, store, show_progress)
            paths = self._paths(wanted, store)
        if paths is None:
            raise ValueError(f"subjects must be in {self.dataset.name}, but not all of {', '.join(subjects)} are.")
        return paths

    def states(self, store: Store) -> list[FileState]:
        """Compare each member that is here with the digest kept beside it, and a whole archive with TorchIO's MD5."""
        found = [kept_state(path, ours) for path, ours in self._members(store)]
        if self._whole_archive(store):
            found.append(state_of(self.tar, store))
        return found

    def load(self, subject: str, store: Store) -> Subject:
        """Return one subject's image, taking it out of the archive first if it is not here."""
        path = self.get([subject], store)[0]
        checksum = kept_checksum(path)
        files = ((path.name, checksum.algorithm, checksum.value),) if checksum else ()
        name = path.name.removesuffix(self.suffix)
        origin = Provenance(self.dataset.name, name, self.dataset.licence, files, self.dataset.citations)
        return Subject({"PD": read_volume(path, "PD")}, {}, origin)

    def here(self, subject: str, store: Store) -> HeldSubject:
        """Return the file of a subject, or the files of ``first:N``."""
        paths = self._paths(Wanted.parse([subject]), store)
        return held_subject(subject, None if paths is None else [("PD", path) for path in paths], store)

    def _walk(self, wanted: Wanted, store: Store, show_progress: bool) -> None:
        assert self.tar.size is not None
        stems: list[str] = []
        finished = True

        def place(member: str) -> Path | None:
            if not member.endswith(self.suffix):
                return None
            stems.append(member.removesuffix(self.suffix))
            here = self._find(stems[-1], store)
            return self._folder(store) / member if wanted.includes(stems[-1], len(stems) - 1) and not here else None

        def done() -> bool:
            nonlocal finished
            finished = not wanted.met_by(stems)
            return not finished

        archive = self._whole_archive(store) or RemoteTar(self.tar.url, self.tar.size)
        bar = tqdm(unit="B", unit_scale=True, unit_divisor=1024, disable=None if show_progress else True)
        with bar, open_tar(archive, store.patience) as opened:
            take_members(opened, place, done, bar.update)
        if finished or len(stems) > len(self._order(store)[0]):
            self._keep_order(stems, finished, store)

    def _paths(self, wanted: Wanted, store: Store) -> list[Path] | None:
        """Return the files that are wanted if all of them are here, else ``None``."""
        order, complete = self._order(store)
        if (wanted.everything and not complete) or (len(order) < wanted.first and not complete):
            return None
        stems = order if wanted.everything else order[: wanted.first]
        found = [self._find(name, store) for name in dict.fromkeys([*stems, *wanted.names])]
        paths = [path for path in found if path]
        return paths if len(paths) == len(found) else None

    def _find(self, subject: str, store: Store) -> Path | None:
        for path, ours in self._members(store):
            if belongs(path.name.removesuffix(self.suffix), subject):
                require_kept(path, ours)
                return path
        return None

    def _folder(self, store: Store) -> Path:
        return store.cache / Path(self.tar.local).parent

    def _members(self, store: Store) -> list[tuple[Path, bool]]:
        places = [(folder / Path(self.tar.local).parent, folder == store.cache) for folder in store.folders]
        return [(path, ours) for place, ours in places for path in sorted(place.glob(f"*{self.suffix}"))]

    def _whole_archive(self, store: Store) -> Path | None:
        paths = [folder / self.tar.local for folder in store.folders]
        return next((path for path in paths if path.is_file() and path.stat().st_size == self.tar.size), None)

    def _order(self, store: Store) -> tuple[list[str], bool]:
        try:
            lines = (self._folder(store) / "order.txt").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return [], False
        return [line for line in lines if line != "."], "." in lines

    def _keep_order(self, stems: Sequence[str], complete: bool, store: Store) -> None:
        self._folder(store).mkdir(parents=True, exist_ok=True)
        part = self._folder(store) / "order.txt.part"
        part.write_text("\n".join([*stems, *(["."] if complete else [])]) + "\n", encoding="utf-8")
        part.replace(part.with_suffix(""))


SOURCE = TarSource(DATASET, TAR, SUFFIX)
