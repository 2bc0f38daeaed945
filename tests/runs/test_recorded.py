"""Recorded sweeps: what is kept, how small, and when it counts no more."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from mrrepro.runs import recorded as module_of_recorded
from mrrepro.runs.recorded import (
    Variant,
    fresh_seeds,
    made_by,
    numbers_of,
    read_recorded,
    record,
    recorded_arrays,
    stale_reason,
    variant_named,
)
from mrrepro.runs.stages import Stage, make


@pytest.fixture
def recorded(package, store, tmp_path):
    """A function that records a variant of the small package, and what says which seeds are fresh."""
    folder = tmp_path / "recorded"

    def variant(**overrides):
        return Variant("long", overrides, "more numbers", (package.module("recipe").TOTAL,))

    def keep(seed, **overrides):
        settings = package.module("recipe").SETTINGS
        return record(
            "fake", variant(**overrides), seed, settings_type=settings, scale="smoke", store=store, folder=folder
        )

    def fresh(**overrides):
        settings = package.module("recipe").SETTINGS
        return fresh_seeds("fake", variant(**overrides), settings_type=settings, scale="smoke", folder=folder)

    keep.fresh, keep.folder = fresh, folder
    return keep


def test_seeds_are_added_in_order_and_kept(recorded):
    path = recorded(3)
    assert recorded.fresh() == {3}
    recorded(1)
    runs = read_recorded("fake", "smoke", "long", recorded.folder)
    assert [run["seed"] for run in runs] == [1, 3]
    assert recorded.fresh() == {1, 3}
    before = path.read_text()
    recorded(3)
    assert [run["seed"] for run in json.loads(path.read_text())["runs"]] == [1, 3]
    assert path.read_text().count("\n") == before.count("\n")
    assert [item.name for item in recorded.folder.iterdir()] == ["long.json"]


def test_seeds_of_other_overrides_are_dropped(recorded):
    recorded(0)
    recorded(1)
    path = recorded(2, **{"summing.factor": 2.0})
    document = json.loads(path.read_text())
    assert document["overrides"] == {"summing.factor": 2.0}
    assert [run["seed"] for run in document["runs"]] == [2]
    assert recorded.fresh() == set()
    assert recorded.fresh(**{"summing.factor": 2.0}) == {2}


def test_nothing_recorded_is_an_empty_list(recorded):
    assert read_recorded("fake", "smoke", "long", recorded.folder) == []
    assert recorded.fresh() == set()


def test_numbers_are_those_of_the_stage(recorded, package, store):
    path = recorded(5)
    recipe = package.module("recipe")
    total = make(recipe.TOTAL, recipe.SETTINGS.at_scale("smoke"), 5, store).json("total.json")
    run = json.loads(path.read_text())["runs"][0]
    assert run["numbers"]["fake/total"]["total"] == float(f"{total:.4g}")
    assert {"key", "code", "device", "threads", "seconds", "created"} <= set(run["stages"]["fake/total"])


def test_what_made_recorded_runs_is_gathered_over_seeds_and_stages(recorded, package, store):
    draw = package.module("recipe").DRAW
    object.__setattr__(
        draw, "data", lambda settings: {"images.nii": "ab12"}
    )  # of the stage before the one that is kept
    recorded(0)
    recorded(1)
    runs = read_recorded("fake", "smoke", "long", recorded.folder)
    made = made_by(runs)
    assert {name.partition(".")[2] for name in made.code} >= {"recipe:draw", "recipe:total"}
    assert made.data == {"images.nii": "ab12"}
    origins = [run["stages"]["fake/total"] for run in runs]
    assert made.seconds == sum(origin["seconds"] for origin in origins)
    assert made.peak_memory_mib == max(origin["peak_memory_mib"] for origin in origins)
    for origin in origins:
        del origin["data"]  # a recording from before checksums were kept
    assert made_by(runs).data == {}
    with pytest.raises(ValueError, match="at least one recorded run"):
        made_by([])


def test_change_of_a_stages_code_or_of_one_before_it_is_seen(recorded, package):
    recorded(0)
    run = read_recorded("fake", "smoke", "long", recorded.folder)[0]
    assert stale_reason(run) == ""
    package.replace("recipe", "numbers = [generator.random() for", "numbers = [1 - generator.random() for")
    assert "recipe:draw) has changed since" in stale_reason(run)  # of the stage before, whose numbers are not kept
    assert recorded.fresh() == set()


def test_change_of_the_stage_itself_is_seen(recorded, package):
    recorded(0)
    package.replace("numbers", "2 * value", "3 * value")
    assert recorded.fresh() == set()


def test_function_that_is_gone_makes_a_run_stale(recorded, package):
    recorded(0)
    run = read_recorded("fake", "smoke", "long", recorded.folder)[0]
    package.replace("recipe", "def draw(", "def pull(")
    package.replace("recipe", '"fake/draw", draw,', '"fake/draw", pull,')
    assert "recipe:draw) has gone since" in stale_reason(run)


def test_change_of_a_scales_values_is_seen_though_no_code_has_changed(recorded, package):
    recorded(0)
    assert recorded.fresh() == {0}
    recipe = package.module("recipe")
    longer = type(
        "Settings",
        (recipe.SETTINGS,),
        {
            "at_scale": classmethod(
                lambda cls, scale: recipe.SETTINGS(counting=type(recipe.SETTINGS().counting)(steps=5))
            )
        },
    )
    variant = Variant("long", {}, "more numbers", (recipe.TOTAL,))
    found = fresh_seeds("fake", variant, settings_type=longer, scale="smoke", folder=recorded.folder)
    assert found == set()


def test_unknown_scale_variant_and_override_are_refused(recorded, package):
    recipe = package.module("recipe")
    variant = Variant("long", {}, "more numbers", (recipe.TOTAL,))
    with pytest.raises(ValueError, match="Unknown scale 'full'"):
        fresh_seeds("fake", variant, settings_type=recipe.SETTINGS, scale="full", folder=recorded.folder)
    with pytest.raises(ValueError, match=r"Unknown parameter 'summing\.factors'"):
        recorded(0, **{"summing.factors": 2.0})
    with pytest.raises(ValueError, match=r"Unknown variant 'lang'\. Did you mean 'long'"):
        variant_named([variant], "lang")
    assert not recorded.folder.exists()


ARRAYS = """
    from mrrepro.runs.files import write_arrays, write_json
    import numpy as np

    def write(context):
        values = np.array([1 / 3, 2e-9 / 3, np.inf, -np.inf, 1e5 / 3])
        more = {"many": np.zeros(4097), "count": np.array([123456]), "one": np.array(2 / 3)}
        write_arrays(context.workspace / "a.npz", values=values, **more)
        entry = {"step": 123456, "loss": 1 / 3}
        write_json(context.workspace / "b.json", {"score": 2 / 3, "list": [entry], "text": "a [b] {c"})
