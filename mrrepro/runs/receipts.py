"""Receipts: what one run of a notebook computed, sealed, and whether that is what such a run should give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mrrepro import __version__
from mrrepro.runs.bands import Band, read_bands
from mrrepro.runs.files import read_json, seal_holds, sealed, write_json
from mrrepro.runs.ledger import Ledger
from mrrepro.runs.records import SUBSTITUTE, Record
from mrrepro.runs.reported import LedgerError

RECEIPT_SCHEMA = "mrrepro-receipt/1"
_FIELDS = (
    "version",
    "commit",
    "paper",
    "notebook",
    "scale",
    "seed",
    "parameters",
    "settings",
    "artifacts",
    "versions",
    "device",
    "threads",
    "seconds",
    "peak_memory_mib",
    "values",
    "date",
)


@dataclass(frozen=True)
class Receipt:
    """A receipt that has been read and found whole."""

    path: Path
    document: Mapping[str, Any]
    records: tuple[Record, ...]

    @property
    def paper(self) -> str:
        """Key of the paper."""
        return str(self.document["paper"])

    @property
    def scale(self) -> str:
        """Scale of the run."""
        return str(self.document["scale"])

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self.document["seed"])

    @property
    def data(self) -> str:
        """The run's ``data``: ``"simulated"``, a data set or a folder."""
        return str(self.document.get("data", {}).get("name", "simulated"))

    def for_the_ledger(self) -> tuple[Record, ...]:
        """Return what a ledger takes: of a run on real data only what rests on them, the rest being of the default."""
        if self.data == "simulated":
            return self.records
        return tuple(record for record in self.records if record.basis == SUBSTITUTE)


@dataclass(frozen=True)
class ValueCheck:
    """One value of a receipt against the band of its scale.

    ``ok`` is None where there is no band, or one so wide that a value within it says nothing.
    """

    id: str
    value: float | str | None
    band: Band | None
    ok: bool | None

    @property
    def too_wide(self) -> bool:
        """Whether the value lies in a band that tells nothing."""
        return self.band is not None and self.ok is None

    def sentence(self) -> str:
        """Say it in words."""
        shown = f"{self.value:.4g}" if isinstance(self.value, float | int) else repr(self.value)
        if self.band is None:
            return f"{self.id} is {shown}; no band is known for it."
        if self.too_wide:
            return f"{self.id} is {shown}; the band is too wide to tell anything: {self.band.words()}."
        relation = "as expected" if self.ok else "outside what is expected"
        return f"{self.id} is {shown}, {relation}: {self.band.words()}."


@dataclass(frozen=True)
class ReceiptCheck:
    """Whether a run is all right, value by value and in a sentence."""

    ok: bool
    summary: str
    values: tuple[ValueCheck, ...]

    def words(self) -> str:
        """Return the summary, then every value that is not as expected."""
        lines = [self.summary, *(f"  {check.sentence()}" for check in self.values if not check.ok)]
        return "\n".join(lines)


def write_receipt(path: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    """Seal a receipt and write it atomically."""
    missing = [name for name in _FIELDS if name not in document]
    assert not missing, missing
    whole = sealed({"schema": RECEIPT_SCHEMA, **document})
    write_json(path, whole)
    return whole


def read_receipt(path: Path | str) -> Receipt:
    """Read a receipt.

    Raises
    ------
    LedgerError
        No such file, no receipt, one of another version, with a missing field, or altered since it was written.
    """
    path = Path(path)
    if not path.is_file():
        raise LedgerError(f"{path} is no file: give the receipt that the last cell of a notebook wrote.")
    try:
        document = read_json(path)
    except ValueError as error:
        raise LedgerError(str(error)) from None
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != RECEIPT_SCHEMA:
        raise LedgerError(
            f"{path} has schema {schema!r}, but this version reads {RECEIPT_SCHEMA!r}: run the notebook again."
        )
    missing = [name for name in (*_FIELDS, "digest") if name not in document]
    if missing:
        raise LedgerError(f"{path} lacks {', '.join(missing)}: it was cut or altered; run the notebook again.")
    if not seal_holds(document):
        raise LedgerError(f"{path} was altered since it was written: its digest does not fit its content. Run again.")
    records = tuple(Record.from_plain(value, str(path)) for value in document["values"])
    return Receipt(path, document, records)


def check_receipt(path: Path | str, ledger: Ledger | None = None) -> ReceiptCheck:
    """Compare a reader's own run with the bands of its scale, and say in words whether the run is all right.

    Parameters
    ----------
    path : Path or str
        The receipt.
    ledger : Ledger, optional
        By default that of the receipt's paper.

    Raises
    ------
    LedgerError
        The receipt cannot be trusted, or was made by another version of the package.
    """
    receipt = read_receipt(path)
    made_by = receipt.document["version"]
    if made_by != __version__:
        raise LedgerError(
            f"{path} was made by mrrepro {made_by}, and this is {__version__}, whose bands are for its own code: "
            "run the notebook again with this version, or check with that one."
        )
    if not receipt.records:
        run = f"{receipt.document['notebook']} at scale {receipt.scale}, seed {receipt.seed}"
        return ReceiptCheck(True, f"There is nothing to compare: {run} ended and recorded no value.", ())
    ledger = ledger or Ledger(receipt.paper)
    bands = read_bands(ledger.folder, receipt.scale)
    checks = []
    for record in receipt.records:
        ledger.entry(record.id)
        band, value = bands.get(record.id), measured(record)
        inside = band.holds(value) if band is not None else None
        if inside and band is not None and band.tells_nothing:
            inside = None
        checks.append(ValueCheck(record.id, value, band, inside))
    return ReceiptCheck(*_summary(receipt, checks), tuple(checks))


def measured(record: Record) -> float | str | None:
    """Return what a band is about: the value, for a claim the statistic."""
    return record.statistic.value if record.value is None and record.statistic is not None else record.value


def _summary(receipt: Receipt, checks: list[ValueCheck]) -> tuple[bool, str]:
    run = f"{receipt.document['notebook']} at scale {receipt.scale}, seed {receipt.seed}"
    known = [check for check in checks if check.ok is not None]
    inside = sum(bool(check.ok) for check in known)
    overridden = receipt.document["parameters"].get("overrides")
    hint = f" The run has overrides ({', '.join(overridden)}), for which the bands are not made." if overridden else ""
    if receipt.data != "simulated":
        hint += f" The run is on the data {receipt.data}, for which the bands are not made."
    wide = sum(check.too_wide for check in checks)
    without = len(checks) - len(known) - wide
    if not known:
        why = f"the bands of {wide} are too wide to tell anything, and " if wide else ""
        whose = f"{without} of its" if wide else "any of its"
        return False, f"Nothing can be said about {run}: {why}no band is known for {whose} {len(checks)} values.{hint}"
    unknown = f" For {wide} more the band is too wide to tell anything." if wide else ""
    unknown += f" For {without} more no band is known." if without else ""
    if inside == len(known):
        return True, f"The run is all right: {run} gave {inside} of {inside} values as expected.{unknown}{hint}"
    return False, f"The run is not as expected: {run} gave {inside} of {len(known)} values as expected.{unknown}{hint}"
