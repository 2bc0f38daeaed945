"""``mrrepro ship``: remake the trained network that comes with a chapter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mrrepro.cli.reporting import one_line_errors, size_in_words


@one_line_errors
def ship(
    chapter: Annotated[str, typer.Argument(help="a chapter")],
    output: Annotated[Path | None, typer.Option(help="file or folder; by default the package")] = None,
    artifacts: Annotated[
        Path | None, typer.Option(help="folder for results; else MRREPRO_ARTIFACTS, else the cache")
    ] = None,
) -> None:
    """Make the small trained networks that come with a chapter, training them where no artifact has them."""
    from mrrepro.cli.papers import paper_module

    shipped = paper_module(chapter, "shipped")
    if shipped is None:
        raise ValueError(f"Chapter {chapter} ships no network.")
    written = shipped.ship(output, artifacts)
    for path in [written] if isinstance(written, Path) else written:
        typer.echo(f"{path}  {size_in_words(path.stat().st_size)}")
