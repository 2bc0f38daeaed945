#!/usr/bin/env python3
"""Make the environment, build the book, run the tests. Needs Python 3.11 to 3.13 with venv, and nothing else.

  python3 tasks.py book     execute every notebook at scale demo and build the book
  python3 tasks.py test     every check of the project

The environment lies in .venv and is made anew only when the pins of requirements.lock change. pip's own settings hold:
PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, pip.conf. MRREPRO_ARTIFACTS names the folder of results (default: _artifacts),
OMP_NUM_THREADS the number of threads (default: the cores of this machine, 8 at most).
"""

import sys

if not (3, 11) <= sys.version_info[:2] <= (3, 13):  # before anything that another Python could not import
    sys.exit("mrrepro needs Python 3.11, 3.12 or 3.13, but this is Python " + ".".join(map(str, sys.version_info[:2])))

import argparse
import hashlib
import os
import shutil
import subprocess
import time
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BUILD = ROOT / "_build"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
CODE = ["mrrepro", "data_fetch", "book", "notebooks", "tests", "tasks.py"]
MOST_THREADS = 8
QUIET = {"MRREPRO_PROGRESS": "0"}  # bars have no place in a stored output


class Failure(Exception):
    """A command that ended with an error, in one line."""


def environment(**more: str | Path) -> dict[str, str]:
    """Return the variables under which everything runs, those of the caller first."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = os.environ.get("OMP_NUM_THREADS") or str(min(cores, MOST_THREADS))
    variables = {
        "MRREPRO_ARTIFACTS": str(ROOT / "_artifacts"),
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "NUMBA_NUM_THREADS": threads,
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTER_PLATFORM_DIRS": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONUTF8": "1",
        **os.environ,
        "VIRTUAL_ENV": str(VENV),
        "PATH": f"{SCRIPTS}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "book"), os.environ.get("PYTHONPATH", "")])),
    }
    variables.pop("PYTHONHOME", None)
    return variables | {name: str(value) for name, value in more.items()}


def call(command: Sequence[str | Path], what: str, **more: str | Path) -> None:
    """Run a command in the checkout; raise `Failure` when it ends with an error."""
    result = subprocess.run([str(part) for part in command], cwd=ROOT, env=environment(**more), check=False)
    if result.returncode:
        raise Failure(f"{what} failed (exit code {result.returncode})")


def python(*arguments: str | Path, what: str, **more: str | Path) -> None:
    """Run the environment's Python."""
    call([PYTHON, *arguments], what, **more)


# --- the environment -------------------------------------------------------------------------------------------------


def setup() -> None:
    """Make .venv and install the pins, unless that has been done for these very pins."""
    pins = _hash(f"{sys.version_info[:2]} {sys.platform}", ROOT / "requirements.lock")
    project = _hash(pins, ROOT / "pyproject.toml")
    if not _stamped("pins", pins):
        print(f"making {VENV} with Python {sys.version_info[0]}.{sys.version_info[1]}", flush=True)
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=False)
        if made.returncode or not PYTHON.exists():
            raise Failure(
                "this Python cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"
            )
        print("installing the pins of requirements.lock; the first time this takes some minutes", flush=True)
        _pip("-r", "requirements.lock", what="installing the pins of requirements.lock")
        _stamp("pins", pins)
    if not _stamped("project", project):
        _pip("--no-deps", "--no-build-isolation", "--editable", ".", what="installing mrrepro itself")
        _stamp("project", project)


def _pip(*arguments: str, what: str) -> None:
    python("-m", "pip", "install", "--disable-pip-version-check", "--quiet", *arguments, what=what)


def _hash(text: str, file: Path) -> str:
    return hashlib.sha256(text.encode() + file.read_bytes()).hexdigest()


def _stamped(name: str, value: str) -> bool:
    stamp = VENV / f"mrrepro-{name}"
    return PYTHON.exists() and stamp.exists() and stamp.read_text("utf8") == value


def _stamp(name: str, value: str) -> None:
    (VENV / f"mrrepro-{name}").write_text(value, "utf8")


# --- parts of the work -----------------------------------------------------------------------------------------------


def check_code() -> dict[str, int]:
    """Run ruff, mypy and the import contracts, all of them; return how many passed and failed."""
    code = [name for name in CODE if (ROOT / name).exists()]
    checks: dict[str, list[str | Path]] = {
        "ruff check": [PYTHON, "-m", "ruff", "check", *code],
        "ruff format": [PYTHON, "-m", "ruff", "format", "--check", *code],
        "mypy": [PYTHON, "-m", "mypy"],
    }
    if "importlinter" in tomllib.loads((ROOT / "pyproject.toml").read_text("utf8")).get("tool", {}):
        checks["import contracts"] = [SCRIPTS / "lint-imports"]
    counts = {"passed": 0, "failed": 0}
    for name, command in checks.items():
        try:
            call(command, name)
            counts["passed"] += 1
        except Failure as failure:
            print(f"lint: {failure}", flush=True)
            counts["failed"] += 1
    return counts


