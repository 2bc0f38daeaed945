"""What the recorded run at the thesis' size says, in words and beside the thesis and demo."""

from __future__ import annotations

import json

import pytest

from mrrepro.papers.contrast_t1.evidence import RecordedSweeps
from mrrepro.papers.contrast_t1.settings import ContrastT1Settings
from mrrepro.papers.contrast_t1.size_tables import THESIS, size_rows, training_words
from mrrepro.runs.ledger import Ledger

LONGEST = ContrastT1Settings.at_scale("paper").training.epochs


def words_of(tmp_path, epochs, *, stopped=False, overrides=None):
    history = [{"step": 416 * k, "validation": {"score": 1.0}} for k in range(1, epochs + 1)]
    record = {"history": [{"step": 20, "loss": 1.0}, *history], "stopped_early": stopped}
    origin = {"seconds": 330.0, "device": "cuda (some GPU)", "created": "2026-12-01T10:00:00Z", "code": {}}
    numbers = {"contrast_t1/training": {"history": {"weights": 66_609_793, "record": record}}}
    run = {"seed": 0, "stages": {"contrast_t1/training": origin}, "numbers": numbers}
    (tmp_path / "headline.json").write_text(json.dumps({"overrides": overrides or {}, "runs": [run]}))
    return training_words(RecordedSweeps("paper", tmp_path))


def test_a_training_that_was_cut_short_is_told_from_one_that_ended_by_itself(tmp_path):
    words = words_of(tmp_path, 29, overrides={"training.epochs": 29})
    assert "66.6 million weights (seed 0) saw 29 epochs of at most 300: it is a **shortened** one" in words
    assert "Set for it beside the thesis' sizes: training.epochs = 29." in words
    assert words.endswith("It took 5.5 min on cuda (some GPU) and is of 2026-12-01.")
    words = words_of(tmp_path, 41, stopped=True)
    assert "saw 41 epochs of at most 300, after 20 of which had brought nothing it ended by itself. It took" in words
    assert "shortened" not in words
    assert f"saw {LONGEST} epochs of at most {LONGEST}. It took" in words_of(tmp_path, LONGEST)


def test_scores_stand_beside_the_thesis_and_demo():
    demo = RecordedSweeps("demo")
    entries = Ledger("contrast_t1").entries
    rows = size_rows(entries, demo, demo)
    printed = [row for row in rows if row["thesis"]]
    assert len(printed) == len(THESIS)
    assert printed[0] == {
        "score": "MAE",
        "thesis": entries["contrast_t1.table8.lm.mae"].value,
        "at its size, one seed": pytest.approx(float(demo.summary("headline", "test_mae").mean())),
        "demo, seeds": pytest.approx(float(demo.summary("headline", "test_mae").mean())),
    }
    found, false = (row for row in rows if "found" in str(row["score"]) or "falsely" in str(row["score"]))
    assert found["demo, seeds"] == pytest.approx(float(demo.found("headline").mean()))
    assert false["demo, seeds"] == pytest.approx(float(demo.false_share("headline").mean()))
