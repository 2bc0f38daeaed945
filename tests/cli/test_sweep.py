"""``mrrepro sweep``: what is run, what a failure, a killed worker and a killed sweep leave, and what is run again."""

from __future__ import annotations

import csv
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from textwrap import dedent

import pytest
from filelock import FileLock

import mrrepro.papers
from mrrepro.runs import workers
from mrrepro.runs.files import read_json
from mrrepro.runs.sweeps import plan, split_values

CHECKOUT = Path(__file__).parents[2]
SETTINGS = """
    from __future__ import annotations
    from dataclasses import dataclass
    from typing import Self
    from mrrepro.runs.settings import setting

    @dataclass(frozen=True)
    class Sum:
        terms: int = setting(3, "terms to sum", low=1)
        weight: float = setting(1.0, "of the sum", low=0.0)

    @dataclass(frozen=True)
    class Settings:
        sum: Sum = Sum()

        @classmethod
        def at_scale(cls, scale: str) -> Self:
            return cls(Sum({"smoke": 3, "demo": 4, "colab": 5, "paper": 6}[scale]))
"""
RECIPE = """
    from mrrepro.papers.tiny.settings import Settings
    from mrrepro.runs.files import write_json
    from mrrepro.runs.stages import Stage

    def total(context):
        value = context.settings.weight * sum(range(context.settings.terms)) + context.seed
        write_json(context.workspace / "total.json", value)

    TOTAL = Stage("tiny/total", total, lambda settings: settings.sum)
    STAGES = (TOTAL,)
    SETTINGS = Settings
"""
NUMBERS = """id,item,system,quantity,unit,value,sd,n,where,definition,needs,tolerance,tolerance_reason,status,why
tiny.total,Table 1,ours,total,mm,3,,,p. 2,sum of terms,images,1,it is an example,attempt,
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

# %%
import os
import time
from dataclasses import dataclass
from mrrepro.papers.tiny.recipe import SETTINGS, TOTAL
from mrrepro.runs.notebook import open_run
from mrrepro.runs.settings import setting

@dataclass(frozen=True)
class Further:
    label: str = setting("plain", "what to do")

run = open_run("tiny", "01_total", SETTINGS, globals(), further=Further)

# %%
if run.further.label == "fail":
    raise RuntimeError("as\\nasked")
if run.further.label == "die":
    os._exit(1)
while run.further.label == "gated" and not os.path.exists(os.environ["TINY_GATE"]):
    time.sleep(0.05)

# %%
run.record("tiny.total", run.make(TOTAL).json("total.json"))
run.finish()
"""
COMMAND = """
import sys
import mrrepro.papers
mrrepro.papers.__path__.append(sys.argv.pop(1))
from mrrepro.cli.main import entry
entry()
"""


@pytest.fixture
def paper(tmp_path, monkeypatch):
    folder = tmp_path / "papers" / "tiny"
    (folder / "ledger").mkdir(parents=True)
    for name, text in {"__init__": "", "settings": SETTINGS, "recipe": RECIPE}.items():
        (folder / f"{name}.py").write_text(dedent(text))
    (folder / "ledger" / "numbers.csv").write_text(NUMBERS)
    monkeypatch.setattr(mrrepro.papers, "__path__", [*mrrepro.papers.__path__, str(folder.parent)])
    monkeypatch.setattr(mrrepro.papers.__spec__, "submodule_search_locations", mrrepro.papers.__path__)
    notebooks = tmp_path / "notebooks" / "tiny"
    notebooks.mkdir(parents=True)
    for name in ("01_total", "02_other"):
        (notebooks / f"{name}.py").write_text(NOTEBOOK.format(path=str(folder.parent)))
    monkeypatch.setenv("MRREPRO_NOTEBOOKS", str(notebooks.parent))
    monkeypatch.setenv("MRREPRO_DEVICE", "cpu")  # torch is then not imported
    monkeypatch.setenv("MRREPRO_ARTIFACTS", str(tmp_path / "artifacts"))
    monkeypatch.setenv("MRREPRO_PROGRESS", "0")
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    monkeypatch.setenv("TINY_GATE", str(tmp_path / "gate"))
    monkeypatch.delenv("MRREPRO_WORKERS", raising=False)
    importlib.invalidate_caches()
    yield folder
    for name in [name for name in sys.modules if name.startswith("mrrepro.papers.tiny")]:
        del sys.modules[name]


