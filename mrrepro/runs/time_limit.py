"""A limit on the wall clock: work stops where it has just been written down, and the same command goes on from there.

Nothing that computes knows of it. Near the limit a timer looks whether the stage that is being made has written a file
(a training's checkpoint, a simulated case) and then ends the work; at the limit it ends it anyway, which costs what was
done since the last file.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

LOOKOUT_S = 75.0
"""So long before the limit it is looked for a place to stop [s]; trainings write a checkpoint every minute."""

_EVERY_S = 0.5
_worked_on: list[Path] = []


class TimeUp(BaseException):
    """The time given is over; no error, so nothing but the command line catches it."""


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Name the folder that the work in this block writes to; blocks may be nested."""
    _worked_on.append(folder)
    try:
        yield
    finally:
        _worked_on.pop()


@contextmanager
def time_limit(minutes: float | None) -> Iterator[None]:
    """End the block with `TimeUp` after so many minutes, or up to `LOOKOUT_S` earlier right after a file was written.

    Parameters
    ----------
    minutes : float or None
        Above 0; None sets no limit.

    Raises
    ------
    ValueError
        If ``minutes`` is not above 0 and finite, or the system has no timers (Windows), or this is not the main thread.
    TimeUp
        When the time is over. A call into compiled code that is under way is waited for.
    """
    if minutes is None:
        yield
        return
    if not 0 < minutes < math.inf:
        raise ValueError(f"minutes must be above 0 and finite, but is {minutes!r}.")
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        raise ValueError("minutes needs a system with timers (Linux, macOS) and the main thread: leave it out here.")
    seconds = 60.0 * minutes
    begun = time.time()
    lookout, end = begun + max(0.0, seconds - min(LOOKOUT_S, 0.5 * seconds)), begun + seconds

    def look(number: int, frame: FrameType | None) -> None:
        now = time.time()
        if now >= end or (now >= lookout and _written_since(lookout)):
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise TimeUp

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, max(lookout - begun, 1e-3), _EVERY_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _written_since(moment: float) -> bool:
    """Tell whether a file in the folder of the innermost work got its final name since."""
    if not _worked_on:
        return True  # between two stages
    for path in _worked_on[-1].rglob("*"):
        if not path.name.startswith("."):
            with suppress(OSError):
                if path.is_file() and path.stat().st_mtime >= moment:
                    return True
    return False
