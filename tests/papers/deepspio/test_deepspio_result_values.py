"""Numbers of the article from stages and from recorded runs, and what the pages show of a run at the paper's sizes."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from mrrepro.cli.ledger_recorded import records_of
from mrrepro.cli.paper_state import chapter_state
from mrrepro.papers.deepspio import recipe, tables
from mrrepro.papers.deepspio.evidence import RecordedSweeps
from mrrepro.papers.deepspio.experiments import TABLE_1
from mrrepro.papers.deepspio.pictures import (
    CONCENTRATION_STEP,
    EXAMPLES_FILE,
    PHANTOMS_FILE,
    PICTURES,
    SIGNAL_STEP,
    chosen_examples,
    keep_pictures,
)
from mrrepro.papers.deepspio.result_values import (
    air_values,
    expected_words,
    held_out_values,
    mean_over_seeds,
    record_numbers,
    table1_values,
    values_at,
)
from mrrepro.runs.display import ReceiptTable
from mrrepro.runs.ledger import Ledger
from mrrepro.runs.recorded import MOST_BYTES, Variant, record, recorded_arrays


@pytest.fixture(scope="module")
def kept(finished, overrides, tmp_path_factory):
    """The headline's stages as recorded with arrays, from artifacts that are made already."""
    store, _ = finished
    folder = tmp_path_factory.mktemp("kept") / "paper"
    given = {"settings_type": recipe.SETTINGS, "scale": "smoke", "store": store, "device": "cpu"}
    headline = Variant("headline", overrides, "as the recipe's, at a size of seconds", recipe.WHOLE)
    record("deepspio", headline, 0, folder=folder, arrays=True, **given)
    return folder


@pytest.fixture
def of_the_stages(finished):
    """The same numbers as a notebook has them: from arrays that are not rounded."""
    _, made = finished
    held_out = made["deepspio/held_out"].arrays("held_out.npz")
    air = made["deepspio/air_sphere"].arrays("air.npz")
    agar = made["deepspio/agar_phantom"].arrays("agar.npz")
    return [
        *held_out_values(held_out["test_nmae"]),
        *air_values(air["susceptibility_cgs"], air["concentration"], air["nmae"], lowest=3.0),
        *table1_values(agar["batch"], agar["concentration"], agar["estimated"], lowest=3.0),
    ]


def close(value, expected, id):
    """Equal up to the four digits of a recording; an error is a difference from the truth [%], which loses digits."""
    return value == pytest.approx(expected, **({"abs": 0.1} if id.endswith(".error") else {"rel": 1e-3}))


def test_recorded_runs_give_the_numbers_of_the_notebook(kept, of_the_stages):
    found = RecordedSweeps("smoke", kept).values(values_at("smoke"))
    assert [value.id for value in found] == [value.id for value in of_the_stages]
    assert len(found) == 20
    below = {f"deepspio.{name}" for name in ("fig6.c0_22.nmae", "table1.batch2.c1_75.estimate")}
    below |= {"deepspio.table1.batch2.c1_75.error"}
    at_paper = {value.id for value in RecordedSweeps("smoke", kept).values(values_at("paper"))}
    assert at_paper - {value.id for value in found} == below
    for value, expected in zip(found, of_the_stages, strict=True):
        assert close(value.value, expected.value, value.id)
        assert (value.sd is None) == (expected.sd is None)
        assert value.sd is None or value.sd == pytest.approx(expected.sd, abs=5e-4)  # of errors from 1 to 10
        assert value.n_cases == expected.n_cases


