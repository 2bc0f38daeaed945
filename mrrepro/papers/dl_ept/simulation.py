"""One case: its body, its fields in the birdcage, and what is kept of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Complex, Float, UInt8
from scipy import ndimage
from torch import Tensor

from mrrepro.papers.dl_ept.cases import TUMOUR, TUMOUR_RADIUS, Case, varied_properties
from mrrepro.papers.dl_ept.settings import BodySettings, SimulationSettings
from mrrepro.papers.dl_ept.spin_echo import pseudo_spin_echo
from mrrepro.phantoms.dielectric_body import DielectricBody
from mrrepro.phantoms.head import Head
from mrrepro.phantoms.head_tissues import BRAIN_TISSUES
from mrrepro.simulators.birdcage import simulate_b1

CYLINDER_LABEL = 100
"""In ``labels``: the inside of a cylinder. A head has the index of each tissue in ``HEAD_TISSUES``."""

TUMOUR_LABEL = 101

Arrays = dict[str, np.ndarray[Any, Any]]


def body_of(
    case: Case, head: Head | None, bodies: BodySettings, simulation: SimulationSettings
) -> tuple[DielectricBody, UInt8[np.ndarray, "x y z"]]:
    """Return the body of a case and its labels on the same grid."""
    if case.cylinder is not None:
        body = case.cylinder.body(simulation.voxel_size, simulation.frequency)
        return body, np.where(body.conductivity > 0.0, CYLINDER_LABEL, 0).astype(np.uint8)
    if head is None:
        raise ValueError(f"head must be given for {case.name}, which is no cylinder.")
    labels = head.labels.copy()
    permittivity, conductivity = head.property_maps(varied_properties(case.property_set, bodies, simulation.frequency))
    if case.tumour:
        inside = head.sphere(tumour_centre(head), TUMOUR_RADIUS, (*BRAIN_TISSUES, "csf"))
        labels[inside] = TUMOUR_LABEL
        conductivity[inside], permittivity[inside] = TUMOUR.conductivity, TUMOUR.relative_permittivity
    return DielectricBody(head.grid, permittivity, conductivity, simulation.frequency), labels


def tumour_centre(head: Head) -> tuple[float, float, float]:
    """Return where the tumour sits [m]: the deepest white matter of the brain's right upper half.

    The article shows no coordinates.
    """
    depth = ndimage.distance_transform_edt(head.brain() | head.mask("csf"))
    x, _, z = head.grid.voxel_centres()
    white = head.mask("white_matter")
    allowed = white & (x > 0.02) & (z > 0.01)
    place = np.unravel_index(int(np.argmax(np.where(allowed if allowed.any() else white, depth, -1.0))), depth.shape)
    right, front, up = (float(axis[index]) for axis, index in zip(head.grid.voxel_axes(), place, strict=True))
    return right, front, up


def simulate_case(
    case: Case,
    head: Head | None,
    bodies: BodySettings,
    simulation: SimulationSettings,
    start: Complex[np.ndarray, "2 3 x y z"] | None = None,
    device: str = "cpu",
) -> tuple[Arrays, dict[str, Any], Complex[np.ndarray, "2 3 x y z"]]:
    """Return the maps of a case, facts about its solution, and its electric field on the edges.

    Parameters
    ----------
    case : Case
    head : Head or None
        The anatomy, where it is a head.
    bodies : BodySettings
    simulation : SimulationSettings
    start : ndarray, shape (2, 3, x, y, z), optional
        Electric field [V/m] of a body of the same shape with other properties, from which the solver starts.
    device : str

    Returns
    -------
    tuple
        ``magnitude`` [T for 1 A in a rung], ``transceive_phase`` and ``transmit_phase`` [rad], ``conductivity`` [S/m],
        ``relative_permittivity``, ``labels``, and ``spin_echo`` as of 3 and 1.5 T; facts; E in the body [V/m].

    Raises
    ------
    RuntimeError
        When the solver does not reach its tolerance.
    """
    body, labels = body_of(case, head, bodies, simulation)
    chi = torch.as_tensor(body.edge_contrast(), dtype=torch.complex64)
    guess = None if start is None else chi * torch.as_tensor(start)
    maps = simulate_b1(body, simulation.coil(), simulation.gmres(), start=guess, device=device)
    found = maps.scattering
    if not found.converged:
        raise RuntimeError(
            f"{case.name}: the solver ended at a relative residual of {max(found.relative_residual):.2g} "
            f"({found.status}), but {simulation.tolerance:g} is asked for: raise simulation.tolerance or take larger "
            "voxels."
        )
    polarisation = found.polarisation.cpu()
    inside = chi != 0
    electric = torch.where(inside, polarisation / torch.where(inside, chi, torch.ones_like(chi)), 0.0)
    mask = torch.as_tensor(labels > 0)
    transmit, receive = maps.transmit.cpu(), maps.receive.cpu()
    arrays = {
        "magnitude": transmit.abs().numpy(),
        "transceive_phase": _continuous_phase(transmit * receive, mask),
        "transmit_phase": _continuous_phase(transmit, mask),
        "conductivity": body.conductivity.astype(np.float32),
        "relative_permittivity": body.relative_permittivity.astype(np.float32),
        "labels": labels,
        "spin_echo": pseudo_spin_echo(labels, 3.0),
        "spin_echo_1_5t": pseudo_spin_echo(labels, 1.5),
    }
    facts = {
        "products": found.products,
        "relative_residual": max(found.relative_residual),
        "voxel_size": body.grid.voxel_size,
        "origin": list(body.grid.origin),
        "frequency": body.frequency,
        "head": case.is_head,
        "property_set": case.property_set,
    }
    return arrays, facts, electric.numpy()


def _continuous_phase(field: Complex[Tensor, "x y z"], mask: Bool[Tensor, "x y z"]) -> Float[np.ndarray, "x y z"]:
    """Return the phase within pi of that of the mean over the mask [rad]: no wraps inside a head at 3 T."""
    middle = torch.angle(field[mask].mean())
    phase: Float[np.ndarray, "x y z"] = (torch.angle(field * torch.polar(torch.ones(()), -middle)) + middle).numpy()
    return phase
