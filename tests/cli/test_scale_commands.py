"""Commands around the largest scales: bench beside the floor, rehearse, plan, results, recorded claims."""

from __future__ import annotations

import json
import tarfile
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from mrrepro.cli.ledger_recorded import bands_of, records_of
from mrrepro.cli.paper_state import NOT_YET, chapter_state
from mrrepro.cli.papers import paper_keys, paper_module, paper_settings, paper_stages, paper_variants
from mrrepro.cli.plan import GPUS, commands, measured_on, plan_of
from mrrepro.runs import measured_speed, recorded
from mrrepro.runs.bands import read_bands
from mrrepro.runs.files import lock_beside
from mrrepro.runs.ledger import Ledger
from mrrepro.runs.measured_speed import keep_speed, read_speed
from mrrepro.runs.recorded import recorded_folder
from mrrepro.runs.rehearsed import keep_rehearsed, read_rehearsed, rehearsed_file
from mrrepro.runs.settings import configure
from mrrepro.training.training_work import step_cost

CHAPTERS = [chapter for chapter in paper_keys() if (paper_module(chapter, "paper_scale"))]
ANY_ARTIFACT = SimpleNamespace(key="0" * 64, seconds=0.0, path=Path("nowhere"))

SEEDLESS = {"dl_ept.claim.hept_errors_at_boundaries"}
"""Claims that no seed changes."""


@pytest.fixture(autouse=True)
def _quiet(monkeypatch, tmp_path):
    monkeypatch.setenv("MRREPRO_DEVICE", "cpu")
    monkeypatch.setenv("MRREPRO_ARTIFACTS", str(tmp_path / "artifacts"))


