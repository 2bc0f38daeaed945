"""The command line: what it prints, its exit codes, and that wrong usage is one clear line."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import mrrepro.papers
from mrrepro.cli.checks import _bench_line

CHECKOUT = Path(__file__).parents[2]
MODULES = {
    "__init__": "",
    "settings": '''
        from __future__ import annotations
        from dataclasses import dataclass
        from typing import Self
        from mrrepro.runs.settings import setting

        @dataclass(frozen=True)
        class Sum:
            terms: int = setting(3, "terms to sum", low=1)

        @dataclass(frozen=True)
        class Settings:
            sum: Sum = Sum()

            @classmethod
            def at_scale(cls, scale: str) -> Self:
                return cls(Sum({"smoke": 3, "demo": 4, "colab": 5, "paper": 6}[scale]))
    ''',
    "recipe": '''
        from mrrepro.papers.fake.settings import Settings
        from mrrepro.runs.files import write_json
        from mrrepro.runs.stages import Stage

        def total(context):
            write_json(context.workspace / "total.json", sum(range(context.settings.terms)) + context.seed)

        TOTAL = Stage("fake/total", total, lambda settings: settings.sum)
        STAGES = (TOTAL,)
        SETTINGS = Settings
    ''',
    "checks": '''
        from mrrepro.runs.checks import Benchmark, Check, Measurement

        def broken():
            raise RuntimeError("no grid")

        CHECKS = [
            Check("fake.small", "deviation", 0.5, "1", lambda: 0.25),
            Check("fake.large", "deviation", 0.5, "mm", lambda: 0.75),
            Check("fake.nan", "deviation", 0.5, "mm", lambda: float("nan")),
            Check("fake.broken", "deviation", 0.5, "mm", broken),
        ]
        BENCHMARKS = [
            Benchmark("fake.rate", "rate", "1/s", lambda: Measurement(20.0, 5.0), "peer", True, 3.0),
            Benchmark("fake.slow", "time", "s", lambda: Measurement(2.0, 4.0), "peer", False, 3.0),
            Benchmark("fake.alone", "memory", "MiB", lambda: Measurement(2.0, floor=1.0)),
        ]
    ''',
}  # fmt: skip
NUMBERS = """id,item,system,quantity,unit,value,sd,n,where,definition,needs,tolerance,tolerance_reason,status,why
fake.total,Table 1,ours,total,mm,3,,,p. 2,sum of terms,images,1,it is an example,attempt,
fake.open,Table 2,ours,width,mm,5,,,p. 3,,images,,,underspecified,no width is given
"""
NOTEBOOK = """
# %%
import mrrepro.papers
mrrepro.papers.__path__.append({path!r})

# %% tags=["parameters"]
scale = "demo"
seed = 0
overrides = {{}}
artifacts = None
label = "plain"
offset = 0.0

# %%
from dataclasses import dataclass
from mrrepro.papers.fake.recipe import SETTINGS, TOTAL
from mrrepro.runs.notebook import open_run
from mrrepro.runs.settings import setting

@dataclass(frozen=True)
class Further:
    label: str = setting("plain", "a name")
    offset: float = setting(0.0, "added to the total", unit="mm", low=0.0)

run = open_run("fake", "01_total", SETTINGS, globals(), further=Further)

# %%
total = run.make(TOTAL).json("total.json")
if run.further.label == "fail":
    raise RuntimeError("as asked")
run.record("fake.total", total + run.further.offset)

