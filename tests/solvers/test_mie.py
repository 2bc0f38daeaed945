import math

import numpy as np
import pytest
from scipy.special import spherical_jn, spherical_yn

from mrrepro.constants import SPEED_OF_LIGHT, VACUUM_PERMITTIVITY
from mrrepro.solvers.mie import PlaneWaveOnSphere

HEAD = PlaneWaveOnSphere(0.08, 78.0, 0.6, 128e6)


def test_without_contrast_the_wave_passes():
    sphere = PlaneWaveOnSphere(0.08, 1.0, 0.0, 128e6)
    points = np.random.default_rng(0).normal(size=(3, 9)) * 0.03
    for found, expected in zip(sphere.internal(points), sphere.incident(points), strict=True):
        assert np.abs(found - expected).max() < 1e-12 * np.abs(expected).max()


def test_small_sphere_is_electrostatic():
    sphere = PlaneWaveOnSphere(0.001, 4.0, 0.0, 1e6)
    electric, _ = sphere.internal(np.array([[0.0002], [0.0003], [-0.0001]]))
    assert np.allclose(electric[:, 0], [3.0 / 6.0, 0.0, 0.0], atol=1e-4)


def test_field_obeys_maxwell_inside():
    centre, step = np.array([0.02, -0.03, 0.025]), 1e-4
    shifts = step * np.eye(3)
    points = np.concatenate([centre + shifts, centre - shifts, centre[None]]).T
    electric, magnetic = HEAD.internal(points)
    omega = 2 * math.pi * HEAD.frequency

    def curl(field):
        slope = (field[:, :3] - field[:, 3:6]) / (2 * step)  # component, direction
        return np.array([slope[2, 1] - slope[1, 2], slope[0, 2] - slope[2, 0], slope[1, 0] - slope[0, 1]])

    permittivity = 78.0 - 0.6j / (omega * VACUUM_PERMITTIVITY)
    assert np.allclose(curl(electric), -1j * omega * magnetic[:, 6], rtol=1e-5)
    assert np.allclose(curl(magnetic), 1j * omega * permittivity / SPEED_OF_LIGHT**2 * electric[:, 6], rtol=1e-5)


def test_absorbed_power_is_extinguished_less_scattered():
    # the right side by the external coefficients (Bohren and Huffman 4.53), which the module does not use
    size, index = HEAD.wavenumber * HEAD.radius, HEAD.refractive_index
    extinction = scattering = 0.0
    for n in range(1, 12):
        j, j1 = spherical_jn(n, size), spherical_jn(n, index * size)
        psi, psi1 = size * j, index * size * j1
        dpsi = j + size * spherical_jn(n, size, derivative=True)
        dpsi1 = j1 + index * size * spherical_jn(n, index * size, derivative=True)
        xi = psi + 1j * size * spherical_yn(n, size)
        dxi = dpsi + 1j * (spherical_yn(n, size) + size * spherical_yn(n, size, derivative=True))
        a = (index * psi1 * dpsi - psi * dpsi1) / (index * psi1 * dxi - xi * dpsi1)
        b = (psi1 * dpsi - index * psi * dpsi1) / (psi1 * dxi - index * xi * dpsi1)
        extinction += (2 * n + 1) * (a + b).real
        scattering += (2 * n + 1) * (abs(a) ** 2 + abs(b) ** 2)
    area = 2 * math.pi / HEAD.wavenumber**2 * (extinction - scattering)
    expected = area * 0.5 * VACUUM_PERMITTIVITY * SPEED_OF_LIGHT

    nodes, weights = np.polynomial.legendre.leggauss(20)
    radius = 0.5 * HEAD.radius * (nodes + 1)
    azimuth = np.arange(16) * math.pi / 8
    r, c, p = np.meshgrid(radius, nodes, azimuth, indexing="ij")
    s = np.sqrt(1 - c**2)
    electric, _ = HEAD.internal(np.stack([r * s * np.cos(p), r * s * np.sin(p), r * c]))
    density = 0.5 * 0.6 * np.sum(np.abs(electric) ** 2, axis=0) * r**2
    absorbed = np.einsum("rcp,r,c->", density, 0.5 * HEAD.radius * weights, weights) * math.pi / 8
    assert absorbed == pytest.approx(expected, rel=1e-9)