def test_bench_shows_the_floor_of_a_step_and_items(mrrepro_command):
    code, out, _ = mrrepro_command(
        "bench", "dl_ept.pix2pix", "condnet.tms_alone", "--device", "cpu", "--floors", "--json"
    )
    assert code == 0
    rows = {row["id"]: row for row in json.loads(out)}
    device, step, item = rows["device"], rows["dl_ept.pix2pix"], rows["condnet.tms_alone"]
    assert min(device["bfloat16"], device["float32"], device["bandwidth"]) > 1e8
    operations = step["operations_a_sample"] * step["batch"]
    assert step["floor"] >= operations / device["float32"] * (1 - 1e-12)
    assert step["share"] == pytest.approx(operations / step["seconds"] / device["float32"], rel=1e-9)
    assert (step["ok"], item["ok"], item["unit"]) == (None, None, "s")  # goals are for full size
    assert item["value"] > 0
    assert "at the sizes of scale smoke" in step["quantity"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bench", "--device", "cuda", "--floors"], "device 'cuda' is not on this machine, which has cpu"),
        (["bench", "dl_ept.pix2pixel", "--floors"], "Did you mean 'dl_ept.pix2pix'?"),
        (["bench", "--full"], "--option, --full and --keep go with --floors"),
        (["bench", "--floors", "--small", "--keep"], "--keep goes with the papers' sizes: add --full"),
        (["bench", "--floors", "--option", "fast"], "Known: compiled, graphs"),
        (["rehearse", "dl_ept", "-t", "dl_ept.unet"], "Unknown training 'dl_ept.unet'"),
        (["plan", "dl_ept", "--scale", "demo"], "Known: colab, paper"),
        (["run", "dl_ept", "--minutes", "3"], "--only and --minutes go with --stages"),
        (["run", "dl_ept", "--stages", "--only", "dl_ept/training"], "Unknown stage 'dl_ept/training'"),
        (["artifacts", "results", "dl_ept", "--to", "x"], "holds no finished result of dl_ept"),
    ],
)
def test_wrong_usage_is_one_line(arguments, message, mrrepro_command, monkeypatch, tmp_path):
    import torch

    if torch.cuda.is_available() and "cuda" in arguments:
        pytest.skip("the error is that of a machine without a GPU, and this one has one")
    monkeypatch.chdir(tmp_path)
    code, _, err = mrrepro_command(*arguments)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_rehearse_keeps_what_it_found(mrrepro_command, tmp_path):
    path = tmp_path / "rehearsed.json"
    given = ["--scale", "smoke", "--steps", "2", "--batch", "3", "--keep", "--to", str(path)]
    code, out, _ = mrrepro_command("rehearse", "condnet", "-t", "condnet.one", *given)
    assert code == 0
    assert "stopped after step 1 and resumed: equal" in out
    held = read_rehearsed("condnet", path)["training"]["condnet.one"]
    assert (held["rehearsal"]["batch_size"], held["rehearsal"]["planned_batch_size"]) == (3, 4)
    assert held["rehearsal"]["device"].startswith("cpu")
    keep_rehearsed("condnet", {"condnet.two": {"cost": {}}, "condnet.one": {"note": 1}}, {}, path)
    again = read_rehearsed("condnet", path)["training"]
    assert sorted(again) == ["condnet.one", "condnet.two"]
    assert again["condnet.one"] == {**held, "note": 1}  # what is not given anew stays


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_stages_that_only_a_recorded_variant_makes_can_be_made_alone(chapter, mrrepro_command, monkeypatch, tmp_path):
    made = []
    monkeypatch.setattr("mrrepro.runs.stages.make", lambda stage, *rest: made.append(stage.name) or ANY_ARTIFACT)
    of_notebooks = [stage.name for stage in paper_stages(chapter)]
    recorded = {stage.name for variant in paper_variants(chapter) for stage in variant.stages}
    run = ("run", chapter, "--stages", "--scale", "smoke", "--artifacts", str(tmp_path))
    assert mrrepro_command(*run)[0] == 0
    assert made == of_notebooks
    for name in sorted(recorded):
        assert mrrepro_command(*run, "--only", name)[0] == 0
        assert made[-1] == name
    assert chapter != "condnet" or "condnet/timing" in recorded - set(of_notebooks)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_what_is_kept_of_a_chapter_is_of_todays_settings(chapter):
    """Names are those of the recipe; costs and steps are those of today; what was tried resumed to the same bits."""
    module, held = paper_module(chapter, "paper_scale"), read_rehearsed(chapter)
    stages = {stage.name for stage in paper_stages(chapter)}
    tried = 0
    for work in module.WORK:
        assert set(work.stages) <= stages
        entry = held["training"][work.id]
        for scale, changes in (("paper", work.changes), ("colab", work.small_changes)):
            settings = configure(paper_settings(chapter), scale, changes)
            assert entry["cost"][scale]["steps"] == work.steps(settings), f"mrrepro rehearse {chapter} --steps 0 --keep"
            assert entry["cost"][scale]["batch_size"] == settings.training.batch_size
        if "rehearsal" in entry and work.stages:
            assert entry["rehearsal"]["resumed_equal"]
            assert entry["rehearsal"]["scale"] == "paper"
            tried += 1
    assert tried > 0
    for item in module.ITEMS:
        if item.planned is not None:
            assert set(item.planned.stages) <= stages
            assert not item.on_processor or item.id in held["items"]


def test_a_cost_that_is_kept_is_what_is_counted():
    work = next(work for work in paper_module("condnet", "paper_scale").WORK if work.id == "condnet.one")
    cost = step_cost(work, configure(paper_settings("condnet"), "paper"))
    kept = read_rehearsed("condnet")["training"]["condnet.one"]["cost"]["paper"]
    assert (kept["operations"], kept["weights"]) == (cost.operations, cost.weights)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_colab_takes_less_than_an_hour(chapter):
    plan = plan_of(chapter, "colab")
    assert 0 < plan.seconds < 3600