def run_notebooks(scale: str, folder: Path, *options: str, **more: str | Path) -> int:
    """Execute the notebooks at a scale; return how many there are."""
    python(
        "-m", "bookbuild.execute", "--scale", scale, "--output", folder, *options, what="a notebook", **QUIET, **more
    )
    return len(list(folder.glob("*/[0-9][0-9]_*.ipynb"))) - len(list(folder.glob("*/*.failed.ipynb")))


def build_pages(executed: Path, output: Path) -> Path:
    """Build the book from executed notebooks, warnings being errors; return its first page."""
    strict = ["-W", "-n", "--keep-going", "-q"]
    call(
        [SCRIPTS / "jupyter-book", "build", ROOT, "--path-output", output, *strict],
        "building the pages (every warning is an error)",
        MRREPRO_EXECUTED=executed,
    )
    python("-m", "bookbuild.check_pages", output / "_build" / "html", what="the check of the built pages")
    return output / "_build" / "html" / "index.html"


def run_pytest(name: str, *arguments: str | Path, **more: str | Path) -> dict[str, int]:
    """Run pytest and return how many tests passed, failed and were skipped."""
    report = BUILD / "test" / f"{name}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    command = [PYTHON, "-m", "pytest", f"--junitxml={report}", *arguments]
    code = subprocess.run([str(part) for part in command], cwd=ROOT, env=environment(**more), check=False).returncode
    if not report.exists():
        raise Failure(f"pytest ended with exit code {code} before it wrote a report")
    suite = ElementTree.parse(report).getroot().find("testsuite")
    number = {
        key: int(suite.get(key, "0")) if suite is not None else 0 for key in ("tests", "failures", "errors", "skipped")
    }
    failed = number["failures"] + number["errors"]
    if code and not failed and code != 5:  # 5: nothing was collected
        raise Failure(f"pytest ended with exit code {code}")
    return {"passed": number["tests"] - failed - number["skipped"], "failed": failed, "skipped": number["skipped"]}


def compare_outputs(executed: Path) -> dict[str, int]:
    """Execute one notebook a chapter again with nbval, into an empty folder of artifacts, and compare its outputs."""
    chosen = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["tool"]["mrrepro"].get("nbval", {})
    notebooks = []
    for chapter in sorted(path for path in executed.iterdir() if path.is_dir()) if executed.exists() else []:
        found = sorted(chapter.glob("[0-9][0-9]_*.ipynb"))
        if found:
            notebooks.append(chapter / f"{chosen[chapter.name]}.ipynb" if chapter.name in chosen else found[0])
    if not notebooks:
        raise Failure("no notebook is executed that could be compared: python3 tasks.py test smoke nbval")
    empty = BUILD / "test" / "nbval-artifacts"
    shutil.rmtree(empty, ignore_errors=True)
    sanitize = ROOT / "tests" / "notebooks" / "nbval_sanitize.cfg"
    options = ["--nbval", f"--nbval-sanitize-with={sanitize}", "-p", "no:cacheprovider"]
    return run_pytest("nbval", *options, *notebooks, MRREPRO_ARTIFACTS=empty, **QUIET)


# --- the verbs -------------------------------------------------------------------------------------------------------


def book(arguments: argparse.Namespace) -> None:
    """Execute every notebook at scale demo and build the book."""
    setup()
    executed = BUILD / "executed" / arguments.scale
    run_notebooks(arguments.scale, executed, *(["--force"] if arguments.force else []))
    print(f"\nThe book lies at {build_pages(executed, ROOT)}")


def test(arguments: argparse.Namespace) -> None:
    """Run every check; what is longer runs under `soak`."""
    start = time.perf_counter()
    executed, artifacts = BUILD / "test" / "executed", BUILD / "test" / "artifacts"

    def smoke() -> dict[str, int]:
        for folder in (executed, artifacts):
            shutil.rmtree(folder, ignore_errors=True)
        return {"passed": run_notebooks("smoke", executed, "--force", MRREPRO_ARTIFACTS=artifacts)}

    def pages() -> dict[str, int]:
        shutil.rmtree(BUILD / "test" / "book", ignore_errors=True)
        build_pages(executed, BUILD / "test" / "book")
        return {"passed": 1}

    stages: dict[str, Callable[[], dict[str, int]]] = {
        "setup": lambda: setup() or {},  # type: ignore[func-returns-value]
        "lint": check_code,
        "unit": lambda: run_pytest("unit", "tests", MPLBACKEND="agg"),
        "smoke": smoke,
        "nbval": lambda: compare_outputs(executed),
        "pages": pages,
    }
    total = {"passed": 0, "failed": 0, "skipped": 0}
    lines = []
    for name, stage in stages.items():
        if arguments.stages and name != "setup" and name not in arguments.stages:
            continue
        print(f"\n=== {name} ===", flush=True)
        began = time.perf_counter()
        try:
            counts = stage()
        except Failure as failure:
            print(f"{name}: {failure}", flush=True)
            counts = {"failed": 1}
        for key, number in counts.items():
            total[key] += number
        state = "FAILED" if counts.get("failed") else "ok"
        lines.append(f"  {name:<6} {time.perf_counter() - began:7.1f} s  {state}")
        print(lines[-1], flush=True)
        if name == "setup" and state == "FAILED":
            break
    print("\n" + "\n".join(lines))
    counted = ", ".join(f"{number} {key}" for key, number in total.items() if number or key == "passed")
    print(f"{counted} in {time.perf_counter() - start:.2f}s", flush=True)
    if total["failed"]:
        raise SystemExit(1)


