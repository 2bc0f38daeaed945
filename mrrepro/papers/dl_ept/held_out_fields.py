"""Fields of two held-out bodies, phantom 42 and the test head, for the pages that explain rather than train.

Both are solved from nothing, as the first case of a shape in the database is, so that neither page has to wait for 62
simulations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Complex, Float

from mrrepro.papers.dl_ept.cases import FIRST, TEST_HEAD, TEST_PHANTOMS, Case
from mrrepro.papers.dl_ept.database import ANATOMIES, DatabaseSelection, read_head
from mrrepro.papers.dl_ept.settings import BodySettings, DlEptSettings, SimulationSettings
from mrrepro.papers.dl_ept.simulation import Arrays, body_of, simulate_case
from mrrepro.phantoms.cylinders import cylinder_phantoms
from mrrepro.phantoms.head import Head
from mrrepro.runs.files import write_arrays, write_json
from mrrepro.runs.stages import Stage, StageContext
from mrrepro.simulators.birdcage import incident_field
from mrrepro.simulators.rf_fields import receive_field
from mrrepro.solvers.volume_integral import radiate

PHANTOM = Case(f"phantom_{TEST_PHANTOMS[1]}", cylinder=cylinder_phantoms()[TEST_PHANTOMS[1] - 1])
HEAD = Case(TEST_HEAD, anatomy=FIRST)


def simulate_both_fields(
    case: Case, head: Head | None, bodies: BodySettings, simulation: SimulationSettings, device: str = "cpu"
) -> tuple[Arrays, dict[str, Any]]:
    """Return the maps of `simulate_case` and ``receive_magnitude``, |B1-| [T for 1 A in a rung], and the facts."""
    arrays, facts, electric = simulate_case(case, head, bodies, simulation, device=device)
    arrays["receive_magnitude"] = np.abs(receive_of(case, head, bodies, simulation, electric))
    return arrays, facts


def receive_of(
    case: Case,
    head: Head | None,
    bodies: BodySettings,
    simulation: SimulationSettings,
    electric: Complex[np.ndarray, "2 3 x y z"],
) -> Complex[np.ndarray, "x y z"]:
    """Return B1- [T] of the electric field that `simulate_case` found on the edges of the body."""
    body, _ = body_of(case, head, bodies, simulation)
    polarisation = torch.as_tensor(body.edge_contrast(), dtype=torch.complex64) * torch.as_tensor(electric)
    field = radiate(body, polarisation, incident_field(simulation.coil(), body.grid, simulation.frequency))
    found: Complex[np.ndarray, "x y z"] = receive_field(field.magnetic_flux[1]).numpy()
    return found


def _simulate(context: StageContext[DatabaseSelection]) -> None:
    selected = context.settings
    head = read_head(context.inputs[ANATOMIES.name], FIRST)
    for case, anatomy in context.progress(((PHANTOM, None), (HEAD, head)), description="simulations"):
        arrays, facts = simulate_both_fields(case, anatomy, selected.bodies, selected.simulation, context.device)
        write_arrays(context.workspace / f"{case.name}.npz", **arrays)
        write_json(context.workspace / f"{case.name}.json", facts)


def _select(settings: DlEptSettings) -> DatabaseSelection:
    return DatabaseSelection(settings.bodies, settings.simulation)


HELD_OUT_FIELDS = Stage("dl_ept/held_out_fields", _simulate, _select, inputs=(ANATOMIES,), seeded=False)


def half_transceive_error(case: Arrays) -> Float[np.ndarray, "x y z"]:
    """Return half the transceive phase less the phase of B1+ [rad], its mean in the body taken off; NaN outside.

    A constant is of no consequence to any Laplacian.
    """
    inside = case["labels"] > 0
    error = 0.5 * case["transceive_phase"] - case["transmit_phase"]
    found: Float[np.ndarray, "x y z"] = np.where(inside, error - error[inside].mean(), np.nan)
    return found