def test_speeds_that_are_kept_are_planned_with_and_shown(tmp_path, monkeypatch):
    """A step of the planned batch and precision takes what was measured; an error leaves what was there."""
    path = tmp_path / "speed.json"
    tried = [{"batch": 8, "option": "as it is", "seconds": 0.005, "floor": 0.001, "share": 0.2}]
    row = {"id": "dl_ept.pix2pix", "precision": "bfloat16", "goal": 0.4, "ok": False, "samples_a_second": 1600.0}
    keep_speed("dl_ept", "cpu", {"bandwidth": 1.23456e12}, {**row, **tried[0], "tried": tried}, path)
    keep_speed("dl_ept", "cpu", {"bandwidth": 1.0e12}, {"id": "dl_ept.pix2pix", "error": "lost"}, path)
    ((name, held),) = read_speed("dl_ept", path).items()
    assert held["rates"] == {"bandwidth": 1.0e12}
    assert held["rows"]["dl_ept.pix2pix"]["tried"] == tried
    assert held["rows"]["dl_ept.pix2pix"]["date"] > "2026"
    monkeypatch.setattr(measured_speed, "speed_file", lambda paper: path)
    monkeypatch.setitem(GPUS, "paper", replace(GPUS["paper"], models=(name,)))
    for changes, basis in (({"training.steps": "1000"}, "measured"), ({"training.batch_size": "16"}, "operations")):
        (training,) = [stage for stage in plan_of("dl_ept", "paper", changes).stages if len(stage.stages) == 4]
        assert training.basis == basis
        assert basis == "operations" or training.seconds == pytest.approx(4 * 1000 * 0.005)


def test_of_a_speed_on_two_models_that_of_the_planned_one_counts(monkeypatch):
    rows = {"a": {"x": {"value": 1.0}, "y": {"value": 2.0}}, "b": {"y": {"value": 3.0}, "z": {"value": 4.0}}}
    held = {"cuda (b)": {"rows": rows["b"]}, "cuda (a)": {"rows": rows["a"]}, "cuda (c)": {"rows": {"v": {}}}}
    monkeypatch.setattr(measured_speed, "read_speed", lambda paper: held)
    found = measured_on(replace(GPUS["paper"], models=("(a)", "(b)")), "dl_ept")
    assert {id: row["value"] for id, row in found.items()} == {"x": 1.0, "y": 2.0, "z": 4.0}


def test_stages_that_are_recorded_take_as_long_as_they_took(monkeypatch):
    origin = {"device": "cuda (NVIDIA H100 80GB HBM3)", "seconds": 12.5}
    names = ("dl_ept/mask_conductivity", "dl_ept/table1")
    run = {"stages": dict.fromkeys(names, origin)}
    monkeypatch.setattr(recorded, "read_recorded", lambda *arguments: [run])
    monkeypatch.setattr(recorded, "stale_reason", lambda run: "")
    plan = plan_of("dl_ept", "paper")
    alone = [stage for stage in plan.stages if stage.basis == "recorded"]
    assert [(stage.stages, stage.seconds) for stage in alone] == [(("dl_ept/table1",), 12.5)]  # 3 trainings are not
    assert "dl_ept/table1" not in plan.others
    assert not [stage for stage in plan_of("dl_ept", "colab").stages if stage.basis == "recorded"]  # another GPU
    monkeypatch.setattr(recorded, "recorded_overrides", lambda *arguments: {"training.steps": 10})
    assert not [stage for stage in plan_of("dl_ept", "paper").stages if stage.basis == "recorded"]  # shortened


def test_a_plan_follows_from_costs_and_assumptions():
    plan = plan_of("dl_ept", "paper", {"training.steps": "1000", "training.batch_size": "64"})
    (training,) = [stage for stage in plan.stages if stage.basis == "operations"]
    cost, gpu = read_rehearsed("dl_ept")["training"]["dl_ept.pix2pix"]["cost"]["paper"], GPUS["paper"]
    arithmetic = cost["operations"] * 64 / (gpu.share * gpu.bfloat16)
    traffic = (2 * 64 * cost["saved_bytes"] + 40 * cost["weights"]) / (gpu.share * gpu.bandwidth)
    step = max(arithmetic, traffic)
    assert step > gpu.step_seconds
    assert training.seconds == pytest.approx(4 * 1000 * step)
    assert all("--minutes 8" in line for line in commands(plan))
    assert len(commands(plan)) == len(set(commands(plan))) == 7