"""


def test_file_is_small_valid_json_with_rounded_numbers(package, store, tmp_path):
    package.write("arrays", ARRAYS)
    recipe = package.module("recipe")
    stage = Stage("fake/arrays", package.module("arrays").write, lambda settings: settings.counting)
    variant = Variant("arrays", {}, "text with [ and {", (stage,))
    path = record("fake", variant, 0, settings_type=recipe.SETTINGS, scale="smoke", store=store, folder=tmp_path / "r")
    text = path.read_text()
    document = json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
    assert document["meaning"] == "text with [ and {"
    assert document["runs"][0]["numbers"]["fake/arrays"] == {
        "values": [0.3333, 6.667e-10, "inf", "-inf", 33330.0],
        "count": [123456],
        "one": 0.6667,
        "b": {"score": 0.6667, "list": [{"step": 123456, "loss": 0.3333}], "text": "a [b] {c"},
    }
    assert '"values": [ 0.3333, 6.667e-10,' in text  # a list of numbers is one line
    assert len(text) < 2500
    made = make(stage, recipe.SETTINGS.at_scale("smoke"), 0, store)
    assert np.isinf(np.array(numbers_of(made)["values"], dtype=float)).sum() == 2


def test_arrays_are_kept_where_they_are_asked_for_and_small(package, store, tmp_path, monkeypatch):
    """Those of the lowest recorded seed are read, whatever other seeds kept."""
    package.write("arrays", ARRAYS)
    settings, folder = package.module("recipe").SETTINGS, tmp_path / "r"
    stage = Stage("fake/arrays", package.module("arrays").write, lambda settings: settings.counting)
    variant = Variant("arrays", {}, "arrays", (stage,))
    name = next(each for each in make(stage, settings.at_scale("smoke"), 0, store).manifest["files"] if "npz" in each)

    def read():
        return recorded_arrays("fake", "smoke", "arrays", "fake/arrays", name, folder)

    def keep(seed, arrays):
        record("fake", variant, seed, settings_type=settings, scale="smoke", store=store, folder=folder, arrays=arrays)
        return read()

    assert read() is None  # nothing is recorded
    monkeypatch.setattr(module_of_recorded, "MOST_BYTES", 10)
    assert keep(1, arrays=True) is None  # too large
    monkeypatch.undo()
    at_new = record(
        "fake", variant, 1, settings_type=settings, scale="smoke", store=store, folder=tmp_path / "new", arrays=True
    )
    assert {path.name for path in at_new.parent.iterdir()} == {"arrays.json", f"arrays-seed1-arrays-{name}"}
    kept, expected = keep(1, arrays=True), make(stage, settings.at_scale("smoke"), 1, store).arrays(name)
    assert all(np.array_equal(kept[key], expected[key]) for key in expected)
    assert keep(0, arrays=False) is None  # seed 0 is the lowest now


def test_arrays_that_were_altered_in_the_store_replace_nothing(package, store, tmp_path):
    """What is kept is what the manifest describes, copied whole."""
    package.write("arrays", ARRAYS)
    settings, folder = package.module("recipe").SETTINGS, tmp_path / "recorded"
    stage = Stage("fake/arrays", package.module("arrays").write, lambda settings: settings.counting)
    variant = Variant("arrays", {}, "arrays", (stage,))

    def keep():
        record("fake", variant, 0, settings_type=settings, scale="smoke", store=store, folder=folder, arrays=True)
        (path,) = folder.glob("*.npz")
        return path

    kept = keep()
    before = kept.read_bytes()
    in_store = make(stage, settings.at_scale("smoke"), 0, store).file("a.npz")
    times = in_store.stat()
    in_store.write_bytes(before[:10] + bytes([before[10] ^ 1]) + before[11:])  # a time stamp that no reader looks at
    os.utime(in_store, ns=(times.st_atime_ns, times.st_mtime_ns))  # as on a failing disk: the store sees no change
    with pytest.raises(ValueError, match=r"a\.npz is not what was written there"):
        keep()
    assert kept.read_bytes() == before


def test_arrays_go_with_the_run_that_kept_them(package, store, tmp_path):
    """Recorded again without arrays, or with other overrides, no array of before is read or left behind."""
    package.write("arrays", ARRAYS)
    settings, folder = package.module("recipe").SETTINGS, tmp_path / "r"
    stage = Stage("fake/arrays", package.module("arrays").write, lambda settings: settings.counting)
    plain = Variant("arrays", {}, "arrays", (stage,))
    name = next(each for each in make(stage, settings.at_scale("smoke"), 0, store).manifest["files"] if "npz" in each)

    def keep(variant, seed, arrays):
        record("fake", variant, seed, settings_type=settings, scale="smoke", store=store, folder=folder, arrays=arrays)
        return sorted(path.name for path in folder.glob("*.npz"))

    def fresh(**more):
        return fresh_seeds("fake", plain, settings_type=settings, scale="smoke", folder=folder, **more)

    def read():
        return recorded_arrays("fake", "smoke", "arrays", "fake/arrays", name, folder)

    both = [f"arrays-seed{seed}-arrays-{name}" for seed in (0, 1)]
    assert keep(plain, 0, arrays=True) == both[:1]
    assert keep(plain, 1, arrays=True) == both
    assert keep(plain, 1, arrays=False) == both[:1]
    assert (fresh(), fresh(arrays=True)) == ({0, 1}, {0})
    assert read() is not None
    (folder / both[0]).write_bytes(b"another")
    with pytest.raises(ValueError, match="not the file that was recorded"):
        read()
    changed = Variant("arrays", {"counting.steps": 5}, "arrays", (stage,))
    assert keep(changed, 1, arrays=False) == []
    assert read() is None
