"""The ledgers of the four papers: complete, consistent with what the papers print twice, and fresh."""

from __future__ import annotations

import dataclasses
import re
import statistics

import pytest

from mrrepro.runs.bands import read_bands
from mrrepro.runs.corrections import read_corrections
from mrrepro.runs.export import export_document
from mrrepro.runs.ledger import Ledger, LedgerRow, ledger_folders, stale_records
from mrrepro.runs.receipts import measured
from mrrepro.runs.records import SUBSTITUTE
from mrrepro.runs.reported import LedgerError

FIRST_READING = {"dl_ept": 52, "condnet": 102, "deepspio": 30, "contrast_t1": 352}
"""Values of the first reading: 536. None was merged or dropped; corrections.csv names those that it had left out."""

CLAIMS = {"dl_ept": 12, "condnet": 12, "deepspio": 24, "contrast_t1": 14}


@pytest.fixture(scope="module")
def ledgers():
    return {paper: Ledger(paper) for paper in FIRST_READING}


def values(ledger, prefix):
    """Value and sd by what follows a prefix of the id."""
    start = f"{ledger.paper}.{prefix}."
    return {n.id.removeprefix(start): (n.value, n.sd) for n in ledger.numbers if n.id.startswith(start)}


@pytest.mark.parametrize("paper", FIRST_READING)
def test_every_value_of_the_first_reading_has_one_row(ledgers, paper):
    ledger = ledgers[paper]
    added = sum(item.added for item in ledger.corrections)
    assert len(ledger.numbers) == FIRST_READING[paper] + added
    assert len({number.id for number in ledger.numbers}) == len(ledger.numbers)
    places = [(n.item, n.system, n.quantity, n.where) for n in ledger.numbers]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("paper", FIRST_READING)
def test_claims_and_deviations_are_there_and_named_alike(ledgers, paper):
    ledger = ledgers[paper]
    assert len(ledger.claims) >= CLAIMS[paper]
    assert ledger.deviations
    for kind, entries in (("claim", ledger.claims), ("deviation", ledger.deviations)):
        assert all(re.fullmatch(rf"{paper}\.{kind}\.\w+", entry.id) for entry in entries)
    assert all(re.fullmatch(rf"{paper}(\.\w+)+", number.id) for number in ledger.numbers)


def test_what_the_papers_of_heads_print_twice_agrees(ledgers):
    table = values(ledgers["condnet"], "table3")
    for region in ("motor_area", "brain", "non_brain", "head"):
        cases = [float(value) for key, (value, _) in table.items() if re.fullmatch(rf"case\d+\.{region}", key)]
        assert len(cases) == 8
        assert statistics.fmean(cases) == pytest.approx(float(table[f"average.{region}"][0]), abs=1e-9)
    trained, cole = values(ledgers["condnet"], "table5.trained"), values(ledgers["condnet"], "table1.a")
    assert len(trained) == 8
    assert all(float(value) == float(cole[key][0]) for key, (value, _) in trained.items())

    methods = {key: value for key, (value, _) in values(ledgers["dl_ept"], "methods").items()}
    phantoms, heads = map(int, methods["models"].split(" / "))
    of_phantom, of_head = map(int, methods["slices_per_model"].split(" / "))
    total, for_mask, for_tissue = map(int, methods["slices"].split(" / "))
    assert phantoms * of_phantom + heads * of_head == total
    assert for_mask == total - 4 * of_phantom - of_head
    assert for_tissue == (heads - 1) * of_head


def test_what_the_thesis_prints_twice_agrees(ledgers):
    ledger = ledgers["contrast_t1"]
    five, eight = values(ledger, "table5"), values(ledger, "table8")
    six, seven = values(ledger, "table6"), values(ledger, "table7")
    for loss in ("l1b", "l2b", "lssim"):
        for key in [key.removeprefix("l1b.") for key in five if key.startswith("l1b.")]:
            assert five[f"{loss}.{key}"] == eight[f"{loss}.{key}"] == six[f"model0.{loss}.{key}"]
            assert seven[f"full.{loss}.{key}"] == six[f"model1.{loss}.{key}"]
    for key, (value, sd) in values(ledger, "abstract").items():
        assert (round(float(value), 3), round(float(sd), 3)) == tuple(map(float, eight[f"lm.{key}"]))
    methods = {key: value for key, (value, _) in values(ledger, "methods").items()}
    named = ("patients", "vendors", "field_strengths", "grades", "segmentations", "selection", "split")
    counts = {key: [int(part) for part in methods[key].split(" / ")] for key in named}
    everyone = counts["patients"][0]
    assert sum(counts["patients"][1:]) == everyone
    assert all(sum(counts[key]) == everyone for key in ("vendors", "field_strengths", "grades", "segmentations"))
    removed, left, balanced, doubled = counts["selection"]
    assert (removed + left, sum(counts["split"]), 2 * balanced) == (everyone, balanced, doubled)


