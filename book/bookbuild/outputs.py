"""From an executed notebook to a page: outputs become numbered figures, tables and prose, with their provenance."""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode

_IMAGE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)")
_REFERENCE = re.compile(r"\[(Figure|Table)\]\(#((?:fig|tab)-[a-z0-9-]+)\)")
_ORDER = ("notebook", "cell", "commit", "scale", "seed", "data", "device", "date")


@dataclass(frozen=True)
class Page:
    """A notebook ready for Sphinx, and the images that it refers to by file name."""

    notebook: NotebookNode
    images: dict[str, bytes]


def page_of(notebook: NotebookNode, folder: str, download: str) -> Page:
    """Turn the outputs that ``mrrepro.runs.figures`` marked into MyST.

    Parameters
    ----------
    notebook : NotebookNode
        An executed notebook.
    folder : str
        Where the images will lie, as a path from the book's root.
    download : str
        The notebook's name, ``deepspio/01_view_line``.

    Returns
    -------
    Page
        The notebook in which every marked output is a Markdown cell behind its code cell, the order kept.
    """
    facts = _facts_of(notebook, download)
    images: dict[str, bytes] = {}
    cells: list[NotebookNode] = []
    headed = False
    number = 0
    for cell in notebook.cells:
        number += not _injected(cell)
        if cell.cell_type != "code":
            cell = copy.deepcopy(cell)
            if cell.cell_type == "markdown":
                cell["source"] = _numbered(cell.source)
            if not headed and cell.cell_type == "markdown" and cell.source.lstrip().startswith("# "):
                cell["source"], headed = cell.source + _measured(notebook), True
            cells.append(cell)
            continue
        cells += _split(cell, number, folder, download, facts, images)
    page = copy.deepcopy(notebook)
    page.cells = cells
    return Page(page, images)


def _split(
    cell: NotebookNode, number: int, folder: str, download: str, facts: Mapping[str, str], images: dict[str, bytes]
) -> list[NotebookNode]:
    """Return a code cell followed by its marked outputs as Markdown, the others staying in code cells."""
    kept = copy.deepcopy(cell)
    kept["outputs"] = []
    label = "cell-" + re.sub(r"[^a-z0-9]+", "-", f"{download}-{number}".lower())
    marked = [output for output in cell.outputs if "mrrepro" in output.get("metadata", {})]
    tags = set(cell.metadata.get("tags", []))
    cells = []
    if any(output.metadata.mrrepro.kind in ("figure", "table") for output in marked) and not tags & {"remove-cell"}:
        cells.append(_markdown(f"({label})="))
    else:
        label = ""
    cells.append(kept)
    here = {**facts, "cell": f"[{number} of {facts['cells']}](#{label})" if label else f"{number} of {facts['cells']}"}
    for output in cell.outputs:
        mark = output.get("metadata", {}).get("mrrepro")
        if mark is None:
            if cells[-1].cell_type != "code":
                cells.append(_remainder(cell))
            cells[-1].outputs.append(copy.deepcopy(output))
        elif mark["kind"] == "figure":
            name = f"{mark['name']}.png"
            images[name] = _image_of(output)
            cells.append(_markdown(_figure(mark, f"{folder}/{name}") + _folded(here)))
        elif mark["kind"] == "table":
            cells.append(_markdown(_table(mark) + _folded(here)))
        elif mark["kind"] == "text":
            cells.append(_markdown(_numbered(output.data["text/markdown"])))
    return cells


def _numbered(text: str) -> str:
    """Turn ``[Figure](#fig-name)``, a plain link in Jupyter, into a reference that carries the number."""
    return _REFERENCE.sub(r"{numref}`\1 %s <\2>`", text)


def _remainder(cell: NotebookNode) -> NotebookNode:
    rest = nbformat.v4.new_code_cell("# the rest of the output")  # a cell without source would be left out
    rest.metadata["tags"] = ["remove-input", *(tag for tag in cell.metadata.get("tags", []) if "output" in tag)]
    return rest


def _markdown(text: str) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(text)


def _image_of(output: NotebookNode) -> bytes:
    found = _IMAGE.search(output.data["text/html"])
    if found is None:
        raise ValueError(f"The output {output.metadata.mrrepro.name} holds no image; execute the notebook again.")
    return base64.b64decode(found.group(1))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _figure(mark: Mapping[str, object], path: str) -> str:
    return (
        f"```{{figure}} {path}\n:name: {mark['name']}\n:alt: {_one_line(str(mark['alt']))}\n"
        f":width: {mark['width']}px\n:align: center\n\n{_one_line(str(mark['caption']))}\n```\n"
    )


def _table(mark: Mapping[str, list[str]]) -> str:
    """A directive between colons, for a caption with ``code`` in it cannot follow a fence of backticks."""

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(_one_line(cell).replace("|", "\\|") or " " for cell in cells) + " |"

    rule = "|" + "|".join("---:" if numeric else ":---" for numeric in mark["numeric"]) + "|"
    body = "\n".join(line(row) for row in mark["cells"])  # type: ignore[arg-type]
    return (
        f"::::{{table}} {_one_line(str(mark['caption']))}\n:name: {mark['name']}\n:align: center\n\n"
        f"{line(mark['columns'])}\n{rule}\n{body}\n::::\n"
    )


def _folded(facts: Mapping[str, str]) -> str:
    order = [key for key in _ORDER if key in facts] + [key for key in facts if key not in (*_ORDER, "cells", "seconds")]
    entries = "\n".join(f"- **{key}**: {_one_line(facts[key])}" for key in order)
    return f"\n:::{{dropdown}} Provenance\n:class-container: provenance\n\n{entries}\n:::\n"


def _facts_of(notebook: NotebookNode, download: str) -> dict[str, str]:
    """Collect what is known of a run: what the build wrote, then what the notebook's own receipt says."""
    run = notebook.metadata.get("mrrepro", {})
    facts = {"notebook": f"`{download}`", **{key: str(value) for key, value in run.items()}}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            mark = output.get("metadata", {}).get("mrrepro", {})
            if mark.get("kind") == "receipt":
                facts.update(mark["facts"])
    facts["cells"] = str(sum(not _injected(cell) for cell in notebook.cells))
    return facts


def _injected(cell: NotebookNode) -> bool:
    """Say whether papermill put this cell in: the notebook that a reader opens has it not."""
    return "injected-parameters" in cell.metadata.get("tags", [])


def _measured(notebook: NotebookNode) -> str:
    run = notebook.metadata.get("mrrepro", {})
    if "seconds" not in run:
        return ""
    return (
        f"\n\n*Computed at scale `{run['scale']}` in {float(run['seconds']):.0f} s ({run['device']}). Results that an "
        "earlier run had left were read, not made again.*"
    )
