"""The table of a sweep: a row for each run with its receipt, written anew after each run, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mrrepro.runs.files import write_json, write_text
from mrrepro.runs.receipts import Receipt, measured

TABLE_SCHEMA = "mrrepro-sweep/1"
STATES = ("waiting", "done", "skipped", "failed")
"""``skipped``: an earlier sweep made it, and nothing that it depends on has changed since."""


@dataclass(frozen=True)
class SweepRow:
    """One run of a sweep.

    Parameters
    ----------
    run : str
        Name of the run and of its folder.
    seed : int
        Its seed.
    parameters : mapping of str to str
        As they were given.
    state : str
        One of `STATES`.
    attempts : int
        How often it was begun: more than once where a worker or the sweep was killed.
    seconds : float, optional
        Time of the attempt that ended [s].
    receipt : str, optional
        Path of the receipt, relative to the table's folder.
    error : str, optional
        What went wrong, in one line.
    verdicts : mapping of str to int
        How many of the receipt's values have which verdict.
    values : mapping of str to float or str
        By id in the ledger what was found; for a claim the statistic that decides it.
    """

    run: str
    seed: int
    parameters: Mapping[str, str]
    state: str = "waiting"
    attempts: int = 0
    seconds: float | None = None
    receipt: str | None = None
    error: str | None = None
    verdicts: Mapping[str, int] = field(default_factory=dict)
    values: Mapping[str, float | str | None] = field(default_factory=dict)

    def with_receipt(self, receipt: Receipt, folder: Path) -> SweepRow:
        """Return the row with what a receipt says."""
        return replace(
            self,
            receipt=receipt.path.relative_to(folder).as_posix(),
            verdicts=dict(sorted(Counter(record.verdict for record in receipt.records).items())),
            values={record.id: measured(record) for record in receipt.records},
        )

    def verdict_words(self) -> str:
        """Give the verdicts in a cell."""
        return "; ".join(f"{count} {verdict}" for verdict, count in self.verdicts.items())


def table_document(about: Mapping[str, Any], rows: Sequence[SweepRow]) -> dict[str, Any]:
    """Return the table as a JSON value: what all runs share, the number of runs in each state, the rows."""
    counts = Counter(row.state for row in rows)
    states = {state: counts[state] for state in STATES}
    return {"schema": TABLE_SCHEMA, **about, "states": states, "rows": [asdict(row) for row in rows]}


def table_csv(rows: Sequence[SweepRow]) -> str:
    """Return the table as CSV: a column for each parameter that was given and for each value that was found."""
    parameters = list(dict.fromkeys(name for row in rows for name in row.parameters))
    values = list(dict.fromkeys(id for row in rows for id in row.values))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    facts = ("state", "attempts", "seconds", "receipt", "error", "verdicts")
    writer.writerow(["run", "seed", *parameters, *facts, *values])
    for row in rows:
        given = [row.parameters.get(name, "") for name in parameters]
        found = [row.values.get(id, "") for id in values]
        facts_of_row = [row.state, row.attempts, row.seconds, row.receipt, row.error, row.verdict_words()]
        writer.writerow([row.run, row.seed, *given, *facts_of_row, *found])
    return stream.getvalue()


def write_table(folder: Path, about: Mapping[str, Any], rows: Sequence[SweepRow]) -> tuple[Path, Path]:
    """Write ``sweep.csv`` and ``sweep.json`` atomically, and return their paths."""
    paths = folder / "sweep.csv", folder / "sweep.json"
    write_text(paths[0], table_csv(rows))
    write_json(paths[1], table_document(about, rows))
    return paths
