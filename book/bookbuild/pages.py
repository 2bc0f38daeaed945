"""The parts of pages that are generated at each build: parameters, scorecard, deviations.

A page asks for one with a line ``% generated: parameters``. Each generator reads what the library declares and
returns MyST; a chapter that the library does not have yet leaves no trace.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable
from types import ModuleType

from bookbuild.markdown import heading_of, table
from bookbuild.project import CHAPTERS

_REQUEST = re.compile(r"^% generated: (\w+)[ \t]*$", re.MULTILINE)


def fill(text: str) -> str:
    """Replace every request of a page by what its generator returns; an unknown name is an error."""

    def generated(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in GENERATORS:
            raise ValueError(f"No part of a page is called {name!r}; known: {', '.join(GENERATORS)}.")
        return GENERATORS[name]()

    return _REQUEST.sub(generated, text)


def is_generated(text: str) -> bool:
    """Say whether a page holds a request."""
    return _REQUEST.search(text) is not None


def parameters() -> str:
    """Table the settings of every chapter: type, admissible values, value at each scale, meaning, source."""
    parts = []
    for chapter in CHAPTERS:
        module = _module(f"mrrepro.papers.{chapter}.settings")
        if module is None or not hasattr(module, "Settings"):
            continue
        from mrrepro.runs.settings import SCALES, describe  # type: ignore[import-not-found,unused-ignore]

        head = ["parameter", "type", "admissible", *SCALES, "meaning", "where from"]
        lines = []
        for row in describe(module.Settings):
            unit = f" [{row.unit}]" if row.unit else ""
            values = [_value(row.values[scale]) for scale in SCALES]
            lines.append([f"`{row.name}`", row.type, row.admissible, *values, row.meaning + unit, row.source])
        parts.append(f"## {heading_of(chapter)}\n\n{table(head, lines)}")
    return "\n".join(parts) or "No chapter has declared parameters yet.\n"


def scorecard() -> str:
    """Render how many numbers and claims of each paper have which verdict."""
    return _from_ledger("scorecard")


def deviations() -> str:
    """Render the register of what the papers leave open or contradict, and what was chosen."""
    return _from_ledger("deviations")


def _from_ledger(part: str) -> str:
    if _module("mrrepro.runs.ledger") is None:
        return "The ledger holds no entries yet.\n"
    return str(getattr(importlib.import_module("bookbuild.ledger_pages"), part)())


def _module(name: str) -> ModuleType | None:
    """Import a module if it exists; an error inside it is not hidden."""
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    return importlib.import_module(name) if found else None


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(_value(item) for item in value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


GENERATORS: dict[str, Callable[[], str]] = {
    "parameters": parameters,
    "scorecard": scorecard,
    "deviations": deviations,
}
