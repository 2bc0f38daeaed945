"""One run of a sweep: executed on whichever worker takes it, and found again by the next sweep."""

from __future__ import annotations

import copy
import os
import platform
import shutil
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mrrepro import __version__
from mrrepro.cli.notebooks import Notebook, environment, execute
from mrrepro.runs import machine, workers
from mrrepro.runs.artifacts import MANIFEST, ROOT_VARIABLE, ArtifactStore
from mrrepro.runs.code import code_digest
from mrrepro.runs.files import digest_of, read_json, write_json
from mrrepro.runs.notebook import RECEIPTS_VARIABLE
from mrrepro.runs.progress import PROGRESS_VARIABLE
from mrrepro.runs.receipts import Receipt, read_receipt
from mrrepro.runs.reported import LedgerError
from mrrepro.runs.sweeps import Point

RUN_SCHEMA = "mrrepro-sweep-run/1"
STATE = "run.json"
"""In the folder of a run: who works on it, or how it ended."""

_LONGEST_ERROR = 400
_one_at_a_time = threading.Lock()  # the environment, and a GPU, belong to the whole process of a worker


@dataclass(frozen=True)
class SweepRun:
    """A run whose parameters have been checked; all of it can be sent to a worker.

    Parameters
    ----------
    name : str
        Derived from notebook, parameters and settings.
    notebook : Notebook
        Where it lies, on a disk that the workers see too.
    document : NotebookNode
        The notebook as it is executed.
    point : Point
        Seed and parameters as they were given.
    parameters : mapping
        What papermill injects.
    settings : JSON value
        All settings, as the receipt has to state them.
    folder : Path
        Where state, executed notebook and receipt go.
    store : Path
        Folder of the artifacts.
    version : str
        Version of mrrepro that a worker must have.
    """

    name: str
    notebook: Notebook
    document: Any
    point: Point
    parameters: Mapping[str, Any]
    settings: Any
    folder: Path
    store: Path
    version: str = __version__

    @property
    def source(self) -> str:
        """SHA-256 of the notebook's code cells."""
        return digest_of([cell.source for cell in self.document.cells if cell.cell_type == "code"])


def execute_run(run: SweepRun) -> dict[str, Any]:
    """Execute the notebook and return the run's state, which lies in ``run.json`` too; an error in it is a state."""
    with _one_at_a_time:
        earlier = read_state(run)
        state: dict[str, Any] = {
            "schema": RUN_SCHEMA,
            "run": run.name,
            "state": "running",
            "attempts": earlier.get("attempts", 0) + 1 if earlier.get("state") == "running" else 1,
            "host": platform.node(),
            "pid": os.getpid(),
            "version": __version__,
            "source": run.source,
            "date": machine.now(),
        }
        write_json(run.folder / STATE, state)
        start = time.perf_counter()
        try:
            receipt = _execute(run)
            path = receipt.path.relative_to(run.folder).as_posix()
            state |= {"state": "done", "receipt": path, "code": code_behind(receipt, ArtifactStore(run.store))}
        except Exception as error:
            state |= {"state": "failed", "error": in_one_line(error)}
        state["seconds"] = round(time.perf_counter() - start, 3)
        write_json(run.folder / STATE, state)
        return state


def _execute(run: SweepRun) -> Receipt:
    if run.version != __version__:
        raise ValueError(f"the worker has mrrepro {__version__}, the sweep {run.version}: install the same.")
    receipts = run.folder / "receipts"
    shutil.rmtree(receipts, ignore_errors=True)
    variables = {
        PROGRESS_VARIABLE: "0",
        RECEIPTS_VARIABLE: str(receipts),
        ROOT_VARIABLE: str(run.store),
        workers.VARIABLE: "1",
    }
    output = run.folder / f"{run.notebook.name}.ipynb"
    with environment(**variables):
        execute(run.notebook, copy.deepcopy(run.document), run.parameters, output, show=False)
    found = sorted(receipts.rglob("*.json"))
    if len(found) != 1:
        raise ValueError(f"the notebook must write one receipt, with run.finish(), but wrote {len(found)}.")
    return read_receipt(found[0])


def code_behind(receipt: Receipt, store: ArtifactStore) -> dict[str, str]:
    """Return the digests of the code that made a receipt's values and artifacts, by function."""
    code: dict[str, str] = {}
    for record in receipt.records:
        code |= record.code
    for artifact in receipt.document["artifacts"]:
        with suppress(OSError):  # cleaned meanwhile
            code |= read_json(store.folder(artifact["stage"], artifact["key"]) / MANIFEST)["code"]
    return code


def made_before(run: SweepRun) -> dict[str, Any] | None:
    """Return the state of a run that was made and still holds: same notebook, version, settings and code."""
    state = read_state(run)
    same = (state.get("state"), state.get("version"), state.get("source")) == ("done", __version__, run.source)
    if not same or not all(_unchanged(*item) for item in state["code"].items()):
        return None
    try:
        receipt_of(run, state)
    except LedgerError:
        return None
    return state


def receipt_of(run: SweepRun, state: Mapping[str, Any]) -> Receipt:
    """Read the receipt of a run that is done.

    Raises
    ------
    LedgerError
        It cannot be read, or belongs to another run.
    """
    receipt = read_receipt(run.folder / state["receipt"])
    if receipt.document["settings"] != run.settings or receipt.seed != run.point.seed:
        raise LedgerError(f"{receipt.path} belongs to another run: its settings or its seed differ.")
    return receipt


def read_state(run: SweepRun) -> dict[str, Any]:
    """Read ``run.json``; empty where there is none, or no whole one of this version."""
    with suppress(OSError, ValueError):
        state = read_json(run.folder / STATE)
        if isinstance(state, dict) and state.get("schema") == RUN_SCHEMA:
            return state
    return {}


def in_one_line(error: BaseException) -> str:
    """Say an error in one line that fits into a table."""
    kind = "" if isinstance(error, ValueError | RuntimeError) else f"{type(error).__name__}: "
    text = kind + " ".join(str(error).split())
    return text if len(text) <= _LONGEST_ERROR else f"{text[: _LONGEST_ERROR - 1]}…"


def _unchanged(function: str, digest: str) -> bool:
    try:
        return code_digest(function) == digest
    except ValueError:  # it is no longer there
        return False
