"""The loop: interruption leaves no trace, other trainings are refused, errors name the step."""

import signal
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_training as tiny
import torch
from torch import nn

from mrrepro.training.plan import LearningRateSchedule, TrainingPlan
from mrrepro.training.tasks import descend
from mrrepro.training.trainer import fit


def exit_status(workspace: Path, deaths: str) -> int | None:
    process = tiny.other_processes().Process(target=tiny.main, args=(str(workspace), deaths))
    process.start()
    process.join(120)
    return process.exitcode


def final(workspace: Path):
    return torch.load(workspace / "final.pt", weights_only=True)


def equal_states(one, other) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_killed_runs_end_with_the_same_bits(tmp_path):
    assert exit_status(tmp_path / "whole", "never") == 0
    killed = tmp_path / "killed"
    died = -signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM
    for deaths in ("11", "w4"):  # in the middle of an interval, and while a checkpoint is written
        assert exit_status(killed, deaths) == died
        assert not (killed / "final.pt").exists()
    assert list((killed / "resume").glob(".*.partial"))
    assert exit_status(killed, "never") == 0
    assert [each.name for each in (killed / "resume").iterdir()] == ["state.safetensors"]
    whole, resumed = final(tmp_path / "whole"), final(killed)
    assert whole["history"] == resumed["history"]
    assert len(whole["history"]) > 10
    assert equal_states(whole["weights"], resumed["weights"])


class Stop(Exception):
    pass


def interrupted(at, source=tiny.batches):
    def batches(number):
        if number == at:
            raise Stop
        return source(number)

    return batches


def test_a_resumed_run_equals_one_that_was_not_interrupted(tmp_path):
    plan = tiny.plan()
    whole = tiny.task(plan)
    expected = fit(whole, tiny.batches, plan, tmp_path / "whole", progress=False)
    for at in (5, 17, 33):
        with pytest.raises(Stop):
            fit(tiny.task(plan), interrupted(at), plan, tmp_path / "parts", progress=False)
        torch.manual_seed(at)  # the generator's state comes from the checkpoint
    parts = tiny.task(plan)
    found = fit(parts, tiny.batches, plan, tmp_path / "parts", progress=False)
    assert replace(found, seconds=0.0) == replace(expected, seconds=0.0)
    assert equal_states(whole.network.state_dict(), parts.network.state_dict())


def test_a_finished_run_is_only_read(tmp_path):
    plan = tiny.plan()
    first = tiny.task(plan)
    expected = fit(first, tiny.batches, plan, tmp_path, progress=False)
    second = tiny.task(plan)
    assert fit(second, interrupted(0), plan, tmp_path, progress=False) == expected
    assert equal_states(first.network.state_dict(), second.network.state_dict())


def test_the_best_weights_are_kept(tmp_path):
    states = []
    for keep in ("best", "last"):
        plan = tiny.plan(keep=keep)
        task = tiny.task(plan)
        scores = iter([3.0, 1.0, 2.0, 5.0])
        states.clear()

        def validation(net, scores=scores):
            states.append({name: tensor.clone() for name, tensor in net.state_dict().items()})
            return {"score": next(scores)}

        task.validation = validation
        record = fit(task, tiny.batches, plan, tmp_path / keep, progress=False)
        assert (record.best_step, record.best_score) == (20, 1.0)
        assert equal_states(task.network.state_dict(), states[1 if keep == "best" else 3])


def test_the_best_weights_survive_an_interruption(tmp_path):
    plan = tiny.plan()
    scores = {10: 1.0, 20: 2.0, 30: 3.0, 40: 4.0}
    results = []
    for name, stop in (("whole", None), ("parts", 25)):
        for at in (stop, None) if stop else (None,):
            task = tiny.task(plan)
            task.validate = lambda step: {"score": scores[step]}
            try:
                fit(task, interrupted(at), plan, tmp_path / name, progress=False)
            except Stop:
                assert at == stop
        results.append(task.network.state_dict())
    assert equal_states(*results)


def test_early_stopping(tmp_path):
    plan = tiny.plan(patience=2)
    task = tiny.task(plan)
    task.validate = lambda step: {"score": {10: 2.0, 20: 2.0, 30: 3.0}[step]}
    record = fit(task, tiny.batches, plan, tmp_path, progress=False)
    assert (record.stopped_early, record.steps, record.best_step, record.samples_seen) == (True, 30, 10, 120)


