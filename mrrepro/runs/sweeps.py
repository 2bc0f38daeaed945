"""Which runs a sweep has: the product of lists of values and of seeds, or one run for each row of a file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from mrrepro.runs.files import digest_of, read_json

_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True)
class Point:
    """One run of a sweep: its parameters as they were given, as text by name, and its seed."""

    given: Mapping[str, str]
    seed: int

    def words(self) -> str:
        """Say which run it is."""
        return ", ".join([*(f"{name}={value}" for name, value in self.given.items()), f"seed {self.seed}"])


def plan(given: Mapping[str, str], seeds: Sequence[int] | None = None, listed: Path | None = None) -> tuple[Point, ...]:
    """Return the runs of a sweep, the seeds changing fastest.

    Parameters
    ----------
    given : mapping of str to str
        A list of values with commas for each parameter, ``{"training.l1_weight": "10,100"}``.
    seeds : sequence of int, optional
        Seed 0 alone where it is left out and the file has no column ``seed``.
    listed : Path, optional
        A CSV file with a head line of names, or a JSON list of objects: one row for each run, times the grid.

    Raises
    ------
    ValueError
        An empty value, a name both in the file and in ``given``, a file that is none of both.
    """
    grid = [
        dict(zip(given, values, strict=True)) for values in product(*(split_values(*item) for item in given.items()))
    ]
    points = []
    for row in read_rows(listed) if listed is not None else [{}]:
        twice = sorted(set(row) & set(given))
        if twice:
            raise ValueError(f"{', '.join(twice)} is given by -p and by {listed}: leave one of them out.")
        seed = row.pop("seed", None)
        if seed is not None and seeds is not None:
            raise ValueError(f"Seeds are given by --seeds and by {listed}: leave one of them out.")
        own = [_seed(seed, listed)] if seed is not None else list(seeds) if seeds is not None else [0]
        points += [Point({**row, **values}, number) for values in grid for number in own]
    return tuple(points)


def split_values(name: str, text: str) -> tuple[str, ...]:
    """Split a list at its commas; what stands in brackets is one value: ``(1,2),(3,4)`` are two.

    >>> split_values("weights", "(1,2),0.5")
    ('(1,2)', '0.5')
    """
    values, depth = [""], 0
    for sign in text:
        depth += (sign in _OPENING) - (sign in _CLOSING)
        if sign == "," and depth == 0:
            values.append("")
        else:
            values[-1] += sign
    values = [value.strip() for value in values]
    if depth != 0:
        raise ValueError(f"{name} must have as many closing as opening brackets, but is {text!r}.")
    if not all(values):
        raise ValueError(f"{name} must be values with commas between, none of them empty, but is {text!r}.")
    if len(set(values)) < len(values):
        raise ValueError(f"{name} has a value twice: {text!r}.")
    return tuple(values)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a file of runs, ``.csv`` or ``.json``, one mapping from names to texts for each.

    A cell of a CSV that is empty leaves the parameter as it is by default.
    """
    if not path.is_file():
        raise ValueError(f"--list must be a file of runs, CSV or JSON, but {path} is none.")
    kinds = {".csv": _csv_rows, ".json": _json_rows}
    if path.suffix.lower() not in kinds:
        raise ValueError(f"--list must be a .csv or a .json file, but is {path}.")
    rows = list(kinds[path.suffix.lower()](path))
    if not rows:
        raise ValueError(f"{path} holds no run.")
    return rows


def run_name(scale: str, seed: int, identity: object) -> str:
    """Name a run by what it depends on, so that the next sweep finds it again.

    Parameters
    ----------
    scale, seed
        Shown in the name.
    identity
        A JSON value of the notebook's name, all its parameters and all settings, defaults included.
    """
    return f"{scale}-seed{seed}-{digest_of([scale, seed, identity])[:12]}"


def _csv_rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = [[cell.strip() for cell in line] for line in csv.reader(stream, strict=True)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no CSV file in UTF-8 ({error}).") from None
    lines = [line for line in lines if any(line)]
    head = lines[0] if lines else []
    if not all(head) or len(set(head)) < len(head):
        raise ValueError(f"The first line of {path} must name each column once, but is {','.join(head)!r}.")
    for number, line in enumerate(lines[1:], start=1):
        if len(line) != len(head):
            raise ValueError(f"Row {number} of {path} must have {len(head)} cells, but has {len(line)}.")
        yield {name: cell for name, cell in zip(head, line, strict=True) if cell}


def _json_rows(path: Path) -> Iterator[dict[str, str]]:
    rows = read_json(path)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f'{path} must be a list of objects, like [{{"training.samples": 500, "seed": 1}}].')
    for row in rows:
        yield {name: _text(value) for name, value in row.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "none" if value is None else json.dumps(value)


def _seed(text: str, path: Path | None) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"seed must be a whole number of at least 0, but {path} has {text!r}.")
    return int(text)
