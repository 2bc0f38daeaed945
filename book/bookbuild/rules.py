"""The rules that every notebook keeps, each checked on its percent script."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import jupytext
from nbformat import NotebookNode

MOST_LINES, MOST_HIDDEN_LINES = 15, 30
HIDDEN = {"hide-input", "remove-input", "hide-cell"}
PARAMETERS = ("scale", "seed", "data", "overrides")

_DECIMAL = re.compile(r"(?<![\w.\-/])[-+−]?\d+\.\d+(?!\w|\.\d)")
_UNIT = re.compile(
    r"\s?(?:°|[kMGmµnu]?(?:T|m|s|Hz|g|S|V|A|W|B|L|mol)\b|[KMG]iB\b|dB\b|ppm\b|µg|ug|min\b|rad\b|deg\b|voxels?\b|pixels?\b)"
)
_PLACE = re.compile(
    r"(?:section|sections|figs?\.?|figures?|tables?|eqs?\.?|equations?|python(?:\s+3\.\d+(?:,|\s+or|\s+and))*|version|chapter|"
    r"CC BY)\s*\(?$",
    re.IGNORECASE,
)
_LEFT_OUT = re.compile(
    r"\$\$.*?\$\$|\$[^$\n]+\$|```.*?```|`[^`\n]*`|^#[^\n]*$|\]\([^)]*\)|https?://\S+|<!--.*?-->|\{[\w:]+\}`[^`]*`",
    re.DOTALL | re.MULTILINE,
)
_FENCED = re.compile(r"```.*?```", re.DOTALL)
_ALLOWED = re.compile(r"<!--\s*typed:\s*([^\s:]+(?:\s*,\s*[^\s:]+)*)\s*:\s*(.+?)\s*-->", re.DOTALL)


def read(source: Path) -> NotebookNode:
    """Read a percent script."""
    return jupytext.read(source, fmt="py:percent")


def breaches(notebook: NotebookNode) -> list[str]:
    """Say in words which rules a notebook breaks; empty when it keeps them all."""
    found = [*_head(notebook), *_parameters(notebook), *_lengths(notebook), *_figures(notebook)]
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "markdown":
            found += [
                f"cell {number}: the number {typed} is typed, not computed" for typed in typed_numbers(cell.source)
            ]
    return found


def typed_numbers(text: str) -> list[str]:
    r"""Find decimal numbers in prose.

    Left out are mathematics, code, headings and links; numbers with a unit behind them, which are parameters; places
    such as "Section 3.2"; and what a comment allows: ``<!-- typed: 0.41, 1.5: definitions -->``.
    """
    allowed = {number.strip() for found in _ALLOWED.finditer(text) for number in found.group(1).split(",")}
    prose = _LEFT_OUT.sub(" ", text)
    return [
        found.group()
        for found in _DECIMAL.finditer(prose)
        if found.group() not in allowed
        and not _UNIT.match(prose, found.end())
        and not _PLACE.search(prose[: found.start()].rstrip())
    ]


def _tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def _head(notebook: NotebookNode) -> list[str]:
    cells = notebook.cells
    found = []
    if not cells or "install" not in _tags(cells[0]):
        found.append("the first cell is not the install cell: run tasks.py pair")
    if len(cells) < 2 or cells[1].cell_type != "markdown" or not cells[1].source.startswith("# "):
        found.append("the second cell does not open with the title")
    prose = "\n".join(_FENCED.sub("", cell.source) for cell in cells if cell.cell_type == "markdown")
    if sum(line.startswith("# ") for line in prose.splitlines()) > 1:
        found.append("there is more than one title (a line with a single #)")
    return found


def _parameters(notebook: NotebookNode) -> list[str]:
    cells = [cell for cell in notebook.cells if "parameters" in _tags(cell)]
    if len(cells) != 1:
        return [f"there are {len(cells)} cells tagged parameters, not one"]
    assigned = {
        target.id: statement.value
        for statement in ast.parse(cells[0].source).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    missing = [name for name in PARAMETERS if name not in assigned]
    if missing:
        return [f"the parameters cell lacks {', '.join(missing)}"]
    if ast.unparse(assigned["scale"]) != "'demo'":
        return ["the default scale of the parameters cell is not demo"]
    return []


def _lengths(notebook: NotebookNode) -> list[str]:
    found = []
    for number, cell in enumerate(notebook.cells, start=1):
        lines = len(cell.source.splitlines())
        most = MOST_HIDDEN_LINES if _tags(cell) & HIDDEN else MOST_LINES
        if cell.cell_type == "code" and lines > most:
            found.append(f"cell {number}: {lines} lines of code, {most} at most")
    return found


def _figures(notebook: NotebookNode) -> list[str]:
    found = []
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code" and re.search(r"\b(plt|pyplot|figure|fig)\.show\(", cell.source):
            found.append(f"cell {number}: a figure is shown without alternative text; use mrrepro.runs.figures.show")
        if cell.cell_type == "markdown" and re.search(r"!\[\s*\]\(", cell.source):
            found.append(f"cell {number}: an image has no alternative text")
    return found
