"""Two coaxial cylinders against Maxwell's equations by finite differences and against the single cylinder."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import jv

from mrrepro.constants import VACUUM_PERMEABILITY, VACUUM_PERMITTIVITY
from mrrepro.solvers.layered_cylinder import LayeredCylinder
from mrrepro.tissues import DielectricProperties

WHITE, FLUID = DielectricProperties(52.6, 0.34), DielectricProperties(84.0, 2.14)
CYLINDER = LayeredCylinder(boundary=0.03, inner=WHITE, outer=FLUID, frequency=128e6)


def squared_wavenumber(tissue: DielectricProperties) -> complex:
    omega = 2.0 * math.pi * 128e6
    return omega**2 * VACUUM_PERMEABILITY * VACUUM_PERMITTIVITY * tissue.relative_permittivity - (
        1j * omega * VACUUM_PERMEABILITY * tissue.conductivity
    )


def test_equal_layers_are_one_cylinder() -> None:
    radius = np.linspace(0.0, 0.08, 50)
    same = LayeredCylinder(0.03, WHITE, WHITE, 128e6)
    expected = jv(0, np.sqrt(squared_wavenumber(WHITE)) * radius)
    np.testing.assert_allclose(same.transmit(radius), expected, rtol=1e-12)


def test_against_an_integrator() -> None:
    """``E_z = f exp(j phi)`` obeys ``f'' + f' / rho - f / rho^2 + k^2 f = 0`` with f and f' continuous.

    B1+ is ``(f' + f / rho) / 2`` up to a constant. The integration starts at 0.1 mm, where f = rho to 1e-6.
    """
    start = 1e-4

    def slope(rho: float, state: np.ndarray) -> np.ndarray:
        square = squared_wavenumber(WHITE if rho <= 0.03 else FLUID)
        return np.array([state[1], -state[1] / rho + state[0] / rho**2 - square * state[0]])

    found = {0.0: 1.0 + 0j}
    state, options = np.array([start, 1.0], dtype=complex), {"rtol": 1e-10, "atol": 1e-14, "method": "DOP853"}
    for low, high in ((start, 0.015), (0.015, 0.03), (0.03, 0.045), (0.045, 0.06)):
        state = solve_ivp(lambda rho, y: slope(rho, y), (low, high - 1e-13), state, **options).y[:, -1]
        found[high] = 0.5 * (state[1] + state[0] / high)
    ours = CYLINDER.transmit(np.array(list(found)))
    np.testing.assert_allclose(ours, np.array(list(found.values())), rtol=1e-5)


def test_the_laplacian_jumps_with_the_properties() -> None:
    step = 1e-5
    for radius, tissue in ((0.02, WHITE), (0.04, FLUID)):
        low, middle, high = CYLINDER.transmit(np.array([radius - step, radius, radius + step]))
        second = (low - 2.0 * middle + high) / step**2 + (high - low) / (2.0 * step * radius)
        assert second / middle == pytest.approx(-squared_wavenumber(tissue), rel=1e-4)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="metres"):
        LayeredCylinder(30.0, WHITE, FLUID, 128e6)
    with pytest.raises(ValueError, match="hertz"):
        LayeredCylinder(0.03, WHITE, FLUID, 128.0)
    with pytest.raises(ValueError, match="conductivity of outer"):
        LayeredCylinder(0.03, WHITE, DielectricProperties(80.0, -1.0), 128e6)
    with pytest.raises(ValueError, match="at least 0"):
        CYLINDER.transmit(np.array([-0.01]))
