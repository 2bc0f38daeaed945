"""Measures of maps against cases that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mrrepro.metrics.conductivity_maps import (
    best_blur,
    boundary_gradient_ratio,
    boundary_voxels,
    relative_map_error,
    summary_of,
)


def test_summary_of_known_values() -> None:
    found = summary_of(np.array([[[1.0, 2.0, 3.0, 4.0, 100.0]]]), np.array([[[True] * 4 + [False]]]))
    assert (found.mean, found.median, found.low, found.high, found.voxels) == (2.5, 2.5, 1.75, 3.25, 4)


def test_relative_error_counts_the_region_alone() -> None:
    truth = np.full((2, 2, 2), 2.0)
    estimate = truth.copy()
    estimate[0] = 3.0
    assert relative_map_error(estimate, truth, np.ones((2, 2, 2), bool)) == pytest.approx(0.5 / np.sqrt(2.0))
    inside = np.zeros((2, 2, 2), bool)
    inside[1] = True
    assert relative_map_error(estimate, truth, inside) == 0.0


def test_boundaries_are_both_sides_of_a_step() -> None:
    labels = np.zeros((6, 4, 4), np.uint8)
    labels[3:] = 1
    where = boundary_voxels(labels)
    assert where[2:4].all()
    assert where.sum() == 2 * 16


def test_a_halved_step_has_half_the_gradient() -> None:
    labels = np.zeros((8, 8, 8), np.uint8)
    labels[4:] = 1
    assert boundary_gradient_ratio(0.5 * labels.astype(float), labels.astype(float), labels) == pytest.approx(0.5)


def test_the_blur_that_made_a_map_is_found() -> None:
    uniform = (np.random.default_rng(0).random((20, 20, 20)) > 0.7).astype(np.float32)
    estimate = 0.1 + 0.8 * ndimage.gaussian_filter(uniform, 1.3)
    width, explained = best_blur(estimate, uniform, np.ones(uniform.shape, bool))
    assert width == 1.3
    assert explained == pytest.approx(1.0)
