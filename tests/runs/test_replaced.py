"""While a function is replaced nothing is made and nothing recorded, and the true one comes back however it ends."""

from __future__ import annotations

import statistics

import pytest

from mrrepro.runs.notebook import open_run
from mrrepro.runs.replaced import replaced, require_nothing_replaced
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make


def wrong_mean(values: object) -> float:
    return 0.0


def test_the_true_function_comes_back() -> None:
    true = statistics.fmean
    with replaced((statistics, "fmean", wrong_mean)):
        assert statistics.fmean([1.0, 3.0]) == 0.0
        with replaced((statistics, "fmean", lambda values: 1.0)):
            assert statistics.fmean([3.0]) == 1.0
        assert statistics.fmean is wrong_mean
    assert statistics.fmean is true
    with pytest.raises(ZeroDivisionError), replaced((statistics, "fmean", wrong_mean)):
        raise ZeroDivisionError
    assert statistics.fmean is true
    require_nothing_replaced("anything")


def test_an_unknown_name_replaces_nothing() -> None:
    true = statistics.fmean
    changes = ((statistics, "fmean", wrong_mean), (statistics, "fmeen", wrong_mean))
    with pytest.raises(ValueError, match="statistics has no 'fmeen'"), replaced(*changes):
        pass
    assert statistics.fmean is true


def test_nothing_is_made_or_recorded_meanwhile_and_what_is_there_is_found(package, store, tmp_path) -> None:
    recipe = package.module("recipe")
    settings = configure(recipe.SETTINGS, "smoke", {})
    parameters = {"scale": "smoke", "seed": 0, "overrides": {}, "artifacts": str(tmp_path / "other")}
    run = open_run("fake", "01_total", recipe.SETTINGS, parameters)
    with replaced((statistics, "fmean", wrong_mean)):
        with pytest.raises(RuntimeError, match=r"making fake/total is refused while statistics\.fmean is replaced"):
            make(recipe.TOTAL, settings, 0, store, progress=False)
        with pytest.raises(RuntimeError, match=r"recording fake\.total is refused"):
            run.record("fake.total", 1.0)
        assert not list(store.root.rglob("*.json"))
    made = make(recipe.TOTAL, settings, 0, store, progress=False)
    with replaced((statistics, "fmean", wrong_mean)):
        assert make(recipe.TOTAL, settings, 0, store, progress=False).key == made.key
