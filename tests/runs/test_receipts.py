"""A notebook's run: parameters, records, receipts, and what a reader is told of his own run."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace

import pytest

from mrrepro.runs.bands import band_of, make_bands, read_bands, write_bands
from mrrepro.runs.files import sealed
from mrrepro.runs.ledger import Ledger
from mrrepro.runs.notebook import open_run
from mrrepro.runs.receipts import check_receipt, read_receipt
from mrrepro.runs.records import Statistic
from mrrepro.runs.reported import LedgerError
from mrrepro.runs.settings import setting

LEDGER = """id,item,system,quantity,unit,value,sd,n,where,definition,needs,tolerance,tolerance_reason,status,why
fake.total,Table 1,ours,total,mm,4.2,0.5,3,p. 2,twice the sum,images,1.5,spread over seeds,attempt,
fake.text,Section 2,ours,filters,,7x7,,,p. 2,as built,none,,,attempt,
"""
CLAIMS = """id,claim,where,test,criterion,reason,status,why,needs,origin
fake.grows,it grows,p. 3,difference,above 0,a sum of positive numbers,attempt,,none,paper
"""


@pytest.fixture
def ledger(tmp_path):
    folder = tmp_path / "ledger"
    folder.mkdir()
    (folder / "numbers.csv").write_text(LEDGER)
    (folder / "claims.csv").write_text(CLAIMS)
    return Ledger("fake", folder)


@pytest.fixture
def run_notebook(package, ledger, tmp_path):
    recipe = package.module("recipe")

    def run(seed=0, value=None, **changes):
        given = {"scale": "smoke", "seed": seed, "overrides": {}, "artifacts": str(tmp_path / "artifacts"), **changes}
        opened = open_run("fake", "01_total", recipe.SETTINGS, given, ledger=ledger)
        total = opened.make(recipe.TOTAL).json("total.json")
        opened.record("fake.total", total if value is None else value, sd=0.1, n_cases=4)
        opened.record("fake.grows", statistic=Statistic("difference", 1.0, 0.5, 1.5))
        opened.record("fake.text", "7x7", basis="none needed")
        table = opened.finish()
        return opened, table

    return run


def parameters(**changes):
    return {"scale": "smoke", "seed": 0, "overrides": {}, "artifacts": None, **changes}


def test_receipt_holds_what_made_the_values(run_notebook, package):
    _opened, table = run_notebook(seed=3)
    receipt = read_receipt(table.path)
    document = receipt.document
    assert (document["scale"], document["seed"], document["notebook"]) == ("smoke", 3, "01_total")
    assert document["settings"]["counting"]["steps"] == 4
    assert [item["stage"] for item in document["artifacts"]] == ["fake/draw", "fake/total"]
    record = {item.id: item for item in receipt.records}["fake.total"]
    assert set(record.code) == {
        f"{package.name}.{name}" for name in ("recipe:draw", "recipe:total", "settings:Counting", "settings:Summing")
    }
    assert record.seconds == pytest.approx(sum(item["seconds"] for item in document["artifacts"]), abs=1e-3)
    assert {item.id: item.verdict for item in receipt.records} == {
        "fake.total": "agrees on substitute data",
        "fake.grows": "agrees on substitute data",
        "fake.text": "reproduced",
    }
    html = table._repr_html_()
    assert "4.2 ± 0.5 mm" in html
    assert "agrees on substitute data" in repr(table)


def test_provenance_is_folded_away_and_complete(run_notebook):
    opened, _ = run_notebook(overrides={"summing.factor": 1.5})
    html = opened.provenance()._repr_html_()
    assert html.startswith("<details")
    for word in ("fake/01_total", "smoke", "summing.factor=1.5", "simulated", "cpu"):
        assert word in html
    assert repr(opened.provenance()) == "Provenance: notebook fake/01_total, scale smoke, seed 0"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"sacle": "demo"},
            r"Unknown notebook parameter 'sacle'\. Did you mean 'scale'\? Known: artifacts, data, overrides, scale, "
            "seed",
        ),
        ({"samples": 3}, "Unknown notebook parameter 'samples'"),
        ({"scale": "tiny"}, "Unknown scale 'tiny'"),
        ({"seed": "1"}, "seed must be an integer of at least 0, but is '1'"),
        ({"overrides": {"counting.step": 3}}, r"Unknown parameter 'counting\.step'\. Did you mean 'counting\.steps'"),
        ({"overrides": "counting.steps=3"}, "overrides must be a mapping"),
    ],
)
def test_wrong_parameters_are_refused(package, changes, message):
    with pytest.raises(ValueError, match=message):
        open_run("fake", "01", package.module("recipe").SETTINGS, parameters(**changes))


def test_missing_parameter_is_named(package):
    given = parameters()
    del given["seed"]
    with pytest.raises(ValueError, match="lacks seed"):
        open_run("fake", "01", package.module("recipe").SETTINGS, given)


def test_imports_private_names_and_the_shell_are_no_parameters(package):
    import numpy

    more = {
        "_x": 1,
        "In": ["a"],
        "np": numpy,
        "pi": math.pi,
        "function": len,
        "array": numpy.zeros(2),
        "PAPERMILL_INPUT_PATH": "a",
    }
    run = open_run(
        "fake", "01", package.module("recipe").SETTINGS, parameters(overrides='{"counting.steps": 6}', **more)
    )
    assert run.settings.counting.steps == 6


def test_further_parameters_of_a_notebook_are_declared_and_checked(package):
    @dataclass(frozen=True)
    class Further:
        draws: int = setting(10, "noise draws", low=1)

    Further.__annotations__["draws"] = int
    settings = package.module("recipe").SETTINGS
    assert open_run("fake", "01", settings, parameters(draws="5"), further=Further).further.draws == 5
    with pytest.raises(ValueError, match="draws must be at least 1, but is 0"):
        open_run("fake", "01", settings, parameters(draws=0), further=Further)
    with pytest.raises(ValueError, match=r"Did you mean 'draws'"):
        open_run("fake", "01", settings, parameters(draws=1, draw=2), further=Further)


def test_record_without_anything_that_computed_it_is_refused(package, ledger):
    run = open_run("fake", "01", package.module("recipe").SETTINGS, parameters(), ledger=ledger)
    with pytest.raises(LedgerError, match="nothing says what computed it"):
        run.record("fake.total", 4.0)
    run.record("fake.total", 4.0, by=(package.module("numbers").double,))
    with pytest.raises(LedgerError, match="n_seeds is 3, but the seeds are"):
        run.record("fake.total", 4.0, n_seeds=3, by=(package.module("numbers").double,))
    with pytest.raises(ValueError, match=r"Did you mean 'fake\.total'"):
        run.record("fake.totals", 4.0)


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (lambda text: text.replace('"seed": 0', '"seed": 1', 1), "was altered since it was written"),
        (lambda text: text.replace("mrrepro-receipt/1", "mrrepro-receipt/0"), "schema 'mrrepro-receipt/0'"),
        (lambda text: text[:-40], "truncated or altered"),
        (
            lambda text: json.dumps({key: value for key, value in json.loads(text).items() if key != "device"}),
            "lacks device",
        ),
        (lambda text: json.dumps(sealed({**json.loads(text), "version": "0.0.1"})), r"made by mrrepro 0\.0\.1"),
        (lambda text: "[]", "has schema None"),
    ],
)
def test_tampered_cut_and_foreign_receipts_are_refused(run_notebook, ledger, alter, message):
    _, table = run_notebook()
    table.path.write_text(alter(table.path.read_text()))
    with pytest.raises(LedgerError, match=message):
        check_receipt(table.path, ledger)


def test_reader_is_told_whether_his_run_is_all_right(run_notebook, ledger):
    receipts = [read_receipt(run_notebook(seed=seed, value=10 + 0.1 * seed)[1].path) for seed in range(5)]
    for scale, bands in make_bands(receipts, "mrrepro run fake --scale smoke --seed N").items():
        write_bands(ledger.folder, scale, bands)
    fine = check_receipt(run_notebook(seed=6, value=10.2)[1].path, ledger)
    assert fine.ok
    assert fine.words() == "The run is all right: 01_total at scale smoke, seed 6 gave 3 of 3 values as expected."
    _, table = run_notebook(seed=7, value=40.0)
    wrong = check_receipt(table.path, ledger)
    assert not wrong.ok
    assert "gave 2 of 3 values as expected" in wrong.summary
    assert "fake.total is 40, outside what is expected" in wrong.words()
    other = check_receipt(run_notebook(scale="demo")[1].path, ledger)
    assert not other.ok
    assert "Nothing can be said" in other.summary


def test_a_band_wider_than_its_mean_tells_nothing(run_notebook, ledger):
    """What lies in it is counted apart; what lies outside even such a band is not as expected."""
    receipts = [read_receipt(run_notebook(seed=seed)[1].path) for seed in range(5)]
    (bands,) = make_bands(receipts, "again").values()
    wide = [replace(band, low=-1.2, high=23.2, mean=11.0) if band.id == "fake.total" else band for band in bands]
    write_bands(ledger.folder, "smoke", wide)
    checked = check_receipt(run_notebook(seed=6, value=12.0)[1].path, ledger)
    assert checked.ok
    assert "gave 2 of 2 values as expected. For 1 more the band is too wide to tell anything." in checked.summary
    assert "fake.total is 12; the band is too wide to tell anything: -1.2 to 23.2 from 5 seeds" in checked.words()
    outside = check_receipt(run_notebook(seed=7, value=40.0)[1].path, ledger)
    assert not outside.ok
    assert "gave 2 of 3 values as expected" in outside.summary


def test_band_is_the_prediction_interval(ledger):
    band = band_of("fake.total", [1.0, 2.0, 3.0, 4.0, 5.0], range(5), "abc", "command")
    half = 4.604094871349993 * math.sqrt(2.5) * math.sqrt(1.2)  # t(0.995, 4) from a table
    assert (band.low, band.high) == pytest.approx((3 - half, 3 + half), rel=1e-9)
    assert band_of("x", [2.0] * 3, range(3), "abc", "c").high == pytest.approx(2.002)
    with pytest.raises(LedgerError, match="at least 3 different seeds"):
        band_of("x", [1.0, 2.0, 3.0], [0, 0, 1], "abc", "c")
    write_bands(ledger.folder, "smoke", [band])
    assert read_bands(ledger.folder, "smoke") == {"fake.total": band}


def test_runs_with_overrides_or_of_other_code_make_no_bands(run_notebook, package):
    with pytest.raises(LedgerError, match="with overrides"):
        make_bands([read_receipt(run_notebook(overrides={"summing.factor": 2})[1].path)], "c")
    receipts = [read_receipt(run_notebook(seed=seed)[1].path) for seed in (0, 1)]
    package.replace("numbers", "2 * value", "2.5 * value")
    receipts.append(read_receipt(run_notebook(seed=2)[1].path))
    with pytest.raises(LedgerError, match="made by different code"):
        make_bands(receipts, "c")


def test_a_value_that_few_seeds_give_has_no_band(run_notebook):
    receipts = [read_receipt(run_notebook(seed=seed)[1].path) for seed in (0, 1, 2)]
    always, rarely = sorted(record.id for record in receipts[0].records)[:2]
    rare = [replace(each, records=tuple(r for r in each.records if r.id != rarely)) for each in receipts[1:]]
    banded = {band.id for band in make_bands([receipts[0], *rare], "c")["smoke"]}
    assert always in banded
    assert rarely not in banded
    with pytest.raises(LedgerError, match="at least 3 different seeds"):
        make_bands(receipts[:2], "c")


def test_receipts_of_a_run_go_where_the_variable_says(run_notebook, monkeypatch, tmp_path):
    monkeypatch.setenv("MRREPRO_RECEIPTS", str(tmp_path / "receipts"))
    assert run_notebook()[1].path == tmp_path / "receipts/fake/01_total-smoke-seed0.json"
    assert run_notebook(overrides={"summing.factor": 2})[1].path.name != "01_total-smoke-seed0.json"


def test_recorded_runs_count_for_what_rests_on_them(run_notebook, package):
    opened, _ = run_notebook()
    alone = opened._records["fake.grows"]
    run = {
        "seed": 1,
        "stages": {"fake/long": {"code": {"other:made": "12"}, "data": {"a.nii": "34"}, "seconds": 7.0,
                                 "peak_memory_mib": 1e6}},
    }  # fmt: skip
    opened.record("fake.grows", statistic=Statistic("difference", 1.0, 0.5, 1.5), recorded=[run, run])
    record = {item.id: item for item in read_receipt(opened.finish().path).records}["fake.grows"]
    assert record.code == {**alone.code, "other:made": "12"}
    assert record.data == {**alone.data, "a.nii": "34"}
    assert record.seconds == pytest.approx(alone.seconds + 14.0)
    assert record.peak_memory_mib == 1e6


def test_a_run_that_records_nothing_is_all_right(package, ledger, tmp_path):
    given = parameters(artifacts=str(tmp_path / "artifacts"))
    opened = open_run("fake", "02_lesson", package.module("recipe").SETTINGS, given, ledger=ledger)
    checked = check_receipt(opened.finish().path)  # of a chapter that has no ledger
    assert (checked.ok, checked.values) == (True, ())
    assert (
        checked.summary == "There is nothing to compare: 02_lesson at scale smoke, seed 0 ended and recorded no value."
    )
