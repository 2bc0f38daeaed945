"""Artifacts brought to a machine that has not the data they were made from."""

from __future__ import annotations

import io
import tarfile

import pytest

from mrrepro.runs.artifacts import ArtifactError, ArtifactStore
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make, stage_key
from mrrepro.runs.transport import export_artifacts, import_artifacts

WITH_DATA = """
    from mrrepro.runs.stages import Stage
    from mrrepro.runs.files import write_json
    from . import place
    from .settings import Settings

    def checksums(settings):
        if place.DATA is None:
            raise ValueError("the template is not installed: pip install it.")
        return {"template": place.DATA}

    def anatomy(context):
        write_json(context.workspace / "anatomy.json", context.settings.steps)

    def train(context):
        write_json(context.workspace / "trained.json", 2 * context.inputs["fake/anatomy"].json("anatomy.json"))

    ANATOMY = Stage("fake/anatomy", anatomy, lambda settings: settings.counting, data=checksums)
    TRAIN = Stage("fake/train", train, lambda settings: settings.summing, inputs=(ANATOMY,))
    SETTINGS = Settings
"""


@pytest.fixture
def recipe(package):
    package.write("place", "DATA = 64 * 'a'")
    package.write("with_data", WITH_DATA)
    return package.module("with_data")


def test_a_stage_reads_what_another_machine_prepared(package, recipe, store, tmp_path):
    settings, place = configure(recipe.SETTINGS, "smoke"), package.module("place")
    there = make(recipe.ANATOMY, settings, 0, store)
    expected = stage_key(recipe.TRAIN, settings, 0).key
    assert len(export_artifacts(store, ["fake/anatomy"], tmp_path / "anatomy.tar")) == 1

    place.DATA, here = None, ArtifactStore(tmp_path / "here")
    with pytest.raises(ValueError, match=r"fake/anatomy needs data that are not here: the template is not installed"):
        make(recipe.TRAIN, settings, 0, here)
    assert import_artifacts(here, tmp_path / "anatomy.tar") == ([f"fake/anatomy/{there.key[:16]}"], [])
    trained = make(recipe.TRAIN, settings, 0, here)
    assert trained.key == expected  # as where the data are
    assert trained.json("trained.json") == 8
    assert import_artifacts(here, tmp_path / "anatomy.tar") == ([], [f"fake/anatomy/{there.key[:16]}"])

    for changed in ({"counting.steps": 5},):  # prepared with other settings
        with pytest.raises(ValueError, match="needs data that are not here"):
            make(recipe.TRAIN, configure(recipe.SETTINGS, "smoke", changed), 0, here)
    with pytest.raises(ValueError, match="needs data that are not here"):  # or another seed
        make(recipe.TRAIN, settings, 1, here)


def test_what_was_prepared_with_other_code_does_not_count(package, recipe, store):
    settings = configure(recipe.SETTINGS, "smoke")
    make(recipe.ANATOMY, settings, 0, store)
    package.module("place").DATA = None
    assert stage_key(recipe.ANATOMY, settings, 0, store).data == {"template": 64 * "a"}
    package.replace("with_data", 'json", context', 'json", 1 + context')
    with pytest.raises(ValueError, match="needs data that are not here"):
        stage_key(recipe.ANATOMY, settings, 0, store)


def test_an_altered_or_foreign_file_is_refused(recipe, store, tmp_path):
    made = make(recipe.ANATOMY, configure(recipe.SETTINGS, "smoke"), 0, store)
    path = tmp_path / "one.tar"
    export_artifacts(store, ["fake"], path)
    here = ArtifactStore(tmp_path / "here")
    with tarfile.open(path) as archive:
        start = next(member for member in archive if member.name.endswith("anatomy.json")).offset_data
    altered = bytearray(path.read_bytes())
    altered[start] ^= 1
    path.write_bytes(altered)
    with pytest.raises(ArtifactError, match=r"anatomy.json has SHA-256"):
        import_artifacts(here, path)
    assert here.list() == ()

    (tmp_path / "text.tar").write_text("no archive")
    with pytest.raises(ValueError, match=r"is no file of `mrrepro artifacts export`"):
        import_artifacts(here, tmp_path / "text.tar")
    link = tarfile.TarInfo("fake/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc"
    for member in (tarfile.TarInfo("../../elsewhere.json"), tarfile.TarInfo(str(tmp_path / "elsewhere.json")), link):
        with tarfile.open(tmp_path / "escaping.tar", "w") as archive:
            archive.addfile(member, io.BytesIO())
        with pytest.raises(ValueError, match=r"is no file of `mrrepro artifacts export`"):
            import_artifacts(here, tmp_path / "escaping.tar")
    assert not list(tmp_path.rglob("elsewhere.json"))
    with pytest.raises(ValueError, match=r"holds no finished artifact of 'fake/nothing'; it holds fake/anatomy"):
        export_artifacts(store, ["fake/nothing"], path)
    assert made.path.exists()
