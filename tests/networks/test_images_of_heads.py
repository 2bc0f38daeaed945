"""Normalisation to [0, 1] and the outline of a head."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mrrepro.networks.head_outline import head_outline
from mrrepro.networks.unit_range import UnitRangeNormalization


def test_an_image_is_scaled_between_its_quantiles_and_units_do_not_matter() -> None:
    image = torch.arange(1000.0).reshape(1, 10, 10, 10)
    scaled = UnitRangeNormalization(0.0, 0.5)(image)
    assert float(scaled.min()) == 0.0
    assert float(scaled.max()) == 1.0
    assert float((scaled == 1.0).float().mean()) == pytest.approx(0.5, abs=2e-3)
    torch.testing.assert_close(UnitRangeNormalization()(3.0 * image + 7.0), UnitRangeNormalization()(image))
    with pytest.raises(ValueError, match="contrast"):
        UnitRangeNormalization()(torch.ones(1, 4, 4, 4))


def ball(radius: float) -> np.ndarray:
    axis = np.arange(40) - 19.5
    return np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2) < radius


def test_dark_bone_and_air_inside_belong_to_the_head_and_noise_outside_does_not() -> None:
    image = np.where(ball(15), 1.0, 0.0) - 0.9 * (ball(12) & ~ball(10)) - 1.0 * ball(3)
    noise = np.abs(np.random.default_rng(0).normal(size=image.shape)) * 0.03
    found = head_outline(np.stack([image + noise, 50.0 * (image + noise)]))
    assert found[ball(14)].all()
    assert not found[~ball(17)].any()


def test_an_image_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no bright voxels"):
        head_outline(np.zeros((1, 8, 8, 8)))