@pytest.mark.parametrize(
    ("changes", "settings", "net", "named"),
    [
        ({"learning_rate": 0.5}, {}, None, r"plan\.learning_rate is 0\.01 in the checkpoint and 0\.5 here"),
        ({"schedule": LearningRateSchedule()}, {}, None, r"plan\.schedule\.warmup_steps is 5"),
        ({}, {"seed": 2}, None, r"task\.seed is 1 in the checkpoint and 2 here"),
        ({}, {"seed": 1}, tiny.network(width=7), r"network\.0\.weight is \(6, 2, 3, 3\) torch"),
    ],
)
def test_another_training_is_refused(tmp_path, changes, settings, net, named):
    plan = tiny.plan(steps=3)
    fit(tiny.task(plan, seed=1), tiny.batches, plan, tmp_path, progress=False)
    other = tiny.plan(steps=3, **changes)
    with pytest.raises(ValueError, match=named):
        fit(tiny.task(other, net, **{"seed": 1, **settings}), tiny.batches, other, tmp_path, progress=False)
    same = tiny.plan(steps=3, checkpoint_seconds=99.0)
    fit(tiny.task(same, seed=1), tiny.batches, same, tmp_path, progress=False)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    plan = tiny.plan(steps=3)
    fit(tiny.task(plan), tiny.batches, plan, tmp_path, progress=False)
    path = tmp_path / "resume" / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="truncated"):
        fit(tiny.task(plan), tiny.batches, plan, tmp_path, progress=False)


def test_a_loss_that_is_not_finite_names_its_step(tmp_path):
    plan = tiny.plan()
    task = tiny.task(plan, loss=lambda estimate, truth, step: tiny.square(estimate, truth, 0) / (step != 13))
    with pytest.raises(FloatingPointError, match=r"loss is inf in step 13"):
        fit(task, tiny.batches, plan, tmp_path, progress=False)
    resumed = tiny.task(plan)
    fit(resumed, interrupted(5), plan, tmp_path, progress=False)  # the checkpoint is of step 12, before the failure


def test_a_score_that_is_missing_or_not_finite(tmp_path):
    plan = tiny.plan()
    for values in ({}, {"score": float("nan")}):
        task = tiny.task(plan)
        task.validate = lambda step, values=values: values
        with pytest.raises(FloatingPointError, match="score"):
            fit(task, tiny.batches, plan, tmp_path, progress=False)


def test_the_history_holds_means(tmp_path):
    plan = TrainingPlan(steps=5, batch_size=1, report_every=2)

    class Counting:
        modules = {}  # noqa: RUF012
        optimisers = {}  # noqa: RUF012
        settings = {}  # noqa: RUF012

        def training_step(self, batch, step):
            return {"loss": torch.tensor(float(step)), "other": torch.tensor(1.0)}

        def validate(self, step):
            return {}

    record = fit(Counting(), lambda number: None, plan, tmp_path, progress=False)
    assert [entry["loss"] for entry in record.history] == [0.5, 2.5, 4.0]
    assert [entry["step"] for entry in record.history] == [2, 4, 5]


def test_two_optimisers(tmp_path):
    """A generator and a critic, each with its own optimiser and rate, interrupted and not."""

    class Adversarial:
        def __init__(self):
            torch.manual_seed(0)
            self.modules = {"generator": nn.Linear(3, 3), "critic": nn.Linear(3, 1)}
            self.optimisers = {
                "generator": torch.optim.Adam(self.modules["generator"].parameters(), 1e-2),
                "critic": torch.optim.SGD(self.modules["critic"].parameters(), 1e-3, momentum=0.9),
            }
            self.settings = {}

        def training_step(self, batch, step):
            generated = self.modules["generator"](batch + torch.randn_like(batch))
            critic = self.modules["critic"]
            contrast = critic(generated.detach()).mean() - critic(batch).mean()
            descend(contrast, self.optimisers["critic"])
            loss = -critic(generated).mean()
            descend(loss, self.optimisers["generator"])
            return {"critic": contrast.detach(), "generator": loss.detach()}

        def validate(self, step):
            return {}

    def batches(number):
        return torch.randn(4, 3, generator=torch.Generator().manual_seed(number))

    plan = TrainingPlan(steps=12, batch_size=4, report_every=1, checkpoint_seconds=0.0)
    whole, parts = Adversarial(), Adversarial()
    torch.manual_seed(1)
    fit(whole, batches, plan, tmp_path / "whole", progress=False)
    torch.manual_seed(1)
    with pytest.raises(Stop):
        fit(parts, interrupted(7, batches), plan, tmp_path / "parts", progress=False)
    parts = Adversarial()
    fit(parts, batches, plan, tmp_path / "parts", progress=False)
    for name in whole.modules:
        assert equal_states(whole.modules[name].state_dict(), parts.modules[name].state_dict())
    rates = [parts.optimisers[name].param_groups[0]["initial_lr"] for name in ("generator", "critic")]
    assert rates == [1e-2, 1e-3]


