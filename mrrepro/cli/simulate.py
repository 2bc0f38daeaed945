"""``mrrepro simulate``: a chapter's images of somebody's own objects, one command a chapter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mrrepro.cli.reporting import one_line_errors

app = typer.Typer(help="Simulate a chapter's images of your own objects.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """Simulate a chapter's images of your own objects."""


@app.command()
@one_line_errors
def deepspio(
    concentration: Annotated[Path, typer.Option(help="3D map of iron in ug/mm^3, NIfTI; its middle slab is imaged")],
    image: Annotated[Path, typer.Option(help="undistorted image on the same grid, NIfTI")],
    output: Annotated[Path, typer.Option("--output", "-o", help="prefix of the two files")],
    force: Annotated[bool, typer.Option("--force", help="replace existing outputs")] = False,
) -> None:
    """Make View Line images, PREFIX_even.nii.gz and PREFIX_odd.nii.gz, of a concentration map."""
    from mrrepro.papers.deepspio.own_maps import simulate_to_files
    from mrrepro.papers.deepspio.shipped import NO_MEDICAL_DEVICE

    for path in simulate_to_files(concentration, image, output, force):
        typer.echo(str(path))
    typer.echo(f"Simulated images. {NO_MEDICAL_DEVICE}")
