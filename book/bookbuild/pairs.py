"""Pairs of notebooks: the percent script is the source, the .ipynb beside it is what Colab opens.

``python -m bookbuild.pairs`` writes every pair anew; ``--check`` only says which differ.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from pathlib import Path

import jupytext
import nbformat
from jupytext.combine import combine_inputs_with_outputs
from nbformat import NotebookNode

from bookbuild.install_cell import TAGS, install_cell
from bookbuild.project import ROOT, notebook_sources, read_address
from mrrepro.runs.files import write_whole

HEADER = """\
# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

"""
METADATA = {
    "jupytext": {"formats": "ipynb,py:percent"},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
_INSTALL = re.compile(r"# %% tags=\[\"install\"[^\n]*\n.*?(?=^# %%|\Z)", re.DOTALL | re.MULTILINE)
_YAML_HEADER = re.compile(r"\A# ---\n(?:#[^\n]*\n)*?# ---\n+")


def with_install_cell(script: str, cell: str) -> str:
    """Return a percent script whose header is the project's and whose first cell is ``cell``."""
    body = _YAML_HEADER.sub("", script)
    tags = ", ".join(f'"{tag}"' for tag in TAGS)
    body = _INSTALL.sub("", body, count=1)
    return f"{HEADER}# %% tags=[{tags}]\n{cell}\n\n{body.lstrip()}"


def notebook_of(script: str, previous: NotebookNode | None = None, seed: str = "") -> NotebookNode:
    """Turn a percent script into a notebook without outputs.

    Parameters
    ----------
    script : str
        Text in jupytext's percent format.
    previous : NotebookNode, optional
        The notebook that stood there: cells that are still there keep their id.
    seed : str
        What new ids are derived from, besides the cell's text; the notebook's path.

    Returns
    -------
    NotebookNode
        The same script, predecessor and seed always give the same notebook.
    """
    notebook = jupytext.reads(script, fmt="py:percent")
    kept: set[str] = set()
    if previous is not None:
        known = {cell["id"] for cell in previous.cells if "id" in cell}
        notebook = combine_inputs_with_outputs(notebook, previous, fmt="py:percent")
        kept = known & {cell.get("id", "") for cell in notebook.cells}
    taken: set[str] = set()
    for cell in notebook.cells:
        if cell.get("id") not in kept or cell["id"] in taken:
            cell["id"] = _new_id(f"{seed}\n{cell.cell_type}\n{cell.source}", taken | kept)
        taken.add(cell["id"])
        if cell.cell_type == "code":
            cell["outputs"], cell["execution_count"] = [], None
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def _new_id(text: str, taken: set[str]) -> str:
    attempt = 0
    while (name := hashlib.sha256(f"{text}\n{attempt}".encode()).hexdigest()[:12]) in taken:
        attempt += 1
    return name


def as_text(notebook: NotebookNode) -> str:
    """Serialise a notebook; the text ends in a newline."""
    return str(nbformat.writes(notebook, version=4)).rstrip("\n") + "\n"


def differences(source: Path, root: Path = ROOT) -> list[str]:
    """Say in words how a script, its install cell and its .ipynb disagree; empty when they agree."""
    name = source.relative_to(root).as_posix()
    pair = source.with_suffix(".ipynb")
    script = source.read_text("utf8")
    found = []
    if with_install_cell(script, install_cell(read_address(root))) != script:
        found.append(f"{name}: its header or install cell is not that of pyproject.toml")
    if not pair.exists():
        return [*found, f"{name} has no .ipynb beside it"]
    stored = nbformat.reads(pair.read_text("utf8"), as_version=4)
    if any(cell.cell_type == "code" and cell.outputs for cell in stored.cells):
        found.append(f"{pair.name} holds outputs")
    if as_text(notebook_of(script, stored, name)) != pair.read_text("utf8"):
        found.append(f"{name} and {pair.name} differ")
    return found


def write_pair(source: Path, root: Path = ROOT) -> bool:
    """Write the install cell and the .ipynb of one script; return True where something changed."""
    pair, script = source.with_suffix(".ipynb"), source.read_text("utf8")
    before = (script, pair.read_text("utf8") if pair.exists() else None)
    script = with_install_cell(script, install_cell(read_address(root)))
    previous = nbformat.reads(before[1], as_version=4) if before[1] else None
    notebook = as_text(notebook_of(script, previous, source.relative_to(root).as_posix()))
    if before == (script, notebook):
        return False
    write_whole({source: script.encode(), pair: notebook.encode()})
    return True


def main() -> int:
    """Write or check all pairs; return 1 when a check finds a difference."""
    parser = argparse.ArgumentParser(prog="tasks.py pair", description="Write every .ipynb from its .py.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a pair differs")
    arguments = parser.parse_args()
    if arguments.check:
        found = [line for source in notebook_sources() for line in differences(source)]
        print("\n".join(found) if found else "every pair agrees")
        return 1 if found else 0
    for source in notebook_sources():
        print(f"{'written' if write_pair(source) else 'unchanged'}  {source.relative_to(ROOT).as_posix()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
