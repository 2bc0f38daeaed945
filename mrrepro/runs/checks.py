"""What ``mrrepro verify`` and ``mrrepro bench`` run: one object a check, one a benchmark.

Each paper lists its own in ``mrrepro.papers.<key>.checks`` as ``CHECKS`` and ``BENCHMARKS``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one physics check; ``ok`` means that ``value`` is finite and at most ``limit``."""

    id: str
    value: float
    limit: float
    unit: str
    ok: bool
    seconds: float


@dataclass(frozen=True)
class Check:
    """A deviation that must stay at or below a limit.

    Parameters
    ----------
    id : str
        ``<paper>.<name>``, for instance ``deepspio.sphere_exterior``.
    quantity : str
        What ``measure`` returns, in words, with the reference it is held against.
    limit : float
        The largest admissible value [unit].
    unit : str
        Unit of the value; ``"1"`` for a relative error.
    measure : callable
        Takes nothing and returns the deviation, 0 being perfect.
    """

    id: str
    quantity: str
    limit: float
    unit: str
    measure: Callable[[], float]

    def run(self) -> CheckResult:
        """Measure once and compare with the limit."""
        start = time.perf_counter()
        value = float(self.measure())
        ok = math.isfinite(value) and value <= self.limit
        return CheckResult(self.id, value, self.limit, self.unit, ok, time.perf_counter() - start)


@dataclass(frozen=True)
class Measurement:
    """Our figure and the peer's, measured side by side in one run; both in the benchmark's unit."""

    ours: float
    peer: float | None = None
    floor: float | None = None


@dataclass(frozen=True)
class BenchmarkResult:
    """The outcome of one benchmark; ``ratio`` says how many times better ours is than the peer."""

    id: str
    ours: float
    peer: float | None
    peer_name: str | None
    ratio: float | None
    floor: float | None
    unit: str
    goal: float | None
    ok: bool | None
    seconds: float


@dataclass(frozen=True)
class Benchmark:
    """A speed or a size, beside a peer that does the same work in the same run.

    Parameters
    ----------
    id : str
        ``<paper>.<name>``, for instance ``deepspio.simulator_128``.
    quantity : str
        What is measured, in words.
    unit : str
        Unit of the figures, for instance ``"samples/s"``, ``"s"`` or ``"MiB"``.
    measure : callable
        Takes nothing and returns a `Measurement`.
    peer_name : str, optional
        The peer; None where there is none, and then the floor is given.
    higher_is_better : bool
        True for rates, False for times and sizes.
    goal : float, optional
        The smallest admissible ratio.
    """

    id: str
    quantity: str
    unit: str
    measure: Callable[[], Measurement]
    peer_name: str | None = None
    higher_is_better: bool = False
    goal: float | None = None

    def run(self) -> BenchmarkResult:
        """Measure once and form the ratio."""
        start = time.perf_counter()
        figures = self.measure()
        ratio = None
        if figures.peer is not None:
            ratio = figures.ours / figures.peer if self.higher_is_better else figures.peer / figures.ours
        ok = None if self.goal is None or ratio is None else ratio >= self.goal
        seconds = time.perf_counter() - start
        return BenchmarkResult(
            self.id, figures.ours, figures.peer, self.peer_name, ratio, figures.floor, self.unit, self.goal, ok, seconds
        )
