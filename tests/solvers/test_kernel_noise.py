"""The noise of Helmholtz EPT in closed form, against noise that is drawn, and against a sum by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mrrepro.constants import SPEED_OF_LIGHT, VACUUM_PERMEABILITY
from mrrepro.solvers.helmholtz_ept import helmholtz_ept
from mrrepro.solvers.kernel_noise import conductivity_noise, noise_amplification, permittivity_noise
from mrrepro.solvers.laplacian_kernels import (
    LaplacianKernel,
    axis_noise_robust,
    savitzky_golay_cuboid,
    savitzky_golay_ellipsoid,
    smoothed_noise_robust,
)

FREQUENCY = 128e6
KERNELS = (axis_noise_robust, smoothed_noise_robust, savitzky_golay_ellipsoid, savitzky_golay_cuboid)


def test_the_seven_point_laplacian_by_hand() -> None:
    weights = np.zeros((3, 3, 3))
    weights[1, 1, :] += [1.0, -2.0, 1.0]
    weights[1, :, 1] += [1.0, -2.0, 1.0]
    weights[:, 1, 1] += [1.0, -2.0, 1.0]
    kernel = LaplacianKernel("seven points", weights / 0.01**2, (0.01,) * 3)
    assert noise_amplification(kernel) == pytest.approx(math.sqrt(6.0 + 36.0) * 1e4, rel=1e-12)


@pytest.mark.parametrize("make", KERNELS, ids=lambda make: make.__name__)
def test_against_drawn_noise(make) -> None:  # type: ignore[no-untyped-def]
    """A field of ones has no Laplacian: what is reconstructed is noise. 100 000 voxels give its SD to 1 %, correlated.

    The noise is small, so that the division by a noisy field is of second order (1e-4 relative).
    """
    kernel = make((0.003, 0.003, 0.004))
    rng = np.random.default_rng(5)
    phase_sd, relative_sd = 1e-4, 3e-4
    shape = (64, 64, 40)
    field = (1.0 + relative_sd * rng.normal(size=shape)) * np.exp(1j * phase_sd * rng.normal(size=shape))
    maps = helmholtz_ept(torch.as_tensor(field), FREQUENCY, kernel, torch.ones(shape, dtype=torch.bool))
    assert maps.relative_permittivity is not None
    sigma, eps = maps.conductivity[maps.valid].std(), maps.relative_permittivity[maps.valid].std()
    assert conductivity_noise(kernel, FREQUENCY, phase_sd) == pytest.approx(float(sigma), rel=0.03)
    assert permittivity_noise(kernel, FREQUENCY, relative_sd) == pytest.approx(float(eps), rel=0.03)


def test_ratio_of_the_two_noises() -> None:
    """Equal noise on phase and magnitude gives ``sd(sigma) = omega eps_0 sd(eps_r)``."""
    kernel = savitzky_golay_cuboid((0.002,) * 3)
    ratio = conductivity_noise(kernel, FREQUENCY, 0.01) / permittivity_noise(kernel, FREQUENCY, 0.01)
    assert ratio == pytest.approx(2.0 * math.pi * FREQUENCY / (VACUUM_PERMEABILITY * SPEED_OF_LIGHT**2), rel=1e-12)


def test_bad_input() -> None:
    kernel = savitzky_golay_cuboid((0.002,) * 3)
    with pytest.raises(ValueError, match="hertz"):
        conductivity_noise(kernel, 128.0, 0.01)
    with pytest.raises(ValueError, match="phase_sd"):
        conductivity_noise(kernel, FREQUENCY, 9.0)
    with pytest.raises(ValueError, match="relative_sd"):
        permittivity_noise(kernel, FREQUENCY, 90.0)
