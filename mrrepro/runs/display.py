"""What notebooks show of a run: the table of its verdicts and, folded away, where a figure comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from mrrepro.runs.records import Record
from mrrepro.runs.reported import Claim, Number

_LEFT = "text-align:left; vertical-align:top"
_WIDTHS = {"reason": f"{_LEFT}; min-width:24em", "ours at the paper's sizes": f"{_LEFT}; min-width:16em"}
"""Of a receipt's columns: sentences need room, and the table is scrolled where it is wider than the page."""


@dataclass(frozen=True)
class Provenance:
    """Where a figure or table comes from; as HTML folded away under it."""

    facts: Mapping[str, str]

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in self.facts.items()
            if value
        )
        return f"<details class='mrrepro-provenance'><summary>Provenance</summary><table>{rows}</table></details>"

    def __repr__(self) -> str:
        # without device and date, so that the text of an output compares between machines
        return "Provenance: " + ", ".join(f"{name} {self.facts[name]}" for name in ("notebook", "scale", "seed"))


@dataclass(frozen=True)
class ReceiptTable:
    """The values of a run beside the paper's, with verdicts; the receipt lies at ``path``.

    ``recorded`` holds, by id, what was recorded once at the paper's own sizes, which is shown beside the run at hand.
    """

    path: Path
    rows: tuple[tuple[Number | Claim, Record], ...]
    recorded: Mapping[str, Record] = field(default_factory=dict)

    def cells(self) -> list[tuple[str, str, str, str, str]]:
        """Return id, ours, the paper's, verdict and reason of each value."""
        return [cells_of(entry, record) for entry, record in self.rows]

    def _repr_html_(self) -> str:
        beside = any(id in self.recorded for id, *_ in self.cells())
        names = ["id", "ours", "paper", "verdict", "reason", *(["ours at the paper's sizes"] if beside else [])]
        head = "".join(f"<th style='{_WIDTHS.get(name, _LEFT)}'>{name}</th>" for name in names)
        rows = [[*row, *([self._recorded(row[0])] if beside else [])] for row in self.cells()]
        body = "".join(
            "<tr>" + "".join(f"<td style='{_LEFT}'>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
        )
        changes = dict.fromkeys(self.recorded[id].set_beside for id, *_ in self.cells() if id in self.recorded)
        below = "".join(f"<p>Changed at the paper's sizes: {escape(each)}.</p>" for each in changes if each)
        return f"<table class='mrrepro-receipt'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"

    def _recorded(self, id: str) -> str:
        """What was recorded at the paper's sizes for an id, with verdict and date; what was changed stands below."""
        record = self.recorded.get(id)
        if record is None:
            return ""
        about = [record.date[:10], record.device, *(["changed"] if record.set_beside else [])]
        return f"{_ours(record)}: {record.verdict} ({', '.join(about)})"

    def __repr__(self) -> str:
        if not self.rows:
            return "No value was recorded."
        return "\n".join(f"{id}: {verdict}. {reason}" for id, _, _, verdict, reason in self.cells())


def cells_of(entry: Number | Claim, record: Record) -> tuple[str, str, str, str, str]:
    """Return id, ours, the paper's, verdict and reason of a value."""
    return entry.id, _ours(record), _papers(entry), record.verdict, record.reason


def _ours(record: Record) -> str:
    if record.value is None and record.statistic is not None:
        statistic = record.statistic
        return f"{statistic.value:.4g} ({statistic.low:.4g} to {statistic.high:.4g})"
    if isinstance(record.value, str):
        return record.value
    return f"{record.value:.4g}" + (f" ± {record.sd:.2g}" if record.sd is not None else "")


def _papers(entry: Number | Claim) -> str:
    if isinstance(entry, Claim):
        return entry.criterion
    unit = "" if entry.unit in ("", "1") else f" {entry.unit}"
    return entry.value + (f" ± {entry.sd}" if entry.sd else "") + unit