def test_recorded_runs_feed_the_ledger_with_what_was_set_for_them(kept, of_the_stages, overrides, tmp_path):
    original = Ledger("deepspio").folder
    for name in ("numbers.csv", "claims.csv", "deviations.csv", "corrections.csv"):
        if (original / name).exists():
            (tmp_path / name).write_text((original / name).read_text(encoding="utf-8"), encoding="utf-8")
    ledger = Ledger("deepspio", tmp_path)
    assert ledger.add(records_of(ledger, "smoke", kept)) == 21
    records = {one.id: one for one in ledger.records("smoke")}
    assert set(records) - {value.id for value in of_the_stages} == {"deepspio.claim.ranks_concentrations"}
    for value in of_the_stages:
        assert close(records[value.id].value, value.value, value.id)
        assert records[value.id].parameters == {"scale": "smoke", "seed": 0, "overrides": overrides}
        assert records[value.id].basis == "simulated"
    assert not [row for row in ledger.rows() if row.record is not None and row.stale]
    entry, held = ledger.entries["deepspio.exp1.nmae"], records["deepspio.exp1.nmae"]
    shown = ReceiptTable(tmp_path, ((entry, held),), {held.id: held})._repr_html_()
    assert "ours at the paper's sizes" in shown
    assert f"({held.date[:10]}, {held.device}, changed)" in shown
    assert "<p>Changed at the paper's sizes: sequence.size = 32, network.width = 1" in shown
    said = chapter_state("deepspio", kept).ground
    assert said.startswith("headline, sequence.size = 32, network.width = 1")


def test_numbers_by_hand():
    errors = [0.9, 0.1, 0.52, 0.3, 0.5, 0.5, 0.68]  # mean 0.5; the seventh is not kept whole
    (mean,) = held_out_values(errors)
    assert (mean.id, mean.value, mean.n_cases) == ("deepspio.exp1.nmae", pytest.approx(0.5), 7)
    assert mean.sd == pytest.approx(np.sqrt((0.16 + 0.16 + 0.0004 + 0.04 + 0.0324) / 6))
    assert chosen_examples(np.array(errors)) == [4, 1, 0]
    assert chosen_examples(np.array([0.5, 0.7])) == [0, 1]  # typical and best are the same
    air = air_values([0.0, 7.5e-8, 7.5e-8, 7.5e-7], [6.7, 0.22, 13.0, 6.7], [1.0, 2.0, 3.0, 4.0], lowest=0.22)
    assert [(v.id, v.value) for v in air] == [("deepspio.fig6.c0_22.nmae", 2.0), ("deepspio.fig6.c13.nmae", 3.0)]
    assert [v.id for v in air_values([7.5e-8] * 2, [0.22, 13.0], [2.0, 3.0], lowest=3.0)] == ["deepspio.fig6.c13.nmae"]
    assert table1_values([2], [1.75], [1.4], lowest=3.0) == []
    estimate, error = table1_values([2], [1.75], [1.4], lowest=1.75)
    assert (estimate.id, estimate.value) == ("deepspio.table1.batch2.c1_75.estimate", 1.4)
    assert (error.id, error.value) == ("deepspio.table1.batch2.c1_75.error", pytest.approx(20.0))


def test_mean_over_seeds_by_hand():
    of_seeds = mean_over_seeds(held_out_values)
    (one,) = of_seeds([[0.2, 0.4]])
    assert (one.value, one.n_cases) == (pytest.approx(0.3), 2)
    assert one.sd == pytest.approx(0.1 * np.sqrt(2))  # over the samples of this seed
    (several,) = of_seeds([[0.2, 0.4], [0.5, 0.7], [0.8, 1.0]])
    assert (several.id, several.value, several.n_cases) == ("deepspio.exp1.nmae", pytest.approx(0.6), 2)
    assert several.sd == pytest.approx(0.3)  # of 0.3, 0.6 and 0.9


class PageRun:
    """As much of a notebook's run as numbers are recorded with."""

    def __init__(self, scale="demo", overrides=(), simulated=True):
        self.scale, self.seed, self.records = scale, 0, {}
        self.parameters, self.data = {"overrides": dict(overrides)}, SimpleNamespace(simulated=simulated)

    def record(self, id, value, **held):
        self.records[id] = (value, held)


