"""A run's ``data``: what it may be, what it changes, what is said where it is missing, and what its records rest on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mrrepro.runs import real_data
from mrrepro.runs.bands import make_bands
from mrrepro.runs.ledger import Ledger
from mrrepro.runs.notebook import open_run
from mrrepro.runs.real_data import ChapterData, DataSet, resolve
from mrrepro.runs.receipts import check_receipt, read_receipt
from mrrepro.runs.reported import LedgerError

RECIPE = '''
    from __future__ import annotations
    import hashlib
    from dataclasses import dataclass
    from pathlib import Path
    from typing import Self
    from mrrepro.runs.files import write_json
    from mrrepro.runs.settings import setting
    from mrrepro.runs.stages import Stage

    @dataclass(frozen=True)
    class Images:
        """Where from."""
        data: str = setting("drawn", "'drawn' or a folder")
        count: int = setting(8, "images", low=1)

    @dataclass(frozen=True)
    class Settings:
        images: Images = Images()

        @classmethod
        def at_scale(cls, scale: str) -> Self:
            return cls()

    def checksums(settings):
        if settings.images.data == "drawn":
            return {}
        files = sorted(Path(settings.images.data).rglob("*.nii"))
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def read(context):
        folder = context.settings.data
        size = 1 if folder == "drawn" else sum(path.stat().st_size for path in Path(folder).rglob("*.nii"))
        write_json(context.workspace / "size.json", size)

    READ = Stage("fake/read", read, lambda settings: settings.images, data=checksums)
'''
LEDGER = """id,item,system,quantity,unit,value,sd,n,where,definition,needs,tolerance,tolerance_reason,status,why
fake.size,Table 1,ours,size,byte,9,,,p. 2,all files,images,5,a byte or so,attempt,
fake.named,Table 1,ours,a name,,x,,,p. 2,as it is,none,,,attempt,
"""


@dataclass(frozen=True)
class File:
    subject: str
    role: str
    local: str
    path: Path


@dataclass(frozen=True)
class Found:
    files: tuple[File, ...]
    complete: bool = True

    def sentence(self) -> str:
        return "pictures: subject 02 not at hand (3 MB); get them with: mrrepro data get pictures --subjects 02."


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Two files that a fetcher would have verified."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    for name, text in (("a", b"first"), ("b", b"second")):
        (folder / f"{name}.nii").write_bytes(text)
    files = tuple(File(name, "labels", f"pictures/{name}.nii", folder / f"{name}.nii") for name in "ab")
    asked: list[tuple[str, tuple[str, ...]]] = []

    def look_for(name, subjects):
        asked.append((name, tuple(subjects)))
        return Found(files)

    monkeypatch.setattr(real_data, "look_for", look_for)
    return folder, asked


def write_upper(files, folder, scale):
    for file in files:
        (folder / f"{scale}-{file.path.name}").write_bytes(file.path.read_bytes().upper())


def write_half(files, folder, scale):
    (folder / "half.nii").write_bytes(b"half")
    raise ValueError("the second image is damaged")


def pictures(**changes) -> ChapterData:
    subjects = {"smoke": ("01",), "demo": ("01", "02"), "colab": ("01", "02"), "paper": ("01", "02")}
    chosen = {
        "name": "pictures",
        "setting": "images.data",
        "subjects": subjects,
        "changes": {"smoke": {"images.count": 2}},
    }
    return ChapterData((DataSet(**{**chosen, **changes}),), "images.data", {"smoke": {"images.count": 3}})


def sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def test_default_changes_nothing_and_asks_nobody(mirror, tmp_path):
    found = resolve("fake", "simulated", "smoke", tmp_path, pictures())
    assert (found.simulated, dict(found.changes), mirror[1]) == (True, {}, [])


def test_a_data_set_is_prepared_and_changes_settings(mirror, tmp_path):
    folder, asked = mirror
    found = resolve("fake", "pictures", "smoke", tmp_path / "results", pictures())
    assert asked == [("pictures", ("01",))]
    prepared = Path(found.changes["images.data"])
    assert prepared.parent == tmp_path / "results" / "data" / "fake"
    assert sorted(path.name for path in prepared.iterdir()) == ["a.nii", "b.nii"]
    assert (prepared / "a.nii").read_bytes() == b"first"
    assert found.changes["images.count"] == 2
    assert dict(found.sources) == {"pictures/a.nii": sha256(b"first"), "pictures/b.nii": sha256(b"second")}
    assert resolve("fake", "pictures", "demo", tmp_path / "results", pictures()).changes["images.data"] == str(prepared)
    (folder / "a.nii").write_bytes(b"other")
    again = resolve("fake", "pictures", "smoke", tmp_path / "results", pictures())
    assert again.changes["images.data"] != str(prepared), "other content is another folder"


def test_data_are_prepared_again_where_the_cache_has_moved(mirror, tmp_path, monkeypatch):
    """The same bytes at another place: the folder keeps its name, its links do not lead to the old place."""
    before = resolve("fake", "pictures", "smoke", tmp_path / "results", pictures())
    moved = mirror[0].rename(tmp_path / "moved")
    files = tuple(File(name, "labels", f"pictures/{name}.nii", moved / f"{name}.nii") for name in "ab")
    monkeypatch.setattr(real_data, "look_for", lambda name, subjects: Found(files))
    after = resolve("fake", "pictures", "smoke", tmp_path / "results", pictures())
    assert after.changes == before.changes
    assert (Path(after.changes["images.data"]) / "a.nii").read_bytes() == b"first"
    assert after.prepared == before.prepared == {sha256(b"first"), sha256(b"second")}


def test_roles_choose_files_and_preparation_writes_others(mirror, tmp_path):
    found = resolve("fake", "pictures", "demo", tmp_path, pictures(prepare=write_upper))
    prepared = Path(found.changes["images.data"])
    assert (prepared / "demo-a.nii").read_bytes() == b"FIRST"
    assert found.underlies({"anything": sha256(b"SECOND")})
    assert not found.underlies({"anything": sha256(b"second")}), "stages read what was written"
    none = resolve("fake", "pictures", "demo", tmp_path, pictures(roles=("T1",)))
    assert dict(none.sources) == {}


def test_a_failed_preparation_leaves_nothing(mirror, tmp_path):
    with pytest.raises(ValueError, match="the second image is damaged"):
        resolve("fake", "pictures", "smoke", tmp_path, pictures(prepare=write_half))
    assert [path.name for path in (tmp_path / "data" / "fake").iterdir() if not path.name.endswith(".lock")] == []


def test_unknown_names_and_absent_data_are_said_before_anything_runs(mirror, tmp_path, monkeypatch):
    with pytest.raises(
        ValueError, match=r"Unknown data 'nonsense'\. Known: pictures, simulated\. A folder is taken too"
    ):
        resolve("fake", "nonsense", "smoke", tmp_path, pictures())
    with pytest.raises(ValueError, match="the name of a data set or a folder, but is empty"):
        resolve("fake", "  ", "smoke", tmp_path, pictures())
    with pytest.raises(ValueError, match="data must be text"):
        resolve("fake", 3, "smoke", tmp_path, pictures())  # type: ignore[arg-type]
    monkeypatch.setattr(real_data, "look_for", lambda name, subjects: Found((), complete=False))
    with pytest.raises(ValueError, match=r"data=pictures cannot be used yet: .*3 MB.*mrrepro data get pictures"):
        resolve("fake", "pictures", "smoke", tmp_path, pictures())
    assert not (tmp_path / "data").exists()


def test_a_folder_of_one_s_own(mirror, tmp_path):
    found = resolve("fake", str(mirror[0]), "smoke", tmp_path, pictures())
    assert found.changes == {"images.count": 3, "images.data": str(mirror[0])}
    assert found.underlies({"x": sha256(b"first")})
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no NIfTI file"):
        resolve("fake", str(tmp_path / "empty"), "smoke", tmp_path, pictures())


def test_a_notebook_that_a_data_set_cannot_serve_stays_simulated(mirror, tmp_path):
    known = pictures(without={"06_grades": "these patients have no grade"})
    assert resolve("fake", "pictures", "smoke", tmp_path, known, "06_grades").why.endswith("have no grade")
    assert resolve("fake", "pictures", "smoke", tmp_path, known, "01_images").name == "pictures"


def test_a_notebook_that_a_folder_cannot_serve_stays_simulated(mirror, tmp_path):
    known = replace(pictures(), folder_without={"06_grades": "files state no grade"})
    found = resolve("fake", str(mirror[0]), "smoke", tmp_path, known, "06_grades")
    assert (found.simulated, found.why.endswith("files state no grade")) == (True, True)
    assert not resolve("fake", str(mirror[0]), "smoke", tmp_path, known, "01_images").simulated


@pytest.fixture
def ledger(tmp_path):
    folder = tmp_path / "ledger"
    folder.mkdir()
    (folder / "numbers.csv").write_text(LEDGER)
    (folder / "claims.csv").write_text("id,claim,where,test,criterion,reason,status,why,needs,origin\n")
    return Ledger("fake", folder)


@pytest.fixture
def run(package, ledger, tmp_path, mirror):
    package.write("images", RECIPE)
    recipe = package.module("images")

    def run_on(data: str, **overrides):
        given = {"scale": "smoke", "seed": 0, "overrides": overrides, "artifacts": str(tmp_path / "artifacts")}
        opened = open_run("fake", "01", recipe.Settings, {**given, "data": data}, ledger=ledger, data_sets=pictures())
        opened.record("fake.named", "x", by=(recipe.checksums,))
        made = opened.make(recipe.READ)
        opened.record("fake.size", made.json("size.json"))
        return opened, made, opened.finish()

    return run_on


def test_records_rest_on_the_data_that_went_into_them(run, ledger):
    """The size of the files is right on the real ones alone; what no file went into keeps its basis."""
    _, drawn, default = run("simulated")
    opened, made, table = run("pictures")
    assert opened.settings.images.count == 2
    assert made.key != drawn.key
    values = {record.id: record for _, record in table.rows}
    assert values["fake.size"].basis == "public substitute"
    assert values["fake.size"].verdict == "agrees on substitute data"
    assert values["fake.size"].data["pictures/a.nii"] == sha256(b"first")
    assert values["fake.named"].basis == "simulated"
    document = read_receipt(table.path).document
    assert document["data"] == {"name": "pictures", "files": dict(opened.data.sources)}
    assert document["parameters"]["data"] == "pictures"
    assert table.path != default.path, "the default run's receipt is not overwritten"
    assert "pictures" in opened.provenance().facts["data"]


def test_both_bases_stand_beside_each_other(run, ledger):
    for data in ("simulated", "pictures", "simulated"):
        receipt = read_receipt(run(data)[2].path)
        ledger.add(receipt.for_the_ledger())
    held = [(record.id, record.basis) for record in ledger.records("smoke")]
    assert held == [("fake.named", "simulated"), ("fake.size", "simulated"), ("fake.size", "public substitute")]
    rows = [row for row in ledger.rows() if row.id == "fake.size"]
    assert [row.headline for row in rows] == [False, True]
    now = {"pictures/a.nii": sha256(b"a new release")}
    assert "pictures/a.nii has changed" in [row.stale for row in ledger.rows(data_now=now) if row.id == "fake.size"][1]


def test_bands_are_for_the_default_data(run, ledger):
    receipt = read_receipt(run("pictures")[2].path)
    with pytest.raises(LedgerError, match="of a run on pictures; bands are for the default data"):
        make_bands([receipt], "again")
    assert "The run is on the data pictures" in check_receipt(receipt.path, ledger).summary


def test_other_content_is_another_artifact(run, mirror):
    first = run("pictures")[1]
    (mirror[0] / "b.nii").write_bytes(b"SECOND")
    assert run("pictures")[1].key != first.key


def test_the_folder_cannot_be_given_twice(run):
    with pytest.raises(ValueError, match=r"data=pictures sets images\.data itself"):
        run("pictures", **{"images.data": "elsewhere"})
    assert run("pictures", **{"images.count": 5})[0].settings_with({"images.count": 7}).images.count == 7
