"""One run over the processes that ``torchrun`` started: which stages all of them work on, and which only the first.

A stage whose function calls the training loop itself is made by all processes together; every other one by the first,
and the others wait for its artifact. With P processes a step of a training sees P times as many samples, so the result
is another one: the number of processes is in the key of such a stage.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from mrrepro.runs.code import directly_imports

TRAINING_LOOP = "mrrepro.training.trainer.fit"
_LOOK_S = 0.2
T = TypeVar("T")


def count() -> int:
    """Number of processes of this run; 1 unless a process group was joined."""
    group = _group()
    return int(group.get_world_size()) if group is not None else 1


def rank() -> int:
    """Number of this process, 0 for the first."""
    group = _group()
    return int(group.get_rank()) if group is not None else 0


def work_together(function: Callable[..., Any]) -> bool:
    """Tell whether several processes make a stage together: its own code calls the training loop."""
    return count() > 1 and directly_imports(function, TRAINING_LOOP)


def awaited(find: Callable[[], T | None]) -> T:
    """Return what the first process makes, as soon as it is there; ``torchrun`` ends this process if that one fails."""
    while True:
        found = find()
        if found is not None:
            return found
        time.sleep(_LOOK_S)


@contextmanager
def own_workspace(first: Path, resume: str) -> Iterator[Path]:
    """Yield a folder for a process that is not the first; it is dropped, and reads the first one's checkpoints."""
    (first / resume).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mrrepro-") as folder:
        (Path(folder) / resume).symlink_to(first / resume, target_is_directory=True)
        yield Path(folder)


def _group() -> Any:
    """The default process group's module where one was joined; torch is not imported for it."""
    if "torch" not in sys.modules:
        return None
    import torch.distributed as group

    return group if group.is_available() and group.is_initialized() else None
