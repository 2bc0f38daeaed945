"""Slices of volumes in batches, and a cross-entropy for targets that are numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mrrepro.training.cross_entropy import SoftTargetCrossEntropy, entropy
from mrrepro.training.slice_batches import padded_to, slices_across


def test_the_loss_is_least_at_the_target_and_there_the_entropy() -> None:
    target = torch.tensor([0.009, 0.045, 0.5, 0.9], dtype=torch.float64)
    loss = SoftTargetCrossEntropy()
    least = float(loss(target, target, 0))
    assert least == pytest.approx(entropy(target))
    assert all(float(loss(target + shift, target, 0)) > least for shift in (-0.005, 0.005))
    with pytest.raises(ValueError, match="must lie in"):
        entropy(torch.tensor([1.2]))


def test_an_output_in_reduced_precision_is_compared_in_the_targets_own() -> None:
    target = torch.tensor([0.1, 0.5])
    loss = SoftTargetCrossEntropy()(torch.tensor([0.25, 0.5], dtype=torch.bfloat16), target, 0)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(float(SoftTargetCrossEntropy()(torch.tensor([0.25, 0.5]), target, 0)))


def volumes() -> tuple[torch.Tensor, torch.Tensor]:
    target = torch.zeros(1, 6, 5, 4)
    target[:, 2:4, 1:3] = 1.0
    return torch.arange(240.0).reshape(2, 6, 5, 4), target


def test_slices_without_a_head_are_left_out_and_the_others_keep_their_place() -> None:
    images, target = volumes()
    pairs = slices_across(0, [images], [target], 4)
    assert pairs.images.shape == (2, 2, 8, 4)
    # five rows become eight, one before and two after
    torch.testing.assert_close(pairs.images[0, 1, 1:6], images[1, 2])
    torch.testing.assert_close(pairs.targets[1, 0, 1:6], target[0, 3])
    assert slices_across(2, [images], [target], 4).images.shape == (4, 2, 8, 8)


def test_every_slice_comes_once_in_each_pass_and_a_batch_is_a_function_of_its_number() -> None:
    images = torch.arange(5.0).reshape(1, 5, 1, 1).expand(2, 5, 4, 4).contiguous()
    pairs = slices_across(0, [images + 1], [images[:1] + 1], 4)
    seen = [float(x[0, 0, 0]) for number in range(5) for x in pairs.batch(number, 2, 3)[0]]
    assert sorted(seen[:5]) == sorted(seen[5:]) == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert seen[:5] != seen[5:]
    torch.testing.assert_close(pairs.batch(3, 2, 3)[0], pairs.batch(3, 2, 3)[0])
    kept, held = pairs.split(0.2, 0)
    assert (len(kept), len(held)) == (4, 1)


def test_padding_says_where_the_volume_lies() -> None:
    images, _ = volumes()
    padded, where = padded_to(images, 4)
    assert padded.shape == (2, 8, 8, 4)
    torch.testing.assert_close(padded[(slice(None), *where)], images)
    assert float(padded.sum()) == float(images.sum())


def test_sizes_that_differ_are_refused() -> None:
    images, target = volumes()
    with pytest.raises(ValueError, match="target must have shape"):
        slices_across(0, [images], [target[:, :5]], 4)
    np.testing.assert_raises(ValueError, slices_across, 0, [images], [0 * target], 4)
