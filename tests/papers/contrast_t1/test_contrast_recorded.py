"""The recorded sweeps of the repository are of known variants; the pages name only known ids."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from mrrepro.papers.contrast_t1.evidence import CLAIMS
from mrrepro.papers.contrast_t1.recipe import VARIANTS
from mrrepro.papers.contrast_t1.result_values import VALUES
from mrrepro.runs.ledger import Ledger
from mrrepro.runs.recorded import recorded_folder

NOTEBOOKS = sorted((Path(__file__).parents[3] / "notebooks" / "contrast_t1").glob("*.py"))


def test_what_claims_and_numbers_rest_on_is_a_variant():
    needed = {name for variants, _ in CLAIMS.values() for name in variants} | {each.variant for each in VALUES}
    assert needed <= {variant.name for variant in VARIANTS}


def test_every_recorded_file_is_of_a_variant():
    names = {variant.name for variant in VARIANTS}
    assert {path.stem for path in recorded_folder("contrast_t1", "demo").glob("*.json")} <= names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_ids_and_claims_of_a_page_are_in_the_ledger(path):
    entries = Ledger("contrast_t1").entries
    text = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
    strings = {value for value in text if isinstance(value, str)}
    assert {value for value in strings if value.startswith("contrast_t1.claim.")} <= set(entries)
    rows = {value for value in strings if value.startswith("table") and "." in value}
    for row in rows:  # the beginning of a row's name, where the rest is computed
        assert any(entry.startswith(f"contrast_t1.{row}") for entry in entries), row


def test_pages_name_every_claim_once():
    names = [
        node.value
        for path in NOTEBOOKS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    for name, entry in Ledger("contrast_t1").entries.items():
        if ".claim." in name and entry.status == "attempt":
            assert names.count(name.removeprefix("contrast_t1.claim.")) == 1, name


def test_a_variant_that_a_scale_cannot_have_is_named_and_others_are_recorded(tmp_path, mrrepro_command, monkeypatch):
    from mrrepro.runs import recorded

    kept = []
    monkeypatch.setattr(recorded, "record", lambda chapter, variant, seed, **_: kept.append(variant.name) or tmp_path)
    chosen = ["-v", "patch64", "-v", "headline", "--seeds", "0", "--scale", "paper", "--to", tmp_path]
    code, _, complaint = mrrepro_command("record", "contrast_t1", *chosen)
    assert code == 1
    assert kept == ["headline"]
    assert "patch64: training.patch must divide by" in complaint
    assert "1 run(s) failed" in complaint