def test_the_commands_of_a_plan_carry_its_settings():
    plan = plan_of("deepspio", "paper", {"training.samples": "500000"})
    assert all("-p training.samples=500000" in line for line in commands(plan))
    assert all("-p" not in line for line in commands(plan_of("deepspio", "paper")))


def test_what_a_processor_makes_is_planned_over_the_cores_beside_the_gpu():
    plan = plan_of("contrast_t1", "paper")
    (cohort,) = [stage for stage in plan.stages if stage.stages == ("contrast_t1/cohort",)]
    alone, gpu = read_rehearsed("contrast_t1")["items"]["contrast_t1.patient"]["value"], GPUS["paper"]
    cores, rounds = gpu.workers, -(-653 // gpu.workers)  # 208 + 45 + 400 patients, the last round not full
    assert cores > 1
    assert gpu.crowded > 1.0
    assert cohort.seconds == pytest.approx(rounds * alone * gpu.crowded)
    (made,) = [line for line in commands(plan) if line.endswith("--only contrast_t1/cohort")]
    assert made.startswith(f"MRREPRO_WORKERS={cores} mrrepro run ")
    assert all(line.startswith("mrrepro ") for line in commands(plan) if line != made)


def test_not_yet_run_at_paper_scale_until_something_is_recorded(tmp_path):
    state = chapter_state("dl_ept", recorded=tmp_path)
    assert state.words == NOT_YET == "not yet run at paper scale"
    assert "steps of 8 at full size" in state.ground
    assert chapter_state("dl_ept", tmp_path, tmp_path / "none.json").ground == "nothing was rehearsed"
    document = json.loads((recorded_folder("dl_ept", "demo") / "reference.json").read_text())
    (tmp_path / "reference.json").write_text(json.dumps(document))
    state = chapter_state("dl_ept", recorded=tmp_path)
    assert state.words == f"networks {NOT_YET}; recorded: 1 variant, {len(document['runs'])} runs"
    assert state.ground.startswith("reference, seeds 0, 1, 2, ")
    assert "steps of 8 at full size" in state.ground
    (tmp_path / "headline.json").write_text(json.dumps(document | {"variant": "headline"}))
    state = chapter_state("dl_ept", recorded=tmp_path)
    assert state.words == f"recorded: 2 variants, {2 * len(document['runs'])} runs"
    assert "at full size" not in state.ground
    (tmp_path / "headline.json").unlink()
    function = next(iter(document["runs"][0]["stages"].values()))["code"]
    function[next(iter(function))] = 64 * "0"
    (tmp_path / "reference.json").write_text(json.dumps(document))
    assert "stale, for their code has changed: reference" in chapter_state("dl_ept", recorded=tmp_path).words


@pytest.mark.parametrize("chapter", ["contrast_t1", "deepspio", "dl_ept"])
def test_recorded_runs_are_judged_as_by_the_notebooks(chapter):
    """At scale demo both ways exist; what a notebook took into the ledger has the same verdict, and the same value."""
    ledger = Ledger(chapter)
    by_notebook = {record.id: record for record in ledger.records("demo")}
    found = [record for record in records_of(ledger, "demo") if record.id in by_notebook]
    numbers = [record for record in found if record.value is not None]
    assert len(numbers) >= 20
    assert len(found) - len(numbers) > 10
    assert {record.id: record.verdict for record in found} == {r.id: by_notebook[r.id].verdict for r in found}
    for record in numbers:
        relative = "error" in record.id  # a difference from the truth [%], which loses digits
        rounding = {"abs": 0.1} if relative else {"rel": 1e-3}  # of four digits
        assert record.value == pytest.approx(by_notebook[record.id].value, **rounding)
        assert record.n_cases == by_notebook[record.id].n_cases
    assert all(record.code and record.device for record in found)
    by_seeds = [record for record in found if record.statistic is not None and record.id not in SEEDLESS]
    assert all(record.n_seeds > 1 for record in by_seeds)


@pytest.mark.parametrize("chapter", ["contrast_t1", "deepspio", "dl_ept"])
def test_bands_from_recorded_seeds_are_those_of_runs_over_seeds(chapter):
    """What the chapter's own runs gave, where both exist: wide where seeds differ, narrow where all read the same."""
    ledger = Ledger(chapter)
    kept = read_bands(ledger.folder, "demo")
    made = {band.id: band for band in bands_of(ledger, "demo", "again") if band.id in kept}
    assert len(made) > 30
    for id, band in made.items():
        assert len(band.seeds) >= 3
        assert band.mean == pytest.approx(kept[id].mean, rel=2e-2, abs=1e-9)
        assert kept[id].sd == pytest.approx(band.sd, rel=5e-2, abs=1e-3 * abs(band.mean))
    if chapter == "dl_ept":  # a number of each seed, and a claim over all of them
        assert made["dl_ept.table1.cganmask.sigma_wm"].sd > 0.01
        assert made["dl_ept.claim.beats_lookup"].sd == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dl_ept", "--recorded", "--seeds", "0,1,2"], "--recorded runs nothing"),
        (["dl_ept", "--recorded", "--scale", "colab"], "No three recorded seeds of dl_ept decide anything"),
        (["dl_ept", "--recorded", "--scale", "large"], "large"),
    ],
)
def test_bands_that_nothing_recorded_gives_are_refused(arguments, message, mrrepro_command):
    before = {path: path.read_bytes() for path in (Ledger("dl_ept").folder / "bands").glob("*.json")}
    code, _, error = mrrepro_command("ledger", "expect", *arguments)
    assert (code, message in error) == (2, True), error
    assert {path: path.read_bytes() for path in before} == before


