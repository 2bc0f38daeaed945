"""Losses against values worked out by hand, and their gradients against finite differences."""

from __future__ import annotations

import math

import pytest
import torch

from mrrepro.metrics.regions import Region, RegionMasks
from mrrepro.metrics.structural_similarity import SIGNED_UNIT_RANGE, GaussianWindow, structural_similarity
from mrrepro.training.image_losses import (
    LOSSES,
    AbsoluteError,
    OccurrenceEntropy,
    SquaredError,
    StructuralDissimilarity,
    WeightedSum,
    mixed_loss,
)

SHAPE = (2, 1, 12, 12, 12)


@pytest.fixture
def case():
    """Two volumes; errors 0.1 outside the brain, 0.2 in it, 0.4 in the tumor, 0.8 where it enhances.

    Brain: 6 planes of 144. Tumor: 64 voxels. Enhancement: 16 voxels of the first volume, none of the second.
    """
    brain = torch.zeros(SHAPE, dtype=torch.bool)
    brain[:, :, 3:9] = True
    tumor = torch.zeros_like(brain)
    tumor[:, :, 4:8, 4:8, 4:8] = True
    enhancement = torch.zeros_like(brain)
    enhancement[0, :, 4, 4:8, 4:8] = True
    error = torch.full(SHAPE, 0.1, dtype=torch.float64)
    error[brain], error[tumor], error[enhancement] = 0.2, -0.4, 0.8
    target = torch.linspace(-0.5, 0.5, error.numel(), dtype=torch.float64).view(SHAPE)
    return target + error, target, RegionMasks(brain, tumor, enhancement)


BY_HAND = {  # sums over (outside, rest of the brain, rest of the tumor, enhancing) of the two volumes, averaged
    "L1": ((864 * 0.1 + 800 * 0.2 + 48 * 0.4 + 16 * 0.8) + (864 * 0.1 + 800 * 0.2 + 64 * 0.4)) / 1728 / 2,
    "L2": ((864 * 0.01 + 800 * 0.04 + 48 * 0.16 + 16 * 0.64) + (864 * 0.01 + 800 * 0.04 + 64 * 0.16)) / 1728 / 2,
    "L1B": ((800 * 0.2 + 48 * 0.4 + 16 * 0.8) + (800 * 0.2 + 64 * 0.4)) / 864 / 2,
    "L2B": ((800 * 0.04 + 48 * 0.16 + 16 * 0.64) + (800 * 0.04 + 64 * 0.16)) / 864 / 2,
    "L1T": ((48 * 0.4 + 16 * 0.8) / 64 + 0.4) / 2,
    "L2T": ((48 * 0.16 + 16 * 0.64) / 64 + 0.16) / 2,
}


@pytest.mark.parametrize("name", BY_HAND)
def test_losses_by_hand(case, name):
    assert LOSSES[name](*case).item() == pytest.approx(BY_HAND[name], abs=1e-12)


def test_enhancement_losses_are_zero_where_nothing_enhances(case):
    prediction, target, masks = case
    assert AbsoluteError(Region.ENHANCEMENT)(*case).item() == pytest.approx((0.8 + 0.0) / 2, abs=1e-12)
    assert SquaredError(Region.ENHANCEMENT)(*case).item() == pytest.approx((0.64 + 0.0) / 2, abs=1e-12)
    prediction = prediction.clone().requires_grad_()
    AbsoluteError(Region.ENHANCEMENT)(prediction, target, masks).backward()
    assert prediction.grad[1].abs().max().item() == 0.0
    assert prediction.grad[0].sum().item() == pytest.approx(0.5, abs=1e-12)


def test_the_mix_is_the_weighted_sum_of_its_terms(case):
    prediction, target, _ = case
    absolute, enhancing = BY_HAND["L1"], 0.4
    dissimilarity = 1 - structural_similarity(prediction, target, SIGNED_UNIT_RANGE).mean().item()
    even = mixed_loss(convention=SIGNED_UNIT_RANGE)(*case).item()
    assert even == pytest.approx(absolute + dissimilarity + enhancing, abs=1e-12)
    uneven = mixed_loss(0.5, 0.0, 3.0)(*case).item()
    assert uneven == pytest.approx(0.5 * absolute + 3.0 * enhancing, abs=1e-12)


