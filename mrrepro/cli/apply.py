"""``mrrepro apply``: a chapter's trained network on somebody's own images, one command a chapter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mrrepro.cli.reporting import one_line_errors

app = typer.Typer(help="Apply a chapter's trained network to your own images. No medical device.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """Apply a chapter's trained network to your own images. No medical device."""


@app.command()
@one_line_errors
def deepspio(
    even: Annotated[Path, typer.Argument(help="even lines, NIfTI; or an .npz with 'images' (2, x, z) or (n, 2, x, z)")],
    output: Annotated[Path, typer.Option("--output", "-o", help="the map, .nii or .nii.gz; a .json goes beside it")],
    odd: Annotated[Path | None, typer.Argument(help="odd lines, NIfTI; none with an .npz")] = None,
    network: Annotated[Path | None, typer.Option(help="another network file than the chapter's")] = None,
    field_of_view_mm: Annotated[
        float | None,
        typer.Option(help="of an .npz along z, by default that of the network (50); NIfTI has it in its affine"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="replace existing outputs")] = False,
) -> None:
    """Estimate a concentration map in ug/mm^3 from View Line magnitude images. No medical device."""
    from mrrepro.papers.deepspio.own_images import Request, apply_to_files

    report = apply_to_files(Request(even, odd, output, network, field_of_view_mm, force))
    grid = report["grid"]
    if grid["resampled_to_network"]:
        pixels = " x ".join(f"{edge:.4g}" for edge in grid["pixel_mm"])
        own = f"{grid['network_size']} x {grid['network_size']} of {grid['network_pixel_mm']:.4g} mm"
        typer.echo(
            f"The images ({grid['shape'][2]} x {grid['shape'][3]} pixels of {pixels} mm) were resampled to the "
            f"network's {own}, the map back."
        )
    for warning in report["warnings"]:
        typer.echo(f"Warning: {warning}", err=True)
    largest = ", ".join(f"{value:.3g}" for value in report["largest_by_slice"])
    typer.echo(f"{output}: {grid['shape'][0]} slice(s), largest value {largest} ug/mm^3")
    typer.echo(report["no_medical_device"])


@app.command("contrast_t1")
@one_line_errors
def contrast_t1(
    t1: Annotated[Path, typer.Argument(help="T1, NIfTI, skull stripped or with --mask")],
    t2: Annotated[Path, typer.Argument(help="T2 on the same grid")],
    flair: Annotated[Path, typer.Argument(help="T2-FLAIR on the same grid")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="the image, .nii or .nii.gz; '_synthetic' is put into its name")
    ],
    mask: Annotated[Path | None, typer.Option(help="brain mask on the same grid")] = None,
    network: Annotated[Path | None, typer.Option(help="another network file than the chapter's")] = None,
    force: Annotated[bool, typer.Option("--force", help="replace existing outputs")] = False,
) -> None:
    """Make a synthetic post-contrast T1 from T1, T2 and FLAIR. No medical device."""
    from mrrepro.papers.contrast_t1.own_images import Request, apply_to_files

    report = apply_to_files(Request(t1, t2, flair, output, mask, network, force))
    typer.echo(f"{report['path']}: synthetic, at the network's {report['network_voxel_mm']:g} mm, on the grid of T1")
    typer.echo(report["no_medical_device"])
