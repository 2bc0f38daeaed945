"""From a user's |B1+|, transceive phase and mask to conductivity and permittivity: files in, files out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from mrrepro.papers.dl_ept.apply import Reconstruction, helmholtz_maps
from mrrepro.papers.dl_ept.apply_request import Request
from mrrepro.papers.dl_ept.measured_maps import MeasuredMaps, require_mask, unwrapped
from mrrepro.runs.nifti import Volume, encode_nifti, read_volume, require_nifti_name, same_place
from mrrepro.runs.outputs import applied_report, require_free, write_together

TILT_LIMIT = np.deg2rad(5.0)
"""Of slices that networks take for axial; the Laplacian is the same in any direction."""

DESCRIPTIONS = {
    "conductivity": "conductivity [S/m], NaN where undefined; mrrepro, no medical device",
    "relative_permittivity": "relative permittivity, NaN where undefined; mrrepro, no medical device",
}

NOTES = (
    "Undefined voxels, those that valid_voxels does not count, hold NaN in the maps.",
    "Half of the transceive phase is taken for the phase of B1+, which holds for a quadrature birdcage and an object "
    "near to symmetric.",
    "The axes of 'size' and 'voxel_mm' are right, anterior, superior, whatever the order in the files.",
)


def apply_to_files(request: Request) -> dict[str, Any]:
    """Reconstruct from files and write the maps on the grid of the first, with a JSON that says how they were made.

    Returns
    -------
    dict
        What the JSON holds.

    Raises
    ------
    ValueError
        If an input cannot be used or an output would be replaced; nothing is written then.
    """
    _require_outputs(request)
    volumes = read_on_one_grid(request.inputs)
    mask = binary_mask(volumes["mask"])
    measured, warnings = _measured(request, volumes, mask)
    if request.method == "network":
        from mrrepro.papers.dl_ept.network_maps import network_maps

        found = network_maps(request.networks, measured)
        tilt = volumes["phase"].tilt
        if tilt > TILT_LIMIT:
            warnings.append(
                f"The slices are tilted by {np.rad2deg(tilt):.0f} degrees; the networks take them for axial."
            )
    else:
        found = helmholtz_maps(measured, request.helmholtz)
    report = _report(request, volumes, measured, found, warnings)
    first, outputs = next(iter(volumes.values())), request.outputs()
    contents: dict[Path, bytes | dict[str, Any]] = {outputs["report"]: report}
    for quantity, values in found.maps.items():
        path = outputs[quantity]
        contents[path] = encode_nifti(path, first.in_file_order(values), first.file_placement, DESCRIPTIONS[quantity])
    write_together(contents)
    return report


def _require_outputs(request: Request) -> None:
    for name, path in request.inputs.items():
        require_nifti_name(name, path)
    if request.output.is_dir():
        require_free(list(request.outputs().values()), [*request.inputs.values(), *request.networks], request.force)
    elif request.output.exists():
        raise ValueError(f"output must be a folder, but {request.output} is a file.")
    elif not request.output.parent.is_dir():
        raise ValueError(
            f"output {request.output} lies in a folder that does not exist: make {request.output.parent} first."
        )


def read_on_one_grid(paths: Mapping[str, Path]) -> dict[str, Volume]:
    """Read NIfTI files that must share shape and place; NaN is left in them.

    Raises
    ------
    ValueError
        If a file cannot be used (see `mrrepro.runs.nifti.read_volume`) or lies elsewhere than the first.
    """
    volumes = {name: read_volume(path, finite=False) for name, path in paths.items()}
    first_name, first = next(iter(volumes.items()))
    for name, volume in volumes.items():
        if volume.data.shape != first.data.shape:
            raise ValueError(
                f"{first_name} and {name} must have one shape, but {first.path} has {first.file_shape} and "
                f"{volume.path} has {volume.file_shape}: resample one to the other."
            )
        if not same_place(first.affine, volume.affine):
            raise ValueError(
                f"{first_name} and {name} must lie on one grid, but the affines of {first.path} and {volume.path} "
                "differ: resample one to the other, or correct the affine."
            )
    return volumes


def binary_mask(volume: Volume) -> Bool[np.ndarray, "x y z"]:
    """Return a mask that holds 0 and one positive value, or the positive value alone.

    Raises
    ------
    ValueError
        If it holds other values, or no voxel.
    """
    values = np.unique(volume.data)
    inside = values[values != 0]
    if not np.isfinite(values).all() or len(inside) > 1 or (inside < 0).any():
        listed = ", ".join(f"{value:g}" for value in values[:4]) + (", ..." if len(values) > 4 else "")
        raise ValueError(
            f"mask must be binary, 0 and one positive value, but {volume.path} holds {listed}: write mask > 0, or "
            "choose a label."
        )
    mask: Bool[np.ndarray, "x y z"] = volume.data > 0
    require_mask(mask)
    return mask


def _measured(
    request: Request, volumes: Mapping[str, Volume], mask: Bool[np.ndarray, "x y z"]
) -> tuple[MeasuredMaps, list[str]]:
    """The checked maps, and what unwrapping leaves in doubt."""
    images: dict[str, Float[np.ndarray, "x y z"]] = {
        name: volume.data.astype(np.float64) for name, volume in volumes.items() if name != "mask"
    }
    sign = 1.0 if request.time_dependence == "positive" else -1.0
    phase, warnings = sign * images["phase"], []
    if request.unwrap:
        phase = unwrapped(phase, mask)
        parts = int(ndimage.label(mask)[1])
        if parts > 1:
            warnings.append(
                f"The mask has {parts} parts that do not touch; after unwrapping they may be whole turns apart, which "
                "matters where one kernel reads two of them."
            )
    voxel = volumes["mask"].voxel
    return (
        MeasuredMaps(images.get("magnitude"), phase, mask, voxel, request.frequency, images.get("tissue")),
        warnings,
    )


def _report(
    request: Request,
    volumes: Mapping[str, Volume],
    measured: MeasuredMaps,
    found: Reconstruction,
    warnings: list[str],
) -> dict[str, Any]:
    what, doubts = "electrical properties of tissue from B1 maps", [*warnings, *found.warnings]
    outputs = {quantity: path for quantity, path in request.outputs().items() if quantity in found.maps}
    return applied_report(what, request.inputs, outputs, doubts) | {
        "notes": list(NOTES),
        "frequency_hz": measured.frequency,
        "time_dependence": f"exp({'+' if request.time_dependence == 'positive' else '-'}i omega t)",
        "unwrapped": request.unwrap,
        "voxel_mm": [float(f"{edge * 1e3:.6g}") for edge in measured.voxel_size],
        "shape": list(next(iter(volumes.values())).file_shape),
        "reconstruction": dict(found.details),
        "mask_voxels": int(measured.mask.sum()),
        "valid_voxels": int(found.valid.sum()),
        "maps": {quantity: statistics(quantity, values[found.valid]) for quantity, values in found.maps.items()},
    }


def statistics(quantity: str, values: Float[np.ndarray, " voxels"]) -> dict[str, Any]:
    """Median, quartiles and the share of voxels below what any tissue has: 0 S/m, or 1."""
    lowest = 0.0 if quantity == "conductivity" else 1.0
    median, first, third = (float(f"{float(value):.5g}") for value in np.percentile(values, [50, 25, 75]))
    return {
        "unit": "S/m" if quantity == "conductivity" else "1",
        "median": median,
        "quartiles": [first, third],
        f"share_below_{lowest:g}": float(f"{float((values < lowest).mean()):.4g}"),
    }
