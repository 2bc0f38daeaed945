"""The command line: list, get, verify, where, cite. Exit codes: 0 fine, 1 something fell short, 2 wrong usage."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from data_fetch.datasets import SOURCES, source_of
from data_fetch.errors import FetchError, in_words
from data_fetch.records import Dataset, FileState
from data_fetch.registry import registered_files
from data_fetch.store import CACHE_VARIABLE, MIRROR_VARIABLE, Store

app = typer.Typer(help="Fetch and verify the public data sets.", no_args_is_help=True, add_completion=False)

CacheOption = Annotated[
    Path | None, typer.Option("--cache", help=f"Cache folder; by default {CACHE_VARIABLE}, else the platform's.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@contextmanager
def _told() -> Iterator[None]:
    """Turn failures into one message and an exit code."""
    try:
        yield
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    except FetchError as error:
        typer.echo(in_words(error), err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        what, why = error.filename or "a file", error.strerror or error
        typer.echo(f"{what} cannot be used ({why}): choose another folder with --cache or {CACHE_VARIABLE}.", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("interrupted; the next call goes on from here.", err=True)
        raise typer.Exit(1) from None


@app.command("list")
def list_command(as_json: JsonOption = False) -> None:
    """List the data sets: what, how large, under which licence, who may download."""
    records = [source.dataset for source in SOURCES.values()]
    if as_json:
        typer.echo(json.dumps([_facts(record) for record in records], indent=2))
        return
    rows = [
        (
            record.name,
            str(record.subject_count),
            _size(record.bytes_in_all),
            record.access,
            record.licence,
            record.title,
        )
        for record in records
    ]
    _print_table(("name", "subjects", "size", "access", "licence", "title"), rows)


@app.command()
def get(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Data sets.")],
    subjects: Annotated[
        list[str] | None, typer.Option("--subjects", "-s", help="Subjects, with commas or repeated; default: all.")
    ] = None,
    cache: CacheOption = None,
    connections: Annotated[int, typer.Option(help="Transfers at one time.")] = 4,
) -> None:
    """Download what is missing of data sets, verify it, and print where it lies."""
    with _told():
        store = Store.from_environment(cache, connections)
        sources = [source_of(name) for name in names]
        chosen = [part.strip() for given in subjects or [] for part in given.split(",") if part.strip()]
        for source in sources:
            for path in source.get(chosen, store, show_progress=True):
                typer.echo(str(path))


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Data sets; default: all.")] = None,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read every file that is here and compare it with its checksum; a wrong file is removed from the cache.

    The exit code is 1 when a file is wrong, or when nothing is here of a data set that was named.
    """
    with _told():
        store = Store.from_environment(cache)
        found = {name: source_of(name).states(store) for name in names or SOURCES}
        nothing = [name for name in names or [] if not _here(found[name])]
        if as_json:
            typer.echo(json.dumps({name: _counts(states) for name, states in found.items()}, indent=2))
        else:
            rows = [(name, *(str(value) for value in _counts(states).values())) for name, states in found.items()]
            _print_table(("name", "fine", "absent", "refused"), [tuple(row[:4]) for row in rows])
        for state in (state for states in found.values() for state in states if state.state == "refused"):
            typer.echo(state.message, err=True)
        for name in nothing:
            typer.echo(f"{name}: nothing of it is here.", err=True)
        if nothing or any(state.state == "refused" for states in found.values() for state in states):
            raise typer.Exit(1)


@app.command()
def where(
    name: Annotated[str | None, typer.Argument(help="A data set; without one, the folders.")] = None,
    cache: CacheOption = None,
) -> None:
    """Print the folders in which files are looked for, or the files of a data set that are here and right."""
    with _told():
        store = Store.from_environment(cache)
        if name is None:
            typer.echo(f"mirror: {store.mirror or f'none ({MIRROR_VARIABLE} is not set)'}")
            typer.echo(f"cache: {store.cache}")
            return
        for state in source_of(name).states(store):
            if state.state == "fine":
                typer.echo(str(state.path))


@app.command()
def cite(names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...")] = None) -> None:
    """Print what to cite for data sets, as BibTeX, each entry once."""
    with _told():
        entries = [entry for name in names or SOURCES for entry in source_of(name).dataset.citations]
        typer.echo("\n\n".join(dict.fromkeys(entries)))


def _facts(record: Dataset) -> dict[str, object]:
    return {
        "name": record.name,
        "title": record.title,
        "description": record.description,
        "subjects": record.subject_count,
        "bytes": record.bytes_in_all,
        "access": record.access,
        "page": record.page,
        "licence": record.licence,
        "formats": record.formats,
        "files_with_checksum": len(registered_files(record.name)),
        "unverified": record.unverified,
    }


def _here(states: list[FileState]) -> bool:
    return any(state.state != "absent" for state in states)


def _counts(states: list[FileState]) -> dict[str, object]:
    counts: dict[str, object] = {
        kind: sum(state.state == kind for state in states) for kind in ("fine", "absent", "refused")
    }
    counts["messages"] = [state.message for state in states if state.message]
    return counts


def _size(count: int | None) -> str:
    if count is None:
        return "not told"
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _print_table(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in (titles, *rows)) for column in range(len(titles))]
    for row in (titles, tuple("-" * width for width in widths), *rows):
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
