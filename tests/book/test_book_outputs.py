"""From an executed notebook to a page: order, numbers, provenance."""

from __future__ import annotations

import base64
from typing import Any

import nbformat

from bookbuild.outputs import page_of

PIXELS = b"\x89PNG pixels"
RUN = {"commit": "abc123", "scale": "smoke", "device": "CPU", "date": "2026-01-02", "seconds": "3.2"}


def output(kind: str, name: str = "", **facts: Any) -> nbformat.NotebookNode:
    image = base64.b64encode(PIXELS).decode()
    data = {"text/html": f'<img src="data:image/png;base64,{image}">', "text/markdown": facts.pop("text", "")}
    mark = {
        "kind": kind,
        "name": name,
        "caption": f"Caption of\n{name}.",
        "alt": "An alternative",
        "width": 300,
    } | facts
    return nbformat.v4.new_output("display_data", data=data, metadata={"mrrepro": mark})


def stream(text: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("stream", text=text)


def page(*outputs: nbformat.NotebookNode, tags: tuple[str, ...] = ()) -> Any:
    code = nbformat.v4.new_code_cell("x = 1", outputs=list(outputs), metadata={"tags": list(tags)})
    title = nbformat.v4.new_markdown_cell("# Title\n\n[Figure](#fig-a) and [the table](#tab-b)")
    notebook = nbformat.v4.new_notebook(cells=[title, code], metadata={"mrrepro": RUN})
    return page_of(notebook, "/images", "deepspio/01_view_line")


def test_outputs_keep_their_order_and_nothing_is_lost() -> None:
    made = page(stream("before"), output("figure", "fig-a"), stream("after"), output("text", text="Then **text**."))
    kinds = [(cell.cell_type, cell.source.splitlines()[0]) for cell in made.notebook.cells]
    assert [kind for kind, _ in kinds] == ["markdown", "markdown", "code", "markdown", "code", "markdown"]
    assert [o.text for o in made.notebook.cells[2].outputs] == ["before"]
    assert kinds[3][1] == "```{figure} /images/fig-a.png"
    assert [o.text for o in made.notebook.cells[4].outputs] == ["after"]
    assert made.notebook.cells[4].metadata.tags == ["remove-input"]
    assert made.notebook.cells[4].source  # a cell without source is left out by the parser
    assert made.notebook.cells[5].source == "Then **text**."
    assert made.images == {"fig-a.png": PIXELS}


def test_a_figure_has_its_texts_and_where_it_comes_from() -> None:
    receipt = nbformat.v4.new_output(
        "display_data",
        data={},
        metadata={"mrrepro": {"kind": "receipt", "facts": {"seed": "7", "data": "simulated", "device": "one GPU"}}},
    )
    made = page(output("figure", "fig-a"), receipt)
    text = made.notebook.cells[3].source
    assert ":name: fig-a" in text
    assert ":alt: An alternative" in text
    assert "\nCaption of fig-a.\n" in text
    wanted = ["notebook", "cell", "commit", "scale", "seed", "data", "device", "date"]
    assert [line.split("**")[1] for line in text.splitlines() if line.startswith("- **")] == wanted
    assert "- **device**: one GPU" in text  # the notebook's own receipt wins
    assert "- **cell**: [2 of 2](#cell-deepspio-01-view-line-2)" in text
    assert made.notebook.cells[1].source == "(cell-deepspio-01-view-line-2)="


def test_a_table_is_aligned_and_escaped() -> None:
    made = page(output("table", "tab-b", columns=["a|b", "n"], cells=[["x|y", "1"], ["", "2"]], numeric=[False, True]))
    text = made.notebook.cells[3].source
    assert "::::{table} Caption of tab-b.\n:name: tab-b" in text
    assert "| a\\|b | n |\n|:---|---:|\n| x\\|y | 1 |\n|   | 2 |" in text


def test_references_to_figures_get_numbers_and_the_head_says_what_was_run() -> None:
    head = page().notebook.cells[0].source
    assert "{numref}`Figure %s <fig-a>` and [the table](#tab-b)" in head
    assert "Computed at scale `smoke` in 3 s (CPU)" in head


def test_a_notebook_without_marks_is_left_as_it_is() -> None:
    made = page(stream("only text"))
    assert [cell.cell_type for cell in made.notebook.cells] == ["markdown", "code"]
    assert made.images == {}
