"""A page per paper: every table of the paper beside ours, a plot of one against the other, and the claims."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bookbuild.beside_plot import Point, plot
from bookbuild.ledger_pages import changes
from bookbuild.markdown import heading_of, table
from bookbuild.project import ROOT
from mrrepro.runs.display import cells_of
from mrrepro.runs.ledger import Ledger, LedgerRow, ledger_folders
from mrrepro.runs.records import SUBSTITUTE
from mrrepro.runs.reported import Claim, Number, ReportedValue
from mrrepro.runs.verdicts import NO_RUN

MARKS = {"reproduced": "=", "agrees on substitute data": "≈", "differs": "≠", "underspecified": "?"}
LEGEND = (
    "In the tables `=` marks what is reproduced, `≈` what agrees on substitute data, `≠` what differs, `?` what the "
    "paper leaves underspecified; `–` stands for what is not attempted, and `…` for what no run has recorded yet.\n"
)
SMOKE_NOTE = (
    "At `smoke` a network has hardly been trained: such a row shows that the way from public files to a verdict is "
    "whole, and nothing about the method."
)
_FILLED = 0.8
"""Least share of a grid of systems and quantities that must hold values, for a table to be shown as a grid."""


def paper_page(paper: str) -> str:
    """Return the body of a paper's page; one that has no ledger yet says so."""
    if paper not in ledger_folders():
        return f"{heading_of(paper)} has no ledger yet.\n"
    everything = Ledger(paper).rows()
    rows = [row for row in everything if row.headline]
    numbers = [row for row in rows if isinstance(row.entry, Number)]
    claims = [row for row in rows if isinstance(row.entry, Claim) and not row.asked_here]
    asked = [row for row in rows if row.asked_here]
    parts = [_opening(numbers, claims, asked)]
    if numbers:
        parts.append(LEGEND)
    parts += [
        _item(item, [row for row in numbers if _item_of(row) == item]) for item in _in_order(map(_item_of, numbers))
    ]
    for title, some in (("Claims", claims), ("Asked here beside the paper", asked)):
        if some:
            parts += [f"## {title}\n\n{_claims(some)}{changes(some)}", _provenance(some)]
    return "\n".join([*parts, _on_real_data(everything)])


def page_generators(papers: Sequence[str]) -> dict[str, Callable[[], str]]:
    """Return a generator ``paper_<key>`` for each paper."""

    def generator(paper: str) -> Callable[[], str]:
        return lambda: paper_page(paper)

    return {f"paper_{paper}": generator(paper) for paper in papers}


def _opening(numbers: Sequence[LedgerRow], claims: Sequence[LedgerRow], asked: Sequence[LedgerRow]) -> str:
    rows = [*numbers, *claims]
    run = sum(row.record is not None for row in rows)
    waiting = sum(row.record is None and row.reason == NO_RUN for row in rows)
    said = f"The paper reports {len(numbers)} numbers and makes {len(claims)} claims that have a row here. "
    if not run:
        said += f"None has been attempted yet; {waiting} are to be."
    else:
        said += f"{run} have a result, {waiting} wait for one, {len(rows) - run - waiting} cannot have one."
    return said + (f" {len(asked)} more claims are asked here beside the paper's.\n" if asked else "\n")


def _item_of(row: LedgerRow) -> str:
    number = row.entry
    assert isinstance(number, Number)
    return number.item or "Text"


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _item(item: str, rows: Sequence[LedgerRow]) -> str:
    grid = _grid(rows)
    shown = grid if grid is not None else _list(rows)
    parts = [f"## {item}\n", shown, changes(rows), _plot(item, rows), _provenance(rows)]
    return "\n".join(filter(None, parts))


def _grid(rows: Sequence[LedgerRow]) -> str | None:
    """Table systems against quantities, the paper's values over ours; None where that would be mostly empty."""
    numbers = [row.entry for row in rows if isinstance(row.entry, Number)]
    systems, quantities = _in_order(n.system for n in numbers), _in_order(_quantity(n) for n in numbers)
    cells = {(n.system, _quantity(n)): row for n, row in zip(numbers, rows, strict=True)}
    most = len(systems) * len(quantities)
    if min(len(systems), len(quantities)) < 2 or len(cells) != len(rows) or len(rows) < _FILLED * most:
        return None
    turned = len(quantities) > len(systems)
    down, across = (quantities, systems) if turned else (systems, quantities)
    lines = []
    for name in down:
        held = [cells.get((other, name) if turned else (name, other)) for other in across]
        lines.append([name, "paper", *(_papers(row) if row else "" for row in held)])
        lines.append(["", "ours", *(_ours(row) if row else "" for row in held)])
    return table(["", "", *across], lines, style="beside")


