"""Pages made from a ledger: every table beside ours, what is missing and why, what was corrected."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bookbuild import ledger_pages, paper_pages
from bookbuild.beside_plot import Point, plot
from bookbuild.project import CHAPTERS, ROOT
from bookbuild.rules import typed_numbers
from mrrepro.runs.export import export_document
from mrrepro.runs.ledger import Ledger, ledger_folders
from mrrepro.runs.records import VERDICTS, Record, Statistic

NUMBERS = """\
id,item,system,quantity,unit,value,sd,n,where,definition,needs,tolerance,tolerance_reason,status,why
condnet.a.x,Table 1,A,x,S/m,0.50,0.1,8,Table 1,mean,scans,0.05,spread,attempt,
condnet.a.y,Table 1,A,y,1,52,,,Table 1,mean,scans,1,spread,attempt,
condnet.b.x,Table 1,B,x,S/m,0.60,0.1,8,Table 1,mean,scans,0.05,spread,attempt,
condnet.b.y,Table 1,B,y,1,70,,,Table 1,,scans,,,not attempted,needs a scan
condnet.c.time,Methods,C,time,h,4,,,Section 2,,none,,,underspecified,no hardware is named
"""
CLAIMS = """\
id,claim,where,test,criterion,reason,status,why,needs,origin
condnet.claim.better,A beats B,Section 4,difference,above 0,any gain,attempt,,scans,paper
condnet.claim.ours,A beats chance,Not in the paper: asked here,difference,above 0,any gain,attempt,,scans,asked here
"""


def record(id: str, value: float | None, statistic: Statistic | None = None) -> Record:
    return Record(
        id=id,
        value=value,
        sd=0.01 if value is not None else None,
        n_seeds=3,
        n_cases=4,
        scale="demo",
        basis="simulated",
        statistic=statistic,
        verdict="differs",
        reason="made anew",
        commit="abc",
        parameters={},
        seeds=(0, 1, 2),
        data={},
        code={},
        device="cpu",
        notebook="condnet/03",
        seconds=1.0,
        peak_memory_mib=1.0,
        date="2026-01-01T00:00:00Z",
    )


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    (tmp_path / "numbers.csv").write_text(NUMBERS)
    (tmp_path / "claims.csv").write_text(CLAIMS)
    (tmp_path / "corrections.csv").write_text(
        "id,was,is,where\ncondnet.a.x,0.05,0.50,Table 1\ncondnet.a.y,,52,Table 1\n"
    )
    made = Ledger("condnet", tmp_path)
    for module in (ledger_pages, paper_pages):
        monkeypatch.setattr(module, "ledger_folders", lambda: {"condnet": tmp_path})
        monkeypatch.setattr(module, "Ledger", lambda paper: made)
    return made


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]


def test_a_paper_without_records_is_not_yet_attempted(ledger: Ledger) -> None:
    text = paper_pages.paper_page("condnet")
    assert "None has been attempted yet; 4 are to be. 1 more claims are asked here beside the paper's." in text
    assert text.index("## Asked here beside the paper") > text.index("## Claims")
    assert "| A | paper | 0.50 ± 0.1 | 52 |" in lines(text)
    assert "|   | ours | … | … |" in lines(text)
    assert "<svg" not in text
    assert paper_pages.paper_page("dl_ept") == "DL-EPT has no ledger yet.\n"


def test_every_table_stands_beside_ours(ledger: Ledger) -> None:
    better = Statistic("difference", 1.0, 0.5, 1.5)
    ledger.add([record("condnet.a.x", 0.52), record("condnet.b.x", 0.4), record("condnet.claim.better", None, better)])
    text = paper_pages.paper_page("condnet")
    assert "3 have a result, 1 wait for one, 2 cannot have one." in text
    start = lines(text).index("|   |   | x [S/m] | y |")
    assert lines(text)[start + 2 : start + 6] == [
        "| A | paper | 0.50 ± 0.1 | 52 |",
        "|   | ours | ≈ 0.52 ± 0.01 | … |",
        "| B | paper | 0.60 ± 0.1 | 70 |",
        "|   | ours | ≠ 0.4 ± 0.01 | – |",
    ]
    assert "| C | time [h] | 4 | ? | underspecified | no hardware is named |" in lines(text)
    assert "| condnet/03 | demo | 0, 1, 2 | simulated | abc | cpu | 2026-01-01T00:00:00Z | 2 |" in lines(text)
    assert re.search(r"\| A beats B .* \| above 0 \| 1 \(0\.5 to 1\.5\) \| agrees on substitute data \|", text)
    assert 'aria-label="Table 1: x [S/m], ours against the paper&#x27;s: 1 of 2 values above' in text


def test_public_data_stand_beside_the_default_run(ledger: Ledger) -> None:
    real = replace(record("condnet.a.x", 0.7), basis="public substitute", scale="smoke", parameters={"data": "heads"})
    ledger.add([record("condnet.a.x", 0.52), real])
    text = paper_pages.paper_page("condnet")
    assert "At `smoke` a network has hardly been trained" in text
    row = "| `condnet.a.x` | 0.50 ± 0.1 S/m | 0.52 ± 0.01 (demo) | 0.7 ± 0.01 (smoke) | heads | differs |"
    assert row in lines(text)
    assert "| A | paper | 0.50 ± 0.1 | 52 |" in lines(text), "the tables show the larger scale"


def test_what_was_set_for_a_run_stands_with_its_scale(ledger: Ledger) -> None:
    given = {"scale": "paper", "seed": 0, "overrides": {"training.samples": 500_000}}
    ledger.add([replace(record("condnet.a.x", 0.52), scale="paper", parameters=given)])
    text = paper_pages.paper_page("condnet")
    assert "| condnet/03 | paper, training.samples = 500000 | 0, 1, 2 |" in text
    said = "\nCondNet, paper, changed: training.samples = 500000.\n"
    assert said in text[: text.index("Provenance")]
    counted = ledger_pages.scorecard()
    assert "| simulated | paper, changed | current | 1 |" in counted
    assert said in counted
    assert "| `condnet.a.x` | Table 1 | paper, changed |" in counted
    ledger.add([record("condnet.a.x", 0.52)])
    assert "changed: 1 results. 0 of them have another verdict" in ledger_pages.scorecard()
    ledger.add([record("condnet.a.x", 0.9)])
    counted = ledger_pages.scorecard()
    assert "changed: 1 results. 1 of them have another verdict" in counted
    row = "| `condnet.a.x` | 0.52 ± 0.01 (paper) | agrees on substitute data | 0.9 ± 0.01 (demo) | differs |"
    assert row in lines(counted)
    ledger.add([replace(record("condnet.b.x", 0.9), scale="paper", parameters=given)])
    assert said in ledger_pages.not_replicated()


def test_what_has_no_verdict_is_grouped_by_its_reason(ledger: Ledger) -> None:
    ledger.add([record("condnet.b.x", 0.4)])
    text = ledger_pages.not_replicated()
    assert "| 4 | not yet attempted | No run that decides it is recorded yet at any scale. | `condnet.a.x`," in text
    assert "| 1 | not attempted | needs a scan | `condnet.b.y` |" in lines(text)
    assert "| 1 | underspecified | no hardware is named | `condnet.c.time` |" in lines(text)
    assert "1 that were attempted and differ" in text


def test_a_claim_that_only_a_part_of_the_interval_meets_is_called_not_shown(ledger: Ledger) -> None:
    ledger.add([record("condnet.claim.better", None, Statistic("difference", 1.0, -0.5, 2.5))])
    text = ledger_pages.not_replicated()
    assert "1 that were attempted and differ, 1 of them not shown rather than refuted" in text
    assert "| claims | 1 | 1 | 0 | 1 | 0 | 0 |" in ledger_pages.scorecard()
    assert "| differs: not shown |" in paper_pages.paper_page("condnet")
    ledger.add([record("condnet.claim.better", None, Statistic("difference", -1.0, -1.5, -0.5))])
    assert "differ, 0 of them not shown" in ledger_pages.not_replicated()
    assert "not shown |" not in paper_pages.paper_page("condnet")


def test_corrections_are_listed_and_what_was_added_apart(ledger: Ledger) -> None:
    text = ledger_pages.corrections()
    assert "| `condnet.a.x` | 0.05 | 0.50 | Table 1 |" in lines(text)
    assert "1 values that the first reading had left out" in text
    assert "| `condnet.a.y` | 52 | Table 1 |" in lines(text)


def test_numbers_and_claims_are_counted_apart(ledger: Ledger) -> None:
    ledger.add([record("condnet.a.x", 0.52)])
    text = ledger_pages.scorecard()
    assert "| CondNet | numbers | 5 | 1 | 1 | 0 | 2 | 2 |" in lines(text)
    assert "| CondNet | claims | 1 | 0 | 0 | 0 | 1 | 0 |" in lines(text)
    assert "| CondNet | claims asked here | 1 | 0 | 0 | 0 | 1 | 0 |" in lines(text)
    assert "| all | numbers | 5 | 1 | 1 | 0 | 2 | 2 |" in lines(text)
    assert lines(text).count("| simulated | demo | current | 1 |") == 2  # in all, and of this paper


def test_what_is_asked_here_is_not_counted_as_the_paper_s(ledger: Ledger) -> None:
    kept = Statistic("difference", 1.0, 0.5, 1.5)
    ledger.add([record("condnet.a.x", 0.52), record("condnet.claim.ours", None, kept)])
    text = ledger_pages.scorecard()
    assert "| all four | 0 | 1 | 0 | 1 | 4 |" in text
    assert "| asked here | 0 | 1 | 0 | 0 | 0 |" in text


def test_a_stale_result_is_shown_with_its_date(ledger: Ledger) -> None:
    gone = dataclasses.replace(record("condnet.a.x", 0.52), code={"nowhere:function": "12"}, scale="paper")
    ledger.add([gone])
    assert "≈ 0.52 ± 0.01 (stale, of 2026-01-01)" in paper_pages.paper_page("condnet")
    text = ledger_pages.scorecard()
    assert "(stale, of 2026-01-01: nowhere:function is no longer there)" in text
    assert "| simulated | paper | stale | 1 |" in lines(text)


def test_where_a_table_comes_from_leads_to_the_notebook(ledger: Ledger) -> None:
    better = Statistic("difference", 1.0, 0.5, 1.5)
    claim = dataclasses.replace(record("condnet.claim.better", None, better), notebook="05_stimulation")
    ledger.add([record("condnet.a.x", 0.52), claim])
    text = paper_pages.paper_page("condnet")
    linked = r"[05\_stimulation](../notebooks/condnet/05\_stimulation.ipynb)"
    assert f"| {linked} | demo | 0, 1, 2 | simulated | abc | cpu | 2026-01-01T00:00:00Z | 1 |" in lines(text)
    assert text.index(linked) > text.index("## Claims")


def test_the_scorecard_of_the_book_is_that_of_the_export() -> None:
    shown = {
        cells[0]: cells[1:]
        for cells in (line.strip("| ").split(" | ") for line in lines(ledger_pages.scorecard())[2:6])
    }
    counted = export_document([Ledger(paper) for paper in ledger_folders()])["scorecard"]
    assert len(shown) == len(counted) == 4
    expected = {
        ledger_pages.heading_of(paper): [str(counts[name]) for name in VERDICTS] for paper, counts in counted.items()
    }
    assert shown == expected


@pytest.mark.parametrize("paper", CHAPTERS)
def test_every_reported_value_stands_on_its_papers_page(paper: str) -> None:
    text = paper_pages.paper_page(paper)
    for row in Ledger(paper).rows():
        shown = row.entry.value if hasattr(row.entry, "value") else row.entry.claim
        assert paper_pages.table(["x"], [[shown]]).splitlines()[3].strip("| ") in text
    assert (ROOT / "book" / f"paper_{paper}.md").read_text("utf8").count(f"% generated: paper_{paper}") == 1


def test_a_plot_draws_each_point_with_both_deviations() -> None:
    few = plot("T", [Point(1, 0.1, 1.2, 0.2), Point(2, 0, 1.5, 0)])
    more = plot("T", [Point(1, 0.1, 1.2, 0.2), Point(2, 0, 1.5, 0), Point(3, 0.5, 3, 0.1)])
    assert "1 of 2 values above the line of equality, 1 below" in few
    assert more.count("<use ") > few.count("<use ")
    assert "\n\n<svg" not in few
    assert "metadata" not in few


@pytest.mark.parametrize(
    "page", [*sorted((ROOT / "book").glob("*.md")), ROOT / "README.md"], ids=lambda page: page.stem
)
def test_no_page_holds_a_typed_result(page: Path) -> None:
    assert typed_numbers(page.read_text("utf8")) == []