def test_structural_dissimilarity_over_a_region_averages_the_map_there(case):
    prediction, target, masks = case
    window = GaussianWindow(5)
    loss = StructuralDissimilarity(SIGNED_UNIT_RANGE, Region.TUMOR, window)(*case).item()
    expected = 1 - structural_similarity(prediction, target, SIGNED_UNIT_RANGE, masks.tumor, window).mean().item()
    assert loss == pytest.approx(expected, abs=1e-12)
    assert loss != pytest.approx(StructuralDissimilarity(SIGNED_UNIT_RANGE, window=window)(*case).item(), abs=1e-3)


@pytest.mark.parametrize(
    "loss",
    [
        AbsoluteError(Region.TUMOR),
        SquaredError(Region.BRAIN),
        StructuralDissimilarity(window=GaussianWindow(3)),
        WeightedSum(((0.3, SquaredError()), (2.0, StructuralDissimilarity(window=GaussianWindow(3))))),
    ],
    ids=["L1T", "L2B", "LSSIM", "sum"],
)
def test_gradients_equal_finite_differences(case, loss):
    prediction, target, masks = (x[:, :, 3:7, 3:7, 3:7] if isinstance(x, torch.Tensor) else x for x in case)
    small = RegionMasks(*(m[:, :, 3:7, 3:7, 3:7] for m in (masks.brain, masks.tumor, masks.enhancement)))
    assert torch.autograd.gradcheck(lambda x: loss(x, target, small), prediction.clone().requires_grad_())


def test_all_losses_of_the_tables_are_there_and_vanish_at_the_truth(case):
    _, target, masks = case
    assert list(LOSSES) == ["L1", "L2", "L1B", "L2B", "L1T", "L2T", "LSSIM", "LM"]
    for loss in LOSSES.values():
        assert loss(target, target, masks).item() == pytest.approx(0.0, abs=1e-12)


def test_bad_input_is_refused_by_name(case):
    prediction, target, masks = case
    empty = RegionMasks(masks.brain, torch.zeros_like(masks.tumor), masks.enhancement)
    with pytest.raises(ValueError, match=r"tumor must hold a voxel, but is empty in volumes \[0, 1\]"):
        LOSSES["L1T"](prediction, target, empty)
    with pytest.raises(ValueError, match="must share one shape"):
        LOSSES["L1"](prediction[:1], target, masks)
    with pytest.raises(ValueError, match="target must be finite"):
        LOSSES["L2B"](prediction, target * math.nan, masks)
    with pytest.raises(ValueError, match="weight 2 of terms must lie in"):
        mixed_loss(enhancement=-1.0)
    with pytest.raises(ValueError, match="terms must hold a weight above zero"):
        mixed_loss(0.0, 0.0, 0.0)


def test_occurrence_entropy_by_hand(case):
    """Probability 3/4 where the brain enhances, 1/4 elsewhere in it: -ln(3/4) everywhere that counts."""
    _, target, masks = case
    prediction = torch.where(masks.enhancement, 0.5, torch.where(masks.brain, -0.5, 0.9)).double()
    assert OccurrenceEntropy()(prediction, target, masks).item() == pytest.approx(-math.log(0.75), rel=1e-9)


def test_occurrence_entropy_is_least_at_the_share_that_enhances(case):
    _, target, masks = case
    share = 16 / 864 / 2
    constant = torch.full_like(target, 2.0 * share - 1.0).requires_grad_()
    OccurrenceEntropy()(constant, target, masks).backward()
    assert constant.grad.sum().item() == pytest.approx(0.0, abs=1e-6)
    assert constant.grad.abs().max() > 1e-4


def test_occurrence_entropy_is_finite_where_a_certainty_was_wrong(case):
    _, target, masks = case
    assert OccurrenceEntropy()(torch.full_like(target, -1.0), target, masks).isfinite()
