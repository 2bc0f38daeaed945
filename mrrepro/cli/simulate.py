"""``mrrepro simulate``: a chapter's images, of objects of one's own or of those that the chapter draws."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from mrrepro.cli.reporting import one_line_errors

app = typer.Typer(
    help="Simulate a chapter's images, of objects of your own or of those that it draws.", no_args_is_help=True
)


@app.callback()
def main() -> None:
    """Simulate a chapter's images, of objects of your own or of those that it draws."""


@app.command()
@one_line_errors
def deepspio(
    output: Annotated[Path, typer.Option("--output", "-o", help="prefix of the files")],
    concentration: Annotated[
        Path | None, typer.Option(help="3D map of iron in ug/mm^3, NIfTI; its middle slab is imaged")
    ] = None,
    image: Annotated[Path | None, typer.Option(help="undistorted image on the same grid, NIfTI")] = None,
    seed: Annotated[int | None, typer.Option(help="of a random sample, without the two; 0 by default")] = None,
    sample_number: Annotated[int | None, typer.Option(help="which sample of the seed; 0 by default")] = None,
    force: Annotated[bool, typer.Option("--force", help="replace existing outputs")] = False,
) -> None:
    """Make View Line images, PREFIX_even.nii.gz and PREFIX_odd.nii.gz, of a concentration map or of random iron."""
    from mrrepro.papers.deepspio.own_maps import simulate_to_files
    from mrrepro.papers.deepspio.own_sample import SampleRequest, simulate_sample_to_files
    from mrrepro.runs.outputs import NO_MEDICAL_DEVICE

    written: tuple[Path, ...]
    if concentration is not None and image is not None:
        if seed is not None or sample_number is not None:
            raise ValueError("--seed and --sample-number choose a random sample: leave them out with --concentration.")
        written = simulate_to_files(concentration, image, output, force)
    elif concentration is None and image is None:
        written = simulate_sample_to_files(SampleRequest(output, seed or 0, sample_number or 0, force))
    else:
        lacking = "--image" if image is None else "--concentration"
        raise ValueError(f"{lacking} is missing: give both files, or neither for a random sample.")
    for path in written:
        typer.echo(str(path))
    typer.echo(f"Simulated images. {NO_MEDICAL_DEVICE}")


@app.command("condnet_head")
@one_line_errors
def condnet_head(
    output: Annotated[Path, typer.Option("--output", "-o", help="prefix of the four files")],
    head: Annotated[str, typer.Option(help="mni152, folded, or a folder or file of label maps")] = "mni152",
    head_number: Annotated[int, typer.Option(help="which head")] = 0,
    voxel_size_mm: Annotated[float, typer.Option(help="edge of the cubic voxels")] = 2.0,
    column: Annotated[str, typer.Option(help="of Table I, A or B, for the conductivity")] = "A",
    snr: Annotated[float, typer.Option(help="signal of white matter over the noise")] = 30.0,
    seed: Annotated[int, typer.Option(help="of noise and bias field")] = 0,
    force: Annotated[bool, typer.Option("--force", help="replace existing outputs")] = False,
) -> None:
    """Make T1- and T2-weighted images, tissue labels and true conductivity of a head, for `apply` and `simulate`."""
    from mrrepro.papers.condnet.own_heads import HeadRequest, simulate_head_to_files
    from mrrepro.runs.outputs import NO_MEDICAL_DEVICE

    for path in simulate_head_to_files(HeadRequest(output, head, head_number, voxel_size_mm, snr, seed, column, force)):
        typer.echo(str(path))
    typer.echo(f"Simulated head. {NO_MEDICAL_DEVICE}")


@app.command("contrast_t1")
@one_line_errors
def contrast_t1(
    output: Annotated[Path, typer.Option("--output", "-o", help="folder; one folder a patient goes into it")],
    patients: Annotated[int, typer.Option(help="how many")] = 1,
    first: Annotated[int, typer.Option(help="number of the first; patients of odd number enhance")] = 0,
    voxel_mm: Annotated[int, typer.Option(help="edge of the cubic voxels: 1, 2, 4 or 8")] = 4,
    seed: Annotated[int, typer.Option(help="of all patients")] = 0,
    force: Annotated[bool, typer.Option("--force", help="replace existing outputs")] = False,
) -> None:
    """Make T1, T2, FLAIR, post-contrast T1, tumor labels and brain mask of glioma patients, and a table of them."""
    from mrrepro.papers.contrast_t1.own_patients import TABLE, PatientsRequest, simulate_to_folder
    from mrrepro.runs.outputs import NO_MEDICAL_DEVICE

    for path in simulate_to_folder(PatientsRequest(output, patients, first, voxel_mm, seed, force)):
        typer.echo(str(path))
    typer.echo(f"{output / TABLE}\nSimulated patients. {NO_MEDICAL_DEVICE}")


