"""Making artifacts: once, whole, by one process at a time, and again from where a kill left it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mrrepro.runs.artifacts import ArtifactError, ArtifactStore
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import Stage, make, stage_key

CHECKOUT = Path(__file__).parents[2]
RUN = """
import sys
from importlib import import_module
from mrrepro.runs.artifacts import ArtifactStore
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make
recipe = import_module(sys.argv[1] + ".recipe")
settings = configure(recipe.SETTINGS, "smoke", dict(item.split("=") for item in sys.argv[3:]))
print(make(recipe.TOTAL, settings, 7, ArtifactStore(sys.argv[2])).path)
"""


def start_run(package, store, *overrides):
    environment = {**os.environ, "PYTHONPATH": f"{package.root}:{CHECKOUT}", "MRREPRO_DEVICE": "cpu"}
    command = [sys.executable, "-c", RUN, package.name, str(store.root), *overrides]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition, seconds=20.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.01)


def test_result_is_made_from_inputs_and_settings(package, store):
    recipe = package.module("recipe")
    settings = configure(recipe.SETTINGS, "smoke", {"summing.factor": 3})
    artifact = make(recipe.TOTAL, settings, 7, store)
    drawn = make(recipe.DRAW, settings, 7, store).json("numbers.json")
    assert len(drawn) == 4
    assert artifact.json("total.json") == pytest.approx(6 * sum(drawn), rel=1e-15)
    manifest = json.loads((artifact.path / "manifest.json").read_text())
    assert manifest["settings"] == {"factor": 3.0}
    assert manifest["inputs"] == {"fake/draw": stage_key(recipe.DRAW, settings, 7).key}
    assert manifest["files"]["total.json"]["bytes"] == (artifact.path / "total.json").stat().st_size
    assert manifest["seconds"] >= 0
    assert manifest["device"].startswith("cpu")
    assert sorted(path.name for path in artifact.path.iterdir()) == ["manifest.json", "total.json"]


def test_made_once(package, store):
    recipe = package.module("recipe")
    settings = configure(recipe.SETTINGS, "smoke")
    first = make(recipe.TOTAL, settings, 7, store)
    stamp = (first.path / "total.json").stat().st_mtime_ns
    assert make(recipe.TOTAL, settings, 7, store).manifest == first.manifest
    assert (first.path / "total.json").stat().st_mtime_ns == stamp


def test_key_follows_settings_seed_inputs_data_and_nothing_else(package):
    recipe = package.module("recipe")
    settings = configure(recipe.SETTINGS, "smoke")

    def key(stage=recipe.TOTAL, seed=7, **overrides):
        return stage_key(stage, configure(recipe.SETTINGS, "smoke", overrides), seed).key

    assert key() == stage_key(recipe.TOTAL, settings, 7).key
    assert key(seed=8) != key()
    assert key(**{"summing.factor": 2}) != key()
    assert key(**{"counting.steps": 5}) != key()  # through its input
    assert key(recipe.DRAW, **{"summing.factor": 2}) == key(recipe.DRAW)  # it may not see this
    with_data = [
        Stage(
            "fake/draw",
            recipe.draw,
            lambda settings: settings.counting,
            data=lambda settings, mark=mark: {"scan": mark},
        )
        for mark in ("a" * 64, "b" * 64)
    ]
    assert len({key(stage) for stage in (recipe.DRAW, *with_data)}) == 3


def test_methods_of_the_settings_are_part_of_the_key(package):
    package.replace("settings", "pause: float", "def half(self):\n        return self.steps / 2\n\n    pause: float")
    recipe = package.module("recipe")
    settings = configure(recipe.SETTINGS, "smoke")
    before = stage_key(recipe.DRAW, settings, 7).key, stage_key(recipe.TOTAL, settings, 7).code
    package.replace("settings", "self.steps / 2", "self.steps / 3")
    assert stage_key(recipe.DRAW, settings, 7).key != before[0]
    assert stage_key(recipe.TOTAL, settings, 7).code == before[1]


def test_unseeded_stage_serves_all_seeds(package):
    recipe = package.module("recipe")
    stage = Stage("fake/draw", recipe.draw, lambda settings: settings.counting, seeded=False)
    settings = configure(recipe.SETTINGS, "smoke")
    assert stage_key(stage, settings, 1).key == stage_key(stage, settings, 2).key


def test_killed_run_resumes_and_ends_like_an_uninterrupted_one(package, store, tmp_path):
    overrides = ("counting.steps=12", "counting.pause=0.05")
    process = start_run(package, store, *overrides)

    def half_way():
        states = list(store.root.glob("fake/draw/*.partial/resume/state.json"))
        return bool(states) and len(json.loads(states[0].read_text())["drawn"]) >= 4

    wait_for(half_way)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not list(store.root.glob("fake/draw/*/manifest.json"))
    partial = next(iter(store.root.glob("fake/draw/*.partial")))
    (partial / ".unfinished-numbers.json-0123").write_text("half")  # as a kill while writing leaves it

    recipe = package.module("recipe")
    settings = configure(recipe.SETTINGS, "smoke", {"counting.steps": 12, "counting.pause": 0.05})
    resumed = make(recipe.DRAW, settings, 7, store)
    whole = make(recipe.DRAW, settings, 7, ArtifactStore(tmp_path / "other"))
    assert (resumed.path / "numbers.json").read_bytes() == (whole.path / "numbers.json").read_bytes()
    assert resumed.json("resumed.json") >= 4  # it did not begin anew
    assert sorted(path.name for path in resumed.path.iterdir()) == ["manifest.json", "numbers.json", "resumed.json"]
    assert len(resumed.manifest["attempts"]) == 2
    assert resumed.seconds == pytest.approx(sum(attempt["seconds"] for attempt in resumed.manifest["attempts"]))
    assert resumed.manifest["attempts"][0]["seconds"] >= 4 * 0.05
    assert not partial.exists()


def test_two_processes_make_one_artifact(package, store, monkeypatch):
    monkeypatch.delenv("MRREPRO_PROGRESS", raising=False)  # the one that waits says so
    overrides = ("counting.steps=10", "counting.pause=0.05")
    first, second = start_run(package, store, *overrides), start_run(package, store, *overrides)
    (path, waited), (other, also) = first.communicate(timeout=30), second.communicate(timeout=30)
    assert (first.returncode, second.returncode) == (0, 0), waited + also
    assert path == other
    assert (waited + also).count("is being made by another run; waiting for it.") >= 1
    recipe = package.module("recipe")
    settings = configure(recipe.SETTINGS, "smoke", {"counting.steps": 10, "counting.pause": 0.05})
    draw = make(recipe.DRAW, settings, 7, store)
    assert len(draw.manifest["attempts"]) == 1
    assert "resumed.json" not in draw.manifest["files"]  # the second did not work on the first's folder


def test_failed_stage_leaves_nothing_that_is_found(package, store):
    package.replace("recipe", "double(context.settings.factor", "1 / 0 + double(context.settings.factor")
    recipe = package.module("recipe")
    with pytest.raises(ZeroDivisionError):
        make(recipe.TOTAL, configure(recipe.SETTINGS, "smoke"), 7, store)
    assert [item.stage for item in store.list() if not item.partial] == ["fake/draw"]


def test_kill_between_last_file_and_name_does_not_repeat_the_work(package, store):
    recipe = package.module("recipe")
    settings = configure(recipe.SETTINGS, "smoke")
    made = make(recipe.DRAW, settings, 7, store)
    expected = made.json("numbers.json")
    partial = made.path.with_name(made.path.name + ".partial")
    made.path.rename(partial)
    attempt = {**made.manifest["attempts"][0], "started": 0.0, "ended": True}
    (partial / ".attempts.json").write_text(json.dumps([attempt]))
    (partial / "numbers.json").write_text(json.dumps(expected) + "\n\n")  # would be written anew without the blank line
    again = make(recipe.DRAW, settings, 7, store)
    assert again.json("numbers.json") == expected
    assert (again.path / "numbers.json").read_text().endswith("\n\n")


def test_stage_that_writes_nothing_is_refused(package, store):
    package.replace("recipe", 'write_json(context.workspace / "numbers.json", state["drawn"])', "pass")
    recipe = package.module("recipe")
    with pytest.raises(ArtifactError, match=r"fake/draw ended without writing a file"):
        make(recipe.DRAW, configure(recipe.SETTINGS, "smoke"), 7, store)


@pytest.mark.parametrize("seed", [-1, 1.0, True, "3"])
def test_wrong_seed_is_refused(package, store, seed):
    recipe = package.module("recipe")
    with pytest.raises(ValueError, match="seed must be an integer of at least 0"):
        make(recipe.DRAW, configure(recipe.SETTINGS, "smoke"), seed, store)


def test_derived_seeds_differ_by_stage_purpose_and_seed(package, store):
    from mrrepro.runs.stages import StageContext

    def seeds(stage, seed):
        context = StageContext(None, seed, {}, store.root, stage, "cpu")
        return [context.derived_seed(purpose) for purpose in ("", "noise", "held-out")]

    drawn = seeds("a/train", 0) + seeds("a/test", 0) + seeds("a/train", 1)
    assert len(set(drawn)) == 9
    assert all(0 <= seed < 2**63 for seed in drawn)
    random.Random(drawn[0])


@pytest.mark.parametrize("name", ["train", "DeepSPIO/train", "../x", "a/../b", "a/.hidden/.."])
def test_stage_names_are_paths_inside_the_store(package, name):
    recipe = package.module("recipe")
    with pytest.raises(ValueError, match="name must be"):
        Stage(name, recipe.draw, lambda settings: settings.counting)
