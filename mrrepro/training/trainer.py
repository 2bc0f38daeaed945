"""The training loop of all chapters, with checkpoints from which it goes on as if nothing had happened."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from mrrepro.training import distributed
from mrrepro.training.plan import TrainingPlan, TrainingRecord
from mrrepro.training.resume import Progress, TrainingCheckpoint
from mrrepro.training.tasks import Task


def fit(
    task: Task,
    batches: Callable[[int], Any],
    plan: TrainingPlan,
    workspace: Path,
    *,
    device: torch.device | str = "cpu",
    progress: bool = True,
) -> TrainingRecord:
    """Train a task to the end of a plan, from its last checkpoint if there is one.

    Parameters
    ----------
    task : Task
        Networks and optimisers, changed in place. At the end the networks hold the weights of the best validation,
        or the last ones where there were no validations or ``plan.keep`` says so.
    batches : callable
        From the batch's number to the batch (tensors, or tuples, lists and mappings of them): a pure function, since
        a resumed training asks for the same numbers again. With P processes, process p gets the numbers s P + p.
    plan : TrainingPlan
        Steps, rates, intervals.
    workspace : Path
        ``workspace/resume/state.safetensors`` holds the checkpoint, also after the end, when a further call only
        restores the weights. One training a workspace.
    device : torch.device or str
        Where networks and batches are put.
    progress : bool
        Show a bar with samples a second and the loss.

    Returns
    -------
    TrainingRecord

    Raises
    ------
    ValueError
        If the checkpoint is damaged, or of another network, plan or task; what differs is named.
    FloatingPointError
        If a training value is not finite; the step is named and no checkpoint is written.

    Notes
    -----
    On the same device, with the same numbers of threads and processes, an interrupted training ends with the same
    bits as an uninterrupted one: checkpoints hold networks, optimisers, history and the states of torch's generators
    (of the CPU and of ``device``). Generators of NumPy and Python are not stored: batches and tasks must not use
    global ones. On CUDA equal bits need ``torch.use_deterministic_algorithms(True)`` too, which the caller sets.
    """
    device = torch.device(device)
    for module in task.modules.values():
        module.to(device).train()
    for optimiser in task.optimisers.values():
        for group in optimiser.param_groups:
            group.setdefault("initial_lr", group["lr"])
    distributed.broadcast_first(task.modules.values())
    checkpoint = TrainingCheckpoint(task, plan, workspace, device)
    state = checkpoint.restore()
    pending: list[Mapping[str, Tensor]] = []
    processes, rank = distributed.process_count(), distributed.process_rank()
    samples_a_step = plan.batch_size * processes
    began = time.perf_counter() - state.seconds
    saved = time.perf_counter()
    with tqdm(
        total=plan.steps * samples_a_step,
        initial=state.step * samples_a_step,
        unit=" samples",
        disable=not progress or rank > 0 or state.finished,
        dynamic_ncols=True,
    ) as bar:
        while not state.finished:
            factor = plan.schedule.factor(state.step, plan.steps)
            for optimiser in task.optimisers.values():
                for group in optimiser.param_groups:
                    group["lr"] = group["initial_lr"] * factor
            batch = _to_device(batches(state.step * processes + rank), device)
            pending.append(task.training_step(batch, state.step))
            distributed.average_buffers(task.modules.values())
            state.step += 1
            bar.update(samples_a_step)
            last = state.step == plan.steps
            validate = plan.validate_every is not None and (last or state.step % plan.validate_every == 0)
            if not (last or validate or state.step % plan.report_every == 0):
                continue
            means = _means(pending, state.step)
            pending.clear()
            state.history.append({"step": state.step, **means})
            bar.set_postfix({name: f"{value:.4g}" for name, value in means.items()}, refresh=False)
            if validate:
                _validate(task, plan, state, checkpoint)
            state.finished = last or state.stopped_early
            if state.finished and plan.keep == "best":
                checkpoint.restore_best()
            state.seconds = time.perf_counter() - began
            overdue = float(time.perf_counter() - saved >= plan.checkpoint_seconds)
            if validate or state.finished or distributed.decision_of_first(overdue, device):
                checkpoint.save(state)
                saved = time.perf_counter()
    return TrainingRecord(
        steps=state.step,
        samples_seen=state.step * samples_a_step,
        seconds=state.seconds,
        best_step=state.best_step,
        best_score=state.best_score,
        stopped_early=state.stopped_early,
        history=tuple(state.history),
    )


def _validate(task: Task, plan: TrainingPlan, state: Progress, checkpoint: TrainingCheckpoint) -> None:
    """Validate once, remember the best, and stop when patience has run out."""
    values = {name: float(value) for name, value in task.validate(state.step).items()}
    if not math.isfinite(values.get("score", math.nan)):
        raise FloatingPointError(
            f"The validation after step {state.step} gave {values}: it must hold a finite 'score', lower being better."
        )
    score = distributed.decision_of_first(values["score"], checkpoint.device)
    state.history.append({"step": state.step, "validation": values})
    if state.best_score is None or score < state.best_score:
        state.best_step, state.best_score, state.validations_since_best = state.step, score, 0
        if plan.keep == "best":
            checkpoint.keep_best()
    else:
        state.validations_since_best += 1
    state.stopped_early = plan.patience is not None and state.validations_since_best >= plan.patience


def _means(pending: list[Mapping[str, Tensor]], step: int) -> dict[str, float]:
    """Return each value's mean over the pending steps and all processes, read from the device at once."""
    names = list(pending[0])
    values = torch.stack([torch.stack([torch.as_tensor(each[name]).float() for name in names]) for each in pending])
    distributed.average([values])
    values = values.cpu().double()
    if not torch.isfinite(values).all():
        row, column = (~torch.isfinite(values)).nonzero()[0].tolist()
        raise FloatingPointError(
            f"{names[column]} is {values[row, column].item()} in step {step - len(pending) + row}, counted from 0: "
            "lower the learning rate, limit the gradient's norm, or look at that step's batch."
        )
    return dict(zip(names, values.mean(dim=0).tolist(), strict=True))


def _to_device(batch: Any, device: torch.device) -> Any:
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, Mapping):
        return {name: _to_device(part, device) for name, part in batch.items()}
    if isinstance(batch, tuple | list):
        return type(batch)(_to_device(part, device) for part in batch)
    return batch