@pytest.fixture
def sweep(mrrepro_command, tmp_path):
    """Call ``mrrepro sweep tiny/01`` in this process; give exit code, rows of the JSON, and the standard error."""

    def call(*arguments, target="tiny/01"):
        options = ["--scale", "smoke", "--output", tmp_path / "out", "--json"]
        code, out, err = mrrepro_command("sweep", target, *options, *arguments)
        return code, json.loads(out)["rows"] if out else [], err

    return call


def states(rows):
    return [row["state"] for row in rows]


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return found


def running(folder):
    """States of the runs that a worker has begun and not ended, by run."""
    found = [read_json(path) for path in folder.glob("runs/*/run.json")]
    return {state["run"]: state for state in found if state["state"] == "running"}


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text() if Path("/proc/self").exists() else True


def test_lists_are_split_outside_brackets_and_multiplied():
    assert split_values("weights", "(1,2), [3,4],0.5") == ("(1,2)", "[3,4]", "0.5")
    points = plan({"a": "1,2", "b": "x"}, [7, 3])
    assert [(dict(point.given), point.seed) for point in points] == [
        ({"a": "1", "b": "x"}, 7),
        ({"a": "1", "b": "x"}, 3),
        ({"a": "2", "b": "x"}, 7),
        ({"a": "2", "b": "x"}, 3),
    ]
    assert [point.seed for point in plan({})] == [0]


def test_a_file_gives_one_run_a_row_times_the_grid(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text('\ufeffsum.terms,seed,label\n2,1,"a,b"\n5,0,\n', encoding="utf-8")
    points = plan({"sum.weight": "1,2"}, None, path)
    assert [(dict(point.given), point.seed) for point in points] == [
        ({"sum.terms": "2", "label": "a,b", "sum.weight": "1"}, 1),
        ({"sum.terms": "2", "label": "a,b", "sum.weight": "2"}, 1),
        ({"sum.terms": "5", "sum.weight": "1"}, 0),
        ({"sum.terms": "5", "sum.weight": "2"}, 0),
    ]
    path = tmp_path / "runs.json"
    path.write_text(json.dumps([{"sum.terms": 2, "flag": True, "limit": None, "sizes": [1, 2]}]))
    (point,) = plan({}, [4], path)
    assert (point.seed, dict(point.given)) == (
        4,
        {"sum.terms": "2", "flag": "true", "limit": "none", "sizes": "[1, 2]"},
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "sum.term=1,2"], "Unknown parameter 'sum.term'. Did you mean 'sum.terms'?"),
        (["-p", "sum.terms=2,0"], "sum.terms must be at least 1, but is 0"),
        (["-p", "sum.terms=2,two"], "sum.terms must be int, but is 'two'"),
        (["-p", "sum.terms=2,,3"], "none of them empty"),
        (["-p", "sum.terms=2,3,2"], "sum.terms has a value twice"),
        (["-p", "sum.weight=1,1.0"], "Two runs are the same: sum.weight=1, seed 0, and sum.weight=1.0, seed 0"),
        (["-p", "label=(a,b"], "as many closing as opening brackets"),
        (["-p", "seed=1,2"], "-p seed is not possible: use --seeds"),
        (["--seeds", "0,-1"], "--seeds must be whole numbers of at least 0"),
        (["--scale", "tiny"], "Unknown scale 'tiny'"),
        (["--workers", "0"], "--workers must be at least 1, but is 0"),
        (["--workers", "2", "--scheduler", "tcp://host:1"], "give one of them"),
        (["--scheduler", "host"], "--scheduler must be a number of local processes, or a scheduler's address"),
        (["--value", "tiny.totl"], "tiny.totl"),
        (["--list", "nowhere.csv"], "nowhere.csv is none"),
        (["--list", "{folder}/twice.csv"], "must name each column once"),
        (["--list", "{folder}/short.csv"], "Row 2 of"),
        (["--list", "{folder}/empty.json"], "holds no run"),
        (["--list", "{folder}/object.json"], "must be a list of objects"),
        (["--list", "{folder}/seeds.csv", "--seeds", "0"], "leave one of them out"),
        (["--list", "{folder}/seeds.csv", "-p", "sum.terms=3"], "sum.terms is given by -p and by"),
    ],
)
def test_wrong_usage_is_one_line_before_anything_starts(paper, sweep, tmp_path, arguments, message):
    (tmp_path / "twice.csv").write_text("sum.terms,sum.terms\n1,2\n")
    (tmp_path / "short.csv").write_text("sum.terms,seed\n1,2\n3\n")
    (tmp_path / "empty.json").write_text("[]")
    (tmp_path / "object.json").write_text('{"sum.terms": 1}')
    (tmp_path / "seeds.csv").write_text("sum.terms,seed\n1,2\n")
    code, rows, err = sweep(*(argument.format(folder=tmp_path) for argument in arguments))
    assert (code, rows) == (2, [])
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_sweep_runs_one_notebook_and_has_its_folder_for_itself(paper, sweep, tmp_path):
    code, _, err = sweep(target="tiny")
    assert code == 2
    assert "give one of tiny/01_total, tiny/02_other" in err
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".lock"):
        code, _, err = sweep()
    assert code == 2
    assert "Another sweep works in" in err


