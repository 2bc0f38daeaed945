"""Records: what a run found for one number or claim, with all that made it; one file a scale."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mrrepro.runs.files import digest_of, lock_beside, read_json, write_json
from mrrepro.runs.reported import LedgerError
from mrrepro.runs.settings import SCALES, in_words

BASES = ("paper's own", "public substitute", "simulated", "none needed")
"""On which data a value rests."""

VERDICTS = ("reproduced", "agrees on substitute data", "differs", "underspecified", "not attempted")

SUBSTITUTE = "public substitute"
"""The basis of runs on real data that are not the paper's: their records stand beside those of the default runs."""

RECORDS_SCHEMA = "mrrepro-records/1"


@dataclass(frozen=True)
class Statistic:
    """A statistic with its confidence interval, from which a claim is decided.

    Parameters
    ----------
    name : str
        What it is, in words: ``"difference of NMAE, U-Net minus ours, bootstrap over cases"``.
    value, low, high : float
        Estimate and bounds of its interval, low <= value <= high.
    level : float
        Confidence of the interval, in (0, 1).
    """

    name: str
    value: float
    low: float
    high: float
    level: float = 0.95

    def __post_init__(self) -> None:
        """Refuse what is no interval."""
        if not self.name:
            raise LedgerError("statistic must have a name that says what it is.")
        for name in ("value", "low", "high"):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
                raise LedgerError(f"statistic {self.name!r}: {name} must be a finite number, but is {number!r}.")
        if not self.low <= self.value <= self.high:
            raise LedgerError(
                f"statistic {self.name!r}: low <= value <= high is required, but they are "
                f"{self.low:g}, {self.value:g}, {self.high:g}."
            )
        if not 0 < self.level < 1:
            raise LedgerError(f"statistic {self.name!r}: level must be in (0, 1), but is {self.level!r}.")


