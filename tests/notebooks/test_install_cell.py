"""The first cell of a notebook, executed in a subprocess with stubs for pip and for the package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bookbuild.install_cell import install_cell
from bookbuild.project import Address

SET = Address("https://github.com/someone/book", "v1.2")
STUB = """\
import importlib.util, json, subprocess, sys
from importlib import metadata
there, torch, code, log = {there!r}, {torch!r}, {code!r}, {log!r}
real = importlib.util.find_spec
def find_spec(name, *rest):
    return real(name, *rest) if name != "mrrepro" else real("json") if there else None
importlib.util.find_spec = find_spec
def version(name):
    if torch is None:
        raise metadata.PackageNotFoundError(name)
    return torch
metadata.version = version
class Done:
    returncode = code
def run(command, **kwargs):
    open(log, "w").write(json.dumps(command))
    return Done()
subprocess.run = run
"""


def run_cell(tmp_path: Path, address: Address, **stub: object) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    log = tmp_path / "pip.json"
    values = {"there": False, "torch": "2.8.0+cu126", "code": 0} | stub
    script = tmp_path / "cell.py"
    script.write_text(STUB.format(log=str(log), **values) + install_cell(address) + "\nprint('went on')\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, check=False)
    return done, json.loads(log.read_text()) if log.exists() else []


@pytest.mark.parametrize("address", [SET, Address("", "")])
def test_it_does_nothing_where_the_package_is_there(tmp_path: Path, address: Address) -> None:
    done, pip = run_cell(tmp_path, address, there=True)
    assert done.returncode == 0
    assert done.stdout == "went on\n"
    assert done.stderr == ""
    assert pip == []


def test_it_installs_the_release_and_holds_torch_where_it_is(tmp_path: Path) -> None:
    done, pip = run_cell(tmp_path, SET)
    assert done.returncode == 0, done.stderr
    assert pip[1:5] == ["-m", "pip", "install", "-q"]
    assert pip[5:] == ["mrrepro[notebooks] @ git+https://github.com/someone/book@v1.2", "torch==2.8.0+cu126"]


def test_without_torch_nothing_is_held(tmp_path: Path) -> None:
    done, pip = run_cell(tmp_path, SET, torch=None)
    assert done.returncode == 0, done.stderr
    assert pip[5:] == ["mrrepro[notebooks] @ git+https://github.com/someone/book@v1.2"]


def test_it_stops_with_a_sentence_when_pip_fails(tmp_path: Path) -> None:
    done, _ = run_cell(tmp_path, SET, code=1)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.strip() == "mrrepro v1.2 could not be installed; see pip's message above."


def test_without_an_address_it_says_so_and_installs_nothing(tmp_path: Path) -> None:
    done, pip = run_cell(tmp_path, Address("", ""))
    assert done.returncode == 1
    assert pip == []
    assert "has not yet set repository and release" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("address", [SET, Address("", ""), Address("https://github.com/someone/book", "")])
def test_it_has_at_most_15_lines(address: Address) -> None:
    assert len(install_cell(address).splitlines()) <= 15


def test_a_malformed_address_is_refused() -> None:
    with pytest.raises(ValueError, match="without a slash at its end"):
        Address("https://github.com/someone/book/", "v1")
    with pytest.raises(ValueError, match="name of a tag"):
        Address("https://github.com/someone/book", "v1 final")
