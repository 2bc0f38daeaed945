"""``mrrepro record`` with wrong usage, with what is recorded, and with runs that fail."""

from __future__ import annotations

from pathlib import Path

import pytest

import mrrepro.runs.recorded
from mrrepro.papers.deepspio import recipe


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Recorded files go to a folder of their own."""
    monkeypatch.setattr(mrrepro.runs.recorded, "recorded_folder", lambda paper, scale: tmp_path / "recorded")
    monkeypatch.setenv("MRREPRO_ARTIFACTS", str(tmp_path / "artifacts"))
    return tmp_path / "recorded"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("deepspoi",), "Unknown chapter 'deepspoi'"),
        (("deepspio", "--variant", "unett"), "Did you mean 'unet'"),
        (("deepspio", "--scale", "full"), "Known: colab, demo, paper, smoke"),
        (("deepspio", "--seeds", "0,one"), "--seeds must be whole numbers of at least 0 with commas"),
        (("deepspio", "--seeds", ""), "--seeds must be whole numbers"),
        (("deepspio", "--seeds=-1"), "--seeds must be whole numbers of at least 0"),
        (("deepspio", "--seeds", "1.5"), "is '1.5'"),
    ],
)
def test_wrong_usage_is_one_line_and_makes_nothing(folder, mrrepro_command, arguments, said):
    code, _, complaint = mrrepro_command("record", *arguments)
    assert code == 2
    assert said in complaint
    assert "Traceback" not in complaint
    assert not folder.exists()
    assert not list(folder.parent.glob("artifacts/deepspio"))


def test_failing_run_is_named_and_does_not_stop_the_others(folder, mrrepro_command, monkeypatch):
    kept: list[tuple[str, int]] = []

    def keep(chapter, variant, seed, **_) -> Path:
        if seed == 1:
            raise ValueError("estimate must be finite, but 3 of 4 values are NaN")
        kept.append((variant.name, seed))
        return folder / f"{variant.name}.json"

    monkeypatch.setattr(mrrepro.runs.recorded, "record", keep)
    arguments = ("deepspio", "-v", "unet", "-v", "reference", "--seeds", "0,1,2")
    code, _, complaint = mrrepro_command("record", *arguments)
    assert kept == [("unet", 0), ("unet", 2), ("reference", 0), ("reference", 2)]
    assert code == 1
    assert "unet seed 1: estimate must be finite" in complaint
    assert "2 run(s) failed." in complaint


def test_interrupted_sweep_goes_on_where_it_was(folder, mrrepro_command, monkeypatch):
    kept = []
    monkeypatch.setattr(mrrepro.runs.recorded, "fresh_seeds", lambda *_, **__: {0, 2})
    monkeypatch.setattr(mrrepro.runs.recorded, "record", lambda chapter, variant, seed, **_: kept.append(seed))
    assert mrrepro_command("record", "deepspio", "-v", "unet", "--seeds", "0,1,2")[0] == 0
    assert kept == [1]
    assert mrrepro_command("record", "deepspio", "-v", "unet", "--seeds", "0,1,2", "--again")[0] == 0
    assert kept == [1, 0, 1, 2]


def test_what_is_set_stands_in_the_file_and_never_beside_the_recipe(folder, mrrepro_command, monkeypatch):
    kept = []
    monkeypatch.setattr(mrrepro.runs.recorded, "record", lambda chapter, variant, seed, **_: kept.append(variant))
    arguments = ("deepspio", "-v", "unet", "--seeds", "0", "-p")
    for last, said in (
        (("training.samples=4e3",), "-p needs --to"),
        (("training.samples=many", "--to", str(folder)), "training.samples"),
        (("training.sample=4000", "--to", str(folder)), "Did you mean 'training.samples'"),
    ):
        code, _, complaint = mrrepro_command("record", *arguments, *last)
        assert (code, kept) == (2, [])
        assert said in complaint
    assert mrrepro_command("record", *arguments, "training.samples=4e3", "--to", str(folder))[0] == 0
    before = next(variant for variant in recipe.VARIANTS if variant.name == "unet").overrides
    assert kept[0].overrides == {**before, "training.samples": 4000}
    assert before["training.samples"] != 4000


def test_variants_keep_stages_of_the_recipe():
    for variant in recipe.VARIANTS:
        assert set(variant.stages) <= set(recipe.STAGES)
        assert recipe.TRAINING in variant.stages
        assert recipe.SUMMARY in variant.stages
