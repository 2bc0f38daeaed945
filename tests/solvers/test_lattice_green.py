import numpy as np
import pytest
import torch

from mrrepro.solvers.lattice_green import helmholtz_lattice_green, periodic_spectrum, static_lattice_green


def _laplacian(kernel: np.ndarray) -> np.ndarray:
    """Seven-point Laplacian at the indices 0 to length - 2, the kernel being even."""
    even = np.pad(kernel, ((1, 0),) * 3, mode="reflect")
    inner = even[1:-1, 1:-1, 1:-1]
    neighbours = (
        even[2:, 1:-1, 1:-1] + even[:-2, 1:-1, 1:-1] + even[1:-1, 2:, 1:-1] + even[1:-1, :-2, 1:-1]
        + even[1:-1, 1:-1, 2:] + even[1:-1, 1:-1, :-2]
    )  # fmt: skip
    return neighbours - 6.0 * inner


def test_kernel_inverts_the_seven_point_laplacian():
    residual = -_laplacian(static_lattice_green((17, 17, 17)))
    residual[0, 0, 0] -= 1.0
    assert np.abs(residual).max() < 1e-13


def test_origin_is_watsons_constant():
    # Watson's third integral, in the closed form of Glasser and Zucker: W = sqrt(6) / (32 pi^3) times four gammas, and
    # the kernel at the origin is W / 6 for the Laplacian whose diagonal is 6
    from scipy.special import gamma

    watson = np.sqrt(6.0) / (32.0 * np.pi**3) * gamma(1 / 24) * gamma(5 / 24) * gamma(7 / 24) * gamma(11 / 24)
    assert static_lattice_green((1, 1, 1))[0, 0, 0] == pytest.approx(watson / 6.0, abs=1e-14)


def test_asymptotic_expansion_joins_the_integral():
    kernel = static_lattice_green((21, 21, 21))
    # the expansion leaves out terms of relative order R^-4; a wrong factor in the R^-2 term would leave 1e-3 here
    residual = _laplacian(kernel)[14:, 14:, 14:]
    assert np.abs(residual).max() < 3e-7
    line = static_lattice_green((40, 1, 1))[:, 0, 0]
    index = np.arange(17, 40)
    assert np.allclose(line[17:] * 4 * np.pi * index, 1.0 + 0.25 / index**2, rtol=2e-5)


def test_helmholtz_kernel_adds_the_sampled_wave():
    step, k = 0.005, 2.7
    kernel = helmholtz_lattice_green((4, 3, 3), step, k)
    distance = step * np.sqrt(1 + 4 + 4)
    expected = static_lattice_green((4, 3, 3))[1, 2, 2] / step + (np.exp(-1j * k * distance) - 1) / (
        4 * np.pi * distance
    )
    assert kernel[1, 2, 2] == pytest.approx(expected, rel=1e-12)
    assert kernel[0, 0, 0].imag == pytest.approx(-k / (4 * np.pi), rel=1e-12)


def test_periodic_spectrum_is_that_of_the_even_extension():
    kernel = torch.as_tensor(helmholtz_lattice_green((3, 4, 3), 0.01, 3.0))
    spectrum = periodic_spectrum(kernel, (4, 6, 4))
    back = torch.fft.ifftn(spectrum)
    assert torch.allclose(back[3, 5, 1], kernel[1, 1, 1])
    assert torch.allclose(back[2, 3, 2], kernel[2, 3, 2])
