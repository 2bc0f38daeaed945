"""Filling in the measured effects of a register of deviations."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from mrrepro.runs.files import write_text
from mrrepro.runs.ledger import ledger_folders

REGISTER = "deviations.csv"


def register_path(paper: str) -> Path:
    """Return the register of a paper."""
    return ledger_folders()[paper] / REGISTER


def register_with_effects(text: str, found: Mapping[str, str]) -> str:
    """Return a register's text with the column ``effect`` filled in, by the last part of an id.

    Raises
    ------
    ValueError
        If there is an effect of a deviation that the register lacks.
    """
    rows = list(csv.DictReader(io.StringIO(text)))
    unknown = set(found) - {row["id"].rpartition(".")[2] for row in rows}
    if unknown:
        raise ValueError(f"{REGISTER} lacks the deviations {', '.join(sorted(unknown))}: add a row for each.")
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row | {"effect": found.get(row["id"].rpartition(".")[2], "")} for row in rows)
    return stream.getvalue()


def write_effects(paper: str, found: Mapping[str, str]) -> Path:
    """Write the effects into a paper's register, and return where that lies."""
    path = register_path(paper)
    write_text(path, register_with_effects(path.read_text("utf8"), found))
    return path
