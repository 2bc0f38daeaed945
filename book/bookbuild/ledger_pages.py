"""The scorecard and the register of deviations, rendered from the ledgers that lie in the package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bookbuild.markdown import heading_of, table
from mrrepro.runs.display import ReceiptTable
from mrrepro.runs.export import scorecard as count_verdicts
from mrrepro.runs.ledger import Ledger, ledger_folders


def scorecard() -> str:
    """Count the verdicts of each paper and list, folded, what each rests on."""
    ledgers = [Ledger(paper) for paper in ledger_folders()]
    if not ledgers:
        return "The ledger holds no entries yet.\n"
    rows = {ledger.paper: ledger.rows() for ledger in ledgers}
    counts = {paper: count_verdicts(some) for paper, some in rows.items()}
    verdicts = list(next(iter(counts.values())))
    lines = [[heading_of(paper), *(str(count[verdict]) for verdict in verdicts)] for paper, count in counts.items()]
    lines.append(["all", *(str(sum(count[verdict] for count in counts.values())) for verdict in verdicts)])
    parts = [table(["paper", *verdicts], lines)]
    for paper, some in rows.items():
        parts.append(f"## {heading_of(paper)}\n\n{_bases(some)}\n{_entries(some)}")
    return "\n".join(parts)


def deviations() -> str:
    """List every deviation of every paper, with its effect where that was measured."""
    ledgers = [ledger for ledger in (Ledger(paper) for paper in ledger_folders()) if ledger.deviations]
    if not ledgers:
        return "No deviation has been registered yet.\n"
    parts = []
    for ledger in ledgers:
        head = ["where", "the paper says", "chosen here", "source of the choice", "effect"]
        lines = [
            [entry.where, entry.paper_says, entry.choice, entry.source, entry.effect or "not measured"]
            for entry in ledger.deviations
        ]
        parts.append(f"## {heading_of(ledger.paper)}\n\n{table(head, lines)}")
    return "\n".join(parts)


def _bases(rows: Sequence[Any]) -> str:
    """Say on which data, at which scale and how fresh the counted results are."""
    found = Counter(
        (row.record.basis, row.record.scale, bool(row.stale)) for row in rows if row.headline and row.record
    )
    if not found:
        return "Nothing of this paper has been computed yet.\n"
    head = ["basis of data", "scale", "state", "results"]
    lines = [[basis, scale, "stale" if old else "current", str(n)] for (basis, scale, old), n in sorted(found.items())]
    return table(head, lines)


def _entries(rows: Sequence[Any]) -> str:
    head = ["value or claim", "where", "ours", "the paper's", "verdict", "reason"]
    lines = []
    for row in rows:
        if not row.headline:
            continue
        name = f"`{row.id}`"
        if row.record is None:
            lines.append([name, row.entry.where, "", "", row.verdict, row.reason])
            continue
        ((_, ours, papers, verdict, reason),) = ReceiptTable(Path(), ((row.entry, row.record),)).cells()
        old = f" (stale: {row.stale})" if row.stale else ""
        lines.append([name, row.entry.where, ours, papers, verdict, reason + old])
    return f"::::{{dropdown}} All {len(lines)} numbers and claims\n\n{table(head, lines)}\n::::\n"
