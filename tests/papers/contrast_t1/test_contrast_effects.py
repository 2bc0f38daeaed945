"""Effects of deviations are made of what the recorded sweeps hold; one without a row in the register is refused."""

from __future__ import annotations

import csv
import io
import json

import pytest

from mrrepro.papers.contrast_t1.effects import effects
from mrrepro.papers.contrast_t1.evidence import RecordedSweeps
from mrrepro.runs.deviations import register_path, register_with_effects


def test_an_effect_is_made_of_the_recorded_numbers(tmp_path):
    def run(seed, score):
        record = {"history": {"record": {"best_score": score}}}
        return {"seed": seed, "stages": {}, "numbers": {"contrast_t1/training": record}}

    for variant, scores in (("model1", (0.1, 0.3)), ("model1_he", (0.5, 0.7))):
        runs = [run(seed, score) for seed, score in enumerate(scores)]
        (tmp_path / f"{variant}.json").write_text(json.dumps({"runs": runs}))
    found = effects(RecordedSweeps("demo", tmp_path))
    expected = "Validation loss of model 1 0.200 from Xavier, 0.600 from He (recorded at demo, 2 seeds)."
    assert found == {"start": expected}
    with pytest.raises(ValueError, match="lacks the deviations start"):
        register_with_effects("id,effect\ncontrast_t1.deviation.label,\n", found)
    rows = csv.DictReader(io.StringIO(register_with_effects(register_path("contrast_t1").read_text("utf8"), found)))
    filled = {row["id"]: row["effect"] for row in rows if row["effect"]}
    assert filled == {"contrast_t1.deviation.start": expected}
