"""What of a data set is here already, verified, and what is missing: asked before a run, and nothing is downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from data_fetch.datasets import source_of
from data_fetch.errors import FetchError, in_words
from data_fetch.records import Dataset, HeldFile, HeldSubject
from data_fetch.store import Store


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


def look_for(name: str, subjects: Sequence[str], store: Store | None = None) -> AtHand:
    """Look for subjects of a data set in mirror and cache, verify what is there, and download nothing.

    Raises
    ------
    ValueError
        There is no such data set or subject.
    """
    source, place = source_of(name), store or Store.from_environment()
    found: list[HeldFile] = []
    missing: list[str] = []
    refusals: list[str] = []
    travels = 0.0
    for subject in subjects:
        try:
            here = source.here(subject, place)
        except FetchError as failure:
            here = HeldSubject(refusals=(in_words(failure),))
        found.extend(here.files)
        refusals.extend(here.refusals)
        if not here.complete:
            missing.append(subject)
            travels += _share(source.dataset, subject) if here.bytes_missing is None else here.bytes_missing
    return AtHand(source.dataset, tuple(found), tuple(missing), round(travels) or None, tuple(refusals))


def _share(facts: Dataset, subject: str) -> float:
    """About how many bytes a subject, or ``first:N`` of them, are of the whole data set."""
    count = int(subject.removeprefix("first:")) if subject.startswith("first:") else 1
    return count * (facts.bytes_in_all or 0) / facts.subject_count


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"
