"""Scorecard, deviations, corrections and what was not replicated, rendered from the ledgers in the package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bookbuild.markdown import TITLES, heading_of, table
from mrrepro.runs.display import cells_of
from mrrepro.runs.export import scorecard as count_verdicts
from mrrepro.runs.ledger import Ledger, LedgerRow, ledger_folders
from mrrepro.runs.reported import Number
from mrrepro.runs.verdicts import NO_RUN

_SHOWN = 6
"""Ids that a group names at most."""


def scorecard() -> str:
    """Count the verdicts of each paper and list, folded, what each rests on."""
    ledgers = [Ledger(paper) for paper in _papers()]
    if not ledgers:
        return "The ledger holds no entries yet.\n"
    rows = {ledger.paper: ledger.rows() for ledger in ledgers}
    counts = {paper: count_verdicts([row for row in some if not row.asked_here]) for paper, some in rows.items()}
    own = count_verdicts([row for some in rows.values() for row in some if row.asked_here])
    verdicts = list(own)
    lines = [[heading_of(paper), *(str(count[verdict]) for verdict in verdicts)] for paper, count in counts.items()]
    lines.append(["all four", *(str(sum(count[verdict] for count in counts.values())) for verdict in verdicts)])
    lines.append(["asked here", *(str(own[verdict]) for verdict in verdicts)])
    parts = [table(["paper", *verdicts], lines), _kinds(rows)]
    everything = [row for some in rows.values() for row in some]
    parts += [_bases(everything), _changed_verdicts(everything)]
    for paper, some in rows.items():
        parts.append(f"## {heading_of(paper)}\n\n{_bases(some)}\n{_entries(some)}")
    return "\n".join(parts)


def not_replicated() -> str:
    """Say, paper by paper, what does not agree and why: not attempted, underspecified, waiting for a run, differing."""
    parts = []
    for paper in _papers():
        rows = [row for row in Ledger(paper).rows() if row.headline]
        parts.append(f"## {heading_of(paper)}\n\n{_without(rows)}\n{_differing(rows)}")
    return "\n".join(parts) or "The ledger holds no entries yet.\n"


def corrections() -> str:
    """List what was mended or added when the reported values were checked against the papers' texts."""
    ledgers = [ledger for ledger in (Ledger(paper) for paper in _papers()) if ledger.corrections]
    if not ledgers:
        return "No value has been corrected yet.\n"
    parts = []
    for ledger in ledgers:
        mended = [item for item in ledger.corrections if not item.added]
        added = [item for item in ledger.corrections if item.added]
        parts.append(f"## {heading_of(ledger.paper)}\n")
        if mended:
            lines = [[f"`{item.id}`", item.was, item.now, item.where] for item in mended]
            parts.append(table(["value", "first reading", "as it is here", "where"], lines))
        if added:
            lines = [[f"`{item.id}`", item.now, item.where] for item in added]
            listed = table(["value", "as it is here", "where"], lines)
            parts.append(
                f"::::{{dropdown}} {len(added)} values that the first reading had left out\n\n{listed}\n::::\n"
            )
    return "\n".join(parts)


def deviations() -> str:
    """List every deviation of every paper, with its effect where that was measured."""
    ledgers = [ledger for ledger in (Ledger(paper) for paper in _papers()) if ledger.deviations]
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


def _papers() -> list[str]:
    """Return the papers that have a ledger, in the order of the book."""
    return sorted(ledger_folders(), key=lambda paper: [*TITLES, paper].index(paper))


def _kinds(rows: Mapping[str, Sequence[LedgerRow]]) -> str:
    """Count numbers, the papers' claims and those asked here apart, by what came of them."""
    lines = []
    everything = [row for some in rows.values() for row in some]
    for name, some in [*((heading_of(paper), some) for paper, some in rows.items()), ("all", everything)]:
        for words in ("numbers", "claims", "claims asked here"):
            own = [row for row in some if row.headline and _kind(row) == words]
            run = [row for row in own if row.record is not None]
            agree = sum(row.verdict in ("reproduced", "agrees on substitute data") for row in run)
            waiting = sum(row.record is None and row.reason == NO_RUN for row in own)
            undecided = sum(row.undecided for row in run)
            counts = (len(own), len(run), agree, undecided, waiting, len(own) - len(run) - waiting)
            lines.append([name, words, *map(str, counts)])
    head = ["paper", "what", "in all", "with a result", "of these agree", "of these not shown"]
    return table([*head, "not yet attempted", "not possible"], lines)


