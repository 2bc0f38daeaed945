"""What a step costs, counted against hand; a rehearsal that resumes, and one that does not."""

import itertools
from dataclasses import dataclass, replace

import pytest
import tiny_training as tiny
import torch

from mrrepro.training.rehearsal import rehearse, step_seconds
from mrrepro.training.training_work import BYTES_A_WEIGHT, TrainingWork, step_cost

PIXELS = 8 * 8


@dataclass(frozen=True)
class Training:
    batch_size: int = 4
    precision: str = "float32"


@dataclass(frozen=True)
class Settings:
    training: Training = Training()


def batches(settings, device):
    return lambda number: tiny.batches(number, settings.training.batch_size)


def work(make_batches=batches, **changes):
    plan = tiny.plan()
    return TrainingWork(
        "tiny.net",
        "a tiny network",
        ("tiny/training",),
        lambda settings: tiny.task(replace(plan, precision=settings.training.precision), tiny.network(**changes)),
        make_batches,
        lambda settings: plan.steps,
    )


def test_a_step_costs_what_its_convolutions_do():
    """Forward and weights' gradient of both convolutions, the input's gradient of the second."""
    cost = step_cost(work(), Settings())
    first, second = 2 * 9 * 2 * 6 * PIXELS, 2 * 9 * 6 * 1 * PIXELS
    assert cost.operations == 2 * first + 3 * second
    assert cost.weights == (9 * 2 * 6 + 6) + 2 * 6 + (9 * 6 + 1)
    of_four = cost.of_batch(4)
    assert of_four.operations == 4 * cost.operations
    assert of_four.moved_bytes == 2 * 4 * cost.saved_bytes + BYTES_A_WEIGHT * cost.weights
    # kept: the input, the first convolution's output, what dropout's mask leaves of it
    least = 4 * PIXELS * (2 + 6 + 6)
    assert least <= cost.saved_bytes <= 3 * least


def test_counting_leaves_nothing_without_values_behind():
    from mrrepro.networks.wavelet import DB4, analyse
    from mrrepro.papers.deepspio import paper_scale
    from mrrepro.papers.deepspio.settings import DeepSpioSettings
    from mrrepro.runs.settings import configure

    step_cost(paper_scale.WORK[0], configure(DeepSpioSettings, "smoke"))
    assert bool(torch.isfinite(analyse(torch.ones(1, 16, 16), DB4)).all())


def test_a_rehearsal_compares_an_interrupted_run(tmp_path):
    found = rehearse(work(), Settings(), 3, "cpu", tmp_path)
    assert (found.steps, found.batch_size, found.interrupted_after, len(found.step_seconds)) == (3, 4, 2, 3)
    assert found.resumed_equal
    assert found.peak_memory_mib > 0
    assert found.peak_device_memory_mib is None
    assert found.seconds == min(found.step_seconds)
    with pytest.raises(ValueError, match="steps"):
        rehearse(work(), Settings(), 1, "cpu", tmp_path / "one")


def test_a_rehearsal_notices_what_a_checkpoint_does_not_hold(tmp_path):
    """Batches that are no pure function of their number: the resumed run sees others."""
    calls = itertools.count()

    def impure(settings, device):
        return lambda number: tiny.batches(next(calls), settings.training.batch_size)

    assert not rehearse(work(impure), Settings(), 3, "cpu", tmp_path).resumed_equal


def test_the_caller_s_random_numbers_go_on(tmp_path):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    rehearse(work(), Settings(), 2, device="cpu", workspace=tmp_path)
    step_seconds(work(), Settings(), "cpu", most_seconds=0.01)
    assert torch.equal(torch.rand(3), expected)


def test_seconds_of_a_step():
    assert 0 < step_seconds(work(dropout=0.0), Settings(), "cpu", most_seconds=0.05) < 5
