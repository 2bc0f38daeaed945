"""Execute the notebooks with papermill, those whose code and results are unchanged left as they are.

``python -m bookbuild.execute --scale demo`` writes ``_build/executed/demo/<chapter>/<name>.ipynb``.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import hashlib
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
import papermill
from nbformat import NotebookNode
from papermill.exceptions import PapermillException

from bookbuild.pairs import notebook_of
from bookbuild.project import CHAPTERS, ROOT, notebook_sources
from data_fetch.store import Store
from mrrepro.runs import machine
from mrrepro.runs.files import read_json, write_json, write_text

SCALES = ("smoke", "demo", "colab", "paper")
DEFAULT_SCALE = "demo"
_KINDS = (".py", ".csv", ".json", ".npz", ".safetensors")


@dataclass(frozen=True)
class Execution:
    """One execution of the notebooks.

    Parameters
    ----------
    scale : str
        One of `SCALES`.
    output : Path
        The folder of the executed copies.
    artifacts : Path
        The folder in which the notebooks keep what they compute.
    root : Path
        The checkout.
    """

    scale: str
    output: Path
    artifacts: Path
    root: Path = ROOT

    def target(self, source: Path) -> Path:
        """Return the path of a notebook's executed copy."""
        return self.output / source.parent.name / f"{source.stem}.ipynb"

    def key(self, source: Path) -> str:
        """Hash all that a notebook's outputs follow from, other than what lies in the artifact folder.

        Of the fetcher's data sets names and sizes are enough, since what is read of them is verified.
        """
        own = source.parent.name
        others = tuple(f"mrrepro/papers/{chapter}/" for chapter in CHAPTERS if own in CHAPTERS and chapter != own)
        digest = hashlib.sha256(f"{self.scale} {sys.version_info[:2]} {platform.machine()}".encode())
        files = [source, self.root / "requirements.lock"]
        for package in ("mrrepro", "data_fetch"):
            files += sorted(
                path for path in (self.root / package).rglob("*") if path.suffix in _KINDS and path.is_file()
            )
        for path in files:
            name = path.relative_to(self.root).as_posix()
            if path.exists() and not name.startswith(others):
                digest.update(f"\n{name}\n".encode() + path.read_bytes())
        digest.update("\n".join(data_here(Store.from_environment())).encode())
        return digest.hexdigest()

    def artifacts_now(self, source: Path) -> dict[str, list[int]]:
        """List the artifacts that a notebook may have read, by path, size and time.

        They are its chapter's results and prepared data; those of all chapters for a notebook that is about them all.
        What every run writes, what sweeps keep, and what is unfinished, is left out.
        """
        own, listed = source.parent.name, {}
        for path in self.artifacts.rglob("*"):
            parts = path.relative_to(self.artifacts).parts
            others = own in CHAPTERS and own not in parts[:2]
            if path.is_file() and not others and not any(_is_volatile(part) for part in parts):
                listed["/".join(parts)] = [path.stat().st_size, path.stat().st_mtime_ns]
        return listed

    def is_current(self, source: Path) -> bool:
        """Say whether the executed copy still follows from the notebook, the library and the artifacts."""
        stamp = self.target(source).with_suffix(".json")
        if not (stamp.exists() and self.target(source).exists()):
            return False
        try:
            stored = read_json(stamp)
            key, read = stored["key"], stored["artifacts"].items()
        except (ValueError, KeyError, TypeError, AttributeError):  # not the whole stamp: of a run that was killed
            return False
        now = self.artifacts_now(source)
        return bool(key == self.key(source)) and all(now.get(name) == facts for name, facts in read)

    def run(self, source: Path) -> float:
        """Execute one notebook and return the seconds it took; a cell that raises ends in an error.

        Raises
        ------
        papermill.exceptions.PapermillException
            A cell raised, or the kernel died; the copy up to there is kept as ``<name>.failed.ipynb``.
        """
        target = self.target(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        attempt = target.with_suffix(".failed.ipynb")
        target.with_suffix(".json").unlink(missing_ok=True)
        key, start = self.key(source), time.perf_counter()
        notebook = notebook_of(source.read_text("utf8"), seed=source.relative_to(self.root).as_posix())
        papermill.execute_notebook(
            notebook,
            str(attempt),
            parameters={} if self.scale == DEFAULT_SCALE else {"scale": self.scale},
            kernel_name="python3",
            cwd=str(target.parent),
            progress_bar=sys.stderr.isatty(),
        )
        seconds = time.perf_counter() - start
        executed = nbformat.read(attempt, as_version=4)
        executed.metadata["mrrepro"] = self._facts(executed, seconds)
        write_text(target, nbformat.writes(executed))
        attempt.unlink()
        write_json(target.with_suffix(".json"), {"key": key, "artifacts": self.artifacts_now(source)})
        return seconds

    def _facts(self, executed: NotebookNode, seconds: float) -> dict[str, str]:
        return {
            "commit": machine.commit(),
            "scale": self.scale,
            "device": device_and_threads(),
            "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
            "seconds": f"{seconds:.1f}",
        }


@functools.cache
def data_here(store: Store) -> list[str]:
    """List the files of the fetcher's data sets that are here, with their sizes."""
    found = [path for folder in store.folders for path in folder.rglob("*") if path.is_file()]
    return sorted(f"{path} {path.stat().st_size}" for path in found)


def _is_volatile(name: str) -> bool:
    return name in ("receipts", "executed", "sweeps", ".locks") or name.endswith((".lock", ".tmp", ".partial"))


def device_and_threads() -> str:
    """Name the device on which notebooks compute, and the number of threads of its processor."""
    threads = machine.thread_count()
    return f"{machine.device_name(machine.default_device())}, {threads} thread{'' if threads == 1 else 's'}"


def execute_all(execution: Execution, sources: list[Path], force: bool) -> list[str]:
    """Execute what is not current; return one line for each notebook that failed."""
    failed = []
    for source in sources:
        name = f"{source.parent.name}/{source.stem}"
        if not force and execution.is_current(source):
            print(f"  {name}: unchanged", flush=True)
            continue
        print(f"  {name}: executing at scale {execution.scale} ...", flush=True)
        try:
            print(f"  {name}: {execution.run(source):.1f} s", flush=True)
        except (PapermillException, RuntimeError) as error:
            print(f"{error}\n  {name}: FAILED", flush=True)
            failed.append(name)
    return failed


def main() -> int:
    """Execute the notebooks; return 1 when one failed."""
    parser = argparse.ArgumentParser(description="Execute the notebooks with papermill.")
    parser.add_argument("--scale", choices=SCALES, default=DEFAULT_SCALE)
    parser.add_argument("--output", type=Path, help="folder of the executed copies")
    parser.add_argument("--force", action="store_true", help="execute unchanged notebooks too")
    parser.add_argument("notebooks", nargs="*", type=Path, help="percent scripts; all when none is named")
    arguments = parser.parse_args()
    artifacts = Path(os.environ.get("MRREPRO_ARTIFACTS") or ROOT / "_artifacts").absolute()
    os.environ["MRREPRO_ARTIFACTS"] = str(artifacts)
    output = arguments.output or ROOT / "_build" / "executed" / arguments.scale
    execution = Execution(arguments.scale, output.absolute(), artifacts)
    sources = [path.resolve() for path in arguments.notebooks] or notebook_sources()
    failed = execute_all(execution, sources, arguments.force)
    done = len(sources) - len(failed)
    print(f"{done} of {len(sources)} notebooks at scale {arguments.scale}" + (f"; failed: {failed}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
