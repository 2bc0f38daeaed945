"""``mrrepro ship``: remake the trained network that comes with a chapter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mrrepro.cli.reporting import one_line_errors, size_in_words


@one_line_errors
def ship(
    chapter: Annotated[str, typer.Argument(help="a chapter")],
    output: Annotated[Path | None, typer.Option(help="the file; by default that of the package, replaced")] = None,
    training: Annotated[
        Path | None, typer.Option(help="folder of a finished training; else it is found among the artifacts or made")
    ] = None,
    artifacts: Annotated[
        Path | None, typer.Option(help="folder for results; else MRREPRO_ARTIFACTS, else the cache")
    ] = None,
) -> None:
    """Make the small trained network that comes with a chapter, with its receipt."""
    from mrrepro.cli.papers import paper_module

    shipped = paper_module(chapter, "shipped")
    if shipped is None:
        raise ValueError(f"Chapter {chapter} ships no network.")
    path: Path = shipped.ship(output, training, artifacts)
    typer.echo(f"{path}  {size_in_words(path.stat().st_size)}")