def test_the_printed_errors_of_deepspio_follow_from_its_estimates(ledgers):
    table = {key: float(value) for key, (value, _) in values(ledgers["deepspio"], "table1").items()}
    for key in [key.removesuffix(".error") for key in table if key.endswith(".error")]:
        true = float(key.split(".c")[1].replace("_", "."))
        # the true value and the estimate are printed to two decimals
        printed = 100 * (0.005 + 0.005) / true + 0.05
        assert 100 * abs(table[f"{key}.estimate"] - true) / true == pytest.approx(table[f"{key}.error"], abs=printed)


def test_scorecard_of_the_export_counts_every_entry_once(ledgers):
    document = export_document(list(ledgers.values()))
    for paper, ledger in ledgers.items():
        counted = sum(document["scorecard"][paper].values()) + sum(document["asked_here"][paper].values())
        assert counted == len(ledger.numbers) + len(ledger.claims)
        assert sum(document["asked_here"][paper].values()) == sum(c.origin == "asked here" for c in ledger.claims) > 0
    assert all(row["verdict"] and row["reason"] for row in document["rows"])


@pytest.mark.parametrize("paper", FIRST_READING)
def test_no_record_that_a_release_needs_is_stale(ledgers, paper):
    remade, _ = stale_records(ledgers[paper].rows())
    assert [row.said_stale() for row in remade] == []


def test_a_stale_record_of_a_large_scale_keeps_its_date(ledgers):
    row = next(row for row in ledgers["deepspio"].rows() if row.record is not None and row.record.scale == "demo")

    def of(scale: str, stale: str) -> LedgerRow:
        record = dataclasses.replace(row.record, scale=scale)
        return dataclasses.replace(row, record=record, stale=stale)

    rows = [of(scale, "code") for scale in ("smoke", "demo", "colab", "paper")] + [of("demo", "")]
    remade, shown = stale_records(rows)
    assert [some.record.scale for some in remade] == ["smoke", "demo"]
    assert [some.record.scale for some in shown] == ["colab", "paper"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,was,is\np.a,1,2\n", "must have the columns id, was, is, where"),
        ("id,was,is,where\np.a,1,2\n", "line 2: 4 columns are required"),
        ("id,was,is,where\np.a,1,,Table 1\n", "line 2: is is missing"),
        ("id,was,is,where\np.c,1,2,Table 1\n", "numbers.csv has no 'p.c'"),
        ("id,was,is,where\np.b.*,1,2,Table 1\n", "numbers.csv has no 'p.b.*'"),
        ("id,was,is,where\np.a,1,2,T\np.a,1,3,T\n", "line 3: 'p.a' is given twice"),
    ],
)
def test_a_correction_that_corrects_nothing_is_refused(tmp_path, text, message):
    path = tmp_path / "corrections.csv"
    path.write_text(text)
    with pytest.raises(LedgerError, match=re.escape(message)):
        read_corrections(path, ["p.a", "p.b"])


def test_corrections_may_stand_for_all_below(tmp_path):
    path = tmp_path / "corrections.csv"
    path.write_text("id,was,is,where\np.*,1,2,Table 1\np.b,,3,Table 2\n")
    first, second = read_corrections(path, ["p.a", "p.b"])
    assert (first.concerns("p.a"), first.concerns("q.a"), first.added) == (True, False, False)
    assert (second.concerns("p.a"), second.now, second.added) == (False, "3", True)
    assert read_corrections(tmp_path / "none.csv", []) == ()


NOT_AT_SMOKE = {"condnet.discussion.lens", "dl_ept.discussion.erroneous_snr"} | {
    f"condnet.table5.{scan}.{tissue}"
    for scan in ("tcga_02_0006", "tcga_14_1794", "tcga_19_0963")
    for tissue in ("bone_cortical", "csf", "fat", "gm", "mucous_tissue", "skin")
}
"""Most heads of 8 mm have no lens, and no voxel that lies wholly inside of these tissues; networks of smoke do not read
their fields, so that they say nothing of noise."""


@pytest.mark.parametrize("paper", [paper for paper, folder in ledger_folders().items() if (folder / "bands").is_dir()])
def test_every_recorded_value_of_the_demo_lies_in_its_band(ledgers, paper):
    ledger = ledgers[paper]
    demo, smoke = read_bands(ledger.folder, "demo"), read_bands(ledger.folder, "smoke")
    records = {record.id: record for record in ledger.records("demo") if record.basis != SUBSTITUTE}
    assert records.keys() <= demo.keys()
    assert [id for id, record in records.items() if not demo[id].holds(measured(record))] == []
    assert all(len(band.seeds) >= 3 for band in demo.values())
    assert all(len(band.seeds) >= 5 for band in smoke.values())
    assert records.keys() - smoke.keys() <= NOT_AT_SMOKE
