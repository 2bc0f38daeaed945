"""The effects in the registers of deviations are those of the recorded sweeps, not typed ones."""

from __future__ import annotations

import pytest

from mrrepro.cli.papers import paper_keys
from mrrepro.runs import deviations


@pytest.mark.parametrize("chapter", paper_keys())
def test_the_register_says_what_was_recorded(chapter, tmp_path, monkeypatch, mrrepro_command):
    text = deviations.register_path(chapter).read_text("utf8")
    emptied = tmp_path / "deviations.csv"
    emptied.write_text(deviations.register_with_effects(text, {}), "utf8")
    assert emptied.read_text("utf8") != text
    monkeypatch.setattr(deviations, "register_path", lambda paper: emptied)
    code, out, _ = mrrepro_command("ledger", "effects", chapter)
    assert code == 0
    assert out.startswith(f"{emptied}: ")
    assert emptied.read_text("utf8") == text, f"mrrepro ledger effects {chapter}"