# %%
run.finish()
"""


@pytest.fixture
def paper(tmp_path, monkeypatch):
    folder = tmp_path / "papers" / "fake"
    (folder / "ledger").mkdir(parents=True)
    for name, text in MODULES.items():
        (folder / f"{name}.py").write_text(dedent(text))
    (folder / "ledger" / "numbers.csv").write_text(NUMBERS)
    monkeypatch.setattr(mrrepro.papers, "__path__", [*mrrepro.papers.__path__, str(folder.parent)])
    monkeypatch.setattr(mrrepro.papers.__spec__, "submodule_search_locations", mrrepro.papers.__path__)
    notebooks = tmp_path / "notebooks"
    (notebooks / "fake").mkdir(parents=True)
    (notebooks / "fake" / "01_total.py").write_text(NOTEBOOK.format(path=str(folder.parent)))
    monkeypatch.setenv("MRREPRO_NOTEBOOKS", str(notebooks))
    monkeypatch.setenv("MRREPRO_DEVICE", "cpu")
    monkeypatch.setenv("MRREPRO_ARTIFACTS", str(tmp_path / "artifacts"))
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    importlib.invalidate_caches()
    yield folder
    for name in [name for name in sys.modules if name.startswith("mrrepro.papers.fake")]:
        del sys.modules[name]


def test_help_starts_quickly_and_without_torch():
    command = "import sys; sys.argv = ['mrrepro', '--help']\nfrom mrrepro.cli.main import entry\n"
    command += (
        "try:\n    entry()\nexcept SystemExit:\n    print(sorted({'torch', 'numpy', 'papermill'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    before = os.times()
    done = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=True)
    after = os.times()
    seconds = after.children_user - before.children_user + after.children_system - before.children_system
    assert done.stdout.rstrip().endswith("[]")
    assert seconds < 0.5  # of the processor, 0.15 alone: the time on the wall depends on who else computes


def test_verify_prints_rows_and_fails_where_a_check_falls_short(paper, mrrepro_command):
    code, out, _ = mrrepro_command("verify", "fake", "--json")
    rows = {row["id"]: row for row in json.loads(out)}
    assert code == 1
    assert {id: row["ok"] for id, row in rows.items()} == {
        "fake.small": True,
        "fake.large": False,
        "fake.nan": False,
        "fake.broken": False,
    }
    assert {"id", "value", "limit", "unit", "ok", "seconds"} <= set(rows["fake.small"])
    assert rows["fake.nan"]["value"] is None
    assert rows["fake.broken"]["error"] == "RuntimeError: no grid"
    code, out, _ = mrrepro_command("verify", "fake.small")
    assert code == 0
    assert "0.25 <= 0.5  ok" in out


def test_bench_shows_peer_ratio_and_floor(paper, mrrepro_command):
    code, out, _ = mrrepro_command("bench", "fake", "--device", "cpu", "--json")
    rows = {row["id"]: row for row in json.loads(out)}
    assert code == 1  # fake.slow misses its goal
    assert (rows["fake.rate"]["ratio"], rows["fake.rate"]["peer_name"], rows["fake.rate"]["unit"]) == (
        4.0,
        "peer",
        "1/s",
    )
    assert (rows["fake.alone"]["peer"], rows["fake.alone"]["ratio"], rows["fake.alone"]["floor"]) == (None, None, 1.0)
    assert mrrepro_command("bench", "fake.rate", "fake.alone")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "fake.smal"], "Unknown check 'fake.smal'. Did you mean 'fake.small'?"),
        (["verify", "fakes"], "Unknown chapter 'fakes'. Did you mean 'fake'?"),
        (["bench", "--device", "tpu"], "device must be cpu, cuda, cuda:N or mps, but is 'tpu'"),
        (["run", "fake", "--stages", "--scale", "tiny"], "Unknown scale 'tiny'"),
        (["run", "fake", "--stages", "-p", "sum.term=4"], "Unknown parameter 'sum.term'. Did you mean 'sum.terms'?"),
        (["run", "fake", "--stages", "-p", "sum.terms=0"], "sum.terms must be at least 1, but is 0"),
        (["run", "fake", "--stages", "-p", "sum.terms"], "-p must be NAME=VALUE"),
        (["run", "fake", "--stages", "-p", "scale=demo"], "use --scale"),
        (["run", "fake/01", "--stages"], "leave /01 out"),
        (["run", "fake", "-p", "labl=x"], "Unknown parameter 'labl'. Did you mean 'label'?"),
        (["run", "fake", "-p", "offset=much"], "offset must be float like 0.0, but is 'much'"),
        (["run", "fake/07"], "Unknown notebook of fake '07'"),
        (["run", "other"], "Unknown chapter 'other'"),
        (["ledger", "--paper", "fakee"], "Unknown paper 'fakee'. Did you mean 'fake'?"),
        (["ledger", "--verdict", "good"], "verdict must be one of reproduced,"),
        (["ledger", "check", "no.json"], "no.json is no file"),
        (["artifacts", "clean"], "Say what to clean: names, --partials, --older-than DAYS"),
        (["artifacts", "list", "--chapter", "fakee"], "Unknown chapter 'fakee'"),
        (["ledger", "--scale", "huge"], "Unknown scale 'huge'"),
        (["ledger", "--paper", "fake", "fresh"], "--paper before fresh has no effect"),
        (["ledger", "recorded", "fake", "--from", "nowhere"], "--from must be a folder of recorded files"),
        (["ledger", "effects", "fake"], "Chapter fake has no effects of deviations"),
        (["run", "fake", "--stages", "--output", "x"], "--output is for executed notebooks"),
        (["run", "fake", "--stages", "--minutes", "inf"], "minutes must be above 0 and finite"),
        (["bench", "--to", "x"], "--to goes with --keep"),
        (["rehearse", "teaching"], "teaching has no training of its own"),
        (["record", "teaching"], "teaching has no variants to record"),
        (["run", "teaching", "--stages"], "teaching has no stages"),
        (["plan", "condnet", "-p", "seed=3"], "this command has no seed"),
        (["artifacts", "clean", "fake/total/0000000000000000"], "holds no artifact"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(paper, mrrepro_command, arguments, message):
    code, _, err = mrrepro_command(*arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


STAGES_ONLY = """
import sys
import mrrepro.papers
mrrepro.papers.__path__.append(sys.argv.pop())
from mrrepro.cli.main import entry
try:
    entry()
