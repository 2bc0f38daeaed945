"""What a paper reports: its numbers, its claims, and the register of deviations, as plain CSV files."""

from __future__ import annotations

import csv
import dataclasses
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

STATUSES = ("attempt", "underspecified", "not attempted")
"""What is done about a number or a claim; the last two need a ``why``."""


ORIGINS = ("paper", "asked here")
"""Who makes a claim: the paper, or this project of the paper's subject; the scorecard counts them apart."""


class LedgerError(ValueError):
    """The ledger, a record or a receipt does not say what it must; names the file, the id and the field."""


_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_FORMS = (
    ("number", re.compile(rf"(?:about\s+|~\s*)?({_NUMBER})")),
    ("below", re.compile(rf"<\s*({_NUMBER})")),
    ("above", re.compile(rf">\s*({_NUMBER})")),
    ("range", re.compile(rf"({_NUMBER})\s+to\s+({_NUMBER})")),
)
_TOLERANCE = re.compile(rf"({_NUMBER})\s*(%|sd)?")
_CRITERION = re.compile(rf"(above|below)\s+({_NUMBER})|within\s+({_NUMBER})\s+to\s+({_NUMBER})")


@dataclass(frozen=True)
class ReportedValue:
    """A value as printed: a number (also ``about 4``), a bound (``<10``), a range (``1 to 2``), or text."""

    form: str
    numbers: tuple[float, ...]
    text: str

    @classmethod
    def parse(cls, text: str) -> ReportedValue:
        """Read a printed value; what is no number, bound or range is text."""
        stripped = text.strip()
        for form, pattern in _FORMS:
            match = pattern.fullmatch(stripped)
            if match:
                return cls(form, tuple(float(part) for part in match.groups()), stripped)
        return cls("text", (), stripped)


@dataclass(frozen=True)
class Tolerance:
    """How far ours may lie from the paper's: absolute, in per cent of the paper's value, or in standard deviations."""

    amount: float
    kind: str

    @classmethod
    def parse(cls, text: str) -> Tolerance:
        """Read ``0.05`` (in the value's unit), ``10 %`` or ``2 sd``."""
        match = _TOLERANCE.fullmatch(text.strip())
        if not match or not float(match[1]) >= 0:
            raise LedgerError(f"tolerance must be like '0.05', '10 %' or '2 sd', but is {text!r}.")
        return cls(float(match[1]), match[2] or "absolute")


@dataclass(frozen=True)
class Criterion:
    """A bound on a statistic that its whole interval must keep."""

    low: float
    high: float
    text: str

    @classmethod
    def parse(cls, text: str) -> Criterion:
        """Read ``above 0.3``, ``below 0`` or, for an equivalence, ``within -0.1 to 0.1``."""
        match = _CRITERION.fullmatch(text.strip())
        if not match:
            raise LedgerError(
                f"criterion must be like 'above 0.3', 'below 0' or 'within -0.1 to 0.1', but is {text!r}."
            )
        if match[1] == "above":
            return cls(float(match[2]), math.inf, text.strip())
        if match[1] == "below":
            return cls(-math.inf, float(match[2]), text.strip())
        low, high = float(match[3]), float(match[4])
        if not low < high:
            raise LedgerError(f"criterion {text!r} must have its lower bound first.")
        return cls(low, high, text.strip())

    def kept_by(self, low: float, high: float) -> bool:
        """Whether the whole interval keeps the bound."""
        return self.low < low and high < self.high

    def broken_by(self, low: float, high: float) -> bool:
        """Whether no part of the interval keeps it."""
        return high <= self.low or low >= self.high


