"""The transform against pywavelets, closed forms and its own invariants."""

import math

import numpy as np
import pytest
import pywt
import torch

from mrrepro.networks.wavelet import DB2, DB4, OrthogonalWavelet, analyse, synthesise, wavelet_named

WAVELETS = pytest.mark.parametrize("wavelet", [DB2, DB4], ids=lambda wavelet: wavelet.name)


def maps(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


@WAVELETS
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
@pytest.mark.parametrize("shape", [(2, 8, 8), (1, 24, 10), (2, 128, 128)])
def test_equals_pywavelets(wavelet, dtype, tolerance, shape):
    x = maps(*shape, dtype=dtype)
    approximation, details = pywt.dwt2(x.double().numpy(), wavelet.name, mode="periodization")
    expected = np.stack((approximation, *details), axis=1)
    found = analyse(x, wavelet)
    assert found.dtype == dtype
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found.double().numpy(), expected, rtol=0, atol=tolerance * scale)


@WAVELETS
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 1e-6)])
def test_round_trip_and_energy(wavelet, dtype, tolerance):
    x = maps(3, 32, 20, dtype=dtype)
    coefficients = analyse(x, wavelet)
    assert coefficients.shape == (3, 4, 16, 10)
    assert torch.linalg.norm(synthesise(coefficients, wavelet) - x) <= tolerance * torch.linalg.norm(x)
    assert abs(coefficients.square().sum() / x.square().sum() - 1) <= tolerance


@WAVELETS
def test_synthesis_is_the_adjoint(wavelet):
    x, y = maps(2, 16, 12), maps(2, 4, 8, 6).flip(0)
    forward, backward = (analyse(x, wavelet) * y).sum(), (x * synthesise(y, wavelet)).sum()
    assert abs(forward - backward) <= 1e-12 * abs(forward)


@WAVELETS
def test_gradients(wavelet):
    x = maps(1, 8, 10).requires_grad_()
    assert torch.autograd.gradcheck(lambda values: analyse(values, wavelet), (x,))
    y = maps(1, 4, 4, 5).requires_grad_()
    assert torch.autograd.gradcheck(lambda values: synthesise(values, wavelet), (y,))


def test_filters_against_closed_forms():
    root = math.sqrt(3)
    expected = [(1 + root), (3 + root), (3 - root), (1 - root)]
    np.testing.assert_allclose(DB2.scaling_filter, np.array(expected) / (4 * math.sqrt(2)), rtol=1e-15)
    for wavelet, moments in ((DB2, 2), (DB4, 4)):
        n = np.arange(wavelet.taps)
        for order in range(moments):  # the wavelet is orthogonal to polynomials below its number of moments
            assert abs(np.dot(n**order, wavelet.wavelet_filter)) < 1e-9


def test_channels_are_named_as_in_pywavelets():
    rows = torch.zeros(1, 16, 16, dtype=torch.float64)
    rows[:, ::2] = 1.0  # alternates along the height only
    energy = analyse(rows).square().sum(dim=(0, 2, 3))
    assert energy[1] > 1.0  # LH: horizontal detail
    assert energy[2] < 1e-20
    assert energy[3] < 1e-20


def test_constant_map():
    coefficients = analyse(torch.full((1, 16, 16), 3.0, dtype=torch.float64))
    torch.testing.assert_close(coefficients[:, 0], torch.full((1, 8, 8), 6.0, dtype=torch.float64))
    assert coefficients[:, 1:].abs().max() < 1e-12


def test_training_after_inference():
    """Filters that were first made without gradients are kept, and trained through all the same."""
    wavelet = OrthogonalWavelet("never used before", DB2.scaling_filter)
    x = maps(1, 8, 8)
    with torch.inference_mode():
        analyse(x, wavelet)
    analyse(x.requires_grad_(), wavelet).sum().backward()
    assert x.grad is not None


def test_autocast_keeps_precision():
    x = maps(1, 16, 16, dtype=torch.float32)
    expected = analyse(x)
    with torch.autocast("cpu", torch.bfloat16):
        found = synthesise(analyse(x))
        half = analyse(x.bfloat16())
    assert found.dtype == half.dtype == torch.float32
    torch.testing.assert_close(found, x, atol=1e-5, rtol=0)
    torch.testing.assert_close(half, expected, atol=0.05, rtol=0)


@pytest.mark.parametrize("shape", [(1, 15, 16), (1, 16, 9), (1, 6, 16), (16, 16), (1, 1, 16, 16)])
def test_refuses_maps(shape):
    with pytest.raises(ValueError, match="maps"):
        analyse(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(1, 3, 8, 8), (1, 4, 3, 8), (4, 8, 8)])
def test_refuses_coefficients(shape):
    with pytest.raises(ValueError, match="coefficients"):
        synthesise(torch.zeros(shape))


def test_unknown_wavelet():
    with pytest.raises(ValueError, match="db2, db4"):
        wavelet_named("haar")
