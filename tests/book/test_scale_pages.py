"""The pages on the largest scales say of every chapter whether it was run, what was tried, and what is planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from bookbuild import pages, scale_pages
from bookbuild.markdown import TITLES
from bookbuild.project import CHAPTERS
from mrrepro.cli.paper_state import NOT_YET, ChapterState
from mrrepro.metrics.evidence import Point, RecordedRuns
from mrrepro.runs.ledger import Ledger

BOOK = Path(__file__).parents[2] / "book"


def cells(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines[2:]]


def test_the_scorecard_says_what_was_not_yet_run(monkeypatch: pytest.MonkeyPatch) -> None:
    page = pages.fill((BOOK / "scorecard.md").read_text(encoding="utf-8"))
    stated = page[page.index("## At the papers' own sizes") : page.index("### What one seed says")]
    for chapter in CHAPTERS:
        state = scale_pages.chapter_state(chapter)
        (row,) = [line for line in stated.splitlines() if line.startswith(f"| {TITLES[chapter]} |")]
        assert state.words in row
        if not any((Path(scale_pages.__file__).parents[2] / f"mrrepro/papers/{chapter}/recorded/paper").glob("*.json")):
            assert NOT_YET in row
    monkeypatch.setattr(scale_pages, "chapter_state", lambda chapter: ChapterState("recorded: 2 runs", "headline"))
    assert NOT_YET not in scale_pages.at_paper_scale()


@pytest.mark.parametrize(
    ("slower", "words"),
    [(0.03, "1 ms, 30% of the matrix rate. At that cost"), (0.012, "0.4 ms, 75% of the matrix rate. What")],
)
def test_what_keeps_a_training_from_its_goal_follows_from_two_batches(slower: float, words: str) -> None:
    tried = [{"batch": 10, "option": "x", "seconds": 0.02}, {"batch": 40, "option": "x", "seconds": 0.02 + slower}]
    row = {"tried": tried, "option": "x", "ok": False, "goal": 0.4, "precision": "p", "operations_a_sample": 3e11}
    (said,) = scale_pages._why_short("a.b", row, {"p": 1e15})
    assert said.startswith(f"`a.b`: from 10 to 40 samples a step each further one takes {words}")
    assert scale_pages._why_short("a.b", {**row, "ok": True}, {"p": 1e15}) == []
    assert scale_pages._why_short("a.b", {**row, "tried": tried[:1]}, {"p": 1e15}) == []


def test_plans_and_rehearsals_name_every_chapter() -> None:
    text = pages.fill((BOOK / "paper_scale.md").read_text(encoding="utf-8"))
    assert "% generated" not in text
    for chapter in CHAPTERS:
        assert f"### {TITLES[chapter]}\n" in text
        assert f"mrrepro record {chapter} -v headline --seeds 0 --scale paper --minutes 8" in text
    assert "the same bits" in scale_pages.rehearsals()
    assert "other weights" not in scale_pages.rehearsals()
    assert [row[2] for row in cells(scale_pages.colab_plans())] == ["yes"] * len(CHAPTERS)


def test_every_notebook_can_put_its_results_on_a_drive() -> None:
    notebooks = sorted((BOOK.parent / "notebooks").glob("*/*.py"))
    assert len(notebooks) > 20
    for path in notebooks:
        assert '\nartifacts = ""' in path.read_text(encoding="utf-8"), path.name


@pytest.mark.parametrize(("value", "meets"), [(0.65, "yes"), (0.5, "no")])
def test_one_seed_stands_beside_the_verdict_that_counts(
    monkeypatch: pytest.MonkeyPatch, value: float, meets: str
) -> None:
    asked = {"dl_ept": {"needs_fields": Point("ratio", value)}}
    monkeypatch.setattr(scale_pages, "points_of", lambda runs, claims: asked.get(runs.paper, {}))
    (row,) = [line for line in scale_pages.one_seed().splitlines() if line.startswith("| DL-EPT")]
    _, claim, one, criterion, found, counts = row.strip("| ").split(" | ")
    headline = next(r for r in Ledger("dl_ept").rows() if r.headline and r.id == "dl_ept.claim.needs_fields")
    assert claim == f"{headline.entry.claim} (ratio)"
    assert (one, criterion, found) == (f"{value:g}", "above 0.5", meets)
    assert counts == f"{headline.verdict} ({headline.record.scale})"


def test_one_seed_of_a_changed_run_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"dl_ept": {"needs_fields": Point("ratio", 0.6)}, "condnet": {}}
    monkeypatch.setattr(scale_pages, "points_of", lambda runs, claims: asked.get(runs.paper, {}))
    monkeypatch.setattr(RecordedRuns, "overrides", lambda runs, variant: {"training.steps": 10})
    text = scale_pages.one_seed()
    assert [line for line in text.splitlines() if line.startswith("| DL-EPT, changed |")]
    assert text.endswith("\nDL-EPT, paper, changed: training.steps = 10.\n")
    assert "CondNet" not in text


def test_without_a_claim_of_one_seed_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale_pages, "points_of", lambda runs, claims: {})
    assert scale_pages.one_seed() == "No claim has one seed at a paper's sizes alone.\n"