@dataclass(frozen=True)
class Number:
    """One reported value.

    Parameters
    ----------
    id : str
        ``<paper>.<name>``.
    item, system, quantity, unit, value, sd, n, where
        Table or figure, row, what it is, unit, the value as printed, its standard deviation, over how many, the place.
    definition : str
        How the quantity is computed here.
    needs : str
        The data that it needs, or ``none``.
    tolerance, tolerance_reason : str
        How far ours may lie from it, and why so far; see `Tolerance`.
    status, why : str
        One of `STATUSES`, and the reason unless it is attempted.
    """

    id: str
    item: str
    system: str
    quantity: str
    unit: str
    value: str
    sd: str
    n: str
    where: str
    definition: str
    needs: str
    tolerance: str
    tolerance_reason: str
    status: str
    why: str

    def __post_init__(self) -> None:
        """Check what a verdict will need."""
        _require(self, "id", "quantity", "value", "where", "needs")
        _check_status(self)
        form = ReportedValue.parse(self.value).form
        if self.sd and ReportedValue.parse(self.sd).form != "number":
            raise LedgerError(f"{self.id}: sd must be a number or empty, but is {self.sd!r}.")
        if self.status != "attempt":
            return
        _require(self, "definition")
        if form in ("number", "range"):
            _require(self, "tolerance", "tolerance_reason")
            try:
                tolerance = Tolerance.parse(self.tolerance)
            except LedgerError as error:
                raise LedgerError(f"{self.id}: {error}") from None
            if tolerance.kind == "%" and form == "number" and ReportedValue.parse(self.value).numbers[0] == 0:
                raise LedgerError(f"{self.id}: a tolerance in per cent of 0 admits nothing; give an absolute one.")


@dataclass(frozen=True)
class Claim:
    """One qualitative claim; ``test`` names the statistic, ``criterion`` the bound its interval must keep.

    ``origin`` is one of `ORIGINS`.
    """

    id: str
    claim: str
    where: str
    test: str
    criterion: str
    reason: str
    status: str
    why: str
    needs: str
    origin: str

    def __post_init__(self) -> None:
        """Check what a verdict will need."""
        _require(self, "id", "claim", "where")
        _check_status(self)
        if self.origin not in ORIGINS:
            raise LedgerError(f"{self.id}: origin must be one of {', '.join(ORIGINS)}, but is {self.origin!r}.")
        if self.status == "attempt":
            _require(self, "test", "criterion", "reason")
            try:
                Criterion.parse(self.criterion)
            except LedgerError as error:
                raise LedgerError(f"{self.id}: {error}") from None


@dataclass(frozen=True)
class Deviation:
    """A detail that the paper leaves open or contradicts, the choice made, its source and its effect."""

    id: str
    where: str
    paper_says: str
    choice: str
    source: str
    effect: str

    def __post_init__(self) -> None:
        """Refuse an entry that explains nothing."""
        _require(self, "id", "where", "paper_says", "choice", "source")


R = TypeVar("R", Number, Claim, Deviation)


def read_rows(path: Path, kind: type[R]) -> tuple[R, ...]:
    """Read a CSV file of the ledger; a file that is not there holds no rows.

    Raises
    ------
    LedgerError
        Names the file, the line and the column: a missing or unknown column, a missing value, an id given twice.
    """
    if not path.is_file():
        return ()
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        declared = dataclasses.fields(kind)
        required = [field.name for field in declared if field.default is dataclasses.MISSING]
        columns = list(reader.fieldnames or [])
        missing = [name for name in required if name not in columns]
        unknown = [name for name in columns if name not in {field.name for field in declared}]
        if missing or unknown:
            raise LedgerError(
                f"{path} must have the columns {', '.join(required)}; it lacks {', '.join(missing) or 'none'} and has "
                f"besides {', '.join(map(str, unknown)) or 'none'}."
            )
        rows: dict[str, R] = {}
        for row in reader:
            if None in row or None in row.values():
                raise LedgerError(f"{path}, line {reader.line_num}: {len(columns)} columns are required: quote commas.")
            try:
                made = kind(**{name: value.strip() for name, value in row.items()})
            except LedgerError as error:
                raise LedgerError(f"{path}, line {reader.line_num}: {error}") from None
            if made.id in rows:
                raise LedgerError(f"{path}, line {reader.line_num}: id {made.id!r} is given twice.")
            rows[made.id] = made
    return tuple(rows.values())


def _require(row: Any, *names: str) -> None:
    for name in names:
        if not getattr(row, name):
            raise LedgerError(f"{row.id or 'a row without id'}: {name} is missing.")


def _check_status(row: Any) -> None:
    if row.status not in STATUSES:
        raise LedgerError(f"{row.id}: status must be one of {', '.join(STATUSES)}, but is {row.status!r}.")
    if row.status != "attempt" and not row.why:
        raise LedgerError(f"{row.id}: status is {row.status!r}, so why must say the reason.")
