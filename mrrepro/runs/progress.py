"""Progress bars and short announcements, on the standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

PROGRESS_VARIABLE = "MRREPRO_PROGRESS"
"""0 keeps bars out of notebooks that are executed for the book, whose outputs are published and compared."""

T = TypeVar("T")


def enabled() -> bool:
    """Tell whether progress is shown where a caller does not say."""
    return os.environ.get(PROGRESS_VARIABLE, "1").strip().lower() not in ("0", "false", "no", "off")


def shown(iterable: Iterable[T], total: int | None, description: str, show: bool | None = None) -> Iterator[T]:
    """Iterate with a plain progress bar that appears when it lasts longer than two seconds."""
    if not (enabled() if show is None else show):
        yield from iterable
        return
    from tqdm import tqdm

    yield from tqdm(iterable, total=total, desc=description, delay=2.0, leave=False, dynamic_ncols=True)


def announce(message: str) -> None:
    """Say one line to whoever waits."""
    if enabled() and sys.stderr is not None:
        print(message, file=sys.stderr, flush=True)
