"""Putting a faulty function into a module for a while, on purpose; nothing is kept of what is made meanwhile.

The key of an artifact and the digests of a record are made from source code. While a function is replaced in memory
they would name code that has not run, so making a stage and recording a value are errors then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_ACTIVE: list[str] = []


@contextmanager
def replaced(*changes: tuple[Any, str, Callable[..., Any]]) -> Iterator[None]:
    """Put other functions into modules or classes, and the true ones back when the block ends, however it ends.

    Parameters
    ----------
    *changes : (owner, name, function)
        A module or class, the name of a function in it, and what stands there inside the block.

    Raises
    ------
    ValueError
        The owner has nothing of that name.
    """
    before: list[tuple[Any, str, Any]] = []
    for owner, name, _ in changes:
        if name not in vars(owner):
            raise ValueError(f"{owner.__name__} has no {name!r} of its own that could be replaced.")
        before.append((owner, name, vars(owner)[name]))
    names = [f"{owner.__name__}.{name}" for owner, name, _ in changes]
    try:
        for owner, name, function in changes:
            setattr(owner, name, function)
        _ACTIVE.extend(names)
        yield
    finally:
        del _ACTIVE[len(_ACTIVE) - len(names) :]
        for owner, name, function in before:
            setattr(owner, name, function)


def require_nothing_replaced(what: str) -> None:
    """Raise ``RuntimeError`` where a function is replaced; ``what`` says what is refused then."""
    if _ACTIVE:
        raise RuntimeError(
            f"{what} is refused while {', '.join(_ACTIVE)} is replaced: its code would be given as that of the source. "
            "Leave the block of the fault first."
        )
