"""``mrrepro simulate``: a chapter's images of objects of one's own, one command a chapter."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from mrrepro.cli.reporting import one_line_errors

app = typer.Typer(help="Simulate a chapter's images of objects of your own.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """Simulate a chapter's images of objects of your own."""


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


@app.command("dl_ept")
@one_line_errors
def dl_ept(
    output: Annotated[Path, typer.Option("--output", "-o", help="prefix of the five files")],
    voxel_size_mm: Annotated[float, typer.Option(help="edge of the cubic voxels")] = 4.0,
    conductivity: Annotated[float, typer.Option(help="of the cylinder, S/m")] = 0.88,
    permittivity: Annotated[float, typer.Option(help="relative, of the cylinder")] = 80.0,
    diameter_mm: Annotated[float, typer.Option(help="of the cylinder")] = 120.0,
    length_mm: Annotated[float, typer.Option(help="of the cylinder, along z")] = 120.0,
    frequency: Annotated[float, typer.Option(help="Hz")] = 128e6,
    snr: Annotated[float, typer.Option(help="mean magnitude over its noise; the article has 90")] = math.inf,
    phase_noise_mrad: Annotated[float, typer.Option(help="of the transceive phase; the article has 9")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="of the noise")] = 0,
    force: Annotated[bool, typer.Option("--force", help="replace existing outputs")] = False,
) -> None:
    """Make |B1+|, transceive phase, mask and true properties of a homogeneous cylinder in the birdcage."""
    from mrrepro.papers.dl_ept.own_bodies import Measurement, cylinder_body, simulate_to_files
    from mrrepro.papers.dl_ept.own_maps import NO_MEDICAL_DEVICE
    from mrrepro.phantoms.cylinders import Cylinder

    cylinder = Cylinder(1, conductivity, permittivity, diameter_mm * 1e-3, length_mm * 1e-3)
    body = cylinder_body(cylinder, voxel_size_mm * 1e-3, frequency)
    for path in simulate_to_files(body, output, Measurement(snr, phase_noise_mrad * 1e-3, seed), force):
        typer.echo(str(path))
    typer.echo(f"Simulated maps. {NO_MEDICAL_DEVICE}")