@dataclass(frozen=True)
class Record:
    """One id at one scale: our value, how sure it is, and how it was made.

    Parameters
    ----------
    id : str
        Id of the number or claim.
    value : float, str or None
        Our value in the paper's unit; text for a value that is no number, None for a claim.
    sd : float or None
        Standard deviation over seeds (over cases with one seed).
    n_seeds, n_cases : int
        Over how many.
    scale : str
        One of `SCALES`.
    basis : str
        One of `BASES`.
    statistic : Statistic or None
        What decides a claim.
    verdict, reason : str
        One of `VERDICTS`, and why, in words made from the numbers.
    commit : str
        Commit of the checkout, or ``v<version>``.
    parameters : mapping
        Scale, seed and overrides of the run.
    seeds : tuple of int
        Seeds of the runs.
    data : mapping of str to str
        SHA-256 of external data.
    code : mapping of str to str
        Digest of the code that made it, by ``"module:function"``.
    device, notebook : str
        Where it was computed.
    seconds, peak_memory_mib : float
        What making it cost [s], [MiB].
    date : str
        UTC, ISO 8601.
    """

    id: str
    value: float | str | None
    sd: float | None
    n_seeds: int
    n_cases: int
    scale: str
    basis: str
    statistic: Statistic | None
    verdict: str
    reason: str
    commit: str
    parameters: Mapping[str, Any]
    seeds: tuple[int, ...]
    data: Mapping[str, str]
    code: Mapping[str, str]
    device: str
    notebook: str
    seconds: float
    peak_memory_mib: float
    date: str

    def __post_init__(self) -> None:
        """Check each field's type and range."""
        _one_of(self, "scale", SCALES)
        _one_of(self, "basis", BASES)
        _one_of(self, "verdict", VERDICTS)
        for name in ("id", "reason", "commit", "device", "date"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise LedgerError(f"{self.id}: {name} must be text, but is {getattr(self, name)!r}.")
        for name in ("n_seeds", "n_cases"):
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise LedgerError(f"{self.id}: {name} must be an integer of at least 1, but is {count!r}.")
        if not isinstance(self.value, str | None):
            _finite(self, "value")
        if self.sd is not None:
            _finite(self, "sd", low=0.0)
        _finite(self, "seconds", low=0.0)
        _finite(self, "peak_memory_mib", low=0.0)
        if self.value is None and self.statistic is None:
            raise LedgerError(f"{self.id}: a record needs a value or a statistic.")

    @property
    def set_beside(self) -> str:
        """What was set beside the scale's settings, like ``training.samples = 500000``; empty where nothing was."""
        return in_words(self.parameters.get("overrides") or {})

    @property
    def marked_scale(self) -> str:
        """The scale, and whether more was set than the scale does: ``paper, changed``."""
        return self.scale + (", changed" if self.set_beside else "")

    @property
    def code_digest(self) -> str:
        """One digest over the code of all stages."""
        return digest_of(dict(self.code))

    def plain(self) -> dict[str, Any]:
        """Return the record as JSON holds it."""
        return {**dataclasses.asdict(self), "seeds": list(self.seeds), "code_digest": self.code_digest}

    @classmethod
    def from_plain(cls, plain: Any, where: str = "a record") -> Record:
        """Read a record; a missing, unknown or wrong field is an error that names it."""
        if not isinstance(plain, Mapping):
            raise LedgerError(f"{where}: a record must be an object, but is {plain!r}.")
        values = {name: value for name, value in plain.items() if name != "code_digest"}
        place = f"{where}, record {values.get('id', '?')!r}"
        names = [field.name for field in dataclasses.fields(cls)]
        missing = [name for name in names if name not in values]
        unknown = [name for name in values if name not in names]
        if missing or unknown:
            raise LedgerError(
                f"{place}: missing field {', '.join(missing) or 'none'}; unknown field {', '.join(unknown) or 'none'}."
            )
        try:
            if values["statistic"] is not None:
                values["statistic"] = Statistic(**values["statistic"])
            record = cls(**{**values, "seeds": tuple(values["seeds"])})
        except (TypeError, LedgerError) as error:
            raise LedgerError(f"{place}: {error}") from None
        if plain.get("code_digest", record.code_digest) != record.code_digest:
            raise LedgerError(f"{place}: code_digest does not fit code: one of them was altered.")
        return record


def read_document(path: Path, schema: str) -> dict[str, Any]:
    """Read a JSON file of a ledger; empty where it is not there, `LedgerError` where it has another schema."""
    if not path.is_file():
        return {}
    try:
        document = read_json(path)
    except ValueError as error:
        raise LedgerError(str(error)) from None
    found = document.get("schema") if isinstance(document, dict) else None
    if found != schema:
        raise LedgerError(f"{path} has schema {found!r}, but this version reads {schema!r}.")
    return dict(document)


def read_records(path: Path) -> tuple[Record, ...]:
    """Read a file of records; a file that is not there holds none."""
    held = read_document(path, RECORDS_SCHEMA).get("records", [])
    records = tuple(Record.from_plain(plain, str(path)) for plain in held)
    places = [place_of(record) for record in records]
    twice = sorted({name for name, real in places if places.count((name, real)) > 1})
    if twice:
        raise LedgerError(f"{path} holds {', '.join(twice)} twice.")
    return records


def place_of(record: Record) -> tuple[str, bool]:
    """Return a record's place in the file of its scale: its id, and whether it rests on a public substitute."""
    return record.id, record.basis == SUBSTITUTE


def merge_records(path: Path, records: Iterable[Record]) -> tuple[Record, ...]:
    """Write records into a file, replacing those of the same id and keeping all others.

    A record on real data that are not the paper's replaces only its like (`place_of`).

    A lock beside the file lets one writer work at a time, and the file is replaced in one step, so that no reader sees
    half of it and nothing that another run wrote is lost.
    """
    with lock_beside(path):
        merged = {place_of(record): record for record in read_records(path)}
        merged.update({place_of(record): record for record in records})
        ordered = tuple(merged[place] for place in sorted(merged))
        write_json(path, {"schema": RECORDS_SCHEMA, "records": [record.plain() for record in ordered]})
    return ordered


def _one_of(record: Record, name: str, known: tuple[str, ...]) -> None:
    value = getattr(record, name)
    if value not in known:
        raise LedgerError(f"{record.id}: {name} must be one of {', '.join(known)}, but is {value!r}.")


def _finite(record: Record, name: str, low: float = -math.inf) -> None:
    value = getattr(record, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < low:
        bound = "" if low == -math.inf else f" of at least {low:g}"
        raise LedgerError(f"{record.id}: {name} must be a finite number{bound}, but is {value!r}.")