def test_a_failed_run_is_a_row_and_the_rest_is_found_again_until_it_changes(paper, sweep, tmp_path):
    code, rows, _ = sweep("-p", "label=plain,fail,die", "--workers", "1")
    assert code == 1
    assert states(rows) == ["done", "failed", "failed"]
    done, failed, died = rows
    assert "the kernel died" in died["error"]
    assert done["values"] == {"tiny.total": 0 + 1 + 2}
    assert done["verdicts"] == {"agrees on substitute data": 1}
    assert read_json(tmp_path / "out" / done["receipt"])["parameters"]["label"] == "plain"
    assert "raised RuntimeError: as asked" in failed["error"]
    assert (failed["receipt"], failed["values"]) == (None, {})
    assert read_json(tmp_path / "out" / "runs" / failed["run"] / "run.json")["error"] == failed["error"]

    with (tmp_path / "out" / "sweep.csv").open(newline="") as stream:
        first, second, _ = csv.DictReader(stream)
    assert (first["run"], first["label"], first["tiny.total"], first["error"]) == (done["run"], "plain", "3.0", "")
    assert (second["state"], second["error"]) == ("failed", failed["error"])

    # what is there is taken over by a larger sweep, what failed is tried again
    (tmp_path / "runs.csv").write_text("seed,label\n0,fail\n0,plain\n1,plain\n")
    code, rows, _ = sweep("--list", tmp_path / "runs.csv", "--workers", "1")
    assert code == 1
    assert [(row["parameters"]["label"], row["seed"], row["state"]) for row in rows] == [
        ("fail", 0, "failed"),
        ("plain", 0, "skipped"),
        ("plain", 1, "done"),
    ]
    assert {**rows[1], "state": "done"} == done

    # an altered receipt, and other code, are no result of this run
    receipt = tmp_path / "out" / rows[2]["receipt"]
    receipt.write_text(receipt.read_text().replace('"value": 4.0', '"value": 3.0'))
    code, rows, _ = sweep("--seeds", "0,1", "--workers", "1")
    assert (code, states(rows), rows[1]["values"]) == (0, ["skipped", "done"], {"tiny.total": 4.0})
    source = paper / "recipe.py"
    source.write_text(source.read_text().replace("+ context.seed", "- context.seed"))
    code, rows, _ = sweep("--seeds", "1", "--workers", "1")
    assert (code, states(rows), rows[0]["values"]) == (0, ["done"], {"tiny.total": 2.0})