def test_recorded_runs_of_the_paper_s_size_feed_the_ledger(tmp_path, mrrepro_command):
    """Made-up runs at scale paper: demo's files under another name."""
    recorded, folder = tmp_path / "recorded", tmp_path / "ledger"
    recorded.mkdir()
    folder.mkdir()
    for path in recorded_folder("dl_ept", "demo").glob("*.json"):
        (recorded / path.name).write_text(path.read_text().replace('"scale": "demo"', '"scale": "paper"'))
    original = Ledger("dl_ept").folder
    for name in ("numbers.csv", "claims.csv", "deviations.csv", "corrections.csv"):
        (folder / name).write_text((original / name).read_text(encoding="utf-8"), encoding="utf-8")
    given = ["--scale", "paper", "--from", str(recorded), "--to", str(folder)]
    code, out, _ = mrrepro_command("ledger", "recorded", "dl_ept", *given)
    assert code == 0
    held = Ledger("dl_ept", folder).records("paper")
    assert len(held) > 10
    assert f"{len(held)} records of scale paper" in out
    rows = [row for row in Ledger("dl_ept", folder).rows() if row.record is not None]
    assert all(row.headline and not row.stale for row in rows)
    assert mrrepro_command("ledger", "recorded", "dl_ept", "--from", str(tmp_path), "--to", str(folder))[0] == 0


def test_what_was_set_for_a_recording_stands_at_its_numbers_and_claims(tmp_path):
    """What the recipe sets for a variant is what a claim compares, and no change."""
    for path in recorded_folder("dl_ept", "demo").glob("*.json"):
        document = json.loads(path.read_text())
        own = document["overrides"]
        document["overrides"] = {**own, "training.steps": 10} if path.stem == "headline" else own
        (tmp_path / path.name).write_text(json.dumps(document))
    found = {record.id: record.parameters["overrides"] for record in records_of(Ledger("dl_ept"), "demo", tmp_path)}
    changed = {id for id, overrides in found.items() if overrides.get("training.steps") == 10}
    assert {"dl_ept.table1.cganmask.sigma_wm", "dl_ept.claim.beats_lookup"} <= changed
    others = {id: overrides for id, overrides in found.items() if id not in changed}
    assert others
    assert not any(others.values())
    of_variants = [record for record in records_of(Ledger("contrast_t1"), "demo") if record.value is not None]
    assert len(of_variants) > 300  # of losses, models and patches, each with settings of its own
    assert not any(record.parameters["overrides"] for record in of_variants)


