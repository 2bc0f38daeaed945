"""The effects in the register of deviations are those of the recorded sweeps, not typed ones."""

import pytest

from mrrepro.papers.deepspio.effects import effects
from mrrepro.papers.deepspio.evidence import RecordedSweeps
from mrrepro.runs.deviations import register_path, register_with_effects


def test_register_says_what_was_recorded():
    text = register_path("deepspio").read_text("utf8")
    remade = register_with_effects(text, effects(RecordedSweeps("demo")))
    assert remade == text, "python -m mrrepro.papers.deepspio.effects"


def test_an_effect_without_a_row_is_refused():
    with pytest.raises(ValueError, match="lacks the deviations ghost"):
        register_with_effects("id,effect\ndeepspio.deviation.air,\n", {"ghost": "x"})
