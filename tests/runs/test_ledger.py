"""Verdicts, records and the ledger: what is reproduced, what merely agrees, and that no writer loses a record."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mrrepro.runs.code import code_digest
from mrrepro.runs.export import export_document, export_ledgers, scorecard, select_rows, validate_export
from mrrepro.runs.ledger import Ledger
from mrrepro.runs.records import VERDICTS, Record, Statistic, merge_records, read_records
from mrrepro.runs.reported import Claim, Criterion, LedgerError, Number, ReportedValue, Tolerance
from mrrepro.runs.verdicts import Found, judge

NUMBER = Number(
    id="p.nmae",
    item="Table 1",
    system="ours",
    quantity="NMAE",
    unit="1",
    value="0.50",
    sd="0.1",
    n="10",
    where="p. 5",
    definition="mean over samples",
    needs="images",
    tolerance="0.05",
    tolerance_reason="spread over seeds",
    status="attempt",
    why="",
)
CLAIM = Claim(
    "p.better", "A beats B", "Section 4", "bootstrap", "above 0", "a gain is positive", "attempt", "", "images", "paper"
)


def number(**changes):
    return dataclasses.replace(NUMBER, **changes)


def record(id="p.nmae", **changes):
    given = {
        "id": id,
        "value": 0.52,
        "sd": 0.01,
        "n_seeds": 3,
        "n_cases": 64,
        "scale": "demo",
        "basis": "simulated",
        "statistic": None,
        "verdict": "agrees on substitute data",
        "reason": "because",
        "commit": "abc",
        "parameters": {"scale": "demo", "seed": 0},
        "seeds": (0, 1, 2),
        "data": {},
        "code": {},
        "device": "cpu",
        "notebook": "01",
        "seconds": 1.0,
        "peak_memory_mib": 100.0,
        "date": "2026-01-01T00:00:00Z",
    }
    return Record(**{**given, **changes})


@pytest.mark.parametrize(
    ("changes", "value", "sd", "basis", "verdict", "said"),
    [
        ({}, 0.54, None, "paper's own", "reproduced", "within the tolerance of 0.05"),
        ({}, 0.55, None, "paper's own", "reproduced", "off by 0.05 (10 %)"),
        ({}, 0.56, None, "paper's own", "differs", "beyond the tolerance of 0.05"),
        ({}, 0.54, None, "public substitute", "agrees on substitute data", "on public substitute data"),
        ({}, 0.54, None, "simulated", "agrees on substitute data", "on simulated data"),
        ({"needs": "none"}, 0.54, None, "none needed", "reproduced", "no data needed"),
        ({"tolerance": "10 %"}, 0.549, None, "paper's own", "reproduced", "(10 %)"),
        ({"tolerance": "10 %"}, 0.551, None, "paper's own", "differs", "(10 %)"),
        ({"tolerance": "2 sd"}, 0.69, None, "paper's own", "reproduced", "2 standard deviations"),
        ({"tolerance": "2 sd"}, 0.71, None, "paper's own", "differs", "2 standard deviations"),
        ({"tolerance": "1 sd", "sd": "0.03"}, 0.55, 0.04, "paper's own", "reproduced", "tolerance of 0.05"),
        ({"value": "<10"}, 9.9, None, "paper's own", "reproduced", "keeps the paper's <10"),
        ({"value": "<10"}, 10.0, None, "paper's own", "differs", "breaks the paper's <10"),
        ({"value": ">2"}, 3, None, "simulated", "agrees on substitute data", "keeps"),
        ({"value": "0.31 to 0.55"}, 0.4, None, "paper's own", "reproduced", "off by 0,"),
        ({"value": "0.31 to 0.55"}, 0.61, None, "paper's own", "differs", "off by 0.06"),
        ({"value": "about 4", "tolerance": "1"}, 4.9, None, "paper's own", "reproduced", "off by 0.9"),
        ({"value": "7x7x5", "needs": "none"}, "7x7x5", None, "none needed", "reproduced", "as in the paper"),
        ({"value": "7x7x5"}, "5x5x5", None, "paper's own", "differs", "in the paper it is '7x7x5'"),
    ],
)
def test_verdicts_on_numbers(changes, value, sd, basis, verdict, said):
    judged = judge(number(**changes), Found(value, basis, sd))
    assert judged.verdict == verdict
    assert said in judged.reason


@pytest.mark.parametrize(
    ("criterion", "low", "high", "basis", "verdict", "said"),
    [
        ("above 0.3", 0.31, 0.8, "paper's own", "reproduced", "the whole interval is above 0.3"),
        ("above 0.3", 0.31, 0.8, "simulated", "agrees on substitute data", "on simulated data"),
        ("above 0.3", 0.29, 0.8, "paper's own", "differs", "not shown"),
        ("above 0.3", 0.0, 0.2, "paper's own", "differs", "no part of the interval is above 0.3"),
        ("below 0", -3, -1, "paper's own", "reproduced", "the whole interval is below 0"),
        # an interval that holds 0 is no equivalence; one between the bounds is
        ("within -0.1 to 0.1", -0.5, 0.5, "paper's own", "differs", "not shown"),
        ("within -0.1 to 0.1", 0.02, 0.09, "paper's own", "reproduced", "the whole interval is within -0.1 to 0.1"),
        ("within -0.1 to 0.1", 0.2, 0.3, "paper's own", "differs", "no part"),
    ],
)
def test_verdicts_on_claims(criterion, low, high, basis, verdict, said):
    claim = dataclasses.replace(CLAIM, criterion=criterion)
    judged = judge(
        claim, Found(None, basis, n_cases=20, statistic=Statistic("difference", (low + high) / 2, low, high))
    )
    assert judged.verdict == verdict
    assert said in judged.reason
    assert "20 cases" in judged.reason


@pytest.mark.parametrize(
    ("entry", "found", "message"),
    [
        (NUMBER, Found(0.5, "none needed"), "needs images, so its basis cannot be 'none needed'"),
        (NUMBER, Found(0.5, "real"), "basis must be one of"),
        (NUMBER, Found(float("nan"), "simulated"), "must be a finite number"),
        (NUMBER, Found(None, "simulated"), "value is missing"),
        (NUMBER, Found("0.5", "simulated"), "must be a finite number"),
        (number(tolerance="2 sd", sd=""), Found(0.5, "simulated"), "needs the paper's sd or ours"),
        (CLAIM, Found(0.5, "simulated"), "decided from a statistic"),
        (number(status="underspecified", why="b is not given"), Found(0.5, "simulated"), "has status 'underspecified'"),
    ],
)
def test_what_cannot_be_judged_is_refused(entry, found, message):
    with pytest.raises(LedgerError, match=message):
        judge(entry, found)


@pytest.mark.parametrize(
    ("text", "form", "numbers"),
    [
        ("0.33", "number", (0.33,)),
        ("-1.5e-3", "number", (-0.0015,)),
        ("about 4", "number", (4.0,)),
        ("<10", "below", (10.0,)),
        ("> 2", "above", (2.0,)),
        ("0.22 to 17.5", "range", (0.22, 17.5)),
        ("2 / 100 / 200", "text", ()),
        ("30 min", "text", ()),
    ],
)
def test_printed_values_are_read(text, form, numbers):
    read = ReportedValue.parse(text)
    assert (read.form, read.numbers) == (form, numbers)


def test_malformed_tolerances_criteria_and_statistics_are_refused():
    for text in ("", "close", "-0.1", "5 percent"):
        with pytest.raises(LedgerError, match="tolerance must be like"):
            Tolerance.parse(text)
    for text in ("significant", "p < 0.05", "within 1 to 0", "> 0"):
        with pytest.raises(LedgerError, match="criterion"):
            Criterion.parse(text)
    with pytest.raises(LedgerError, match="low <= value <= high"):
        Statistic("difference", 1.0, 1.5, 2.0)
    with pytest.raises(LedgerError, match="must be a finite number"):
        Statistic("difference", float("nan"), 0.0, 1.0)


def write_ledger(folder: Path, numbers=(NUMBER,), claims=(CLAIM,)) -> Ledger:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows, kind in (("numbers", numbers, Number), ("claims", claims, Claim)):
        with (folder / f"{name}.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, [field.name for field in dataclasses.fields(kind)])
            writer.writeheader()
            writer.writerows(dataclasses.asdict(row) for row in rows)
    (folder / "deviations.csv").write_text(
        'id,where,paper_says,choice,source,effect\np.d1,eq. 3,nothing,"ours, because",our choice,NMAE +0.01\n'
    )
    return Ledger("p", folder)


@pytest.fixture
def ledger(tmp_path):
    waiting = number(id="p.waiting")
    open_one = number(
        id="p.open", tolerance="", tolerance_reason="", status="underspecified", why="the width is not given"
    )
    never = dataclasses.replace(CLAIM, id="p.never", status="not attempted", why="needs a 7 T scanner")
    ours = dataclasses.replace(CLAIM, id="p.control", origin="asked here")
    return write_ledger(tmp_path / "ledger", (NUMBER, waiting, open_one), (CLAIM, never, ours))


def test_every_entry_has_a_row_with_a_verdict_and_a_reason(ledger):
    ledger.add([record()])
    rows = {row.id: row for row in ledger.rows()}
    assert {id: row.verdict for id, row in rows.items()} == {
        "p.nmae": "agrees on substitute data",
        "p.waiting": "not attempted",
        "p.open": "underspecified",
        "p.better": "not attempted",
        "p.never": "not attempted",
        "p.control": "not attempted",
    }
    assert all(row.reason for row in rows.values())
    assert rows["p.open"].reason == "the width is not given"
    assert rows["p.nmae"].reason.startswith(
        "Ours 0.52 (sd 0.01, 3 seeds, 64 cases) against 0.50 (sd 0.1): off by 0.02 (4 %)"
    )


def test_verdict_of_a_record_is_made_by_the_ledger_not_by_the_writer(ledger):
    ledger.add([record(value=0.9, verdict="reproduced", reason="I say so")])
    row = next(row for row in ledger.rows() if row.id == "p.nmae")
    assert row.verdict == "differs"
    assert "I say so" not in row.reason


def test_records_are_sorted_read_back_and_merged_by_id(ledger):
    ledger.add([record("p.waiting"), record()])
    ledger.add([record(value=0.53)])
    path = ledger.folder / "records" / "demo.json"
    assert [item["id"] for item in json.loads(path.read_text())["records"]] == ["p.nmae", "p.waiting"]
    first, second = ledger.records("demo")
    assert first.value == 0.53
    assert second == dataclasses.replace(record("p.waiting"), verdict=second.verdict, reason=second.reason)


def test_unknown_ids_are_refused_with_the_nearest(ledger):
    with pytest.raises(ValueError, match=r"Unknown id in the ledger of p 'p\.nmea'\. Did you mean 'p\.nmae'"):
        ledger.add([record("p.nmea")])
    assert not (ledger.folder / "records").exists()
    merge_records(ledger.folder / "records" / "demo.json", [record("p.gone")])
    with pytest.raises(LedgerError, match=r"holds id 'p\.gone', which numbers\.csv and claims\.csv do not"):
        ledger.rows()


def test_missing_and_unknown_fields_versions_and_cut_files_are_refused(ledger):
    ledger.add([record()])
    path = ledger.folder / "records" / "demo.json"
    document = json.loads(path.read_text())

    def written(**changes):
        plain = {key: value for key, value in {**document["records"][0], **changes}.items() if value != "drop"}
        path.write_text(json.dumps({**document, "records": [plain]}))
        return path

    for changes, message in (
        ({"basis": "drop"}, r"record 'p\.nmae': missing field basis"),
        ({"extra": 1}, "unknown field extra"),
        ({"verdict": "fine"}, "verdict must be one of"),
        ({"n_seeds": 0}, "n_seeds must be an integer of at least 1"),
        ({"value": "NaN", "sd": "x"}, "sd must be a finite number"),
        ({"code": {"a:b": "c"}}, "code_digest does not fit code"),
    ):
        with pytest.raises(LedgerError, match=message):
            read_records(written(**changes))
    path.write_text(json.dumps({**document, "schema": "mrrepro-records/99"}))
    with pytest.raises(LedgerError, match=r"schema 'mrrepro-records/99', but this version reads 'mrrepro-records/1'"):
        read_records(path)
    path.write_text(json.dumps(document)[:-30])
    with pytest.raises(LedgerError, match="truncated or altered"):
        read_records(path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"status": "maybe"}], "status must be one of"),
        ([{"status": "not attempted", "why": ""}], "why must say the reason"),
        ([{"tolerance_reason": ""}], "tolerance_reason is missing"),
        ([{"tolerance": "near"}], "tolerance must be like"),
        ([{"value": "0", "tolerance": "5 %"}], "in per cent of 0"),
        ([{}, {}], "line 3: id 'p.nmae' is given twice"),
    ],
)
def test_wrong_rows_of_a_ledger_name_file_line_and_column(tmp_path, rows, message):
    plain = [{**dataclasses.asdict(NUMBER), **row} for row in rows]
    folder = tmp_path / "ledger"
    folder.mkdir()
    with (folder / "numbers.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(plain[0]))
        writer.writeheader()
        writer.writerows(plain)
    with pytest.raises(LedgerError, match=message):
        Ledger("p", folder)


def test_missing_column_is_named(tmp_path):
    (tmp_path / "numbers.csv").write_text("id,item,note\na,b,c\n")
    with pytest.raises(LedgerError, match=r"it lacks system, quantity, .* and has besides note"):
        Ledger("p", tmp_path)


def test_changed_code_data_or_tolerance_makes_a_record_stale(package, tmp_path):
    ledger = write_ledger(tmp_path / "ledger")
    function = f"{package.name}.recipe:total"
    ledger.add([record(code={function: code_digest(function)}, data={"scan.nii": "a" * 64})])

    def stale(**now):
        return next(row.stale for row in ledger.rows(**now) if row.id == "p.nmae")

    assert stale() == ""
    assert stale(data_now={"scan.nii": "a" * 64}) == ""
    assert "the data set scan.nii has changed" in stale(data_now={"scan.nii": "b" * 64})
    package.replace("numbers", "Twice the value.", "Two times.")
    assert stale() == ""
    package.replace("numbers", "2 * value", "3 * value")
    assert f"the code of {function} has changed" in stale()
    package.replace("recipe", "def total", "def sum_up")
    assert f"{function} is no longer there" in stale()
    ledger = write_ledger(tmp_path / "ledger", (number(tolerance="0.001"),))
    assert "the verdict would be 'differs'" in stale()


def test_headline_is_the_largest_scale_that_is_not_stale(package, ledger):
    function = f"{package.name}.recipe:total"
    ledger.add([record(scale="smoke"), record(scale="demo"), record(scale="paper", code={function: "0" * 64})])
    rows = [row for row in ledger.rows() if row.id == "p.nmae"]
    assert [(row.record.scale, row.headline, bool(row.stale)) for row in rows] == [
        ("smoke", False, False),
        ("demo", True, False),
        ("paper", False, True),
    ]


WRITER = """
import json, sys
from mrrepro.runs.records import Record, merge_records
template = json.loads(sys.argv[2])
for index in range(20):
    plain = {**template, "id": f"{sys.argv[3]}.{index}"}
    merge_records(__import__("pathlib").Path(sys.argv[1]), [Record.from_plain(plain)])