def _list(rows: Sequence[LedgerRow]) -> str:
    lines = []
    for row in rows:
        number = row.entry
        assert isinstance(number, Number)
        lines.append([number.system, _quantity(number), _papers(row), _ours(row), row.verdict, row.reason])
    return table(["of what", "quantity", "paper", "ours", "verdict", "reason"], lines, style="beside")


def _quantity(number: Number) -> str:
    return number.quantity + (f" [{number.unit}]" if number.unit not in ("", "1") else "")


def _papers(row: LedgerRow) -> str:
    number = row.entry
    assert isinstance(number, Number)
    return number.value + (f" ± {number.sd}" if number.sd else "")


def _ours(row: LedgerRow) -> str:
    if row.record is None:
        return MARKS.get(row.verdict) or ("…" if row.reason == NO_RUN else "–")
    _, ours, _, verdict, _ = cells_of(row.entry, row.record)
    return f"{MARKS.get(verdict, '')} {ours}".strip() + (f" (stale, of {row.record.date[:10]})" if row.stale else "")


def _plot(item: str, rows: Sequence[LedgerRow]) -> str:
    """Plot ours against the paper's for each quantity's unit, where at least two numbers can be compared."""
    points: dict[str, list[Point]] = {}
    for row in rows:
        number, record = row.entry, row.record
        assert isinstance(number, Number)
        reported = ReportedValue.parse(number.value)
        if record is None or reported.form != "number" or not isinstance(record.value, int | float):
            continue
        sd = float(number.sd) if number.sd else 0.0
        label = _quantity(number)
        points.setdefault(label, []).append(Point(reported.numbers[0], sd, float(record.value), record.sd or 0.0))
    return "\n".join(plot(f"{item}: {label}", some) for label, some in points.items() if len(some) > 1)


def _provenance(rows: Sequence[LedgerRow]) -> str:
    """List, folded away, the runs that the values of a table come from."""
    found: dict[tuple[str, ...], int] = {}
    for row in rows:
        record = row.record
        if record is not None:
            seeds, data = ", ".join(map(str, record.seeds)), ", ".join(record.data) or record.basis
            key = (
                _linked(row.paper, record.notebook),
                record.scale + (f", {record.set_beside}" if record.set_beside else ""),
                seeds,
                data,
                record.commit,
                record.device,
                record.date,
            )
            found[key] = found.get(key, 0) + 1
    if not found:
        return ""
    head = ["notebook", "scale", "seeds", "data", "commit", "device", "date", "values"]
    lines = [[*key, str(count)] for key, count in found.items()]
    return f"::::{{dropdown}} Provenance\n\n{table(head, lines, style='beside')}\n::::\n"


def _linked(paper: str, notebook: str) -> str:
    """Return a link to a notebook's page, or its bare name where the book has no such page."""
    path = f"notebooks/{paper}/{notebook}.ipynb"
    return f"[{notebook}](../{path})" if (ROOT / path).is_file() else notebook


def _on_real_data(rows: Sequence[LedgerRow]) -> str:
    """Put what was found on public data beside what the default run found; empty where there is none."""
    counted = {row.id: row for row in rows if row.record and row.record.basis != SUBSTITUTE}
    lines = []
    for row in rows:
        if row.record is None or row.record.basis != SUBSTITUTE:
            continue
        _, ours, papers, verdict, _ = cells_of(row.entry, row.record)
        other = counted.get(row.id)
        default = f"{_cell(other)} ({other.record.marked_scale})" if other and other.record else ""
        named = str(row.record.parameters.get("data", ""))
        old = " (stale)" if row.stale else ""
        lines.append([f"`{row.id}`", papers, default, f"{ours} ({row.record.scale}){old}", named, verdict])
    if not lines:
        return ""
    head = ["value or claim", "the paper's", "simulated", "on public data", "data set", "verdict"]
    small = any(row.record and row.record.basis == SUBSTITUTE and row.record.scale == "smoke" for row in rows)
    note = f"{SMOKE_NOTE}\n\n" if small else ""
    return f"## On public data\n\n{note}{table(head, lines, style='beside')}"


def _cell(row: LedgerRow) -> str:
    assert row.record is not None
    return cells_of(row.entry, row.record)[1]


def _claims(rows: Sequence[LedgerRow]) -> str:
    lines = []
    for row in rows:
        claim = row.entry
        assert isinstance(claim, Claim)
        ours = cells_of(claim, row.record)[1] if row.record else ""
        verdict = f"{row.verdict}: not shown" if row.undecided else row.verdict
        lines.append([claim.claim, claim.where, claim.test, claim.criterion, ours, verdict, row.reason])
    head = ["claim", "where", "statistic", "must be", "ours", "verdict", "reason"]
    return table(head, lines, style="beside")
