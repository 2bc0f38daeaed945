"""The lock, environment.yml and pyproject.toml agree, and tasks.py keeps to them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bookbuild.project import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
LOCK = [
    line for line in (ROOT / "requirements.lock").read_text("utf8").splitlines() if line and not line.startswith("#")
]
DESIGN = {
    "jupyter-book": "1.0.4.post1",
    "sphinx": "7.4.7",
    "sphinx-book-theme": "1.2.0",
    "pydata-sphinx-theme": "0.16.1",
    "torch": "2.13.0",
}


def pins() -> dict[str, str]:
    return {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in LOCK}


def test_the_lock_pins_every_package_once_and_names_no_place() -> None:
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in LOCK)
    assert len(pins()) == len(LOCK)
    assert pins().items() >= DESIGN.items()
    assert "://" not in (ROOT / "requirements.lock").read_text("utf8")


HEAVY = {"idc", "mirp"}
"""Extras that stay out of the environment for their size."""


def test_the_lock_holds_what_the_project_asks_for() -> None:
    extras = PROJECT["optional-dependencies"]
    groups = [PROJECT["dependencies"], *(packages for name, packages in extras.items() if name not in HEAVY)]
    for text in (text for group in groups for text in group):
        requirement = Requirement(text)
        if requirement.name == PROJECT["name"]:
            assert requirement.extras <= set(PROJECT["optional-dependencies"])
            continue
        pinned = pins().get(canonicalize_name(requirement.name))
        assert pinned is not None, f"{requirement.name} is not in requirements.lock"
        assert requirement.specifier.contains(pinned, prereleases=True), f"{text} excludes the pin {pinned}"


def test_conda_gets_the_same_pins() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf8"))
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["-r requirements.lock", "-e ."]
    assert "python=3.11" in environment["dependencies"]


def test_the_first_cell_of_colab_asks_for_wide_ranges() -> None:
    asked = {Requirement(text).name: Requirement(text).specifier for text in PROJECT["dependencies"]}
    for name, old in (("torch", "2.4.0"), ("numpy", "1.26.4"), ("scipy", "1.13.0")):
        assert old in asked[name]
    assert all("==" not in text for group in PROJECT["optional-dependencies"].values() for text in group)


def run_tasks(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tasks.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | more, check=False)


def test_help_lists_the_verbs() -> None:
    done = run_tasks("--help")
    assert done.returncode == 0
    for verb in ("setup", "lint", "smoke", "serve", "clean", "book", "test", "pair", "soak"):
        assert re.search(rf"^    {verb} ", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("arguments", [("bake",), (), ("test", "everything"), ("book", "--scale", "huge")])
def test_wrong_usage_ends_with_2_and_says_what_is_known(arguments: tuple[str, ...]) -> None:
    done = run_tasks(*arguments)
    assert done.returncode == 2
    assert "usage:" in done.stderr


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 14, 0)])
def test_another_python_is_refused_in_one_line(version: tuple[int, ...]) -> None:
    tasks = str(ROOT / "tasks.py")
    code = f"import sys, runpy; sys.version_info = {version}; runpy.run_path({tasks!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    this = f"{version[0]}.{version[1]}"
    assert done.stderr.strip() == f"mrrepro needs Python 3.11, 3.12 or 3.13, but this is Python {this}"
    assert done.stdout == ""


def test_tasks_stands_on_the_standard_library_alone() -> None:
    code = "import sys, runpy; runpy.run_path(sys.argv[1]); print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(ROOT / "tasks.py")], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) <= sys.stdlib_module_names | {"__main__"}


def test_the_environment_is_made_anew_only_when_the_pins_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import runpy

    tasks = runpy.run_path(str(ROOT / "tasks.py"))
    setup, names = tasks["setup"], tasks["setup"].__globals__
    calls: list[str] = []
    for file in ("requirements.lock", "pyproject.toml"):
        (tmp_path / file).write_text(file)
    venv = tmp_path / ".venv"
    interpreter = venv / "bin" / "python"

    def make(command: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        calls.append("venv")
        interpreter.parent.mkdir(parents=True, exist_ok=True)
        interpreter.touch()
        for stamp in venv.glob("mrrepro-*"):
            stamp.unlink()
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setitem(names, "ROOT", tmp_path)
    monkeypatch.setitem(names, "VENV", venv)
    monkeypatch.setitem(names, "PYTHON", interpreter)
    monkeypatch.setitem(names, "_pip", lambda *arguments, what: calls.append(what))
    monkeypatch.setattr(subprocess, "run", make)
    pins_, project_ = "installing the pins of requirements.lock", "installing mrrepro itself"

    setup()
    assert calls == ["venv", pins_, project_]
    setup()
    assert len(calls) == 3
    (tmp_path / "pyproject.toml").write_text("changed")
    setup()
    assert calls[3:] == [project_]
    (tmp_path / "requirements.lock").write_text("changed")
    setup()
    assert calls[4:] == ["venv", pins_, project_]

    def fail(*arguments: str, what: str) -> None:
        raise tasks["Failure"](what)

    (tmp_path / "requirements.lock").write_text("changed again")
    monkeypatch.setitem(names, "_pip", fail)
    with pytest.raises(tasks["Failure"]):
        setup()
    monkeypatch.setitem(names, "_pip", lambda *arguments, what: calls.append(what))
    setup()  # an interrupted installation is not taken for a finished one
    assert calls[-2:] == [pins_, project_]