@app.command()
@one_line_errors
def condnet(
    conductivity: Annotated[Path, typer.Option(help="map in S/m, 0 in air, cubic voxels, NIfTI, 3D")],
    output: Annotated[Path, typer.Option("--output", "-o", help="the field, .nii or .nii.gz; a .csv goes beside it")],
    labels: Annotated[
        Path | None, typer.Option(help="tissue labels 0 to 13 on the same grid, NIfTI; needed for --position")
    ] = None,
    position: Annotated[str, typer.Option(help="place of the coil in the 10-10 system")] = "C3",
    scalp_point: Annotated[
        str | None, typer.Option(help="world position below the coil in mm, X,Y,Z, in place of --position")
    ] = None,
    gap_mm: Annotated[float, typer.Option(help="from the scalp to the plane of the wires")] = 10.0,
    angle_deg: Annotated[
        float, typer.Option(help="of the current from anterior, anticlockwise seen from outside")
    ] = -45.0,
    peak_current: Annotated[float, typer.Option(help="of the pulse, in A")] = 5e3,
    frequency: Annotated[float, typer.Option(help="of the pulse, in Hz")] = 10e3,
    force: Annotated[bool, typer.Option("--force", help="replace existing outputs")] = False,
) -> None:
    """Electric field in V/m that a figure-of-eight coil induces in a head, with percentiles for each label."""
    from mrrepro.papers.condnet.own_conductivity import FieldRequest, simulate_to_files
    from mrrepro.papers.condnet.settings import StimulationSettings
    from mrrepro.runs.outputs import NO_MEDICAL_DEVICE
    from mrrepro.runs.settings import check_settings

    stimulation = StimulationSettings(position, gap_mm, angle_deg, peak_current=peak_current, frequency=frequency)
    check_settings(stimulation)
    point = None
    if scalp_point is not None:
        x, y, z = _three_numbers(scalp_point)
        point = (x, y, z)
    report = simulate_to_files(FieldRequest(conductivity, output, labels, point, stimulation, force))
    if not report["converged"]:
        typer.echo(
            f"Warning: the solver stopped ({report['reason']}) after {report['cycles']} cycles at a residual of "
            f"{report['true_residual']:.1e}: do not use the field.",
            err=True,
        )
    head = report["rows"][0]
    centre = ", ".join(f"{place:g}" for place in report["coil_centre_mm"])
    typer.echo(
        f"{output} and {report['table']}: coil at ({centre}) mm, 99th percentile {head['p99']:g} V/m in the head, "
        f"{report['cycles']} cycles, residual {report['true_residual']:.1e}"
    )
    typer.echo(f"Simulated field. {NO_MEDICAL_DEVICE}")


def _three_numbers(text: str) -> list[float]:
    """Read ``X,Y,Z``."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) != 3:
        raise ValueError(f"--scalp-point must be three numbers in mm with commas, like -60,-10,70, but is {text!r}.")
    return found


@app.command("dl_ept")
@one_line_errors
def dl_ept(
    output: Annotated[Path, typer.Option("--output", "-o", help="prefix of the five files")],
    voxel_size_mm: Annotated[float, typer.Option(help="edge of the cubic voxels")] = 4.0,
    conductivity: Annotated[float | None, typer.Option(help="of the cylinder, S/m; 0.88 by default")] = None,
    permittivity: Annotated[float | None, typer.Option(help="relative, of the cylinder; 80 by default")] = None,
    diameter_mm: Annotated[float | None, typer.Option(help="of the cylinder; 120 by default")] = None,
    length_mm: Annotated[float | None, typer.Option(help="of the cylinder, along z; 120 by default")] = None,
    head: Annotated[
        str | None, typer.Option(help="a head instead: mni152, folded, or a folder or file of label maps")
    ] = None,
    head_number: Annotated[int | None, typer.Option(help="which head; 0 by default")] = None,
    frequency: Annotated[float, typer.Option(help="Hz")] = 128e6,
    snr: Annotated[float, typer.Option(help="mean magnitude over its noise; the article has 90")] = math.inf,
    phase_noise_mrad: Annotated[float, typer.Option(help="of the transceive phase; the article has 9 of phi+")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="of the noise")] = 0,
    force: Annotated[bool, typer.Option("--force", help="replace existing outputs")] = False,
) -> None:
    """Make |B1+|, transceive phase, mask and true properties of a cylinder or a head in the birdcage."""
    from mrrepro.papers.dl_ept.own_bodies import MeasurementNoise, cylinder_body, head_body, simulate_to_files
    from mrrepro.phantoms.cylinders import Cylinder
    from mrrepro.runs.outputs import NO_MEDICAL_DEVICE

    noise = MeasurementNoise(snr, phase_noise_mrad * 1e-3, seed)
    of_cylinder = {
        "conductivity": conductivity,
        "relative_permittivity": permittivity,
        "diameter": diameter_mm and diameter_mm * 1e-3,
        "length": length_mm and length_mm * 1e-3,
    }
    chosen = {name: value for name, value in of_cylinder.items() if value is not None}
    if head is None:
        if head_number is not None:
            raise ValueError("A number of a head is given, but no head: give --head too.")
        cylinder = Cylinder(1, **{"conductivity": 0.88, "relative_permittivity": 80.0, **chosen})
        body = cylinder_body(cylinder, voxel_size_mm * 1e-3, frequency)
    else:
        if chosen:
            raise ValueError(
                f"A head has properties and a size of its own: leave out the cylinder's {', '.join(chosen)}."
            )
        body = head_body(head, head_number or 0, voxel_size_mm * 1e-3, frequency)
    for path in simulate_to_files(body, output, noise, force):
        typer.echo(str(path))
    typer.echo(f"Simulated maps. {NO_MEDICAL_DEVICE}")
