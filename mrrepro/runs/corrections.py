"""What was corrected when the reported values were checked against the text: ``corrections.csv`` of a ledger.

The values were first read by hand and by script; each was then held against the paper. A row says which id was changed,
what stood there before, what stands there now, and where the paper says so. An empty ``was`` is a value that the first
reading had left out; an id that ends in ``.*`` stands for all ids below it.
"""

from __future__ import annotations

import csv
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from mrrepro.runs.reported import LedgerError

_COLUMNS = ["id", "was", "is", "where"]


@dataclass(frozen=True)
class Correction:
    """One change of the first reading.

    Parameters
    ----------
    id : str
        Of the number, or ``<prefix>.*``.
    was : str
        As first read; empty where it was left out.
    now : str
        As it is in the ledger; the column ``is``.
    where : str
        The place in the paper.
    """

    id: str
    was: str
    now: str
    where: str

    @property
    def added(self) -> bool:
        """True for a value that the first reading had left out."""
        return not self.was

    def concerns(self, id: str) -> bool:
        """Tell whether an id is meant."""
        return id.startswith(self.id[:-1]) if self.id.endswith(".*") else id == self.id


def read_corrections(path: Path, ids: Collection[str]) -> tuple[Correction, ...]:
    """Read the corrections of a ledger; a file that is not there holds none.

    Parameters
    ----------
    path : Path
    ids : collection of str
        Ids of the ledger's numbers.

    Raises
    ------
    LedgerError
        Names the file and the line: a wrong column, a missing value, an id that the ledger does not have or has twice.
    """
    if not path.is_file():
        return ()
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if list(reader.fieldnames or []) != _COLUMNS:
            raise LedgerError(f"{path} must have the columns {', '.join(_COLUMNS)}, but has {reader.fieldnames}.")
        found: dict[str, Correction] = {}
        for row in reader:
            place = f"{path}, line {reader.line_num}"
            if None in row or None in row.values():
                raise LedgerError(f"{place}: {len(_COLUMNS)} columns are required: quote commas.")
            made = Correction(row["id"].strip(), row["was"].strip(), row["is"].strip(), row["where"].strip())
            missing = [name for name, value in (("id", made.id), ("is", made.now), ("where", made.where)) if not value]
            if missing:
                raise LedgerError(f"{place}: {', '.join(missing)} is missing.")
            if not any(made.concerns(id) for id in ids):
                raise LedgerError(f"{place}: numbers.csv has no {made.id!r}.")
            if made.id in found:
                raise LedgerError(f"{place}: {made.id!r} is given twice.")
            found[made.id] = made
    return tuple(found.values())
