"""What all commands share: one line for an error, JSON on the standard output, tables, exit codes."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, NoReturn, TypeVar

import typer

TRACEBACK_VARIABLE = "MRREPRO_TRACEBACK"

FINE, FELL_SHORT, WRONG_USAGE = 0, 1, 2

WORK_FAILED = (ValueError, RuntimeError, FloatingPointError, OSError)
"""What a stage raises whose settings were fine: it diverged, did not converge, or found no room."""

F = TypeVar("F", bound=Callable[..., Any])


def tracebacks() -> bool:
    """Tell whether errors are shown with all that led to them: ``MRREPRO_TRACEBACK=1``, for whoever writes code."""
    return os.environ.get(TRACEBACK_VARIABLE, "").strip().lower() in ("1", "true", "yes", "on")


def fail(message: str, code: int = WRONG_USAGE) -> NoReturn:
    """Say one line on the standard error and end with an exit code."""
    typer.echo(f"mrrepro: {message}", err=True)
    raise typer.Exit(code)


def one_line_errors(command: F) -> F:
    """Turn an error of input into one clear line and exit code 2, one of an artifact or a file into one and 1."""

    @wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        from mrrepro.runs.artifacts import ArtifactError

        try:
            return command(*arguments, **options)
        except (ValueError, ArtifactError, FloatingPointError) as error:
            if tracebacks():
                raise
            fail(str(error), WRONG_USAGE if isinstance(error, ValueError) else FELL_SHORT)
        except BrokenPipeError:  # who reads the output has gone
            raise
        except OSError as error:
            if tracebacks():
                raise
            where = f"{error.filename}: " if error.filename else ""
            fail(f"{where}{error.strerror or error}", FELL_SHORT)
        except KeyboardInterrupt:
            fail("interrupted; the next run goes on from here", 130)

    return wrapped  # type: ignore[return-value]


def print_json(document: object) -> None:
    """Print JSON; what is no finite number becomes null."""
    typer.echo(json.dumps(finite(document), indent=2, ensure_ascii=False, allow_nan=False))


def finite(document: Any) -> Any:
    """Replace NaN and infinities, which JSON does not hold, by None."""
    if isinstance(document, float):
        return document if math.isfinite(document) else None
    if isinstance(document, Mapping):
        return {key: finite(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [finite(value) for value in document]
    return document


def print_table(rows: Sequence[Sequence[str]], head: Sequence[str]) -> None:
    """Print rows in columns as wide as they need."""
    widths = [max(len(str(row[index])) for row in (head, *rows)) for index in range(len(head))]
    for row in (head, *rows):
        typer.echo("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def size_in_words(count: float) -> str:
    """Give a number of bytes with a unit."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("unreachable")


def figure(value: float | None) -> str:
    """Give a number with four figures; a dash where there is none."""
    return "-" if value is None else f"{value:.4g}"
