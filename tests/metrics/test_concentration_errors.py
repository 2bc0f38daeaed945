"""Errors of concentration maps against values computed by hand."""

import numpy as np
import pytest
import torch

from mrrepro.metrics.concentration_errors import best_constant, erode, level, nmae, region_of_interest, roi_mean


def test_nmae_by_hand():
    truth = torch.tensor([[[2.0, 0.0], [0.0, 2.0]], [[0.0, 5.0], [0.0, 0.0]]])
    estimate = torch.tensor([[[1.0, 1.0], [-1.0, 2.0]], [[0.0, 5.0], [0.0, 0.0]]])
    torch.testing.assert_close(nmae(estimate, truth), torch.tensor([3.0 / 4.0, 0.0]))
    torch.testing.assert_close(nmae(torch.zeros_like(truth), truth), torch.ones(2))


def test_level_region_and_mean_by_hand():
    truth = torch.tensor([[[3.0, 3.0, 3.0, 1.4, 0.0], [3.0, 6.0, 0.0, 0.0, 0.0]]])
    assert level(truth).item() == 3.0  # half-filled edges and an overlap do not move it
    region = region_of_interest(truth)
    assert region.sum() == 5
    assert roi_mean(truth, region).item() == pytest.approx(18.0 / 5.0)


def test_erosion_takes_one_ring():
    region = torch.zeros(1, 7, 7, dtype=torch.bool)
    region[0, 1:6, 1:6] = True
    assert erode(region, 1).sum() == 9
    assert torch.equal(erode(region, 0), region)


def test_best_constant_is_the_minimum_by_brute_force():
    concentrations = np.random.default_rng(0).uniform(3.0, 17.5, 301)
    constant, error = best_constant(concentrations)
    grid = np.linspace(3.0, 17.5, 3000)
    brute = np.abs(grid[:, None] - concentrations).__truediv__(concentrations).mean(axis=1)
    assert error <= brute.min() + 1e-4
    assert constant == pytest.approx(grid[brute.argmin()], abs=0.1)


def test_best_constant_has_the_closed_form_of_a_uniform_distribution():
    # Median of c weighted by 1/c on [a, b] is sqrt(ab); the error then is (a + b - 2 sqrt(ab)) / (b - a).
    a, b = 3.0, 17.5
    constant, error = best_constant(np.linspace(a, b, 200_001))
    assert constant == pytest.approx(np.sqrt(a * b), rel=1e-3)
    assert error == pytest.approx((a + b - 2 * np.sqrt(a * b)) / (b - a), abs=1e-3)


def test_bad_maps_are_refused():
    zero, one = torch.zeros(1, 2, 2), torch.ones(1, 2, 2)
    with pytest.raises(ValueError, match="zero everywhere"):
        nmae(one, zero)
    with pytest.raises(ValueError, match="shape"):
        nmae(torch.ones(1, 3, 3), one)
    with pytest.raises(ValueError, match="finite"):
        nmae(one * float("nan"), one)
    with pytest.raises(ValueError, match="empty"):
        roi_mean(one, torch.zeros(1, 2, 2, dtype=torch.bool))
