"""The command line: what it prints, and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from misbehaving_server import Good, status
from typer.testing import CliRunner

from data_fetch import cli, registry, sources
from data_fetch.datasets import SOURCES
from data_fetch.images import Subject


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("MRREPRO_DATA", str(tmp_path / "cache"))
    runner = CliRunner()
    return lambda *arguments: runner.invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def local(server, content, described, monkeypatch):
    """Put one data set of two subjects, served from this machine, in place of synthseg_heads."""
    second = content[::-1]
    files = [
        replace(described(server.on("/01", Good(content)), content, "synthseg_heads/01"), dataset="synthseg_heads"),
        replace(described(server.on("/02", Good(second)), second, "synthseg_heads/02"), dataset="synthseg_heads"),
    ]
    files[1] = replace(files[1], subject="02")
    registry.registered_files.cache_clear()
    monkeypatch.setattr(registry, "_rows", lambda: tuple(files))
    source = sources.RegisteredSource(SOURCES["synthseg_heads"].dataset, lambda paths, origin: Subject({}, {}, origin))
    monkeypatch.setitem(SOURCES, "synthseg_heads", source)
    yield server
    registry.registered_files.cache_clear()


def test_list(run) -> None:
    table = run("list")
    assert table.exit_code == 0
    assert all(name in table.stdout for name in SOURCES)
    assert "own folder" in table.stdout
    facts = {entry["name"]: entry for entry in json.loads(run("list", "--json").stdout)}
    assert facts["open_ms"]["subjects"] == 30
    assert facts["egd"]["access"] == "account"
    assert facts["egd"]["page"].startswith("https://xnat.bmia.nl")
    assert facts["ixi_pd"]["bytes"] == 4_068_966_400
    assert "no checksum" in facts["ixi_pd"]["unverified"]


def test_get_verify_where(run, local, tmp_path) -> None:
    done = run("get", "synthseg_heads", "--subjects", "02")
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(tmp_path / "cache" / "synthseg_heads" / "02")
    assert run("get", "synthseg_heads", "-s", "01,02").stdout.count("\n") == 2
    assert len(local.requests) == 2
    assert run("where", "synthseg_heads").stdout.split() == [
        str(tmp_path / "cache" / "synthseg_heads" / name) for name in ("01", "02")
    ]
    assert run("verify", "synthseg_heads").exit_code == 0
    (tmp_path / "cache" / "synthseg_heads" / "01").write_bytes(b"damaged")
    wrong = run("verify", "synthseg_heads")
    assert wrong.exit_code == 1
    assert "wrong size" in wrong.stderr
    counts = json.loads(run("verify", "--json").stdout)["synthseg_heads"]
    assert (counts["fine"], counts["absent"], counts["refused"]) == (1, 1, 0), "what was wrong was removed"


def test_a_failure_is_one_message_and_exit_code_1(run, local) -> None:
    local.on("/01", status(404))
    done = run("get", "synthseg_heads", "--subjects", "01")
    assert done.exit_code == 1
    assert "not found" in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("get", "nothing"),
        ("get", "open_ms", "-s", "99"),
        ("verify", "nothing"),
        ("cite", "nothing"),
        ("get",),
        ("odd",),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments, run) -> None:
    assert run(*arguments).exit_code == 2


def test_verify_of_what_is_not_here_falls_short(run) -> None:
    assert run("verify").exit_code == 0
    done = run("verify", "open_ms")
    assert done.exit_code == 1
    assert "open_ms: nothing of it is here" in done.stderr


def test_where_names_the_folders(run, tmp_path, monkeypatch) -> None:
    assert str(tmp_path / "cache") in run("where").stdout
    assert str(tmp_path / "other") in run("where", "--cache", tmp_path / "other").stdout
    monkeypatch.setenv("MRREPRO_DATA_MIRROR", str(tmp_path))
    assert f"mirror: {tmp_path}" in run("where").stdout


def test_cite_prints_each_entry_once(run) -> None:
    everything = run("cite").stdout
    assert everything.count("@article{clark2013tcia,") == 1
    assert run("cite", "open_ms").stdout.startswith("@article{lesjak2018novel,")


def test_data_sets_with_an_account_name_the_page(run) -> None:
    done = run("get", "egd", "-s", "EGD-0001")
    assert done.exit_code == 1
    assert "xnat.bmia.nl" in done.stderr
    done = run("get", "brats")
    assert done.exit_code == 1
    assert "synapse.org" in done.stderr


def test_the_module_runs() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "data_fetch", "list"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "synthseg_heads" in done.stdout


@pytest.mark.parametrize("name", ["ixi_pd", "tcga_gbm", "synthseg_heads"])
def test_a_cache_that_is_no_folder_is_one_message(name, run, tmp_path) -> None:
    (tmp_path / "file").write_text("no folder")
    subject = {"ixi_pd": "IXI012", "tcga_gbm": "TCGA-14-1794", "synthseg_heads": "01"}[name]
    result = run("get", name, "-s", subject, "--cache", tmp_path / "file" / "x")
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "choose " in result.output
    assert (
        "another folder with --cache or MRREPRO_DATA" in result.output or "a folder with MRREPRO_DATA" in result.output
    )


def test_home_is_meant_by_a_tilde(run, tmp_path, monkeypatch) -> None:
    (tmp_path / "mirrored").mkdir()
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(tmp_path))
    monkeypatch.setenv("MRREPRO_DATA_MIRROR", "~/mirrored")
    monkeypatch.setenv("MRREPRO_DATA", "~/kept")
    assert f"mirror: {tmp_path / 'mirrored'}\ncache: {tmp_path / 'kept'}" in run("where").output