"""


def test_writers_at_once_lose_nothing(tmp_path):
    path = tmp_path / "records" / "demo.json"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", WRITER, str(path), json.dumps(record().plain())]
    writers = [subprocess.Popen([*command, name], env=environment) for name in ("a", "b", "c")]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    expected = sorted(f"{name}.{index}" for name in "abc" for index in range(20))
    assert [item.id for item in read_records(path)] == expected


def test_export_fits_its_schema_and_agrees_with_the_scorecard(ledger, tmp_path):
    statistic = Statistic("difference", 0.2, 0.1, 0.3)
    ledger.add([record(), record("p.better", value=None, sd=None, statistic=statistic, scale="smoke")])
    json_path, csv_path = export_ledgers([ledger], tmp_path / "out")
    document = json.loads(json_path.read_text())
    assert validate_export(document)
    counted = dict.fromkeys(VERDICTS, 0)
    for row in document["rows"]:
        counted[row["verdict"]] += row["headline"]
    assert counted == scorecard(ledger.rows())
    assert sum(counted.values()) == len(ledger.entries) == 6
    own = {name: int(name == "not attempted") for name in VERDICTS}
    assert document["asked_here"]["p"] == own
    assert document["scorecard"]["p"] == {name: counted[name] - own[name] for name in VERDICTS}
    assert document["deviations"][0]["choice"] == "ours, because"
    with csv_path.open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["id"] for row in table] == [row["id"] for row in document["rows"]]
    claim = next(row for row in table if row["id"] == "p.better")
    assert (claim["statistic_low"], claim["verdict"]) == ("0.1", "agrees on substitute data")


def test_export_that_does_not_fit_is_refused(ledger):
    document = export_document([ledger])
    document["rows"][0]["verdict"] = "fine"
    with pytest.raises(LedgerError, match=r"rows/0/verdict: 'fine' is not one of"):
        validate_export(document)


def test_rows_are_selected_by_verdict_scale_and_staleness(ledger):
    ledger.add([record()])
    rows = ledger.rows()
    assert [row.id for row in select_rows(rows, verdict="underspecified")] == ["p.open"]
    assert [row.id for row in select_rows(rows, scale="demo")] == ["p.nmae"]
    assert select_rows(rows, stale=True) == ()
    with pytest.raises(ValueError, match="verdict must be one of reproduced, "):
        select_rows(rows, verdict="good")
