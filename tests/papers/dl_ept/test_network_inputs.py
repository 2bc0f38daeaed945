"""What a network of the DL-EPT chapter is given: normalisation, noise, slices."""

from __future__ import annotations

import math

import pytest
import torch

from mrrepro.papers.dl_ept.network_inputs import (
    add_noise,
    chosen_slices,
    measure,
    off_square,
    on_square,
)


@pytest.fixture
def maps():
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(6, 7, 5, dtype=torch.bool)
    mask[1:5, 1:6, 1:4] = True
    magnitude = 1e-7 * (1.0 + torch.rand(mask.shape, generator=generator))
    phase = torch.rand(mask.shape, generator=generator)
    return magnitude, phase, mask


def test_gain_and_constant_phase_are_invisible(maps):
    magnitude, phase, mask = maps
    first, second = measure(magnitude, phase, mask), measure(37.0 * magnitude, phase + 0.8, mask)
    torch.testing.assert_close(first.channels(), second.channels(), atol=1e-6, rtol=1e-5)  # rounding of float32
    assert first.magnitude[mask].mean().item() == pytest.approx(1.0, abs=1e-6)
    assert first.phase[mask].mean().item() == pytest.approx(0.0, abs=1e-6)


def test_nothing_is_seen_outside_the_object(maps):
    magnitude, phase, mask = maps
    noisy = add_noise(measure(magnitude, phase, mask).channels(), 10.0, 0.1, torch.Generator().manual_seed(1))
    outside = ~mask.permute(2, 0, 1)
    assert not noisy.permute(1, 0, 2, 3)[:, outside].any()


def test_noise_has_the_stated_strengths():
    channels = torch.ones(40, 3, 50, 50)
    noise = add_noise(channels, 90.0, 9e-3, torch.Generator().manual_seed(2)) - channels
    # 100,000 draws: the sd of an sd is 0.22 %; five of them
    assert noise[:, 0].std().item() == pytest.approx(1.0 / 90.0, rel=0.011)
    assert noise[:, 1].std().item() == pytest.approx(9e-3, rel=0.011)
    assert not noise[:, 2].any()
    correlation = torch.corrcoef(torch.stack([noise[:, 0].ravel(), noise[:, 1].ravel()]))[0, 1].item()
    assert abs(correlation) < 0.02


def test_infinite_snr_is_no_noise():
    channels = torch.rand(2, 3, 8, 8)
    assert torch.equal(add_noise(channels, math.inf, 0.0, torch.Generator()), channels)


def test_squares_come_back(maps):
    channels = measure(*maps).channels()
    square = on_square(channels, 16, fill=3.0)
    assert square.shape[-2:] == (16, 16)
    assert torch.equal(off_square(square, channels.shape[-2:]), channels)
    assert (square[..., 0, :] == 3.0).all()


def test_slices_are_spread_over_the_object():
    mask = torch.zeros(3, 3, 20, dtype=torch.bool)
    mask[1, 1, 5:16] = True
    assert chosen_slices(mask, 3) == [5, 10, 15]
    assert chosen_slices(mask, 100) == list(range(5, 16))


def test_bad_maps_are_named(maps):
    magnitude, phase, mask = maps
    with pytest.raises(ValueError, match="mask must hold"):
        measure(magnitude, phase, torch.zeros_like(mask))
    with pytest.raises(ValueError, match="phase"):
        measure(magnitude, torch.full_like(phase, math.nan), mask)
    with pytest.raises(ValueError, match="magnitude must be positive"):
        measure(torch.zeros_like(magnitude), phase, mask)
    with pytest.raises(ValueError, match="third must hold signal"):
        measure(magnitude, phase, mask, torch.zeros_like(magnitude))
    with pytest.raises(ValueError, match="image_size must be at least 7"):
        on_square(measure(magnitude, phase, mask).channels(), 4)
