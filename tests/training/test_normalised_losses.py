import pytest
import torch

from mrrepro.training.losses import (
    SquareThenAbsolute,
    normalised_absolute_deviation,
    normalised_square_deviation,
)


def pair():
    truth = torch.tensor([[[[1.0, -2.0]], [[4.0, 0.0]]], [[[0.0, 5.0]], [[-1.0, 1.0]]]])  # (2, 2, 1, 2)
    estimate = torch.tensor([[[[0.0, -2.0]], [[2.0, 2.0]]], [[[1.0, 1.0]], [[0.0, 0.0]]]])
    return estimate, truth


def test_by_hand():
    estimate, truth = pair()
    # ||.||_1: image 1: 1/3 and 4/4, image 2: 5/5 and 2/2; mean over images, sum over channels
    expected = (1 / 3 + 1.0) / 2 + (1.0 + 1.0) / 2
    assert normalised_absolute_deviation(estimate, truth, 1e-12).item() == pytest.approx(expected)
    # squares: 1/5 and 8/16, 17/25 and 2/2
    expected = (1 / 5 + 17 / 25) / 2 + (8 / 16 + 1.0) / 2
    assert normalised_square_deviation(estimate, truth, 1e-12).item() == pytest.approx(expected)


def test_floor_by_hand():
    estimate, truth = pair()
    expected = (1 / 5 + 5 / 7) / 2 + (4 / 6 + 2 / 4) / 2
    assert normalised_absolute_deviation(estimate, truth, 2.0).item() == pytest.approx(expected)
    expected = (1 / 9 + 17 / 29) / 2 + (8 / 20 + 2 / 6) / 2
    assert normalised_square_deviation(estimate, truth, 2.0).item() == pytest.approx(expected)


def test_zero_channel_is_finite():
    zero = torch.zeros(1, 1, 4, 4)
    assert normalised_absolute_deviation(zero, zero).item() == 0.0
    assert normalised_absolute_deviation(torch.ones(1, 1, 4, 4), zero, 0.5).item() == pytest.approx(32.0)


def test_scale_does_not_matter():
    estimate, truth = pair()
    for loss in (normalised_absolute_deviation, normalised_square_deviation):
        assert loss(100 * estimate, 100 * truth).item() == pytest.approx(loss(estimate, truth).item(), rel=1e-2)


@pytest.mark.parametrize("loss", [normalised_absolute_deviation, normalised_square_deviation])
def test_gradients(loss):
    generator = torch.Generator().manual_seed(0)
    truth = torch.randn(2, 4, 3, 3, generator=generator, dtype=torch.float64)
    estimate = torch.randn(2, 4, 3, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda values: loss(values, truth), (estimate,))


def test_half_precision_is_summed_in_single():
    truth = torch.full((1, 1, 64, 64), 1.0)
    estimate = torch.full((1, 1, 64, 64), 0.5, dtype=torch.bfloat16)
    loss = normalised_absolute_deviation(estimate, truth)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(0.5, rel=1e-5)


def test_absolute_deviation_is_stuck_at_zero_where_the_square_is_not():
    """With one bias for a map that is zero in most pixels, zero is the minimum of the one, not of the other."""
    truth = torch.zeros(1, 1, 8, 8)
    truth[..., 2:4, 2:4] = 1.0
    for loss, stuck in ((normalised_absolute_deviation, True), (normalised_square_deviation, False)):
        at_zero = loss(torch.zeros_like(truth), truth)
        assert (loss(torch.full_like(truth, 0.05), truth) > at_zero) == stuck


def test_schedule():
    estimate, truth = pair()
    loss = SquareThenAbsolute(steps=10, square_fraction=0.6)
    square, absolute = normalised_square_deviation(estimate, truth), normalised_absolute_deviation(estimate, truth)
    assert loss(estimate, truth, 5) == square
    assert loss(estimate, truth, 6) == absolute
    assert SquareThenAbsolute(10, 0.0)(estimate, truth, 0) == absolute
    assert SquareThenAbsolute(10, 1.0)(estimate, truth, 9) == square


def test_refusals():
    with pytest.raises(ValueError, match="estimate and truth"):
        normalised_absolute_deviation(torch.zeros(1, 1, 4, 4), torch.zeros(1, 4, 4))
    for wrong in ({"steps": 0}, {"square_fraction": 1.5}, {"floor": 0.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            SquareThenAbsolute(**{"steps": 10, **wrong})