def test_the_l2_term_is_that_of_the_loss():
    """One Adam step with the term in the loss equals one with the weight decay of the plan."""
    coefficient = 0.03
    states = []
    for in_loss in (True, False):
        net = tiny.network(dropout=0.0)
        plan = tiny.plan(l2_coefficient=0.0 if in_loss else coefficient)
        optimiser = plan.adam(net.parameters())
        images, truth = tiny.batches(0)
        loss = tiny.square(net(images), truth, 0)
        if in_loss:
            loss = loss + coefficient * sum(weights.square().sum() for weights in net.parameters())
        loss.backward()
        gradients = [weights.grad.clone() for weights in net.parameters()]
        if not in_loss:
            gradients = [
                gradient + optimiser.defaults["weight_decay"] * weights.detach()
                for gradient, weights in zip(gradients, net.parameters(), strict=True)
            ]
        states.append(gradients)
    for one, other in zip(*states, strict=True):
        torch.testing.assert_close(one, other)


def test_the_gradients_norm_is_limited():
    weights = nn.Parameter(torch.zeros(4))
    optimiser = torch.optim.SGD([weights], lr=1.0)
    descend(100.0 * weights.sum(), optimiser, gradient_norm_limit=0.5)
    assert torch.linalg.norm(weights).item() == pytest.approx(0.5, rel=1e-4)


def test_bfloat16_learns_with_weights_in_single_precision(tmp_path):
    plan = tiny.plan(precision="bfloat16")
    task = tiny.task(plan)
    seen = []
    task.loss = lambda estimate, truth, step: seen.append(estimate.dtype) or tiny.square(estimate.float(), truth, 0)
    record = fit(task, tiny.batches, plan, tmp_path, progress=False)
    assert set(seen) == {torch.bfloat16}
    assert all(weights.dtype == torch.float32 for weights in task.network.parameters())
    assert record.history[-2]["loss"] < record.history[0]["loss"]


def test_schedule():
    schedule = LearningRateSchedule(warmup_steps=4, decay_from=0.5, final_factor=0.1)
    found = [schedule.factor(step, 100) for step in (0, 1, 3, 4, 50, 75, 100)]
    assert found == pytest.approx([0.25, 0.5, 1.0, 1.0, 1.0, 0.55, 0.1])
    assert {LearningRateSchedule().factor(step, 10) for step in range(10)} == {1.0}


def test_the_rate_follows_the_schedule_also_after_an_interruption(tmp_path):
    """With the gradient 1, plain descent goes down by the sum of the rates."""

    class Descent:
        settings = {}  # noqa: RUF012

        def __init__(self):
            self.modules = {"line": nn.Linear(1, 1, bias=False)}
            nn.init.zeros_(self.modules["line"].weight)
            self.optimisers = {"descent": torch.optim.SGD(self.modules["line"].parameters(), lr=2.0)}

        def training_step(self, batch, step):
            loss = self.modules["line"].weight.sum()
            descend(loss, self.optimisers["descent"])
            return {"loss": loss.detach()}

        def validate(self, step):
            return {}

    schedule = LearningRateSchedule(warmup_steps=4)
    plan = TrainingPlan(steps=8, batch_size=1, schedule=schedule, report_every=1, checkpoint_seconds=0.0)
    with pytest.raises(Stop):
        fit(Descent(), interrupted(2, lambda number: None), plan, tmp_path, progress=False)
    resumed = Descent()
    fit(resumed, lambda number: None, plan, tmp_path, progress=False)
    # 2 (1/4 + 2/4 + 3/4 + 1 + 4 times 1)
    assert resumed.modules["line"].weight.item() == pytest.approx(-13.0)


def test_plans_are_checked():
    for wrong in (
        {"steps": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"l2_coefficient": -1.0},
        {"precision": "float16"},
        {"patience": 3, "validate_every": None},
        {"gradient_norm_limit": 0.0},
        {"keep": "first"},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            tiny.plan(**wrong)


def test_validation_is_asked_for_but_missing(tmp_path):
    plan = tiny.plan()
    task = tiny.task(plan)
    task.validation = None
    with pytest.raises(ValueError, match="no validation"):
        fit(task, tiny.batches, plan, tmp_path, progress=False)
