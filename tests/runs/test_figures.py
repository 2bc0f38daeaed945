"""What a notebook shows: checked at the entrance, and with the text that Jupyter and the book need."""

from __future__ import annotations

import base64
import re
from typing import Any

import matplotlib as mpl

mpl.use("agg")

import numpy as np
import pytest
from matplotlib import pyplot as plt

from mrrepro.runs.figures import show, show_receipt, show_table, show_text

ALT = "A line that rises from the lower left to the upper right."


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, str], dict[str, Any]]]:
    outputs: list[tuple[dict[str, str], dict[str, Any]]] = []

    def display(bundle: dict[str, str], *, raw: bool, metadata: dict[str, Any]) -> None:
        assert raw
        outputs.append((bundle, metadata["mrrepro"]))

    monkeypatch.setattr("IPython.display.display", display)
    return outputs


def test_a_figure_carries_its_texts_and_is_closed(shown: list[Any]) -> None:
    figure, axes = plt.subplots(figsize=(4, 3))
    axes.plot([0, 1])
    show(figure, alt=ALT + ' "quoted" <b>', caption="A line, $y = x$.", name="fig-line")
    bundle, facts = shown[0]
    assert facts["kind"] == "figure"
    assert facts["name"] == "fig-line"
    assert 'alt="A line that rises' in bundle["text/html"]
    assert "&quot;quoted&quot; &lt;b&gt;" in bundle["text/html"]
    assert bundle["text/plain"] == "Figure: A line, $y = x$."
    pixels = base64.b64decode(re.search(r"base64,([^\"]+)", bundle["text/html"]).group(1))  # type: ignore[union-attr]
    assert pixels.startswith(b"\x89PNG")
    assert facts["width"] == pytest.approx(4 * 96, rel=0.15)  # the margins are trimmed
    assert not plt.get_fignums()


def test_the_same_figure_gives_the_same_bytes(shown: list[Any]) -> None:
    for _ in range(2):
        figure, axes = plt.subplots()
        axes.plot([0, 1])
        show(figure, alt=ALT, caption="A line, y = x.", name="fig-line")
    assert shown[0] == shown[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"alt": "A line"}, "alt must be a text of at least 20"),
        ({"alt": "A caption of more than twenty.", "caption": "A caption of more than twenty."}, "repeats the caption"),
        ({"caption": " "}, "caption must be"),
        ({"name": "line"}, "name must be fig-"),
        ({"name": "fig-Line"}, "name must be fig-"),
        ({"resolution": 10.0}, "resolution must lie in"),
    ],
)
def test_a_figure_without_its_texts_is_refused(change: dict[str, Any], said: str, shown: list[Any]) -> None:
    figure = plt.figure()
    with pytest.raises(ValueError, match=said):
        show(figure, **({"alt": ALT, "caption": "A line, y = x.", "name": "fig-line"} | change))
    plt.close(figure)
    assert shown == []


def test_a_table_prints_four_digits_and_knows_its_numbers(shown: list[Any]) -> None:
    rows = [{"method": "ours", "NMAE": np.float32(0.123456), "n": 12345}, {"method": "<b>", "NMAE": 1.0, "n": 2}]
    show_table(rows, caption="Errors of two methods.", name="tab-errors")
    bundle, facts = shown[0]
    assert facts["cells"] == [["ours", "0.1235", "12345"], ["<b>", "1", "2"]]
    assert facts["numeric"] == [False, True, True]
    assert "&lt;b&gt;" in bundle["text/html"]
    assert "ours | 0.1235 | 12345" in bundle["text/plain"]


def test_tables_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="are empty"):
        show_table([], caption="Nothing at all.", name="tab-none")
    with pytest.raises(ValueError, match="row 1 of tab-two has headings"):
        show_table([{"a": 1}, {"b": 1}], caption="Two headings.", name="tab-two")


def test_text_and_receipt(shown: list[Any]) -> None:
    show_text("The slope is **0.98**.")
    show_receipt({"seed": 3, "data": "simulated"})
    assert shown[0][0]["text/markdown"] == "The slope is **0.98**."
    assert shown[1][1] == {"kind": "receipt", "facts": {"seed": "3", "data": "simulated"}}
    with pytest.raises(ValueError, match="facts of the receipt are empty"):
        show_receipt({})
