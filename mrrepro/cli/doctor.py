"""``mrrepro doctor``: whether this machine can run the book, and what to do where it cannot."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from mrrepro.cli.reporting import FELL_SHORT, one_line_errors, print_json, print_table, size_in_words

_NEEDED = {
    "jupytext": "reads the notebooks",
    "papermill": "runs the notebooks",
    "ipykernel": "runs the notebooks",
    "matplotlib": "draws the figures",
    "numba": "compiles the simulators",
    "nilearn": "brings the brain images",
    "nibabel": "reads and writes NIfTI",
    "scikit-learn": "fits the models of radiomics",
    "scikit-image": "finds surfaces, unwraps phases",
    "pywavelets": "is the peer of the wavelet transform",
}
"""What the notebooks import, as pip calls it."""

_OPTIONAL = {
    "jsonschema": "validates the ledger's export",
    "distributed": "runs sweeps on several workers",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``ok`` is None where it is only worth knowing."""

    name: str
    ok: bool | None
    found: str
    advice: str = ""


@one_line_errors
def doctor(as_json: Annotated[bool, typer.Option("--json", help="print JSON, one object a row")] = False) -> None:
    """Look at Python, torch, device, memory, disk, packages, folders; say what to do."""
    findings = list(examine())
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        marks = {True: "ok", False: "NOT OK", None: "-"}
        print_table([(item.name, marks[item.ok], item.found) for item in findings], ("", "", "found"))
        for item in findings:
            if item.advice:
                typer.echo(f"{item.name}: {item.advice}")
    if any(finding.ok is False for finding in findings):
        raise typer.Exit(FELL_SHORT)


def examine() -> Iterator[Finding]:
    """Look at the machine and yield what was found."""
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding(
        "python", supported, platform.python_version(), "" if supported else "Install Python 3.11, 3.12 or 3.13."
    )
    yield from _torch()
    yield from _memory()
    yield from _folder()
    notebooks = _notebooks()
    yield from _packages(_NEEDED, False if notebooks.ok else None)
    yield from _packages(_OPTIONAL, None)
    yield notebooks


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except ImportError as error:
        yield Finding("torch", False, str(error), "pip install torch (README: the CPU build, sizes).")
        return
    wanted = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2]) >= (2, 4)
    yield Finding(
        "torch", wanted, torch.__version__, "" if wanted else "Version 2.4 or newer is needed: pip install -U torch."
    )
    from mrrepro.runs import machine

    try:
        device = machine.require_device(machine.default_device())
    except ValueError as error:
        yield Finding("device", False, os.environ.get(machine.DEVICE_VARIABLE, ""), str(error))
        return
    advice = (
        "" if device.startswith("cuda") else "Scales smoke and demo are made for this; colab and paper want a CUDA GPU."
    )
    yield Finding("device", True, f"{machine.device_name(device)}, {machine.thread_count()} threads", advice)


def _memory() -> Iterator[Finding]:
    total = _total_memory()
    if total is None:
        yield Finding("memory", None, "unknown")
        return
    enough = total >= 3.5 * 2**30
    advice = "" if enough else "Scale demo needs up to 4 GiB: close other programs, or use --scale smoke."
    yield Finding("memory", enough, size_in_words(total), advice)


def _total_memory() -> float | None:
    with suppress(ValueError, OSError, AttributeError):
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(ImportError):
        import psutil

        return float(psutil.virtual_memory().total)
    return None


def _folder() -> Iterator[Finding]:
    from mrrepro.runs.artifacts import ROOT_VARIABLE, ArtifactStore

    remedy = f"Name a folder that you may write to in {ROOT_VARIABLE}, or give --artifacts."
    try:
        root = ArtifactStore().root
        root.mkdir(parents=True, exist_ok=True)
        probe = root / f".probe-{uuid.uuid4().hex[:8]}"
        probe.write_text("")
        probe.unlink()
    except (OSError, ValueError) as error:
        yield Finding("artifacts", False, str(error), remedy)
        return
    yield Finding("artifacts", True, str(root))
    free = shutil.disk_usage(root).free
    enough = free >= 5 * 2**30
    advice = "" if enough else "5 GiB are recommended: mrrepro artifacts clean --partials, or another folder."
    yield Finding("disk", enough, f"{size_in_words(free)} free", advice)


def _packages(purposes: Mapping[str, str], missing: bool | None) -> Iterator[Finding]:
    """Look for packages; ``missing`` is what one that is not there amounts to."""
    for name, purpose in purposes.items():
        try:
            yield Finding(name, True, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, missing, "not installed", f"{purpose}: pip install {name}")


def _notebooks() -> Finding:
    from mrrepro.cli.notebooks import notebooks_folder

    try:
        folder: Path = notebooks_folder()
    except ValueError as error:
        return Finding("notebooks", None, "none", str(error))
    chapters = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "_")))
    return Finding("notebooks", True, f"{folder} ({', '.join(chapters) or 'no chapter'})")
