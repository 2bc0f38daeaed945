"""What the recorded run at the thesis' size says, in words and beside the thesis and demo."""

from __future__ import annotations

import json

from mrrepro.papers.contrast_t1.evidence import RecordedSweeps
from mrrepro.papers.contrast_t1.settings import ContrastT1Settings
from mrrepro.papers.contrast_t1.size_tables import THESIS, size_rows, training_words
from mrrepro.runs.ledger import Ledger
from mrrepro.runs.recorded import recorded_folder

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
    assert "Set for it beside this scale's settings: training.epochs = 29." in words
    assert words.endswith("It took 5.5 min on cuda (some GPU) and is of 2026-12-01.")
    words = words_of(tmp_path, 41, stopped=True)
    assert "saw 41 epochs of at most 300, after 20 of which had brought nothing it ended by itself. It took" in words
    assert "shortened" not in words
    words = words_of(tmp_path, 41, stopped=True, overrides={"training.patience": 5})
    assert "after 5 of which had brought nothing it ended by itself. Set for it" in words
    assert f"saw {LONGEST} epochs of at most {LONGEST}. It took" in words_of(tmp_path, LONGEST)


def test_scores_stand_beside_the_thesis_and_demo(tmp_path):
    """Demo's first seed stands for the thesis' size: another recording, with other values."""
    document = json.loads((recorded_folder("contrast_t1", "demo") / "headline.json").read_text())
    (tmp_path / "headline.json").write_text(json.dumps({**document, "runs": document["runs"][:1]}))
    demo, of_one = RecordedSweeps("demo"), RecordedSweeps("demo", tmp_path)
    entries = Ledger("contrast_t1").entries
    rows = {row["score"]: list(row.values())[1:] for row in size_rows(entries, of_one, demo)}
    heads = list(size_rows(entries, of_one, demo)[0])
    assert heads == ["score", "thesis", "its size: 1 seed, 400 patients asked", "demo: 3 seeds, 400 patients asked"]
    for name, (label, id) in THESIS.items():
        values = demo.summary("headline", name)
        assert values[0] != values.mean()
        assert rows[label] == [entries[f"contrast_t1.table8.lm.{id}"].value, values[0], values.mean()]
    assert rows["falsely enhanced, where it does not"] == [
        "", of_one.false_share("headline")[0], demo.false_share("headline").mean()
    ]  # fmt: skip
    assert len(rows) == 10
