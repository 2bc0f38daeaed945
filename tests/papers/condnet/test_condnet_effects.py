"""The effects in the register of deviations are those of the recorded sweeps, not typed ones."""

from __future__ import annotations

from mrrepro.papers.condnet.effects import effects
from mrrepro.papers.condnet.evidence import RecordedSweeps
from mrrepro.runs.deviations import register_path, register_with_effects


def test_register_says_what_was_recorded() -> None:
    text = register_path("condnet").read_text("utf8")
    remade = register_with_effects(text, effects(RecordedSweeps("demo")))
    assert remade == text, "python -m mrrepro.papers.condnet.effects"