def lint(arguments: argparse.Namespace) -> None:
    """Run ruff, mypy and the import contracts."""
    setup()
    if arguments.fix:
        code = [name for name in CODE if (ROOT / name).exists()]
        python("-m", "ruff", "check", "--fix", *code, what="ruff check --fix")
        python("-m", "ruff", "format", *code, what="ruff format")
    if check_code()["failed"]:
        raise SystemExit(1)


def smoke(arguments: argparse.Namespace) -> None:
    """Execute every notebook at scale smoke."""
    setup()
    run_notebooks("smoke", BUILD / "executed" / "smoke", "--force")


def pair(arguments: argparse.Namespace) -> None:
    """Write every .ipynb, and the first cell of every notebook, from the .py and pyproject.toml."""
    setup()
    python("-m", "bookbuild.pairs", *(["--check"] if arguments.check else []), what="the check of the pairs")


def soak(arguments: argparse.Namespace) -> None:
    """Run the long tests: fine grids, peers, kill campaigns."""
    setup()
    counts = run_pytest("soak", "-m", "soak", "tests", MPLBACKEND="agg")
    print(", ".join(f"{number} {key}" for key, number in counts.items()))
    if counts["failed"]:
        raise SystemExit(1)


def serve(arguments: argparse.Namespace) -> None:
    """Serve the built book on this machine."""
    folder = BUILD / "html"
    if not (folder / "index.html").exists():
        raise Failure("there is no built book yet: python3 tasks.py book")
    print(f"http://localhost:{arguments.port}/  (stop with Ctrl-C)", flush=True)
    command = [sys.executable, "-m", "http.server", str(arguments.port), "--bind", "127.0.0.1", "-d", str(folder)]
    subprocess.run(command, check=False)


def clean(arguments: argparse.Namespace) -> None:
    """Remove what was built; with --all the results and the environment too."""
    names = ["_build", "build", "dist", "mrrepro.egg-info", ".pytest_cache", ".mypy_cache", ".ruff_cache"]
    names += ["_artifacts", ".venv"] if arguments.all else []
    for path in [ROOT / name for name in names]:
        if path.exists():
            shutil.rmtree(path)
            print(f"removed {path.name}")


def main() -> int:
    """Read the command line and do what it asks."""
    parser = argparse.ArgumentParser(
        prog="tasks.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    def verb(
        name: str, action: Callable[[argparse.Namespace], None], text: str | None = None
    ) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=text or (action.__doc__ or "").splitlines()[0])
        made.set_defaults(action=action)
        return made

    verb("setup", lambda arguments: setup(), "Make .venv and install the pins, unless they are there.")
    made = verb("book", book)
    made.add_argument("--scale", choices=["smoke", "demo", "colab", "paper"], default="demo")
    made.add_argument("--force", action="store_true", help="execute unchanged notebooks too")
    made = verb("test", test)
    made.add_argument(
        "stages", nargs="*", metavar="STAGE", help="lint, unit, smoke, nbval, pages; all when none is named"
    )
    verb("lint", lint).add_argument("--fix", action="store_true", help="repair and format first")
    verb("smoke", smoke)
    verb("pair", pair).add_argument("--check", action="store_true", help="write nothing, fail when a pair differs")
    verb("soak", soak)
    verb("serve", serve).add_argument("--port", type=int, default=8000)
    verb("clean", clean).add_argument("--all", action="store_true", help="also remove _artifacts and .venv")
    arguments = parser.parse_args()
    unknown = set(getattr(arguments, "stages", [])) - {"lint", "unit", "smoke", "nbval", "pages"}
    if unknown:
        parser.error(f"unknown stage {', '.join(sorted(unknown))}; known: lint, unit, smoke, nbval, pages")
    try:
        arguments.action(arguments)
    except Failure as failure:
        print(f"tasks.py: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
