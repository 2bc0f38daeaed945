"""How long, how fast and how exactly a network is trained, and the record of a training."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch

from mrrepro.validation import require_choice, require_range

UNCOMPARED = ("checkpoint_seconds",)
"""Fields of a plan that do not change what a training computes."""


@dataclass(frozen=True)
class LearningRateSchedule:
    """Factor of the learning rate: a linear warm-up, a constant part, and half a cosine down to ``final_factor``.

    Parameters
    ----------
    warmup_steps : int
        Steps of the warm-up; 0 for none.
    decay_from : float
        Fraction of the run from which on the rate decays, in [0, 1]; 1 for a constant rate (the default).
    final_factor : float
        Factor at the end of the decay, in [0, 1].
    """

    warmup_steps: int = 0
    decay_from: float = 1.0
    final_factor: float = 0.0

    def __post_init__(self) -> None:
        require_range("warmup_steps", self.warmup_steps, 0)
        require_range("decay_from", self.decay_from, 0.0, 1.0)
        require_range("final_factor", self.final_factor, 0.0, 1.0)

    def factor(self, step: int, steps: int) -> float:
        """Return the factor at ``step`` of ``steps``, both counted from 0.

        >>> LearningRateSchedule(decay_from=0.5).factor(75, 100)
        0.5
        """
        warmup = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        start = self.decay_from * steps
        if step <= start or start >= steps:
            return warmup
        cosine = 0.5 * (1.0 + math.cos(math.pi * (step - start) / (steps - start)))
        return warmup * (self.final_factor + (1.0 - self.final_factor) * round(cosine, 15))


@dataclass(frozen=True)
class TrainingPlan:
    """All that fixes a training beside the task and its batches.

    Parameters
    ----------
    steps : int
        Steps of the optimiser(s) in the whole run.
    batch_size : int
        Samples a step and process; used to count samples.
    learning_rate : float
        Adam's step size.
    betas : tuple of float
        Adam's decay rates; the first is what is often called momentum.
    l2_coefficient : float
        lambda of a term lambda ||theta||_2^2 in the loss. Its gradient is 2 lambda theta, so that Adam's
        ``weight_decay``, which is added to the gradient as w theta, is 2 lambda.
    schedule : LearningRateSchedule
        Factor of the learning rate by step.
    precision : {"float32", "bfloat16"}
        ``"bfloat16"`` runs forward passes under autocast; weights, losses and optimisers stay in float32.
    gradient_norm_limit : float, optional
        Gradients of a larger norm are scaled down to it.
    report_every : int
        Steps between two entries of the history; losses are looked at, and time checked, only then.
    validate_every : int, optional
        Steps between two validations; none by default. There is always one at the end then.
    patience : int, optional
        Number of validations in a row without a better score after which the training ends.
    keep : {"best", "last"}
        Which weights a training with validations ends with.
    checkpoint_seconds : float
        Time between two checkpoints, apart from those at validations.
    """

    steps: int
    batch_size: int
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    l2_coefficient: float = 0.0
    schedule: LearningRateSchedule = field(default_factory=LearningRateSchedule)
    precision: Literal["float32", "bfloat16"] = "float32"
    gradient_norm_limit: float | None = None
    report_every: int = 20
    validate_every: int | None = None
    patience: int | None = None
    keep: Literal["best", "last"] = "best"
    checkpoint_seconds: float = 60.0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "report_every"):
            require_range(name, getattr(self, name), 1)
        for name in ("validate_every", "patience"):
            if getattr(self, name) is not None:
                require_range(name, getattr(self, name), 1)
        require_range("learning_rate", self.learning_rate, 0.0, low_open=True)
        require_range("l2_coefficient", self.l2_coefficient, 0.0)
        require_range("checkpoint_seconds", self.checkpoint_seconds, 0.0)
        for beta in self.betas:
            require_range("betas", beta, 0.0, 1.0)
        if self.gradient_norm_limit is not None:
            require_range("gradient_norm_limit", self.gradient_norm_limit, 0.0, low_open=True)
        require_choice("precision", self.precision, ("float32", "bfloat16"))
        require_choice("keep", self.keep, ("best", "last"))
        if self.patience is not None and self.validate_every is None:
            raise ValueError("patience counts validations, but validate_every is None: set it too.")

    def adam(self, parameters: Any) -> torch.optim.Adam:
        """Return Adam with this plan's rate, betas and L2 term."""
        return torch.optim.Adam(
            parameters, lr=self.learning_rate, betas=self.betas, weight_decay=2.0 * self.l2_coefficient
        )

    def autocast(self, device: torch.device) -> AbstractContextManager[None]:
        """Return the context in which forward passes run."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bfloat16")

    def identity(self) -> dict[str, Any]:
        """Return what must agree when a training is resumed, as JSON can hold it."""
        fields = asdict(self)
        fields["betas"] = list(self.betas)
        return {name: value for name, value in fields.items() if name not in UNCOMPARED}


@dataclass(frozen=True)
class TrainingRecord:
    """What a training did.

    Parameters
    ----------
    steps : int
        Steps done; fewer than planned when it was stopped early.
    samples_seen : int
        Samples drawn, over all processes.
    seconds : float
        Time spent in the loop, over all interruptions [s].
    best_step : int or None
        Step after which the validation's score was lowest.
    best_score : float or None
        That score.
    stopped_early : bool
        Whether patience ran out.
    history : tuple of dict
        Entries ``{"step": ..., "<name>": mean since the last entry}`` of training values and
        ``{"step": ..., "validation": {...}}`` of validations, in order.
    """

    steps: int
    samples_seen: int
    seconds: float
    best_step: int | None
    best_score: float | None
    stopped_early: bool
    history: tuple[dict[str, Any], ...]

    def validations(self) -> list[dict[str, Any]]:
        """Return the entries of validations, each with its step and values."""
        return [{"step": entry["step"], **entry["validation"]} for entry in self.history if "validation" in entry]
