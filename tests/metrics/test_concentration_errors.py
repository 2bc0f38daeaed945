"""Errors against values by hand and by brute force."""

import numpy as np
import pytest
import torch

from mrrepro.metrics.errors import (
    best_constant_baseline,
    nmae,
    region_mean,
    region_mean_error,
    region_of_interest,
    weighted_median,
)


def objects(seed=0, count=5, size=12):
    generator = np.random.default_rng(seed)
    truth = np.zeros((count, size, size))
    for each in truth:
        height, width = generator.integers(2, 7, 2)
        each[2 : 2 + height, 3 : 3 + width] = generator.uniform(0.2, 17.5)
    truth[0, 4, 4] += 3.0  # an overlap
    return truth


def test_nmae_by_hand():
    truth = np.array([[[1.0, 0.0], [3.0, 0.0]], [[0.0, 2.0], [0.0, 0.0]]])
    estimate = np.array([[[0.5, 0.5], [3.0, -1.0]], [[0.0, 3.0], [1.0, 0.0]]])
    np.testing.assert_allclose(nmae(estimate, truth), [2.0 / 4.0, 2.0 / 2.0])
    np.testing.assert_allclose(nmae(np.zeros_like(truth), truth), 1.0)
    np.testing.assert_allclose(nmae(truth, truth), 0.0)


def test_tensors_and_arrays_agree():
    truth = objects()
    estimate = truth + 0.3
    tensor = torch.tensor(estimate, requires_grad=True)
    np.testing.assert_array_equal(nmae(tensor, torch.tensor(truth)), nmae(estimate, truth))


def test_region_without_a_rim():
    truth = np.zeros((1, 9, 9))
    truth[0, 2:7, 1:6] = 4.0
    expected = np.zeros((1, 9, 9), dtype=bool)
    expected[0, 3:6, 2:5] = True
    np.testing.assert_array_equal(region_of_interest(truth, 1), expected)
    assert region_of_interest(truth, 2).sum() == 1
    assert not region_of_interest(truth, 3).any()
    full = np.ones((1, 5, 5))
    assert region_of_interest(full, 1).sum() == 9  # the border counts as a rim


def test_region_means_by_hand():
    truth = np.zeros((2, 4, 4))
    truth[0, 1:3, 1:3] = 2.0
    truth[1, 0, 0], truth[1, 0, 1] = 4.0, 6.0
    estimate = np.full((2, 4, 4), 3.0)
    np.testing.assert_allclose(region_mean(truth, region_of_interest(truth)), [2.0, 5.0])
    np.testing.assert_allclose(region_mean_error(estimate, truth), [1.0, -2.0])


def test_the_best_constant_by_brute_force():
    truth = objects()
    baseline = best_constant_baseline(truth)
    candidates = np.linspace(0.0, 22.0, 4401)
    errors = [nmae(np.where(truth > 0, constant, 0.0), truth).mean() for constant in candidates]
    assert baseline.errors.mean() <= min(errors) + 1e-12
    assert baseline.errors.mean() == pytest.approx(min(errors), abs=1e-3)
    np.testing.assert_allclose(baseline.errors, nmae(np.where(truth > 0, baseline.constant, 0.0), truth))


def test_the_best_constant_of_uniform_concentrations():
    """Objects of one size and C uniform in [a, b]: minimise E|c - C| / C, whose minimum is at c = sqrt(a b)."""
    low, high = 3.0, 17.5
    concentrations = np.linspace(low, high, 4001)
    truth = np.broadcast_to(concentrations[:, None, None], (4001, 1, 2))
    baseline = best_constant_baseline(truth)
    assert baseline.constant == pytest.approx(np.sqrt(low * high), rel=1e-3)
    # E = (a + b - 2 sqrt(a b)) / (b - a)
    expected = (low + high - 2.0 * np.sqrt(low * high)) / (high - low)
    assert baseline.errors.mean() == pytest.approx(expected, abs=1e-3)


def test_weighted_median():
    assert weighted_median(np.array([5.0, 1.0, 9.0]), np.ones(3)) == 5.0
    assert weighted_median(np.array([5.0, 1.0, 9.0]), np.array([1.0, 1.0, 7.0])) == 9.0


def test_refusals():
    truth = objects()
    empty = truth.copy()
    empty[3] = 0.0
    with pytest.raises(ValueError, match="truth has no object in map 3"):
        nmae(truth, empty)
    with pytest.raises(ValueError, match="truth has no object in map 3"):
        best_constant_baseline(empty)
    with pytest.raises(ValueError, match="region has no object"):
        region_mean_error(truth, truth, erosion=6)
    with pytest.raises(ValueError, match="estimate must have shape"):
        nmae(truth[:2], truth)
    with pytest.raises(ValueError, match="estimate must be finite"):
        nmae(np.where(truth > 0, np.nan, 0.0), truth)
    with pytest.raises(ValueError, match="must not be negative"):
        best_constant_baseline(truth - 1.0)
    with pytest.raises(ValueError, match="truth must have shape"):
        nmae(truth[0], truth[0])
    with pytest.raises(ValueError, match="erosion"):
        region_of_interest(truth, -1)
