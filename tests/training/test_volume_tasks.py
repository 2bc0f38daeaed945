"""Steps of trainings of volumes: what may be captured as a CUDA graph asks the device for no value."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mrrepro.metrics import regions, structural_similarity
from mrrepro.networks.pix2pix import DiscriminatorSize, PatchDiscriminator
from mrrepro.networks.unet3d import MODELS, UnetSize
from mrrepro.training import image_losses
from mrrepro.training.adversarial_volumes import AdversarialVolumeTask
from mrrepro.training.captured_step import WARM_UP_STEPS, captured
from mrrepro.training.image_losses import LOSSES, OccurrenceEntropy
from mrrepro.training.plan import TrainingPlan
from mrrepro.training.volume_tasks import VolumeBatch, VolumeTask

SIDE = 16
PLAN = TrainingPlan(steps=20, batch_size=2, learning_rate=1e-3, gradient_norm_limit=1.0)
KINDS = [*LOSSES, "where", "opponent"]


def batch(device: str = "cpu") -> VolumeBatch:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 4, SIDE, SIDE, SIDE, generator=generator) * 2.0 - 1.0
    inside = torch.zeros(2, 1, SIDE, SIDE, SIDE, dtype=torch.bool)
    inside[..., 2:-2, 2:-2, 2:-2] = True
    return VolumeBatch(images[:, :3], images[:, 3:], inside, inside, inside & (images[:, 3:] > 0.3)).to(device)


def task(kind: str, device: str = "cpu", *, dropout_blocks: int = 3) -> VolumeTask:
    torch.manual_seed(1)
    network = MODELS[0](UnetSize(2, 3, dropout_blocks=dropout_blocks))
    if kind == "opponent":
        size = DiscriminatorSize(base_filters=2, strided_layers=1, normalization="instance", dimensions=3)
        opponent = PatchDiscriminator(size)
        made: VolumeTask = AdversarialVolumeTask(network, LOSSES["LM"], PLAN, discriminator=opponent, weight=0.1)
    else:
        made = VolumeTask(network, OccurrenceEntropy() if kind == "where" else LOSSES[kind], PLAN)
    for module in made.modules.values():
        module.to(device).train()
    return made


class ValueWasRead(Exception):
    pass


class NoValueIsRead(TorchDispatchMode):
    """Refuses what waits for the device: reading a value, and results whose shape depends on values."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket.__name__ in ("_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "equal"):
            raise ValueWasRead(func)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_in_capture_reads_no_value(kind, monkeypatch):
    """Outside a capture values are checked, which waits for the device; Adam is left out, which then counts there."""
    one, seen = task(kind), tuple(batch())
    for optimiser in one.optimisers.values():
        monkeypatch.setattr(optimiser, "step", lambda: None)
    with NoValueIsRead(), pytest.raises(ValueWasRead):
        one.training_step(seen, 0)
    for module in (regions, structural_similarity, image_losses):
        monkeypatch.setattr(module, "values_can_be_read", lambda device: False)
    with NoValueIsRead():
        found = one.training_step(seen, 0)
    assert all(torch.isfinite(value) for value in found.values())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device to capture a step on")
@pytest.mark.parametrize("kind", ["LM", "opponent"])
def test_a_captured_step_trains_as_an_ordinary_one(kind):
    values = []
    for wrap in (lambda one: one, lambda one: captured(one, "cuda")):
        stepped, seen = wrap(task(kind, "cuda", dropout_blocks=0)), tuple(batch("cuda"))
        values.append([float(stepped.training_step(seen, step)["loss"]) for step in range(WARM_UP_STEPS + 8)])
    assert len(set(values[0])) == len(values[0])
    assert values[1] == pytest.approx(values[0], rel=1e-3)
