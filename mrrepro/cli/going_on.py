"""What commands share that make results for long: a limit on the wall clock, several processes, a tuned GPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from mrrepro.cli.reporting import fail

GO_ON = 75
"""Exit code that says: the time is over, give the same command again (``EX_TEMPFAIL`` of sysexits.h)."""

Minutes = Annotated[
    float | None,
    typer.Option(
        metavar="M", help=f"end within M minutes, where work was just written down; exit code {GO_ON} says: go on"
    ),
]


@contextmanager
def limited(minutes: float | None) -> Iterator[None]:
    """End the block within so many minutes with exit code `GO_ON`."""
    from mrrepro.runs.time_limit import TimeUp, time_limit

    try:
        with time_limit(minutes):
            yield
    except TimeUp:
        fail(f"{minutes:g} minutes are over; the same command goes on from what was written down", GO_ON)


@contextmanager
def joined() -> Iterator[bool]:
    """Join the processes of ``torchrun``, where there are any, and say whether this is the first.

    On CUDA the fastest of cuDNN's algorithms is chosen, which changes the last bits. Convolutions may use TF32, as is
    torch's default; matrix products may not: structural similarity takes small differences of them, and Krylov methods
    and the sums over a volume's slabs are products too.
    """
    if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
        from mrrepro.runs.machine import DEVICE_VARIABLE
        from mrrepro.runs.processes import rank
        from mrrepro.training.distributed import launched_processes

        with launched_processes() as device, _tuned():
            os.environ[DEVICE_VARIABLE] = str(device)
            yield rank() == 0
        return
    with _tuned():
        yield True


@contextmanager
def _tuned() -> Iterator[None]:
    from mrrepro.runs.machine import default_device

    if not default_device().startswith("cuda"):
        yield
        return
    import torch

    benchmark = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = benchmark
