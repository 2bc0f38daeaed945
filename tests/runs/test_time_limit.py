"""A limit on the wall clock ends work where it was just written down, and the next call goes on from there."""

from __future__ import annotations

import time

import pytest

from mrrepro.runs import time_limit as limits
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make
from mrrepro.runs.time_limit import TimeUp, time_limit


def test_a_stage_stops_after_a_checkpoint_and_goes_on(package, store, monkeypatch):
    recipe = package.module("recipe")
    settings = configure(recipe.SETTINGS, "smoke", {"counting.steps": 60, "counting.pause": 0.15})
    start = time.monotonic()
    with pytest.raises(TimeUp), time_limit(1.2 / 60):
        make(recipe.DRAW, settings, 7, store)
    assert time.monotonic() - start < 6  # the whole would take nine
    (partial,) = store.list()
    assert partial.partial
    quick = configure(recipe.SETTINGS, "smoke", {"counting.steps": 60})
    whole = make(recipe.DRAW, quick, 7, store)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    resumed = make(recipe.DRAW, settings, 7, store)
    assert resumed.json("resumed.json") >= 2  # it did not begin anew
    assert resumed.json("numbers.json") == whole.json("numbers.json")


def test_work_ends_before_the_limit_only_after_a_file(tmp_path, monkeypatch):
    """Near the limit the first new file ends the work; without one it lasts until the limit."""
    monkeypatch.setattr(limits, "LOOKOUT_S", 1.5)
    monkeypatch.setattr(limits, "_EVERY_S", 0.05)

    def work(write: bool) -> None:
        start = time.monotonic()
        while time.monotonic() - start < 8.0:
            time.sleep(0.02)
            if write and time.monotonic() - start > 0.8:
                (tmp_path / "case.npz").write_bytes(b"1")
            (tmp_path / ".attempts.json").write_bytes(b"1")  # what is hidden is no result

    def seconds_of_work(write: bool) -> float:
        start = time.monotonic()
        with pytest.raises(TimeUp), time_limit(2.2 / 60), limits.working_in(tmp_path):
            work(write)
        return time.monotonic() - start

    assert 2.2 <= seconds_of_work(write=False) < 7
    assert 1.1 <= seconds_of_work(write=True) < 2.2


def test_no_limit_and_what_cannot_be_one():
    with time_limit(None):
        pass
    with time_limit(60.0):  # ended in time: the timer is gone
        pass
    with pytest.raises(ValueError, match="minutes must be above 0 and finite, but is -1"), time_limit(-1.0):
        pass
