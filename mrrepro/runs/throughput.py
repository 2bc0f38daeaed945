"""What a device can do at most, and what simulators and solvers do on it, in items a second or seconds an item."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

_MATRIX_SIDE = {"cuda": 8192, "cpu": 1024}
_COPIED_BYTES = {"cuda": 2**31, "cpu": 2**27}


@dataclass(frozen=True)
class DeviceRates:
    """Rates that were measured on a device: the floors of everything that runs on it.

    Parameters
    ----------
    bfloat16, float32 : float
        Floating-point operations a second of a large matrix product; float32 in TF32 on CUDA, as convolutions have it.
    bandwidth : float
        Bytes a second of a large copy, read and written bytes both counted.
    """

    bfloat16: float
    float32: float
    bandwidth: float

    def of(self, precision: str) -> float:
        """The matrix rate of a precision, ``"float32"`` or ``"bfloat16"``."""
        return self.bfloat16 if precision == "bfloat16" else self.float32

    def floor(self, operations: float, moved_bytes: float, precision: str) -> float:
        """Seconds below which no step can be: those of its arithmetic or of its traffic, whichever is longer."""
        return max(operations / self.of(precision), moved_bytes / self.bandwidth)


@dataclass(frozen=True)
class PlannedItems:
    """How many items some stages of a chapter take, and how long each is expected to take.

    Parameters
    ----------
    stages : tuple of str
        Names of the stages.
    words : str
        What an item is.
    count : callable
        From the chapter's settings to the number of items.
    seconds : callable
        From settings and the seconds an item takes at full size to the seconds at the settings' size.
    over_workers : bool
        Whether ``MRREPRO_WORKERS`` makes several at once, each on a core of its own.
    """

    stages: tuple[str, ...]
    words: str
    count: Callable[[Any], int]
    seconds: Callable[[Any, float], float] = lambda settings, seconds: seconds
    over_workers: bool = False


@dataclass(frozen=True)
class ItemWork:
    """A simulator or a solver.

    Parameters
    ----------
    id : str
        ``<chapter>.<what>``.
    quantity : str
        What ``full`` measures, in words.
    unit : str
        ``"s"`` for seconds an item, or a rate such as ``"samples/s"``.
    full, small : callable
        From a device to the figure, at full size and at one that a processor does in seconds.
    small_words : str
        What ``small`` measures.
    on_processor : bool
        True where it computes on the processor whatever the device.
    goal : float, optional
        For ``full`` on a data-centre GPU: at most so many seconds, or at least such a rate.
    planned : PlannedItems, optional
        What stages need of it.
    """

    id: str
    quantity: str
    unit: str
    full: Callable[[str], float]
    small: Callable[[str], float]
    small_words: str
    on_processor: bool = False
    goal: float | None = None
    planned: PlannedItems | None = None

    def seconds_an_item(self, figure: float) -> float:
        """Turn a figure in this unit into seconds an item."""
        return figure if self.unit == "s" else 1.0 / figure

    def reached(self, figure: float) -> bool | None:
        """Tell whether a figure of ``full`` reaches the goal; None without one."""
        if self.goal is None:
            return None
        return figure <= self.goal if self.unit == "s" else figure >= self.goal


def seconds_on(device: str, work: Callable[[], object]) -> float:
    """Seconds of a piece of work, on a GPU until it has finished there."""
    synchronise(device)
    start = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - start


def synchronise(device: str) -> None:
    """Wait until a GPU has done what it was given; nothing on a processor."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def measure_rates(device: str) -> DeviceRates:
    """Measure matrix rates and bandwidth; takes about two seconds."""
    kind = torch.device(device).type
    side, copied = _MATRIX_SIDE.get(kind, 1024), _COPIED_BYTES.get(kind, 2**27)
    rates = []
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if kind == "cuda" else precision)
    try:
        for dtype in (torch.bfloat16, torch.float32):
            square = torch.rand(side, side, device=device).to(dtype)
            seconds = _best(device, partial(torch.matmul, square, square))
            rates.append(2.0 * side**3 / seconds)
    finally:
        torch.set_float32_matmul_precision(precision)
    source = torch.zeros(copied, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return DeviceRates(rates[0], rates[1], 2.0 * copied / _best(device, lambda: target.copy_(source)))


def _best(device: str, work: Callable[[], object], repetitions: int = 5) -> float:
    work()
    return min(seconds_on(device, work) for _ in range(repetitions))
