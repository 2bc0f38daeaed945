"""A captured step trains as an ordinary one does; without CUDA nothing is captured."""

from __future__ import annotations

import pytest
import tiny_training
import torch

from mrrepro.networks.pix2pix import DiscriminatorSize, GeneratorSize, PatchDiscriminator, PixToPixGenerator
from mrrepro.networks.scaled_generator import ScaledGenerator
from mrrepro.training.adversarial import AdversarialObjective, AdversarialTask, adversarial_plan
from mrrepro.training.captured_step import WARM_UP_STEPS, captured
from mrrepro.training.trainer import fit

on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device to capture a step on")


def test_nothing_is_captured_without_cuda() -> None:
    task = tiny_training.task(tiny_training.plan())
    assert captured(task, "cpu") is task


@on_cuda
def test_a_captured_training_follows_an_ordinary_one(tmp_path) -> None:
    """Rates that change, a limit on the gradient and running statistics are all in the graph; dropout is left out."""
    histories = []
    for name, wrap in (("ordinary", lambda task: task), ("captured", lambda task: captured(task, "cuda"))):
        task = _supervised()
        record = fit(wrap(task), tiny_training.batches, _plan(), tmp_path / name, device="cuda", progress=False)
        histories.append([entry["loss"] for entry in record.history if "loss" in entry])
        assert all(not group["capturable"] for group in task.optimisers["adam"].param_groups)
    assert len(histories[0]) > 10
    assert histories[1] == pytest.approx(histories[0], rel=1e-3)


@on_cuda
def test_a_captured_training_that_was_interrupted_goes_on(tmp_path) -> None:
    stop = tiny_training.STEPS // 2

    def stopping(number: int):
        if number == stop:
            raise KeyboardInterrupt
        return tiny_training.batches(number)

    def train(batches, folder: str):
        task = captured(_supervised(), "cuda")
        return fit(task, batches, _plan(), tmp_path / folder, device="cuda", progress=False)

    whole = train(tiny_training.batches, "whole")
    with pytest.raises(KeyboardInterrupt):
        train(stopping, "parts")
    resumed = train(tiny_training.batches, "parts")
    losses = [[entry["loss"] for entry in record.history if "loss" in entry] for record in (whole, resumed)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


@on_cuda
def test_generator_and_discriminator_are_captured_together() -> None:
    """Two optimisers in one graph; another batch size goes round it; both networks move, dropout differs each time."""
    torch.manual_seed(0)
    plan = adversarial_plan(20, 2, precision="bfloat16")
    task = AdversarialTask(
        ScaledGenerator(PixToPixGenerator(GeneratorSize(base_filters=4, depth=4))),
        lambda: PatchDiscriminator(DiscriminatorSize(base_filters=4, strided_layers=1)),
        AdversarialObjective(),
        plan,
    )
    for module in task.modules.values():
        module.cuda().train()
    stepped = captured(task, "cuda")
    images, truth = torch.rand(2, 3, 32, 32, device="cuda"), torch.rand(2, 1, 32, 32, device="cuda")
    values = [stepped.training_step((images, truth), step) for step in range(WARM_UP_STEPS + 6)]
    assert all(torch.isfinite(value) for each in values for value in each.values())
    replayed = [float(each["l1"]) for each in values[WARM_UP_STEPS:]]
    assert len(set(replayed)) == len(replayed)
    weights = [next(module.parameters()).detach().clone() for module in task.modules.values()]
    stepped.training_step((images, truth), 9)
    assert all(not torch.equal(a, next(m.parameters())) for a, m in zip(weights, task.modules.values(), strict=True))
    assert set(stepped.training_step((images[:1], truth[:1]), 10)) == set(values[0])


def _plan():
    return tiny_training.plan(report_every=1, validate_every=None)


def _supervised():
    return tiny_training.task(_plan(), net=tiny_training.network(dropout=0.0))
