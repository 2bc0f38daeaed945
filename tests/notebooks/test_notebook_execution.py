"""Notebooks are executed: a cell that raises fails the run, an altered output fails nbval, unchanged ones are left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from bookbuild.execute import Execution, data_here, execute_all
from bookbuild.project import ROOT
from mrrepro.runs import machine

SANITIZE = Path(__file__).with_name("nbval_sanitize.cfg")
SCRIPT = """\
# %% tags=["parameters"]
scale = "demo"

# %%
import os
from pathlib import Path

result = Path(os.environ["MRREPRO_ARTIFACTS"]) / "deepspio" / "result.txt"
result.parent.mkdir(parents=True, exist_ok=True)
result.exists() or result.write_text("0.25")
print("finished in 12.5 s at /srv/some/where on 2026-01-02")
print("NMAE", result.read_text(), scale)
"""


@pytest.fixture
def execution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Execution:
    (tmp_path / "mrrepro" / "papers" / "condnet").mkdir(parents=True)
    (tmp_path / "mrrepro" / "physics.py").write_text("x = 1\n")
    (tmp_path / "notebooks" / "deepspio").mkdir(parents=True)
    source_of(tmp_path).write_text(SCRIPT)
    monkeypatch.setenv("MRREPRO_ARTIFACTS", str(tmp_path / "artifacts"))
    monkeypatch.setenv("MRREPRO_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("MRREPRO_DATA_MIRROR", raising=False)
    return Execution("smoke", tmp_path / "executed", tmp_path / "artifacts", tmp_path)


def source_of(root: Path) -> Path:
    return root / "notebooks" / "deepspio" / "01_trial.py"


def nbval(notebook: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "--nbval", f"--nbval-sanitize-with={SANITIZE}", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "-c", str(ROOT / "pyproject.toml"), str(notebook)], capture_output=True, text=True, check=False
    )


def test_a_run_is_recorded_and_not_repeated_until_something_changes(execution: Execution, tmp_path: Path) -> None:
    source = source_of(tmp_path)
    assert execute_all(execution, [source], force=False) == []
    executed = nbformat.read(execution.target(source), as_version=4)
    assert executed.metadata.mrrepro.scale == "smoke"
    assert "NMAE 0.25 smoke" in executed.cells[-1].outputs[0].text
    device = machine.device_name(machine.default_device())
    assert executed.metadata.mrrepro.device.startswith(f"{device}, ")
    assert executed.metadata.mrrepro.commit == machine.commit()
    assert execution.is_current(source)

    stamp = execution.target(source).with_suffix(".json")
    whole = stamp.read_text()
    for left in (whole[:40], "", "[]", "{}", '{"key": "1"}'):  # of a run that was killed, or of another version
        stamp.write_text(left)
        assert not execution.is_current(source)
    stamp.write_text(whole)
    assert execution.is_current(source)

    (tmp_path / "mrrepro" / "papers" / "condnet" / "recipe.py").write_text("y = 1\n")  # another paper's
    assert execution.is_current(source)
    (tmp_path / "mrrepro" / "physics.py").write_text("x = 2\n")
    assert not execution.is_current(source)
    (tmp_path / "mrrepro" / "physics.py").write_text("x = 1\n")
    assert execution.is_current(source)

    (tmp_path / "artifacts" / "deepspio" / "another.txt").write_text("new")  # of another notebook
    assert execution.is_current(source)
    (tmp_path / "artifacts" / "deepspio" / "result.txt").write_text("0.26")
    assert not execution.is_current(source)


def test_what_a_notebook_may_have_read_makes_it_run_again(execution: Execution, tmp_path: Path) -> None:
    """Networks that come with a chapter, recorded arrays, public data; not what other chapters or sweeps left."""
    source, artifacts = source_of(tmp_path), tmp_path / "artifacts"
    for name in ("condnet/heads/1/m.json", "data/condnet/a/t1.nii", "sweeps/deepspio/04/sweep.csv"):
        (artifacts / name).parent.mkdir(parents=True)
        (artifacts / name).write_text("old")
    assert execute_all(execution, [source], force=False) == []
    for name in ("condnet/heads/1/m.json", "data/condnet/a/t1.nii", "sweeps/deepspio/04/sweep.csv"):
        (artifacts / name).write_text("newer")
    assert execution.is_current(source)
    for name in ("mrrepro/papers/deepspio/trained/demo.safetensors", "mrrepro/papers/deepspio/recorded/paper/a.npz"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"new")
        assert not execution.is_current(source)
        (tmp_path / name).unlink()
    assert execution.is_current(source)
    data_here.cache_clear()
    (tmp_path / "data" / "ixi_pd").mkdir(parents=True)
    (tmp_path / "data" / "ixi_pd" / "one.nii").write_bytes(b"new")
    assert not execution.is_current(source)


def test_a_cell_that_raises_fails_the_run_and_leaves_no_copy(
    execution: Execution, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = source_of(tmp_path)
    source.write_text(SCRIPT + '\nraise RuntimeError("the field diverged")\n')
    assert execute_all(execution, [source], force=False) == ["deepspio/01_trial"]
    assert "the field diverged" in capsys.readouterr().out
    assert not execution.target(source).exists()
    assert not execution.is_current(source)


def test_nbval_passes_on_the_same_output_and_fails_on_another(execution: Execution, tmp_path: Path) -> None:
    source = source_of(tmp_path)
    execute_all(execution, [source], force=True)
    target = execution.target(source)
    text = target.read_text()
    target.write_text(text.replace("12.5 s", "13.5 s").replace("/srv/some/where", "/home/else/where"))
    assert nbval(target).returncode == 0  # times and paths may differ
    (tmp_path / "artifacts" / "deepspio" / "result.txt").write_text("0.26")
    altered = nbval(target)
    assert altered.returncode == 1, altered.stdout
    assert "NMAE 0.26" in altered.stdout
