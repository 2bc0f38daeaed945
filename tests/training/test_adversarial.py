"""Training against a discriminator: the loss by hand, who learns from what, and interruptions without a trace."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from mrrepro.networks.pix2pix import DiscriminatorSize, GeneratorSize, PatchDiscriminator, PixToPixGenerator
from mrrepro.networks.scaled_generator import ScaledGenerator
from mrrepro.training.adversarial import (
    AdversarialObjective,
    AdversarialTask,
    adversarial_plan,
    deviations,
    discriminator_loss,
    generator_loss,
)
from mrrepro.training.tasks import SupervisedTask
from mrrepro.training.trainer import fit


def network(seed=0, dimensions=2):
    torch.manual_seed(seed)
    size = GeneratorSize(2, 1, base_filters=4, depth=3, dropout_blocks=1, dimensions=dimensions)
    return ScaledGenerator(PixToPixGenerator(size), [1.0, 0.0], [0.5, 2.0], [0.5], [0.25])


def discriminator(dimensions=2):
    size = DiscriminatorSize(2, 1, base_filters=4, strided_layers=1, dimensions=dimensions)
    return PatchDiscriminator(size)


def batches(number, size=4, weighted=False):
    generator = torch.Generator().manual_seed(1000 + number)
    images = torch.randn(size, 2, 16, 16, generator=generator)
    truth = 0.5 + 0.25 * images[:, :1] * images[:, 1:]
    return (images, truth, (images[:, :1] > 0).float()) if weighted else (images, truth)


def task(plan, objective=None, **arguments):
    return AdversarialTask(network(), discriminator, objective or AdversarialObjective(), plan, **arguments)


def gradients(module):
    return {name: weight.grad.clone() for name, weight in module.named_parameters() if weight.grad is not None}


def copies(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Constant(nn.Module):
    """Odds 3:1 for whatever it sees, so that log(1 + 3) and log(1 + 1/3) are the losses."""

    def __init__(self):
        super().__init__()
        self.odds = nn.Parameter(torch.tensor(math.log(3.0)))

    def forward(self, images, maps):
        return self.odds + 0.0 * (images.sum(1, keepdim=True) + maps)


def test_losses_by_hand():
    odds = torch.tensor([[math.log(3.0), 0.0]])  # probabilities 3/4 and 1/2 of being true
    assert generator_loss(odds).item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    true = torch.tensor([math.log(9.0)])
    by_hand = 0.5 * (math.log(10 / 9) + (math.log(4) + math.log(2)) / 2)
    assert discriminator_loss(true, odds).item() == pytest.approx(by_hand)


def test_the_loss_of_the_generator_does_not_saturate():
    """Its slope is 1 where the discriminator is sure, where that of log(1 - D) vanishes."""
    odds = torch.tensor([-50.0], requires_grad=True)
    generator_loss(odds).backward()
    assert odds.grad.item() == pytest.approx(-1.0)


def test_deviations_by_hand():
    estimate = torch.tensor([1.0, 2.0, 4.0, 0.0]).view(1, 1, 2, 2)
    truth = torch.tensor([0.0, 2.0, 1.0, 2.0]).view(1, 1, 2, 2)
    assert [each.item() for each in deviations(estimate, truth)] == [6 / 4, 14 / 4]
    weight = torch.tensor([1.0, 1.0, 0.0, 2.0]).view(1, 1, 2, 2)
    assert [each.item() for each in deviations(estimate, truth, weight)] == [5 / 4, 9 / 4]
    assert [each.item() for each in deviations(estimate, truth, torch.zeros(1, 1, 2, 2))] == [0.0, 0.0]
    both = torch.cat([estimate, truth], 1), torch.cat([truth, truth], 1)
    assert [each.item() for each in deviations(*both, weight)] == [5 / 8, 9 / 8]  # one weight for both channels
    assert [each.item() for each in deviations(*both, torch.ones(1, 2, 2, 2))] == [6 / 8, 14 / 8]


def test_the_slope_of_the_square_deviation_by_hand():
    torch.manual_seed(0)
    estimate = torch.randn(2, 1, 3, 3, requires_grad=True)
    truth, weight = torch.randn(2, 1, 3, 3), torch.rand(2, 1, 3, 3)
    square = deviations(estimate, truth, weight)[1]
    square.backward()
    # d/de of sum w (e - a)^2 / sum w
    torch.testing.assert_close(estimate.grad, 2 * weight * (estimate - truth).detach() / weight.sum())


@pytest.mark.parametrize("weighted", [False, True])
def test_the_values_of_a_step_by_hand(weighted):
    objective = AdversarialObjective(lambda_gan=2.0, lambda_l1=3.0, lambda_l2=5.0)
    net = network()
    for each in net.generator.modules():
        if isinstance(each, nn.Dropout):
            each.p = 0.0
    images, truth, *weight = batches(0, weighted=weighted)
    scaled = torch.stack([(images[:, 0] - 1.0) / 0.5, images[:, 1] / 2.0], 1)
    difference = net.generator(scaled).detach() - (truth - 0.5) / 0.25
    chosen = difference[weight[0] > 0] if weighted else difference
    l1, l2 = chosen.abs().mean().item(), chosen.square().mean().item()
    trained = AdversarialTask(net, Constant, objective, adversarial_plan(1, 4))
    values = {name: value.item() for name, value in trained.training_step((images, truth, *weight), 0).items()}
    # the discriminator's slope is positive (mostly 'true' for both), so that Adam's first step is down by the rate
    odds = math.log(3.0) - 2e-4
    expected = {
        "discriminator": 0.5 * (math.log(4 / 3) + math.log(4)),
        "gan": math.log1p(math.exp(-odds)),
        "l1": l1,
        "l2": l2,
    }
    expected["generator"] = 2.0 * expected["gan"] + 3.0 * l1 + 5.0 * l2
    assert values == pytest.approx(expected, rel=1e-5)


def test_each_network_learns_from_its_own_loss_only():
    """Gradients of one step beside those found without the task, from the networks before it."""
    plan = adversarial_plan(1, 4, learning_rate=1e-9)  # so small that the discriminator is the same before and after
    objective = AdversarialObjective(lambda_gan=2.0, lambda_l1=3.0, lambda_l2=5.0)
    trained, other = task(plan, objective), task(plan, objective)
    other.discriminator.load_state_dict(trained.discriminator.state_dict())
    batch = batches(0)
    torch.manual_seed(7)
    trained.training_step(batch, 0)
    images, truth = other.network.scale_images(batch[0]), other.network.scale_maps(batch[1])
    torch.manual_seed(7)
    estimate = other.network.generator(images)
    judged = other.discriminator
    discriminator_loss(judged(images, truth), judged(images, estimate.detach())).backward()
    assert gradients(other.network) == {}
    expected = gradients(judged)
    total = 2.0 * generator_loss(judged(images, estimate))
    total = total + 3.0 * (estimate - truth).abs().mean() + 5.0 * (estimate - truth).square().mean()
    total.backward()
    for found, wanted in (
        (gradients(trained.discriminator), expected),
        (gradients(trained.network), gradients(other.network)),
    ):
        assert found.keys() == wanted.keys()
        for name in wanted:
            torch.testing.assert_close(found[name], wanted[name], rtol=1e-4, atol=1e-6)
    assert all(weight.requires_grad for weight in trained.discriminator.parameters())


@pytest.mark.parametrize("name", ["lambda_gan", "lambda_l1", "lambda_l2"])
def test_each_term_alone_moves_the_generator(name):
    objective = AdversarialObjective(**{"lambda_gan": 0.0, "lambda_l1": 0.0, "lambda_l2": 0.0, name: 1.0})
    trained = task(adversarial_plan(1, 4), objective)
    before = copies(trained.network.generator.last)
    trained.training_step(batches(0), 0)
    assert not equal(before, copies(trained.network.generator.last))


def test_a_mask_keeps_what_lies_outside_from_the_generator():
    images, truth, mask = batches(0, weighted=True)
    states = []
    for outside in (0.0, 100.0):
        trained = task(adversarial_plan(1, 4), AdversarialObjective(lambda_gan=0.0))
        torch.manual_seed(3)
        trained.training_step((images, torch.where(mask > 0, truth, outside), mask), 0)
        states.append(copies(trained.network))
    assert equal(*states)


def test_without_the_adversarial_term_the_training_is_a_supervised_one(tmp_path):
    plan = adversarial_plan(12, 4, report_every=4, gradient_norm_limit=1.0)

    def unbuilt():
        raise AssertionError("a discriminator was built")

    objective = AdversarialObjective(lambda_gan=0.0, lambda_l1=3.0, lambda_l2=5.0)
    adversarial = AdversarialTask(network(), unbuilt, objective, plan)
    torch.manual_seed(5)
    record = fit(adversarial, batches, plan, tmp_path / "adversarial", progress=False)
    assert list(adversarial.modules) == ["generator"]
    assert set(record.history[0]) == {"step", "generator", "l1", "l2"}

    net = network()

    def loss(estimate, truth, step):
        difference = estimate - truth
        return 3.0 * difference.abs().mean() + 5.0 * difference.square().mean()

    def scaled(number):
        images, truth = batches(number)
        return net.scale_images(images), net.scale_maps(truth)

    supervised = SupervisedTask(net.generator, loss, plan)
    torch.manual_seed(5)
    expected = fit(supervised, scaled, plan, tmp_path / "supervised", progress=False)
    assert [entry["generator"] for entry in record.history] == [entry["loss"] for entry in expected.history]
    assert equal(copies(adversarial.network.generator), copies(net.generator))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_few_images_are_learnt(dimensions):
    torch.manual_seed(0)
    coarse = torch.randn(2, 2, *(4,) * dimensions)
    images = nn.Upsample(scale_factor=4)(coarse)
    truth = 0.5 + 0.25 * images[:, :1] * images[:, 1:]
    plan = adversarial_plan(80, 2, learning_rate=5e-3)
    net = network(dimensions=dimensions)
    trained = AdversarialTask(net, lambda: discriminator(dimensions), AdversarialObjective(), plan)
    values = [trained.training_step((images, truth), step) for step in range(80)]
    assert values[-1]["l1"] < 0.3 * values[0]["l1"]
    assert all(math.isfinite(value) for step in values for value in step.values())


def test_a_discriminator_tells_maps_apart_when_the_generator_stands_still():
    trained = task(adversarial_plan(40, 4, learning_rate=2e-3))
    trained.optimisers["generator"].param_groups[0]["lr"] = 0.0
    values = [trained.training_step(batches(0), step)["discriminator"] for step in range(40)]
    assert values[-1] < 0.5 * values[0]


class Stop(Exception):
    pass


def test_a_resumed_run_equals_one_that_was_not_interrupted(tmp_path):
    plan = adversarial_plan(24, 4, report_every=3, validate_every=8, checkpoint_seconds=0.0, keep="last")

    def interrupted(at):
        def source(number):
            if number == at:
                raise Stop
            return batches(number)

        return source

    def make():
        images, truth = batches(-1, 8)
        return task(plan, validation=lambda net: {"score": (net(images) - truth).abs().mean().item()})

    whole = make()
    torch.manual_seed(11)
    expected = fit(whole, batches, plan, tmp_path / "whole", progress=False)
    for at in (5, 13, 22):
        begun = make()
        torch.manual_seed(11)  # for the first start; afterwards the generator's state comes from the checkpoint
        with pytest.raises(Stop):
            fit(begun, interrupted(at), plan, tmp_path / "parts", progress=False)
    parts = make()
    torch.manual_seed(99)
    found = fit(parts, batches, plan, tmp_path / "parts", progress=False)
    assert replace(found, seconds=0.0) == replace(expected, seconds=0.0)
    assert set(found.history[0]) == {"step", "generator", "l1", "l2", "gan", "discriminator"}
    for name in ("generator", "discriminator"):
        assert equal(copies(whole.modules[name]), copies(parts.modules[name]))


def test_a_checkpoint_of_another_objective_is_refused(tmp_path):
    plan = adversarial_plan(2, 4)
    fit(task(plan), batches, plan, tmp_path, progress=False)
    other = task(plan, AdversarialObjective(lambda_l1=1000.0))
    with pytest.raises(ValueError, match=r"task.objective.lambda_l1 is 100.0 in the checkpoint and 1000.0 here"):
        fit(other, batches, plan, tmp_path, progress=False)


def test_validation_sees_the_generator_in_evaluation_mode():
    seen = []
    plan = adversarial_plan(1, 4)

    def validation(net):
        seen.append((net.training, torch.is_grad_enabled()))
        return {"score": 1.0}

    trained = task(plan, validation=validation)
    assert trained.validate(0) == {"score": 1.0}
    assert seen == [(False, False)]
    assert trained.network.training
    with pytest.raises(ValueError, match="no validation"):
        task(plan).validate(0)


def test_reduced_precision_keeps_weights_and_losses_in_float32():
    trained = task(adversarial_plan(1, 4, precision="bfloat16"))
    seen = set()
    for module in (trained.network.generator.last, trained.discriminator.last):
        module.register_forward_hook(lambda module, inputs, output: seen.add(output.dtype))
    values = trained.training_step(batches(0), 0)
    assert seen == {torch.bfloat16}
    assert {value.dtype for value in values.values()} == {torch.float32}
    assert not any(value.requires_grad for value in values.values())
    for module in trained.modules.values():
        assert {weight.dtype for weight in module.parameters()} == {torch.float32}


def test_plans_have_the_optimiser_of_pix2pix_unless_told_otherwise():
    plan = adversarial_plan(10, 4)
    assert (plan.learning_rate, plan.betas) == (2e-4, (0.5, 0.999))
    trained = task(adversarial_plan(10, 4, learning_rate=1e-3))
    for optimiser in trained.optimisers.values():
        assert (optimiser.defaults["lr"], optimiser.defaults["betas"]) == (1e-3, (0.5, 0.999))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: AdversarialObjective(lambda_gan=-1.0), "lambda_gan must lie in"),
        (lambda: AdversarialObjective(0.0, 0.0, 0.0), "all 0"),
        (lambda: deviations(torch.zeros(1, 1, 4, 4), torch.zeros(1, 4, 4)), r"estimate's shape \(1, 1, 4, 4\)"),
        (lambda: deviations(*[torch.zeros(2, 1, 4, 4)] * 2, torch.zeros(1, 1, 4, 4)), r"weight must have"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
