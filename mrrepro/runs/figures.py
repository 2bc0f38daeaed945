"""What a notebook shows: figures with alternative text, tables and computed sentences.

Each is an ordinary output in Jupyter and on Colab. The book turns them into numbered figures and tables and into
prose: the output's metadata, under ``mrrepro``, says what it is.
"""

from __future__ import annotations

import base64
import html
import io
import numbers
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mrrepro.validation import require_range

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_CSS_PIXELS_PER_INCH = 96


def show(figure: Figure, *, alt: str, caption: str, name: str, resolution: float = 144.0) -> None:
    """Display a figure with alternative text and a caption, and close it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure; it is closed, so that no second copy appears under the cell.
    alt : str
        What a reader who does not see the figure needs to know: at least 20 characters, other than the caption.
    caption : str
        MyST text; mathematics between dollar signs is typeset.
    name : str
        The label, ``fig-view-line``; prose refers to it by ``[the figure](#fig-view-line)``.
    resolution : float
        Pixels per inch of the stored image, 50 to 400.

    Raises
    ------
    ValueError
        A missing or short text, a malformed name, a resolution out of range.
    """
    _require_label(name, "fig-")
    _require_text("alt", alt, 20)
    _require_text("caption", caption, 10)
    require_range("resolution", resolution, 50, 400, unit="pixels per inch")
    if alt.strip() == caption.strip():
        raise ValueError(f"alt of {name} repeats the caption: say what the figure shows to one who cannot see it.")
    from matplotlib import pyplot

    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=resolution, bbox_inches="tight", metadata={"Software": None})
    pyplot.close(figure)
    pixels = stream.getvalue()
    width = round(int.from_bytes(pixels[16:20], "big") * _CSS_PIXELS_PER_INCH / resolution)
    image = base64.b64encode(pixels).decode("ascii")
    page = (
        f'<figure id="{name}" style="margin:0">'
        f'<img alt="{html.escape(alt)}" style="width:{width}px;max-width:100%;height:auto;background:white" '
        f'src="data:image/png;base64,{image}"><figcaption>{html.escape(caption)}</figcaption></figure>'
    )
    facts = {"kind": "figure", "name": name, "alt": alt, "caption": caption, "width": width}
    _publish({"text/html": page, "text/plain": f"Figure: {caption}"}, facts)


def show_table(rows: Sequence[Mapping[str, object]], *, caption: str, name: str) -> None:
    """Display a table with a caption.

    Parameters
    ----------
    rows : sequence of mapping
        One mapping a row, heading to cell, with the same headings in each. Floats are printed to four significant
        digits; give text where another form is wanted. Text may hold MyST, for instance mathematics.
    caption : str
        MyST text.
    name : str
        The label, ``tab-nmae``.

    Raises
    ------
    ValueError
        No rows, rows with other headings, a missing caption, a malformed name.
    """
    _require_label(name, "tab-")
    _require_text("caption", caption, 10)
    if not rows:
        raise ValueError(f"rows of {name} are empty: a table needs at least one.")
    columns = [str(column) for column in rows[0]]
    for number, row in enumerate(rows):
        if [str(column) for column in row] != columns:
            raise ValueError(f"row {number} of {name} has headings {list(row)}, but the first row has {columns}.")
    cells = [[_as_text(value) for value in row.values()] for row in rows]
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in cells)
    page = (
        f'<table id="{name}"><caption>{html.escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
    plain = "\n".join([caption, " | ".join(columns), *(" | ".join(row) for row in cells)])
    numeric = [all(_is_number(row[column]) for row in rows) for column in rows[0]]
    facts = {"kind": "table", "name": name, "caption": caption, "columns": columns, "cells": cells, "numeric": numeric}
    _publish({"text/html": page, "text/plain": plain}, facts)


def show_text(text: str) -> None:
    """Display MyST prose that holds computed numbers; in the book it is part of the text."""
    _require_text("text", text, 1)
    _publish({"text/markdown": text, "text/plain": text}, {"kind": "text"})


def show_receipt(facts: Mapping[str, object]) -> None:
    """Display where a notebook's results come from; the book folds it under every figure and table.

    Parameters
    ----------
    facts : mapping
        What to name (``"commit"``, ``"scale"``, ``"seed"``, ``"data"``, ``"device"``, ``"date"``, ...) to its value.
        These take precedence over what the build itself knows of the run.
    """
    if not facts:
        raise ValueError("facts of the receipt are empty: give at least scale, seed, data and device.")
    plain = {str(key): _as_text(value) for key, value in facts.items()}
    text = "\n".join(f"{key}: {value}" for key, value in plain.items())
    _publish({"text/plain": text}, {"kind": "receipt", "facts": plain})


def _publish(bundle: dict[str, str], facts: dict[str, Any]) -> None:
    from IPython.display import display

    display(bundle, raw=True, metadata={"mrrepro": facts})


def _as_text(value: object) -> str:
    if _is_number(value) and not isinstance(value, numbers.Integral):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _require_label(name: str, prefix: str) -> None:
    if not name.startswith(prefix) or not _NAME.fullmatch(name):
        raise ValueError(f"name must be {prefix} and lower-case words joined by hyphens, but is {name!r}.")


def _require_text(name: str, text: str, least: int) -> None:
    if len(text.strip()) < least:
        raise ValueError(f"{name} must be a text of at least {least} characters, but is {text!r}.")
