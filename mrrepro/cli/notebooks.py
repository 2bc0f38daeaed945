"""Finding the notebooks of the checkout, reading their parameter cells, executing them with papermill."""

from __future__ import annotations

import ast
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mrrepro.runs.settings import require_known

NOTEBOOKS_VARIABLE = "MRREPRO_NOTEBOOKS"


@dataclass(frozen=True)
class Notebook:
    """A notebook of a chapter; ``path`` is the percent ``.py``, or the ``.ipynb`` where there is no other."""

    chapter: str
    name: str
    path: Path


class NotebookFailed(RuntimeError):
    """A cell of a notebook raised an error, or its kernel died; the message says where the executed notebook lies."""


def notebooks_folder() -> Path:
    """Return the folder of the checkout's notebooks.

    Raises
    ------
    ValueError
        There is none: an installed package brings the library, not the notebooks.
    """
    named = os.environ.get(NOTEBOOKS_VARIABLE, "").strip()
    if named:
        if not Path(named).is_dir():
            raise ValueError(f"{NOTEBOOKS_VARIABLE} must be the folder of the notebooks, but {named!r} is none.")
        return Path(named).resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (folder / "notebooks").is_dir() and (folder / "mrrepro").is_dir():
            return folder / "notebooks"
    raise ValueError(
        f"No notebooks were found above {here}: they come with a clone of the project, not with the installed package. "
        f"Go there, or name the folder in {NOTEBOOKS_VARIABLE}."
    )


def find_notebooks(target: str) -> tuple[Notebook, ...]:
    """Return the notebooks of ``CHAPTER`` in their order, or the one of ``CHAPTER/NN``."""
    chapter, _, number = target.strip("/").partition("/")
    folder = notebooks_folder()
    chapters = [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))]
    require_known("chapter", chapter, chapters)
    found: dict[str, Path] = {}
    for pattern in ("*.ipynb", "*.py"):  # the percent .py is the source and comes first
        found.update({path.stem: path for path in (folder / chapter).glob(f"[0-9]{pattern}")})
    notebooks = [Notebook(chapter, name, found[name]) for name in sorted(found)]
    if not notebooks:
        raise ValueError(f"Chapter {chapter} has no notebooks in {folder / chapter}.")
    if not number:
        return tuple(notebooks)
    wanted = [item for item in notebooks if item.name == number or item.name.partition("_")[0] == number.zfill(2)]
    if not wanted:
        require_known(f"notebook of {chapter}", number, [item.name for item in notebooks])
    return tuple(wanted)


def read_notebook(notebook: Notebook) -> Any:
    """Read a notebook, from either format."""
    try:
        import jupytext
    except ImportError:
        raise ValueError(
            "Running notebooks needs jupytext and papermill: pip install jupytext papermill ipykernel."
        ) from None
    return jupytext.read(notebook.path)


def known_parameters(document: Any) -> dict[str, Any]:
    """Return names and default values that the cell tagged ``parameters`` sets."""
    for cell in document.cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            found: dict[str, Any] = {}
            for statement in ast.parse(cell.source).body:
                targets = (
                    statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
                )
                for target in targets:
                    if isinstance(target, ast.Name):
                        found[target.id] = _literal(getattr(statement, "value", None))
            return found
    return {}


def execute(notebook: Notebook, document: Any, parameters: Mapping[str, Any], output: Path, show: bool) -> float:
    """Execute a notebook into ``output`` and return the seconds it took.

    Raises
    ------
    NotebookFailed
        A cell raised an error, or the kernel died.
    """
    try:
        import papermill
        from nbclient.exceptions import DeadKernelError
        from papermill.exceptions import PapermillExecutionError
    except ImportError:
        raise ValueError("Running notebooks needs papermill: pip install papermill jupytext ipykernel.") from None
    output.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    try:
        papermill.execute_notebook(
            document,
            str(output),
            parameters=dict(parameters),
            cwd=str(notebook.path.parent),
            kernel_name="python3",
            language="python",
            progress_bar=show and sys.stderr.isatty(),
        )
    except PapermillExecutionError as error:
        cell = f"cell {error.exec_count}" if error.exec_count else "a cell"
        raise NotebookFailed(
            f"{notebook.chapter}/{notebook.name}: {cell} raised {error.ename}: {error.evalue} "
            f"(executed notebook: {output})"
        ) from None
    except DeadKernelError:
        raise NotebookFailed(
            f"{notebook.chapter}/{notebook.name}: the kernel died; is there memory enough? "
            f"(executed notebook: {output})"
        ) from None
    return time.perf_counter() - start


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set environment variables for the kernels that are started inside the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _literal(value: ast.expr | None) -> Any:
    try:
        return ast.literal_eval(value) if value is not None else None
    except ValueError:
        return None
