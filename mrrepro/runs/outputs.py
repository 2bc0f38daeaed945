"""Files that a command writes for its user: new ones only, unless told otherwise, and all of them or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from mrrepro.runs.files import atomic_file


def require_free(outputs: Sequence[Path], inputs: Sequence[Path] = (), force: bool = False) -> None:
    """Raise ``ValueError`` where an output could not be written, or would replace something it must not.

    Parameters
    ----------
    outputs : sequence of Path
        What is going to be written.
    inputs : sequence of Path
        What is read; never replaced, not even by force.
    force : bool
        Existing files may be replaced.
    """
    read = {path.resolve() for path in inputs}
    for path in outputs:
        if path.resolve() in read:
            raise ValueError(f"output {path} is one of the inputs: choose another name.")
        if path.is_dir():
            raise ValueError(f"output {path} is a folder: give the name of a file.")
        if path.exists() and not force:
            raise ValueError(f"output {path} exists already: choose another name, or give --force to replace it.")
        if not path.parent.is_dir():
            raise ValueError(f"output {path} lies in a folder that does not exist: make {path.parent} first.")


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write several files that take their names only when all of them are whole.

    Raises
    ------
    ValueError
        If the folder cannot be written to; nothing is left behind then.
    """
    try:
        with ExitStack() as stack:
            for path, content in contents.items():
                stack.enter_context(atomic_file(path)).write(content)
    except OSError as error:
        names = ", ".join(str(path) for path in contents)
        raise ValueError(f"cannot write {names} ({error}): choose a folder with room that you may write to.") from None
