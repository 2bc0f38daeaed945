"""Scores of images and of enhancement against values worked out by hand on a small volume."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from mrrepro.metrics.image_errors import enhancement_errors, image_errors
from mrrepro.metrics.regions import Region, RegionMasks, brain_composite, enhancement_mask
from mrrepro.metrics.structural_similarity import SHIFTED_TO_UNIT, SIGNED_UNIT_RANGE

SIDE = 12  # 1728 voxels
BRAIN, TUMOR = 9 * 144, 64


@pytest.fixture
def masks():
    brain = torch.zeros(1, 1, SIDE, SIDE, SIDE, dtype=torch.bool)
    brain[:, :, :9] = True
    tumor = torch.zeros_like(brain)
    tumor[:, :, 4:8, 4:8, 4:8] = True
    return RegionMasks(brain, tumor, torch.zeros_like(brain))


def test_absolute_and_squared_errors_by_hand(masks):
    # Errors: 0.5 on the 64 voxels of the tumor, 0.25 on the other 1232 of the brain, anything outside.
    target = brain_composite(torch.zeros(1, 1, SIDE, SIDE, SIDE, dtype=torch.float64), masks.brain)
    prediction = torch.where(masks.tumor, 0.5, torch.where(masks.brain, -0.25, 0.9)).double()
    errors = image_errors(prediction, target, masks, SHIFTED_TO_UNIT)
    assert errors[Region.TUMOR].mae.item() == pytest.approx(0.5, abs=1e-12)
    assert errors[Region.TUMOR].mse.item() == pytest.approx(0.25, abs=1e-12)
    assert errors[Region.BRAIN].mae.item() == pytest.approx((32 + 308) / 1296, abs=1e-12)
    assert errors[Region.BRAIN].mse.item() == pytest.approx((16 + 77) / 1296, abs=1e-12)
    assert errors[Region.IMAGE].mae.item() == pytest.approx((32 + 308) / 1728, abs=1e-12)
    assert errors[Region.IMAGE].mse.item() == pytest.approx((16 + 77) / 1728, abs=1e-12)


def test_structural_similarity_of_regions_by_hand(masks):
    # Constant images have no variance; with means 0.5 and -0.25 SSIM is (2 m_x m_y + C1) / (m_x^2 + m_y^2 + C1).
    everywhere = dataclasses.replace(masks, brain=torch.ones_like(masks.brain))
    target = torch.full((1, 1, SIDE, SIDE, SIDE), 0.5, dtype=torch.float64)
    errors = image_errors(target - 0.75, target, everywhere, SIGNED_UNIT_RANGE)
    for region in (Region.IMAGE, Region.BRAIN, Region.TUMOR):
        assert errors[region].ssim.item() == pytest.approx((-0.25 + 1e-4) / (0.3125 + 1e-4), abs=1e-9)


def test_what_lies_outside_the_brain_counts_for_nothing(masks):
    target = torch.rand(1, 1, SIDE, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    prediction = torch.where(masks.brain, target, 0.7)
    errors = image_errors(prediction, target, masks, SHIFTED_TO_UNIT)
    assert [errors[region].mae.item() for region in errors] == [0.0, 0.0, 0.0]
    assert errors[Region.IMAGE].ssim.item() == pytest.approx(1.0, abs=1e-6)


@pytest.fixture
def enhancement(masks):
    """T1 of zero; 16 tumor and 8 healthy voxels enhance; what the prediction does is counted in the tests."""
    pre = torch.zeros(1, 1, SIDE, SIDE, SIDE, dtype=torch.float64)
    target, prediction = pre.clone(), pre.clone()
    target[0, 0, 4, 4:8, 4:8] = 0.8  # 16 voxels of the tumor
    target[0, 0, 0, 0, :8] = 0.5  # 8 healthy voxels (a vessel)
    prediction[0, 0, 4, 4:7, 4:8] = 0.4  # finds 12 of the 16
    prediction[0, 0, 4, 7, 4:8] = 0.1  # and misses 4, below the threshold
    prediction[0, 0, 5, 4, 4:8] = 0.4  # 4 false ones in the tumor
    prediction[0, 0, 1, 0, :5] = 0.6  # 5 false ones in healthy brain
    return prediction, target, pre


def test_enhancement_errors_by_hand(masks, enhancement):
    errors = enhancement_errors(*enhancement, masks)
    assert errors.dice.item() == pytest.approx(2 * 12 / (16 + 16), abs=1e-12)
    assert errors.mae.item() == pytest.approx((12 * 0.4 + 4 * 0.7) / 16, abs=1e-12)
    assert errors.amplitude_kept.item() == pytest.approx((12 * 0.4 + 4 * 0.1) / (16 * 0.8), abs=1e-12)
    assert errors.false_in_tumor.item() == 4
    assert errors.false_in_healthy_brain.item() == 5
    assert errors.false_fraction_of_healthy_brain.item() == pytest.approx(5 / (BRAIN - TUMOR - 8), abs=1e-12)
    assert errors.predicted_fraction.item() == pytest.approx((12 + 4) / 64, abs=1e-12)
    assert errors.true_fraction.item() == pytest.approx(16 / 64, abs=1e-12)
    # Of 16 x 48 pairs the found voxels (0.4) beat 44 and tie with 4; the missed ones (0.1) beat 44.
    assert errors.auc.item() == pytest.approx((12 * 44 + 12 * 4 / 2 + 4 * 44) / (16 * 48), abs=1e-12)


def test_the_truth_is_a_perfect_prediction(masks, enhancement):
    _, target, pre = enhancement
    errors = enhancement_errors(target, target, pre, masks)
    assert (errors.dice.item(), errors.auc.item(), errors.amplitude_kept.item()) == (1.0, 1.0, 1.0)
    assert (errors.mae.item(), errors.false_in_tumor.item(), errors.false_in_healthy_brain.item()) == (0.0, 0, 0)


def test_a_volume_without_enhancement_defines_dice_and_leaves_the_rest_undefined(masks, enhancement):
    prediction, _, pre = enhancement
    quiet = enhancement_errors(pre, pre, pre, masks)
    assert quiet.dice.item() == 1.0
    assert quiet.auc.isnan().item()
    assert quiet.mae.isnan().item()
    assert quiet.amplitude_kept.isnan().item()
    invented = enhancement_errors(prediction, pre, pre, masks)
    assert (invented.dice.item(), invented.predicted_fraction.item(), invented.true_fraction.item()) == (0.0, 0.25, 0.0)


def test_volumes_of_a_batch_are_scored_apart(masks, enhancement):
    prediction, target, pre = enhancement
    both = RegionMasks(*(torch.cat([m, m]) for m in (masks.brain, masks.tumor, masks.enhancement)))
    errors = enhancement_errors(
        torch.cat([prediction, target]), torch.cat([target, target]), torch.cat([pre, pre]), both
    )
    torch.testing.assert_close(errors.dice, torch.tensor([0.75, 1.0], dtype=torch.float64))
    assert errors.false_in_healthy_brain.tolist() == [5, 0]


def test_enhancement_mask_is_a_rise_above_the_threshold():
    pre = torch.tensor([0.0, 0.0, 0.0, 0.5]).view(1, 1, 1, 1, 4)
    post = torch.tensor([0.29, 0.31, -0.5, 0.7]).view(1, 1, 1, 1, 4)
    assert enhancement_mask(post, pre).flatten().tolist() == [False, True, False, False]


def test_bad_input_is_refused_by_name(masks, enhancement):
    prediction, target, pre = enhancement
    empty = dataclasses.replace(masks, tumor=torch.zeros_like(masks.tumor))
    with pytest.raises(ValueError, match=r"tumor must hold a voxel, but is empty in volumes \[0\]"):
        image_errors(prediction, target, empty, SHIFTED_TO_UNIT)
    with pytest.raises(ValueError, match="prediction must be finite"):
        image_errors(prediction * torch.nan, target, masks, SHIFTED_TO_UNIT)
    with pytest.raises(ValueError, match="pre_contrast must have the masks' shape"):
        enhancement_errors(prediction, target, pre[..., 1:], masks)
    with pytest.raises(ValueError, match="tumor must be a boolean mask"):
        RegionMasks(masks.brain, masks.tumor.float(), masks.enhancement)
    with pytest.raises(ValueError, match="tumor must be a boolean mask"):
        RegionMasks(masks.brain, masks.tumor[..., 1:], masks.enhancement)
    with pytest.raises(ValueError, match="threshold must lie in"):
        enhancement_mask(target, pre, -0.1)
    with pytest.raises(ValueError, match="must share one shape"):
        enhancement_mask(target, pre[..., 1:])
