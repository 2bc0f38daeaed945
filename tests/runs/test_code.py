"""The digest of code: it follows what a result depends on and nothing else."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from mrrepro.runs import code
from mrrepro.runs.code import code_digest


@pytest.fixture
def digest(package):
    return lambda function="total": code_digest(f"{package.name}.recipe:{function}")


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("numbers", "return 2 * value", "return 3 * value"),
        ("recipe", "sum(drawn)", "max(drawn)"),
        ("numbers", "def double(value)", "def double(value=1)"),
    ],
)
def test_changed_code_changes_the_digest(package, digest, module, old, new):
    before = digest()
    package.replace(module, old, new)
    assert digest() != before


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("numbers", "Twice the value.", "Two times the value."),
        ("numbers", '"""Numbers."""', "# numbers\n\n"),
        ("numbers", "return 2 * value", "return (2 *  value)  # twice"),
        ("settings", '"numbers to draw"', '"how many numbers"'),
        ("settings", '"smoke": 4', '"smoke": 5'),
    ],
)
def test_prose_layout_and_values_of_settings_do_not(package, digest, module, old, new):
    before = digest()
    package.replace(module, old, new)
    assert digest() == before


def test_another_stage_of_the_same_recipe_is_not_touched(package, digest):
    before = digest("draw"), digest("total")
    package.replace("recipe", "sum(drawn)", "max(drawn)")
    assert digest("draw") == before[0]
    assert digest("total") != before[1]


def test_imports_are_followed_through_modules_and_into_functions(package, digest):
    package.write("deep", "DEPTH = 1\n")
    package.write("middle", "def depth():\n    from . import deep\n    return deep.DEPTH\n")
    package.replace("numbers", "return 2 * value", f"import {package.name}.middle\n    return 2 * value")
    before = digest()
    package.replace("deep", "1", "2")
    assert digest() != before


def test_circular_imports_end(package, digest):
    package.write("middle", "from . import numbers\nDEPTH = 1\n")
    package.replace("numbers", "def double", "from . import middle\n\ndef double")
    before = digest()
    package.replace("middle", "1", "2")
    assert digest() != before


def test_nothing_is_imported_to_take_the_digest(package, digest):
    package.replace("numbers", "def double", "raise RuntimeError('executed')\n\ndef double")
    digest()
    assert f"{package.name}.numbers" not in sys.modules


def test_engine_is_not_part_of_it(package, digest, monkeypatch):
    assert {"mrrepro.runs", "mrrepro.cli"} == set(code._ENGINE)
    monkeypatch.setattr(code, "_ENGINE", (*code._ENGINE, f"{package.name}.numbers"))
    before = digest()
    package.replace("numbers", "return 2 * value", "return 3 * value")
    assert digest() == before


def test_same_digest_in_another_process(package, digest):
    command = f"from mrrepro.runs.code import code_digest; print(code_digest('{package.name}.recipe:total'))"
    path = f"{package.root}:{Path(__file__).parents[2]}"
    done = subprocess.run(
        [sys.executable, "-c", command], env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == digest()


def test_library_of_twice_our_size_is_digested_in_time(package, digest):
    body = "\n\n".join(
        f"def f{index}(x, y=1):\n    a = [x * {index} + y for y in range(3)]\n    return a[0]" for index in range(40)
    )
    for index in range(60):
        package.write(f"part{index}", body)
    package.write(
        "numbers", "\n".join(f"from . import part{index}" for index in range(60)) + "\ndef double(v): return v\n"
    )
    # in the processor's time, for others may compute on the same machine
    start = time.process_time()
    digest()
    first = time.process_time() - start
    start = time.process_time()
    digest()
    again = time.process_time() - start
    assert first < 1.5  # 0.25 s on a free core
    assert again < first / 3  # parsed files are kept


@pytest.mark.parametrize("function", [lambda: None, "abc".upper])
def test_code_that_cannot_be_found_again_is_refused(function):
    with pytest.raises(ValueError, match="must be a function"):
        code_digest(function)


def test_function_of_a_notebook_is_refused():
    with pytest.raises(ValueError, match="has no source file"):
        code_digest("no_such_package_here.module:function")