@pytest.mark.skipif(os.name == "nt", reason="processes are killed by signals")
def test_the_run_of_a_killed_worker_is_taken_again_and_the_sweep_ends(paper, sweep, tmp_path, monkeypatch):
    out, killed = tmp_path / "out", {}
    monkeypatch.setattr(workers, "core_count", lambda: 6)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def kill_one():
        try:
            both = wait_for(lambda: len(running(out)) == 2 and running(out))
            killed.update(min(both.values(), key=lambda state: state["run"]))
            os.kill(killed["pid"], signal.SIGKILL)
        finally:
            Path(os.environ["TINY_GATE"]).touch()

    killer = threading.Thread(target=kill_one)
    killer.start()
    code, rows, err = sweep("-p", "label=gated", "--seeds", "0,1,2", "--workers", "2")
    killer.join()
    assert code == 0, err
    assert states(rows) == ["done"] * 3
    assert {row["run"]: row["attempts"] for row in rows} == {
        row["run"]: 2 if row["run"] == killed["run"] else 1 for row in rows
    }
    assert [row["values"]["tiny.total"] for row in rows] == [3.0, 4.0, 5.0]
    again = read_json(out / "runs" / killed["run"] / "run.json")
    assert (killed["state"], again["state"]) == ("running", "done")
    assert again["pid"] != killed["pid"]
    receipts = [read_json(out / row["receipt"]) for row in rows]
    assert {receipt["threads"] for receipt in receipts} == {3}
    assert len({receipt["artifacts"][0]["key"] for receipt in receipts}) == 3


@pytest.mark.skipif(os.name == "nt", reason="processes are killed by signals")
def test_a_killed_sweep_leaves_no_worker_and_goes_on_where_it_was(paper, sweep, tmp_path):
    out = tmp_path / "out"
    options = ["-p", "label=plain,gated", "--workers", "2"]
    command = [sys.executable, "-c", COMMAND, str(paper.parent), "sweep", "tiny/01", "--scale", "smoke"]
    with subprocess.Popen([*command, *options, "--output", str(out)], stdout=subprocess.DEVNULL) as first:
        table = out / "sweep.json"
        wait_for(lambda: table.is_file() and states(read_json(table)["rows"]) == ["done", "waiting"] and running(out))
        (gated,) = running(out).values()
        first.kill()
    wait_for(lambda: not lives(gated["pid"]))
    Path(os.environ["TINY_GATE"]).touch()
    code, rows, _ = sweep(*options)
    assert code == 0
    assert [(row["state"], row["attempts"]) for row in rows] == [("skipped", 1), ("done", 2)]
    code, rows, _ = sweep(*options)
    assert states(rows) == ["skipped", "skipped"]


def test_a_running_scheduler_is_used_and_left_running(paper, sweep):
    with workers.connected("1") as client:
        code, rows, err = sweep("--scheduler", client.scheduler.address)
        assert code == 0, err
        assert states(rows) == ["done"]
        assert len(client.nthreads()) == 1


def test_what_kills_every_worker_is_given_up_and_takes_no_other_along():
    from dask import config

    pause = "__import__('time').sleep(0.3)"
    items = {"deadly": (f"({pause}, __import__('os')._exit(1))",), "wrong": ("1 / 0",)}
    items |= {number: (f"({pause}, {number})[1]",) for number in range(4)}
    with config.set({"distributed.scheduler.allowed-failures": 0}):  # 3 unless told, which takes longer
        ended = dict(workers.settled(eval, items, "2"))
    assert {number: ended[number] for number in range(4)} == {number: number for number in range(4)}
    assert isinstance(ended["wrong"], ZeroDivisionError)
    assert isinstance(ended["deadly"], workers.WorkersDied)


def test_local_workers_share_cores_and_see_one_gpu_each(monkeypatch):
    import torch

    monkeypatch.setattr(workers, "core_count", lambda: 8)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "MRREPRO_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    found = workers.worker_variables(3)
    assert [each["OMP_NUM_THREADS"] for each in found] == ["2", "2", "2"]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in found] == ["0", "1", "0"]
    assert workers.worker_variables(20)[0]["NUMBA_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    monkeypatch.setenv("MRREPRO_DEVICE", "cuda:1")
    assert [(each["OMP_NUM_THREADS"], each["CUDA_VISIBLE_DEVICES"]) for each in workers.worker_variables(2)] == [
        ("1", "7")
    ] * 2
    assert workers.worker_variables(1)[0]["MRREPRO_DEVICE"] == "cuda"
    monkeypatch.setenv("MRREPRO_DEVICE", "cpu")
    assert "CUDA_VISIBLE_DEVICES" not in workers.worker_variables(1)[0]