def _kind(row: LedgerRow) -> str:
    if isinstance(row.entry, Number):
        return "numbers"
    return "claims asked here" if row.asked_here else "claims"


def _without(rows: Sequence[LedgerRow]) -> str:
    """Group what has no record by the reason, the most frequent first."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.record is None:
            groups.setdefault((row.verdict, row.reason), []).append(row.id)
    if not groups:
        return "Everything has a result.\n"
    lines = []
    for (verdict, reason), ids in sorted(groups.items(), key=lambda item: -len(item[1])):
        shown = ", ".join(f"`{id}`" for id in ids[:_SHOWN]) + (
            f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
        )
        lines.append([str(len(ids)), "not yet attempted" if reason == NO_RUN else verdict, reason, shown])
    return table(["how many", "state", "why", "which"], lines)


def _differing(rows: Sequence[LedgerRow]) -> str:
    differing = [row for row in rows if row.verdict == "differs"]
    if not differing:
        return ""
    lines = [[f"`{row.id}`", row.entry.where, _scale(row), row.reason] for row in differing]
    listed = table(["value or claim", "where", "scale", "reason"], lines) + changes(differing)
    undecided = sum(row.undecided for row in differing)
    words = f"{len(differing)} that were attempted and differ, {undecided} of them not shown rather than refuted"
    return f"::::{{dropdown}} {words}\n\n{listed}\n::::\n"


def _scale(row: LedgerRow) -> str:
    """The scale, and whether more was set than the scale does; `changes` says what."""
    return row.record.marked_scale if row.record else ""


def changes(rows: Sequence[LedgerRow]) -> str:
    """Say what was set beside the scale's settings for the results of rows, a line for each paper and set of values."""
    found = {(row.paper, r.scale, r.set_beside) for row in rows if (r := row.record) and r.set_beside}
    return "".join(f"\n{heading_of(paper)}, {scale}, changed: {given}.\n" for paper, scale, given in sorted(found))


def _changed_verdicts(rows: Sequence[LedgerRow]) -> str:
    """List the results of changed runs that count, where the largest run as planned has another verdict."""
    counted = [row for row in rows if row.headline and row.record and row.record.set_beside]
    if not counted:
        return ""
    planned = {row.id: row for row in rows if row.record and not row.record.set_beside and not row.stale}
    lines = [
        [f"`{row.id}`", *_result(row), *_result(planned[row.id])]
        for row in counted
        if row.id in planned and planned[row.id].verdict != row.verdict
    ]
    words = (
        f"The largest scale counts, also where its run was changed: {len(counted)} results. {len(lines)} of them have "
        "another verdict by the largest run that was not.\n"
    )
    if not lines:
        return words
    listed = table(["value or claim", "changed", "", "as its scale has it", ""], lines)
    return f"{words}\n::::{{dropdown}} These {len(lines)}\n\n{listed}\n::::\n"


def _result(row: LedgerRow) -> tuple[str, str]:
    assert row.record is not None
    return f"{cells_of(row.entry, row.record)[1]} ({row.record.scale})", row.verdict


def _bases(rows: Sequence[LedgerRow]) -> str:
    """Say on which data, at which scale and how fresh the counted results are."""
    counted = [(row, row.record) for row in rows if row.headline and row.record]
    if not counted:
        return "Nothing of this paper has been computed yet.\n"
    found = Counter((record.basis, _scale(row), bool(row.stale)) for row, record in counted)
    head = ["basis of data", "scale", "state", "results"]
    lines = [[basis, scale, "stale" if old else "current", str(n)] for (basis, scale, old), n in sorted(found.items())]
    return table(head, lines) + changes([row for row, _ in counted])


def _entries(rows: Sequence[LedgerRow]) -> str:
    head = ["value or claim", "where", "scale", "ours", "the paper's", "verdict", "reason"]
    lines = []
    for row in rows:
        if not row.headline:
            continue
        name = f"`{row.id}`"
        if row.record is None:
            lines.append([name, row.entry.where, "", "", "", row.verdict, row.reason])
            continue
        _, ours, papers, verdict, reason = cells_of(row.entry, row.record)
        old = f" (stale, of {row.record.date[:10]}: {row.stale})" if row.stale else ""
        lines.append([name, row.entry.where, _scale(row), ours, papers, verdict, reason + old])
    return f"::::{{dropdown}} All {len(lines)} numbers and claims\n\n{table(head, lines)}\n::::\n"
