"""The ledger of a paper: every number and claim beside what was found here, with verdicts that a machine made.

A folder of plain files: ``numbers.csv``, ``claims.csv`` and ``deviations.csv`` say what the paper reports and
``corrections.csv`` what was mended in the first reading of it;
``records/<scale>.json`` what runs found; ``bands/<scale>.json`` which values a rerun may be expected to give.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mrrepro.runs.code import code_digest
from mrrepro.runs.corrections import read_corrections
from mrrepro.runs.records import Record, merge_records, read_records
from mrrepro.runs.reported import Claim, Deviation, LedgerError, Number, read_rows
from mrrepro.runs.settings import SCALES, require_known
from mrrepro.runs.verdicts import Found, Verdict, is_undecided, judge, without_record

REMADE_SCALES = ("smoke", "demo")
"""Scales whose records must not be stale in a release."""


@dataclass(frozen=True)
class LedgerRow:
    """One entry at one scale, or an entry without a record.

    ``headline`` marks the row that counts on the scorecard: the entry's record at the largest scale that is not stale,
    else the stale one at the largest scale.
    """

    paper: str
    entry: Number | Claim
    record: Record | None
    verdict: str
    reason: str
    stale: str
    headline: bool

    @property
    def id(self) -> str:
        """Id of the entry."""
        return self.entry.id

    @property
    def asked_here(self) -> bool:
        """Whether it is a claim that this project makes and the paper does not."""
        return isinstance(self.entry, Claim) and self.entry.origin != "paper"

    @property
    def undecided(self) -> bool:
        """Whether a claim that counts as ``differs`` is neither shown nor refuted."""
        return self.record is not None and is_undecided(self.entry, self.record.statistic)

    def said_stale(self) -> str:
        """Say which record is stale, of when, and why; empty where it is not."""
        if not self.stale or self.record is None:
            return ""
        return f"{self.id} ({self.record.scale}, {self.record.date}): {self.stale}"

    def plain(self) -> dict[str, Any]:
        """Return the row as the export and ``mrrepro ledger --json`` give it."""
        entry, record = self.entry, self.record
        number = entry if isinstance(entry, Number) else None
        claim = entry if isinstance(entry, Claim) else None
        return {
            "paper": self.paper,
            "id": entry.id,
            "kind": "number" if number else "claim",
            "origin": claim.origin if claim else "paper",
            "item": number.item if number else "",
            "system": number.system if number else "",
            "quantity": number.quantity if number else entry.claim,  # type: ignore[union-attr]
            "unit": number.unit if number else "",
            "where": entry.where,
            "definition": number.definition if number else "",
            "needs": entry.needs,
            "reported": number.value if number else "",
            "reported_sd": number.sd if number else "",
            "reported_n": number.n if number else "",
            "tolerance": number.tolerance if number else "",
            "tolerance_reason": number.tolerance_reason if number else "",
            "test": claim.test if claim else "",
            "criterion": claim.criterion if claim else "",
            "criterion_reason": claim.reason if claim else "",
            "status": entry.status,
            "verdict": self.verdict,
            "reason": self.reason,
            "stale": bool(self.stale),
            "stale_reason": self.stale,
            "headline": self.headline,
            "scale": record.scale if record else None,
            "record": record.plain() if record else None,
        }


class Ledger:
    """The numbers, claims, deviations, corrections and records of one paper.

    Parameters
    ----------
    paper : str
        Key of the paper.
    folder : Path, optional
        Where the ledger lies; by default the package data ``mrrepro/papers/<paper>/ledger``.
    """

    def __init__(self, paper: str, folder: Path | str | None = None) -> None:
        self.paper = paper
        if folder is None:
            folders = ledger_folders()
            require_known("paper", paper, folders)
            folder = folders[paper]
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise LedgerError(f"{self.folder} is no folder: the ledger of {paper} holds at least numbers.csv.")
        self.numbers = read_rows(self.folder / "numbers.csv", Number)
        self.claims = read_rows(self.folder / "claims.csv", Claim)
        self.deviations = read_rows(self.folder / "deviations.csv", Deviation)
        self.corrections = read_corrections(self.folder / "corrections.csv", [number.id for number in self.numbers])
        both = {number.id for number in self.numbers} & {claim.id for claim in self.claims}
        if both:
            raise LedgerError(f"{self.folder}: {', '.join(sorted(both))} is both a number and a claim.")

    @cached_property
    def entries(self) -> Mapping[str, Number | Claim]:
        """Numbers and claims by id, in the order of the files."""
        entries: list[Number | Claim] = [*self.numbers, *self.claims]
        return {entry.id: entry for entry in entries}

    def entry(self, id: str) -> Number | Claim:
        """Return the number or claim of an id; an unknown id is an error that gives the nearest."""
        require_known(f"id in the ledger of {self.paper}", id, self.entries)
        return self.entries[id]

    def judge(self, id: str, found: Found) -> Verdict:
        """Return the verdict on what a run found for an id."""
        return judge(self.entry(id), found)

    def records(self, scale: str) -> tuple[Record, ...]:
        """Read the records of a scale; an id that the ledger does not know is an error."""
        require_known("scale", scale, SCALES)
        path = self.folder / "records" / f"{scale}.json"
        records = read_records(path)
        for record in records:
            if record.id not in self.entries:
                raise LedgerError(f"{path} holds id {record.id!r}, which numbers.csv and claims.csv do not.")
            if record.scale != scale:
                raise LedgerError(f"{path}: {record.id} is of scale {record.scale!r}.")
        return records

    def add(self, records: Iterable[Record]) -> int:
        """Write records into the files of their scales; verdicts are made anew. Returns how many were written."""
        by_scale: dict[str, list[Record]] = {}
        for record in records:
            verdict = self.judge(record.id, found_of(record))
            judged = dataclasses.replace(record, verdict=verdict.verdict, reason=verdict.reason)
            by_scale.setdefault(record.scale, []).append(judged)
        for scale, some in by_scale.items():
            merge_records(self.folder / "records" / f"{scale}.json", some)
        return sum(map(len, by_scale.values()))

    def rows(self, scale: str | None = None, data_now: Mapping[str, str] | None = None) -> tuple[LedgerRow, ...]:
        """Return every entry with its records, in the order of the files, smallest scale first.

        Parameters
        ----------
        scale : str, optional
            Only this scale's records; entries without one stay, without a record.
        data_now : mapping, optional
            SHA-256 of data sets by name as they are now; records made from others are stale.
        """
        held: dict[str, list[Record]] = {}
        for name in SCALES if scale is None else (scale,):
            for record in self.records(name):
                held.setdefault(record.id, []).append(record)
        rows: list[LedgerRow] = []
        digest = cache(code_digest)  # many records rest on few functions, each with a hundred files
        for entry in self.entries.values():
            some = [self._row(entry, record, data_now, digest) for record in held.get(entry.id, [])]
            if not some:
                verdict = without_record(entry)
                rows.append(LedgerRow(self.paper, entry, None, verdict.verdict, verdict.reason, "", True))
                continue
            fresh = [row for row in some if not row.stale]
            counted = (fresh or some)[-1]
            rows.extend(dataclasses.replace(row, headline=row is counted) for row in some)
        return tuple(rows)

    def _row(
        self, entry: Number | Claim, record: Record, data_now: Mapping[str, str] | None, digest: Callable[[str], str]
    ) -> LedgerRow:
        stale = stale_reason(entry, record, data_now, digest)
        return LedgerRow(self.paper, entry, record, record.verdict, record.reason, stale, False)


def found_of(record: Record) -> Found:
    """Return the part of a record that a verdict is made from."""
    return Found(record.value, record.basis, record.sd, record.n_seeds, record.n_cases, record.statistic)


def stale_reason(
    entry: Number | Claim,
    record: Record,
    data_now: Mapping[str, str] | None = None,
    digest: Callable[[str], str] = code_digest,
) -> str:
    """Say why a record no longer holds for the code, the data or the ledger as they are now; empty when it holds."""
    reasons = []
    for function, recorded in record.code.items():
        try:
            now = digest(function)
        except ValueError:
            reasons.append(f"{function} is no longer there")
            continue
        if now != recorded:
            reasons.append(f"the code of {function} has changed since {record.date}")
    for name, checksum in record.data.items():
        if data_now is not None and data_now.get(name, checksum) != checksum:
            reasons.append(f"the data set {name} has changed since {record.date}")
    try:
        verdict = judge(entry, found_of(record)).verdict
    except LedgerError as error:
        reasons.append(str(error).rstrip("."))
    else:
        if verdict != record.verdict:
            reasons.append(f"with the ledger's value or tolerance of today the verdict would be {verdict!r}")
    return "; ".join(reasons)


def stale_records(rows: Iterable[LedgerRow]) -> tuple[tuple[LedgerRow, ...], tuple[LedgerRow, ...]]:
    """Return the stale rows that must be made anew before a release, and those that may be shown with their date.

    What `REMADE_SCALES` holds anyone can make anew in minutes; a record of a larger scale stands with its date.
    """
    stale = [row for row in rows if row.stale and row.record is not None]
    remade = tuple(row for row in stale if row.record is not None and row.record.scale in REMADE_SCALES)
    return remade, tuple(row for row in stale if row not in remade)


def ledger_folders() -> dict[str, Path]:
    """Return the ledgers that lie in the package, by paper; nothing of the papers is imported."""
    spec = find_spec("mrrepro.papers")
    places = spec.submodule_search_locations if spec is not None else None
    found = {}
    for place in places or ():
        for path in sorted(Path(place).glob("*/ledger")):
            found[path.parent.name] = path
    return found
