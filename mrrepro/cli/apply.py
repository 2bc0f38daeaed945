"""``mrrepro apply``: a chapter's method on somebody's own images, one command a chapter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mrrepro.cli.reporting import one_line_errors

app = typer.Typer(help="Apply a chapter's method to your own images. No medical device.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """Apply a chapter's method to your own images. No medical device."""


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


@app.command()
@one_line_errors
def condnet(
    t1_weighted: Annotated[Path, typer.Argument(help="T1-weighted image of a head, NIfTI, 3D, any orientation")],
    t2_weighted: Annotated[Path, typer.Argument(help="T2-weighted image of the same head in the same world, NIfTI")],
    output: Annotated[Path, typer.Option("--output", "-o", help="the map, .nii or .nii.gz; a .json goes beside it")],
    network: Annotated[Path | None, typer.Option(help="another file of three networks than the chapter's")] = None,
    force: Annotated[bool, typer.Option("--force", help="replace existing outputs")] = False,
) -> None:
    """Estimate the conductivity of a head in S/m, 1 mm voxels, without segmentation. No medical device."""
    from mrrepro.papers.condnet.own_images import Request, apply_to_files

    report = apply_to_files(Request(t1_weighted, t2_weighted, output, network, force))
    grid = report["grid"]
    typer.echo(
        f"The images were resampled to the networks' voxels of {grid['network_voxel_mm']:g} mm, the map to "
        f"{grid['voxel_mm']:g} mm, axes {grid['axes']}."
    )
    for warning in report["warnings"]:
        typer.echo(f"Warning: {warning}", err=True)
    shape = " x ".join(map(str, grid["shape"]))
    typer.echo(f"{output}: {shape} voxels, head of {report['head_volume_l']:g} l, "
               f"median {report['percentiles']['50']:g} S/m")  # fmt: skip
    typer.echo(report["no_medical_device"])


@app.command("dl_ept")
@one_line_errors
def dl_ept(
    phase: Annotated[Path, typer.Option(help="transceive phase in rad, NIfTI, unwrapped (or give --unwrap)")],
    mask: Annotated[Path, typer.Option(help="object, NIfTI of 0 and 1; nothing beyond it is read")],
    frequency: Annotated[float, typer.Option(help="of the scanner in Hz: 128e6, not 128")],
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for the maps and a report; made if missing")],
    magnitude: Annotated[
        Path | None, typer.Argument(help="|B1+| in any unit, NIfTI; without it, conductivity from the phase alone")
    ] = None,
    method: Annotated[str, typer.Option(help="helmholtz or network")] = "helmholtz",
    kernel: Annotated[
        str,
        typer.Option(
            help="of the Laplacian, from most noise to least: axis_noise_robust, savitzky_golay_ellipsoid, "
            "smoothed_noise_robust, savitzky_golay_cuboid"
        ),
    ] = "savitzky_golay_cuboid",
    size: Annotated[
        str, typer.Option(help="of the kernel, odd numbers of voxels along right, anterior, superior")
    ] = "7x7x5",
    boundaries: Annotated[
        str, typer.Option(help="where the kernel leaves the mask: leave undefined, or fit to what is inside")
    ] = "leave",
    time_dependence: Annotated[
        str,
        typer.Option(help="that the phase belongs to: positive, exp(+i w t), as in EPTlib; or negative, exp(-i w t)"),
    ] = "positive",
    unwrap: Annotated[bool, typer.Option("--unwrap", help="unwrap the phase first (scikit-image)")] = False,
    network: Annotated[
        list[Path] | None, typer.Option(help="another network file than the chapter's; again for the other quantity")
    ] = None,
    tissue: Annotated[
        Path | None, typer.Option(help="image with tissue contrast, NIfTI, for networks that take one")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="replace existing outputs")] = False,
) -> None:
    """Map conductivity and permittivity from |B1+| and transceive phase. No medical device."""
    from mrrepro.papers.dl_ept.apply import HelmholtzChoice
    from mrrepro.papers.dl_ept.apply_request import Request, kernel_size
    from mrrepro.papers.dl_ept.own_maps import apply_to_files

    choice = HelmholtzChoice(kernel, kernel_size(size), boundaries)
    networks = tuple(network or ())
    report = apply_to_files(
        Request(
            magnitude, phase, mask, output, frequency, method, choice, networks, tissue, unwrap, time_dependence, force
        )
    )
    voxel = " x ".join(f"{edge:g}" for edge in report["voxel_mm"])
    typer.echo(
        f"{report['valid_voxels']} of {report['mask_voxels']} voxels of the mask, {voxel} mm; NaN in the others."
    )
    for warning in report["warnings"]:
        typer.echo(f"Warning: {warning}", err=True)
    for quantity, found in report["maps"].items():
        unit = "" if found["unit"] == "1" else f" {found['unit']}"
        quartiles = " and ".join(f"{value:.4g}" for value in found["quartiles"])
        path = output / report["outputs"][quantity]
        typer.echo(f"{path}: median {found['median']:.4g}{unit}, quartiles {quartiles}")
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
