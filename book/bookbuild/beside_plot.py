"""A small plot of our values against the paper's, both with their standard deviations, as SVG in the page."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_SIDE = 3.4
"""Inches."""


@dataclass(frozen=True)
class Point:
    """One number: the paper's value and ours, each with its standard deviation (0 where there is none)."""

    paper: float
    paper_sd: float
    ours: float
    ours_sd: float


def plot(title: str, points: Sequence[Point]) -> str:
    """Return a figure in MyST with the line of equality; its text says how many points lie on which side."""
    above = sum(point.ours > point.paper for point in points)
    below = sum(point.ours < point.paper for point in points)
    said = (
        f"{title}, ours against the paper's: {above} of {len(points)} values above the line of equality, {below} below."
    )
    svg = _svg(points).replace("<svg ", f'<svg role="img" aria-label="{escape(said, quote=True)}" ', 1)
    caption = f"<figcaption>{escape(title)}: ours against the paper's, with standard deviations</figcaption>"
    return f'```{{raw}} html\n<figure class="beside">\n{svg}\n{caption}\n</figure>\n```\n'


def _svg(points: Sequence[Point]) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_SIDE, _SIDE), layout="constrained")
    axes = figure.add_subplot()
    axes.errorbar(
        [point.paper for point in points],
        [point.ours for point in points],
        xerr=[point.paper_sd for point in points],
        yerr=[point.ours_sd for point in points],
        fmt="o",
        markersize=4,
        elinewidth=0.8,
        capsize=2,
    )
    axes.axline((points[0].paper, points[0].paper), slope=1, color="0.6", linewidth=0.8, zorder=0)
    axes.set_xlabel("paper")
    axes.set_ylabel("ours")
    stream = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "mrrepro", "svg.fonttype": "none"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    return re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg ") :], flags=re.DOTALL).strip()