def test_page_records_the_mean_over_recorded_seeds_where_its_settings_are_recorded():
    own = held_out_values([0.9, 1.1])
    recorded = PageRun()
    record_numbers(recorded, own)
    by_seed = [np.mean(each["test"]["nmae"]) for each in RecordedSweeps("demo").documents("headline", *["summary"] * 2)]
    value, held = recorded.records["deepspio.exp1.nmae"]
    assert list(recorded.records) == ["deepspio.exp1.nmae"]
    assert value == pytest.approx(np.mean(by_seed))
    assert held["sd"] == pytest.approx(np.std(by_seed, ddof=1))
    assert (held["n_seeds"], held["seeds"]) == (3, [0, 1, 2])
    for other in (PageRun("smoke"), PageRun(overrides={"network.width": 4}), PageRun(simulated=False)):
        record_numbers(other, own)
        value, held = other.records["deepspio.exp1.nmae"]
        assert value == pytest.approx(1.0)
        assert "recorded" not in held


def test_run_is_held_against_what_one_more_seed_should_give():
    mean = np.mean(
        [np.mean(each["test"]["nmae"]) for each in RecordedSweeps("demo").documents("headline", "summary", "summary")]
    )
    assert expected_words(PageRun(), held_out_values([mean - 0.1, mean + 0.1])).startswith(
        "1 of the 1 numbers of this run"
    )
    said = expected_words(PageRun(), held_out_values([1.9, 2.1]))
    assert said.startswith("0 of the 1")
    assert said.endswith("Outside: deepspio.exp1.nmae (2).")
    assert expected_words(PageRun("smoke"), held_out_values([1.9, 2.1])).startswith("Too few runs")


def test_pictures_are_those_of_the_stages(kept, finished):
    _, made = finished
    held_out = made["deepspio/held_out"].arrays("held_out.npz")
    examples, phantoms = (
        recorded_arrays("deepspio", "smoke", "headline", PICTURES.name, file, kept)
        for file in (EXAMPLES_FILE, PHANTOMS_FILE)
    )
    chosen = chosen_examples(held_out["breast_nmae"])
    assert np.array_equal(examples["breast_nmae"], held_out["breast_nmae"][chosen])
    whole = held_out["breast_images"][chosen].astype(float).sum(axis=1)
    assert np.abs(examples["breast_images"] - whole).max() <= SIGNAL_STEP / 2 + 1e-3  # of half precision besides
    difference = np.abs(examples["breast_truth"] - held_out["breast_truth"][chosen].astype(float))
    assert difference.max() <= CONCENTRATION_STEP / 2
    assert list(phantoms["agar_concentration"]) == [true for batch, true in TABLE_1 if batch == 1]
    assert list(phantoms["air_concentration"]) == [0.22, 6.7, 13.0, 20.0]
    air = made["deepspio/air_sphere"].arrays("air.npz")
    assert np.array_equal(phantoms["air_nmae"], air["nmae"][4:8])  # the void alone, the printed value, that of air


def test_pictures_of_the_paper_s_size_are_small_enough_to_be_kept(tmp_path):
    """Textured stripes, and estimates with noise of 0.1 ug/mm^3 where there is nothing: more than a network leaves."""
    generator = np.random.default_rng(0)

    def cases(count, prefix=""):
        stripes = np.arange(256) % 10 < 5
        images = stripes * generator.uniform(0.4, 0.6, (count, 2, 256, 256))
        truth = np.zeros((count, 256, 256))
        truth[:, 100:130, 100:130] = 17.5
        estimate = truth + generator.normal(0, 0.1, truth.shape)
        maps = {"images": images, "truth": truth, "estimate": estimate}
        made = {f"{prefix}{name}": value.astype(np.float16) for name, value in maps.items()}
        return made | {f"{prefix}nmae": generator.uniform(0.1, 0.3, count)}

    air = cases(12) | {"susceptibility_cgs": np.repeat((0.0, 7.5e-8, 7.5e-7), 4), "concentration": np.arange(12.0)}
    agar = cases(9) | {"batch": np.array([row[0] for row in TABLE_1]), "concentration": np.arange(9.0)}
    arrays = {"held_out": cases(6, "test_") | cases(6, "breast_"), "air_sphere": air, "agar_phantom": agar}
    inputs = {f"deepspio/{name}": SimpleNamespace(arrays=lambda _, held=held: held) for name, held in arrays.items()}
    keep_pictures(SimpleNamespace(inputs=inputs, workspace=tmp_path))
    for file in (EXAMPLES_FILE, PHANTOMS_FILE):
        assert 1e5 < (tmp_path / file).stat().st_size <= MOST_BYTES


