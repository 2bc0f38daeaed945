"""The adversarial training of volumes: who descends on what, against gradients worked out apart."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from mrrepro.metrics.regions import Region
from mrrepro.training.adversarial_volumes import AdversarialVolumeTask
from mrrepro.training.image_losses import AbsoluteError
from mrrepro.training.plan import TrainingPlan
from mrrepro.training.volume_tasks import VolumeBatch

PLAN = TrainingPlan(steps=1, batch_size=2, learning_rate=0.1, betas=(0.0, 0.0))


class Opponent(nn.Module):
    """Log-odds: one weight times the mean of the image."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))

    def forward(self, images, image):
        return self.weight * image.mean((1, 2, 3, 4))


def batch():
    generator = torch.Generator().manual_seed(0)
    inside = torch.zeros(2, 1, 4, 4, 4, dtype=torch.bool)
    inside[..., 1:3] = True
    images = 2.0 * torch.rand(2, 4, 4, 4, 4, generator=generator) - 1.0
    return VolumeBatch(images[:, :3], images[:, 3:], inside, inside, torch.zeros_like(inside))


def task(weight):
    torch.manual_seed(1)
    return AdversarialVolumeTask(
        nn.Conv3d(3, 1, 1), AbsoluteError(Region.BRAIN), PLAN, discriminator=Opponent(), weight=weight
    )


def test_the_values_are_those_of_the_terms_by_hand():
    one, data = task(0.3), batch()
    estimate = one.network(data.inputs).detach()
    inside = [torch.where(data.brain, image, -1.0).mean((1, 2, 3, 4)) for image in (data.target, estimate)]
    found = one.training_step(data, 0)
    true, false = (torch.sigmoid(0.5 * mean) for mean in inside)
    assert found["discriminator"].item() == pytest.approx(
        0.5 * float(-true.log().mean() - (1.0 - false).log().mean()), rel=1e-5
    )
    # Adam without memory steps by the learning rate against the gradient's sign: towards the brighter of the two
    sign = math.copysign(1.0, float((inside[0] - inside[1]).sum()))
    assert one.discriminator.weight.item() == pytest.approx(0.5 + sign * 0.1, abs=1e-4)
    improved = torch.sigmoid(one.discriminator.weight.detach() * inside[1])
    assert found["gan"].item() == pytest.approx(float(-improved.log().mean()), rel=1e-5)
    distance = (estimate - data.target).abs()[data.brain].mean()
    assert found["loss"].item() == pytest.approx(float(distance), rel=1e-5)


def test_a_heavy_adversarial_term_turns_the_network_towards_what_the_opponent_takes_for_true():
    """The opponent calls bright images true; the bias rises under it, whatever the loss says."""
    heavy, data = task(1e3), batch()
    data = data._replace(target=torch.full_like(data.target, -0.9))
    with torch.no_grad():
        heavy.discriminator.weight.fill_(5.0)
    before = heavy.network.bias.item()
    heavy.training_step(data, 0)
    light = task(1e-6)
    light.training_step(data, 0)
    assert heavy.network.bias.item() == pytest.approx(before + 0.1, abs=1e-3)
    assert light.network.bias.item() == pytest.approx(before - 0.1, abs=1e-3)


def test_without_a_weight_it_is_refused():
    with pytest.raises(ValueError, match="weight must be above 0"):
        task(0.0)
