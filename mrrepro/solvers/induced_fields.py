"""Electric fields that changing magnetic fields induce in a head of given conductivity: many sources in one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32
from scipy import ndimage

from mrrepro.solvers.potential_multigrid import PotentialResult, Tolerances, solve_potential
from mrrepro.solvers.potential_sources import (
    VectorField,
    check_affine,
    edge_line_integrals,
    electric_field,
    induced_source,
    to_world,
)
from mrrepro.solvers.potential_system import build_system
from mrrepro.validation import require_range, require_shape


@dataclass(frozen=True)
class InducedField:
    """The field of one source and how well its potential was solved.

    Parameters
    ----------
    field : Float32[ndarray, "n0 n1 n2 3"]
        E [V/m] along the world's axes in each voxel; zero in air.
    result : PotentialResult
        The solver's record: whether it converged, cycles, true residual.
    """

    field: Float32[np.ndarray, "n0 n1 n2 3"]
    result: PotentialResult


def induced_fields(
    conductivity: Float[np.ndarray, "n0 n1 n2"],
    affine: Float[np.ndarray, "4 4"],
    rates: Iterable[VectorField],
    tolerances: Tolerances | None = None,
) -> Iterator[InducedField]:
    """Solve for E = -grad psi - dA/dt of each source, one after another, in one conductor.

    Parameters
    ----------
    conductivity : Float[ndarray, "n0 n1 n2"]
        [S/m], zero in air.
    affine : Float[ndarray, "4 4"]
        From voxel index to world [m]: cubic voxels, no shear.
    rates : iterable of VectorField
        dA/dt [V/m] of each source at world points, for instance ``coil.vector_potential`` times dI/dt.
    tolerances : Tolerances, optional
        Of the solver.

    Yields
    ------
    InducedField
        One for each source, in order; the conductor's hierarchy is built once.

    Raises
    ------
    ValueError
        For conductivity that is negative or not finite, an affine with shear or unequal edges, a source that is not
        finite in the head.
    """
    affine = np.asarray(affine, dtype=np.float64)
    require_shape("affine", affine, (4, 4))
    voxel_size = float(np.linalg.norm(affine[:3, 0]))
    check_affine(affine, voxel_size)
    system = build_system(conductivity, voxel_size)
    for rate in rates:
        integrals = edge_line_integrals(system, rate, affine)
        result = solve_potential(system, [induced_source(system, integrals)], tolerances)[0]
        yield InducedField(to_world(electric_field(system, result.potential, integrals), affine), result)


def one_conductor(
    conductivity: Float[np.ndarray, "n0 n1 n2"], air_below: float
) -> tuple[Float32[np.ndarray, "n0 n1 n2"], Bool[np.ndarray, "n0 n1 n2"]]:
    """Set to air what conducts less than a threshold or is not joined to the largest conductor by voxel faces.

    An estimated conductivity is never exactly zero in air; the solver needs it to be.

    Parameters
    ----------
    conductivity : Float[ndarray, "n0 n1 n2"]
        [S/m]; a NaN counts as air.
    air_below : float
        Threshold [S/m], positive.

    Returns
    -------
    conductivity : Float32[ndarray, "n0 n1 n2"]
        Zero outside of the conductor, unchanged inside.
    head : Bool[ndarray, "n0 n1 n2"]
        The conductor.

    Raises
    ------
    ValueError
        If no voxel reaches the threshold.
    """
    require_range("air_below", air_below, 0.0, low_open=True, unit="S/m")
    labels, count = ndimage.label(np.asarray(conductivity) >= air_below)
    if count == 0:
        raise ValueError(f"conductivity must reach {air_below:g} S/m somewhere, but its largest value is "
                         f"{float(np.max(conductivity)):g}: all of the volume would be air.")  # fmt: skip
    sizes = np.bincount(labels.ravel())
    head = labels == 1 + int(np.argmax(sizes[1:]))
    return np.where(head, conductivity, 0.0).astype(np.float32), head