def words_of(tmp_path, seen, overrides):
    origin = {"seconds": 7200.0, "device": "cuda (some GPU)", "created": "2026-12-01T10:00:00Z", "code": {}}
    history = {"weights": 68_123_456, "record": {"samples_seen": seen}}
    numbers = {"deepspio/training": {"history": history}}
    run = {"seed": 0, "stages": {"deepspio/training": origin}, "numbers": numbers}
    (tmp_path / "headline.json").write_text(json.dumps({"overrides": overrides, "runs": [run]}))
    return tables.training_words(RecordedSweeps("paper", tmp_path))


def test_a_shortened_training_is_said_to_be_one(tmp_path):
    words = words_of(tmp_path, 500_000, {"training.samples": 500_000})
    assert "68.1 million weights (seed 0) saw 500,000 samples of the paper's 4,000,000, 12 %" in words
    assert "**shortened**" in words
    assert "**shortened** training. Set for it beside this scale's settings: training.samples = 500000." in words
    assert words.endswith("It took 2 h on cuda (some GPU) and is of 2026-12-01.")
    words = words_of(tmp_path, 4_000_000, {})
    assert "saw 4,000,000 samples, as many as the paper's. It took" in words
    assert "shortened" not in words


def test_errors_along_a_training_stand_by_samples_seen(tmp_path):
    validations = [{"step": 5, "validation": {"score": 1.2}}, {"step": 10, "validation": {"score": 0.5}}]
    record = {"steps": 10, "samples_seen": 40_000, "history": [{"step": 3, "loss": 4.0}, *validations]}
    run = {"seed": 0, "stages": {}, "numbers": {"deepspio/training": {"history": {"record": record}}}}
    (tmp_path / "headline.json").write_text(json.dumps({"overrides": {}, "runs": [run]}))
    rows = tables.validation_rows(RecordedSweeps("paper", tmp_path))
    assert [tuple(row.values()) for row in rows] == [("20,000", 1.2), ("40,000", 0.5)]


def test_slopes_stand_by_seed():
    rows = tables.slope_rows(RecordedSweeps("demo"))
    assert [list(row)[1:] for row in rows] == [["seed 0", "seed 1", "seed 2"]] * 3
    held_out, scaled, no_field = ([row[f"seed {seed}"] for seed in (0, 1, 2)] for row in rows)
    assert all(a > b > 0.4 > abs(c) for a, b, c in zip(held_out, scaled, no_field, strict=True))


def test_no_recordings_give_no_slopes(tmp_path):
    assert tables.slope_rows(RecordedSweeps("demo", tmp_path)) == []


def test_tables_stand_beside_the_paper(of_the_stages):
    entries = Ledger("deepspio").entries
    rows = tables.nmae_rows(entries, {"here": of_the_stages, "there": of_the_stages})
    assert [row["paper"] for row in rows] == ["0.17 ± 0.1", "1.96", "0.24", "0.3", "0.21"]
    held = {value.id: value for value in of_the_stages}
    first = held["deepspio.exp1.nmae"]
    assert rows[0]["here"] == rows[0]["there"] == f"{first.value:.2f} ± {first.sd:.2f}"
    assert rows[-1]["here"] == f"{held['deepspio.fig6.c20.nmae'].value:.2f}"
    rows = tables.table1_rows(entries, {"here": of_the_stages})
    assert [(row["batch"], row["true [µg/mm³]"]) for row in rows] == list(TABLE_1)
    assert rows[0]["paper, scanned"] == 27.35
    assert rows[0]["here"] == f"{held['deepspio.table1.batch1.c27_9.estimate'].value:.2f}"
    assert rows[0]["here: error [%]"] == f"{held['deepspio.table1.batch1.c27_9.error'].value:.1f}"
    assert rows[-1]["here"] == rows[-1]["here: error [%]"] == "below the training"