def test_results_are_few_small_files(tmp_path, monkeypatch, mrrepro_command):
    from mrrepro.runs import bring_back
    from mrrepro.runs.artifacts import ArtifactStore
    from mrrepro.runs.files import sealed, sha256_of, write_json

    store = ArtifactStore()

    def artifact(stage, number, **files):
        folder = store.root / stage / f"{number:016x}"
        folder.mkdir(parents=True)
        for name, size in files.items():
            (folder / name.replace("__", ".")).write_bytes(b"1" * size)
        listed = {path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in folder.iterdir()}
        manifest = {"schema": "mrrepro-artifact/1", "stage": stage, "key": f"{number:064x}", "files": listed}
        write_json(folder / "manifest.json", sealed({**manifest, "settings": {"w": 2}, "seed": 0, "commit": "abc"}))

    monkeypatch.setattr(bring_back, "MOST_BYTES", 40_000)
    artifact("fake/training", 1, history__json=300, network__safetensors=9_000)
    artifact("fake/large", 2, history__json=300, network__safetensors=50_000)
    artifact("fake/maps", 3, maps__npz=90_000, few__npz=500)
    code, _, err = mrrepro_command("artifacts", "results", "fake", "--to", str(tmp_path / "out"))
    assert code == 0, err
    files = {path.name: path.stat().st_size for path in (tmp_path / "out").iterdir()}
    assert len(files) <= 8
    assert all(size <= 40_000 for size in files.values())
    listed = json.loads((tmp_path / "out" / "fake.json").read_text())
    small, large = (listed["networks"][f"fake/{name}/network.safetensors"] for name in
                    ("training/0000000000000001", "large/0000000000000002"))  # fmt: skip
    assert (tmp_path / "out" / small["file"]).stat().st_size == 9_000
    assert large["file"] is None
    assert "fake/large of abc with seed 0 and settings" in large["made_again_by"]
    assert listed["left_out"] == {"fake/maps/0000000000000003/maps.npz": 90_000}
    with tarfile.open(tmp_path / "out" / "fake.tar") as archive:
        names = {Path(name).name for name in archive.getnames()}
    assert names == {"history.json", "manifest.json", "few.npz"}
    altered = store.root / "fake/training" / f"{1:016x}" / "network.safetensors"
    altered.write_bytes(b"2" * 9_000)
    code, _, err = mrrepro_command("artifacts", "results", "fake", "--to", str(tmp_path / "out"))
    assert code != 0
    assert "network.safetensors is not what was written there" in err
    assert (tmp_path / "out" / small["file"]).read_bytes() == b"1" * 9_000, "what was brought back before stays"


@pytest.mark.parametrize("keep", ["speed", "rehearsals"])
def test_what_is_measured_beside_another_run_waits_for_it(keep, tmp_path):
    """Two that read, add and write one file at the same time would lose what one of them added."""
    path = tmp_path / f"{keep}.json"

    def add():
        if keep == "speed":
            keep_speed("dl_ept", "cpu", {"bandwidth": 1.0e12}, {"id": "dl_ept.pix2pix"}, path)
        else:
            keep_rehearsed("dl_ept", {"dl_ept.pix2pix": {"note": 1}}, {}, path)

    adding = threading.Thread(target=add)
    with lock_beside(path):
        adding.start()
        adding.join(0.5)
        assert adding.is_alive()
        assert not path.exists()
    adding.join(20)
    assert path.exists()


def test_rehearsals_lie_in_the_package():
    assert all(rehearsed_file(chapter).is_file() for chapter in CHAPTERS)
    assert len(CHAPTERS) == 4
