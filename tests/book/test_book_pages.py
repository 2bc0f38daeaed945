"""The generated parts of pages, rendered from a ledger and from settings that are made up here."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from bookbuild import ledger_pages, pages
from bookbuild.markdown import plain, table
from mrrepro.runs.ledger import Ledger
from mrrepro.runs.reported import Deviation


def test_a_request_is_filled_and_an_unknown_one_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pages.GENERATORS, "parameters", lambda: "a table")
    assert pages.fill("# P\n\n% generated: parameters\n\nend") == "# P\n\na table\n\nend"
    assert pages.is_generated("% generated: parameters\n")
    assert not pages.is_generated("text % generated: parameters")
    with pytest.raises(ValueError, match="known: parameters, scorecard, deviations"):
        pages.fill("% generated: scores")


def test_plain_text_cannot_break_a_table() -> None:
    assert plain("a|b *c* d_e <f>\ng `h_|i`") == r"a\|b \*c\* d\_e \<f> g `h_\|i`"
    assert table(["a"], [[""]]).splitlines()[1:4] == ["| a |", "| --- |", "|   |"]


def test_parameters_name_every_setting_with_its_value_at_each_scale() -> None:
    from mrrepro.cli.papers import paper_keys, paper_module
    from mrrepro.runs.settings import describe

    text = pages.parameters()
    assert "## DeepSPIO" in text
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    named = [row.split("`")[1] for row in rows]
    recipes = [recipe for key in paper_keys() if (recipe := paper_module(key, "recipe"))]
    assert len(recipes) > 1
    assert sorted(named) == sorted(row.name for recipe in recipes for row in describe(recipe.SETTINGS))
    assert all(len(row.replace(r"\|", "").split("|")) == 10 for row in rows)


def test_the_scorecard_counts_what_the_ledger_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger("deepspio", tmp_path)
    number = SimpleNamespace(id="deepspio.n", where="Table 1")
    row = SimpleNamespace(entry=number, id=number.id, record=None, verdict="not attempted", reason="no scan is public")
    row.headline, row.stale, row.asked_here = True, "", False
    monkeypatch.setattr(Ledger, "rows", lambda self: (row,))
    monkeypatch.setattr(ledger_pages, "ledger_folders", lambda: {"deepspio": tmp_path})
    monkeypatch.setattr(ledger_pages, "Ledger", lambda paper: ledger)
    text = ledger_pages.scorecard()
    head, _, first, total = [line for line in text.splitlines() if line.startswith("|")][:4]
    counts = dict(zip(head.strip("| ").split(" | "), first.strip("| ").split(" | "), strict=True))
    assert counts.pop("paper") == "DeepSPIO"
    assert counts.pop("not attempted") == "1"
    assert set(counts.values()) == {"0"}
    assert total.replace("all four", "DeepSPIO") == first
    assert "All 1 numbers and claims" in text
    assert "no scan is public" in text
    assert "Nothing of this paper has been computed yet." in text


def test_deviations_are_listed_and_say_when_an_effect_was_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger("deepspio", tmp_path)
    ledger.deviations = (Deviation("d", "Eq. 3", "nothing", "a choice", "our trial", ""),)
    monkeypatch.setattr(ledger_pages, "ledger_folders", lambda: {"deepspio": tmp_path})
    monkeypatch.setattr(ledger_pages, "Ledger", lambda paper: ledger)
    assert "| Eq. 3 | nothing | a choice | our trial | not measured |" in ledger_pages.deviations()