finally:
    print(sorted({"papermill", "jupytext", "nbformat"} & set(sys.modules)))
"""


def test_stages_run_without_notebooks_and_their_packages(paper):
    command = [sys.executable, "-c", STAGES_ONLY, "run", "fake", "--stages", "--scale", "smoke", "-p", "sum.terms=5"]
    environment = {**os.environ, "MRREPRO_NOTEBOOKS": "nowhere"}
    done = subprocess.run([*command, str(paper.parent)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made, imported = done.stdout.splitlines()
    assert json.loads((Path(made.split()[-1]) / "total.json").read_text()) == 10
    assert imported == "[]"


def test_artifacts_are_listed_checked_and_cleaned(paper, mrrepro_command):
    mrrepro_command("run", "fake", "--stages", "--scale", "smoke")
    (row,) = json.loads(mrrepro_command("artifacts", "list", "--json")[1])
    assert row["stage"] == "fake/total"
    assert row["bytes"] == sum(path.stat().st_size for path in Path(row["path"]).iterdir())
    assert mrrepro_command("artifacts", "check")[0] == 0
    (Path(row["path"]) / "total.json").write_text("")
    code, _, err = mrrepro_command("artifacts", "check")
    assert code == 1
    assert "file total.json has 0 bytes" in err
    code, _, err = mrrepro_command("run", "fake", "--stages", "--scale", "smoke")
    assert code == 1
    assert err.count("\n") == 1
    # the command that the message gives does remove it
    command = err.partition("mrrepro artifacts clean ")[2].split()[0]
    assert mrrepro_command("artifacts", "clean", command)[0] == 0
    assert "0 artifacts" in mrrepro_command("artifacts", "list")[1]


def test_notebook_runs_from_parameters_to_receipt_ledger_and_bands(paper, mrrepro_command, tmp_path):
    output = tmp_path / "out"
    options = ("--scale", "smoke", "--output", output)
    code, out, err = mrrepro_command("run", "fake/1", *options, "--seed", "1", "-p", "sum.terms=2", "-p", "offset=0.5")
    assert code == 0, err
    (executed,) = (output / "fake").glob("*.ipynb")
    assert executed.name.startswith("01_total-smoke-seed1-")  # another seed's or parameter's stays beside it
    (receipt,) = (output / "receipts" / "fake").glob("*.json")
    document = json.loads(receipt.read_text())
    assert document["parameters"] == {
        "scale": "smoke",
        "seed": 1,
        "overrides": {"sum.terms": "2"},
        "label": "plain",
        "offset": 0.5,
    }
    assert document["values"][0]["value"] == 0 + 1 + 1 + 0.5

    assert mrrepro_command("ledger", "add", receipt)[0] == 0
    rows = {row["id"]: row for row in json.loads(mrrepro_command("ledger", "--paper", "fake", "--json")[1])}
    assert (rows["fake.total"]["verdict"], rows["fake.total"]["scale"]) == ("agrees on substitute data", "smoke")
    assert rows["fake.open"]["reason"] == "no width is given"
    assert not rows["fake.total"]["stale"]
    source = paper / "recipe.py"
    source.write_text(source.read_text().replace("+ context.seed", "- context.seed"))
    stale = json.loads(mrrepro_command("ledger", "--stale", "--json")[1])
    assert [row["id"] for row in stale if row["paper"] == "fake"] == ["fake.total"]
    code, out, _ = mrrepro_command("ledger", "export", "--to", output, "--paper", "fake")
    assert code == 0
    assert {Path(line).name for line in out.split()} == {"ledger.json", "ledger.csv"}

    code, out, _ = mrrepro_command("ledger", "check", receipt)
    assert code == 1
    assert "Nothing can be said" in out
    receipt.write_text(receipt.read_text().replace('"value": 2.5', '"value": 3.0'))
    code, _, err = mrrepro_command("ledger", "check", receipt)
    assert code == 2
    assert "was altered since it was written" in err


def test_notebook_whose_cell_raises_ends_with_code_1(paper, mrrepro_command, tmp_path):
    code, _, err = mrrepro_command("run", "fake", "--scale", "smoke", "-p", "label=fail", "--output", tmp_path / "out")
    assert code == 1
    # the executed notebook has one cell more, with the injected parameters
    assert "fake/01_total: cell 5 raised RuntimeError: as asked" in err
    assert "Traceback" not in err
    assert not list((tmp_path / "out").glob("receipts/**/*.json"))


def test_bands_come_from_receipts_over_seeds(paper, mrrepro_command, tmp_path, monkeypatch):
    from mrrepro.papers.fake import recipe

    from mrrepro.runs.notebook import open_run

    paths = []
    for seed in range(4):
        given = {"scale": "smoke", "seed": seed, "overrides": {}}
        run = open_run("fake", "01_total", recipe.SETTINGS, given)
        run.record("fake.total", run.make(recipe.TOTAL).json("total.json"))
        paths.append(run.finish().path)
    code, out, err = mrrepro_command("ledger", "bands", *paths[:3])
    assert code == 0, err
    assert "1 bands from seeds 0, 1, 2" in out
    band = json.loads((paper / "ledger" / "bands" / "smoke.json").read_text())["bands"][0]
    assert (band["mean"], band["sd"], band["seeds"]) == (4.0, 1.0, [0, 1, 2])
    code, out, _ = mrrepro_command("ledger", "check", paths[3])
    assert code == 1, "three seeds of 3, 4 and 5 tell nothing: -7 to 15 is expected"
    assert "the bands of 1 are too wide to tell anything" in out
    assert "the band is too wide to tell anything: -7.46 to 15.46 from 3 seeds" in out


def test_bands_say_the_seeds_of_their_scale_or_the_command_as_it_was_given(paper, mrrepro_command):
    from mrrepro.papers.fake import recipe

    from mrrepro.runs.notebook import open_run

    paths = []
    for scale, seeds in (("smoke", (0, 1, 2)), ("demo", (3, 4, 5))):
        for seed in seeds:
            run = open_run("fake", "01_total", recipe.SETTINGS, {"scale": scale, "seed": seed, "overrides": {}})
            run.record("fake.total", run.make(recipe.TOTAL).json("total.json"))
            paths.append(run.finish().path)

    def commands():
        folder = paper / "ledger" / "bands"
        return [
            json.loads((folder / f"{scale}.json").read_text())["bands"][0]["command"] for scale in ("smoke", "demo")
        ]

    code, out, err = mrrepro_command("ledger", "bands", *paths)
    assert code == 0, err
    assert "fake, smoke: 1 bands from seeds 0, 1, 2" in out
    assert "fake, demo: 1 bands from seeds 3, 4, 5" in out
    again = "mrrepro ledger expect fake --scale"
    assert commands() == [f"{again} smoke --seeds 0,1,2", f"{again} demo --seeds 3,4,5"]
    given = """for n in 0 1 2; do mrrepro run fake --output "my runs/$n"; done"""
    assert mrrepro_command("ledger", "bands", *paths, "--command", given)[0] == 0
    assert commands() == [given, given]


def test_one_command_makes_the_bands_of_a_chapter_from_seeds(paper, mrrepro_command, tmp_path):
    code, out, err = mrrepro_command(
        "ledger", "expect", "fake", "--scale", "smoke", "--seeds", "0,2,4", "--output", tmp_path / "out"
    )
    assert code == 0, err
    assert "1 bands from seeds 0, 2, 4" in out
    band = json.loads((paper / "ledger" / "bands" / "smoke.json").read_text())["bands"][0]
    assert (band["mean"], band["seeds"]) == (5.0, [0, 2, 4])
    assert band["command"] == "mrrepro ledger expect fake --scale smoke --seeds 0,2,4"
    code, _, err = mrrepro_command("ledger", "expect", "fake", "--scale", "smoke", "--seeds", "0,1,1")
    assert (code, "at least three different seeds" in err) == (2, True)


def test_doctor_says_what_to_do(paper, mrrepro_command, monkeypatch, tmp_path):
    code, out, _ = mrrepro_command("doctor", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert {"python", "torch", "device", "memory", "artifacts", "disk", "notebooks", "papermill"} <= set(rows)
    assert rows["artifacts"]["ok"]
    assert "fake" in rows["notebooks"]["found"]
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MRREPRO_ARTIFACTS", str(tmp_path / "file"))
    code, out, _ = mrrepro_command("doctor")
    assert code == 1
    assert "Name a folder that you may write to in MRREPRO_ARTIFACTS" in out


def test_data_is_the_fetcher_or_says_that_it_is_missing(mrrepro_command, monkeypatch, tmp_path):
    for name in ("data_fetch", "data_fetch.cli"):
        monkeypatch.setitem(sys.modules, name, None)
    code, _, err = mrrepro_command("data", "list")
    assert code == 2
    assert "the data fetcher is not installed" in err
    for name in ("data_fetch", "data_fetch.cli"):
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "data_fetch").mkdir()
    (tmp_path / "data_fetch" / "__init__.py").write_text("")
    (tmp_path / "data_fetch" / "cli.py").write_text(
        "def app(args, prog_name):\n    print(prog_name, args)\n    raise SystemExit(0)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    code, out, _ = mrrepro_command("data", "get", "ixi", "--to", "x", "--help")
    assert (code, out.strip()) == (0, "mrrepro data ['get', 'ixi', '--to', 'x', '--help']")
    for name in ("data_fetch", "data_fetch.cli"):
        sys.modules.pop(name, None)


def test_a_folder_that_is_a_file_is_one_line_too(paper, mrrepro_command, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = mrrepro_command("run", "fake/1", "--scale", "smoke", "--output", tmp_path / "file")
    assert (code, err.count("\n")) == (1, 1)
    assert str(tmp_path / "file") in err


def test_names_to_clean_are_all_known_before_one_is_removed(paper, mrrepro_command):
    assert mrrepro_command("run", "fake", "--stages", "--scale", "smoke")[0] == 0
    listed = json.loads(mrrepro_command("artifacts", "list", "--json")[1])
    code, _, err = mrrepro_command("artifacts", "clean", listed[0]["name"], "fake/total/0000000000000000")
    assert code == 2
    assert "nothing was removed" in err
    assert json.loads(mrrepro_command("artifacts", "list", "--json")[1]) == listed


def test_what_no_peer_was_there_for_is_not_called_short():
    row = {"ours": 1.0, "peer": None, "ratio": None, "floor": None, "goal": 20.0, "unit": "s", "seconds": 1.0}
    line = _bench_line({**row, "peer_name": "MONAI", "ok": None})
    assert "not compared: MONAI is not here" in line
    assert "FELL SHORT" not in line
    assert "FELL SHORT" in _bench_line({**row, "peer_name": "MONAI", "peer": 2.0, "ratio": 2.0, "ok": False})
