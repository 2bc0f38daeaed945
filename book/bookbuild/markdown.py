"""Small pieces of MyST that the generated parts share."""

from __future__ import annotations

from collections.abc import Sequence

TITLES = {"dl_ept": "DL-EPT", "condnet": "CondNet", "deepspio": "DeepSPIO", "contrast_t1": "Post-contrast T1"}
_SPECIAL = str.maketrans({"|": r"\|", "<": r"\<", "*": r"\*", "_": r"\_"})


def heading_of(chapter: str) -> str:
    """Return a chapter's name for readers."""
    return TITLES.get(chapter, chapter)


def plain(text: str) -> str:
    """Escape text that is no MyST, on one line; code between backticks is left as it is."""
    pieces = " ".join(text.split()).split("`")
    return "`".join(
        piece.replace("|", r"\|") if place % 2 else piece.translate(_SPECIAL) for place, piece in enumerate(pieces)
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]], style: str = "wide") -> str:
    """Write a table of plain texts that scrolls by itself where it is wider than the page; ``style`` is its class."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(plain(cell) or " " for cell in cells) + " |"

    body = "\n".join(line(row) for row in rows)
    return f":::{{div}} {style}\n{line(head)}\n|{' --- |' * len(head)}\n{body}\n:::\n"
