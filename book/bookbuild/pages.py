"""The parts of pages that are generated at each build: parameters, scorecard, deviations, a page per paper and others.

A page asks for one with a line ``% generated: parameters``. Each generator reads what the library declares and
returns MyST; a chapter that the library does not have yet leaves no trace.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bookbuild.ledger_pages import corrections, deviations, not_replicated, scorecard
from bookbuild.markdown import heading_of, table
from bookbuild.paper_pages import page_generators
from bookbuild.project import CHAPTERS
from bookbuild.scale_pages import SCALE_GENERATORS
from mrrepro.cli.papers import paper_keys, paper_module
from mrrepro.runs.settings import SCALES, describe

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
    parts = [_settings(chapter) for chapter in CHAPTERS if chapter in paper_keys()]
    return "\n".join(filter(None, parts)) or "No chapter has declared parameters yet.\n"


def _settings(chapter: str) -> str:
    recipe = paper_module(chapter, "recipe")
    if recipe is None or not hasattr(recipe, "SETTINGS"):
        return ""
    lines = []
    for row in describe(recipe.SETTINGS):
        unit = f" [{row.unit}]" if row.unit else ""
        values = [_value(row.values[scale]) for scale in SCALES]
        admissible = ", ".join(filter(None, [row.type, row.admissible]))
        lines.append([f"`{row.name}`", row.meaning + unit, admissible, *values, row.source])
    head = ["parameter", "meaning", "type and admissible values", *SCALES, "where from"]
    return f"## {heading_of(chapter)}\n\n{table(head, lines)}"


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
    "not_replicated": not_replicated,
    "corrections": corrections,
    **SCALE_GENERATORS,
    **page_generators(CHAPTERS),
}
