"""The store: what is damaged is refused by name, what is listed can be removed, what is in use stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from mrrepro.runs.artifacts import ArtifactError, ArtifactStore
from mrrepro.runs.files import atomic_file, read_arrays, read_json, seal_holds, sealed, write_arrays, write_json
from mrrepro.runs.settings import configure
from mrrepro.runs.stages import make, stage_key


@pytest.fixture
def made(package, store):
    recipe = package.module("recipe")
    settings = configure(recipe.SETTINGS, "smoke")
    return make(recipe.DRAW, settings, 7, store), lambda: make(recipe.DRAW, settings, 7, store)


def test_truncated_file_is_refused_with_sizes_and_the_command_that_removes_it(made, store):
    artifact, again = made
    path = artifact.path / "numbers.json"
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ArtifactError) as caught:
        again()
    message = str(caught.value)
    assert f"file numbers.json has {whole - 5} bytes, expected {whole}" in message
    name = f"fake/draw/{artifact.key[:16]}"
    assert f"mrrepro artifacts clean {name}" in message
    store.remove(name)
    assert again().json("numbers.json")


def test_altered_file_of_the_same_size_is_refused_with_checksums(made):
    artifact, again = made
    path = artifact.path / "numbers.json"
    content = bytearray(path.read_bytes())
    content[10] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(
        ArtifactError, match=rf"SHA-256 [0-9a-f]{{64}}, expected {artifact.manifest['files']['numbers.json']['sha256']}"
    ):
        again()


def test_missing_file_and_altered_manifest_are_refused(made):
    artifact, again = made
    manifest = artifact.path / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"seed": 7', '"seed": 8'))
    with pytest.raises(ArtifactError, match=r"manifest\.json was altered"):
        again()
    manifest.write_text(text[:100])
    with pytest.raises(ArtifactError, match="no valid JSON"):
        again()
    manifest.write_text(text)
    (artifact.path / "numbers.json").unlink()
    with pytest.raises(ArtifactError, match=r"file numbers\.json is missing"):
        again()


def test_manifest_of_another_key_is_refused(made, package, store):
    artifact, _ = made
    recipe = package.module("recipe")
    settings = configure(recipe.SETTINGS, "smoke")
    other = store.folder("fake/draw", stage_key(recipe.DRAW, settings, 8).key)
    artifact.path.rename(other)
    with pytest.raises(ArtifactError, match="belongs to fake/draw"):
        make(recipe.DRAW, settings, 8, store)


def test_unknown_file_lists_the_files_there_are(made):
    with pytest.raises(ValueError, match=r"holds no file 'weights\.safetensors'; it holds numbers\.json"):
        made[0].file("weights.safetensors")


def test_listing_gives_names_and_sizes(made, store):
    (item,) = store.list()
    files = [path for path in made[0].path.iterdir() if path.is_file()]
    assert item.name == f"fake/draw/{made[0].key[:16]}"
    assert (item.files, item.bytes, item.partial) == (len(files), sum(path.stat().st_size for path in files), False)


def test_clean_takes_what_all_conditions_select(made, store):
    artifact, _ = made
    partial = store.root / "fake/total/0123456789abcdef.partial"
    partial.mkdir(parents=True)
    (partial / "x").write_text("x")
    old = time.time() - 10 * 86400
    for path in (artifact.path, *artifact.path.iterdir()):
        os.utime(path, (old, old))
    assert store.clean(older_than_days=20) == ()
    assert store.clean(chapter="other") == ()
    assert [item.stage for item in store.clean(partials=True)] == ["fake/total"]
    assert [item.stage for item in store.clean(older_than_days=5, chapter="fake")] == ["fake/draw"]
    assert store.list() == ()
    with pytest.raises(ValueError, match="Say what to clean"):
        store.clean()


def test_what_another_run_makes_is_not_cleaned(store):
    partial = store.root / "fake/total/0123456789abcdef.partial"
    partial.mkdir(parents=True)
    with store.lock("fake/total", "0123456789abcdef"):
        assert store.list()[0].in_use
        assert store.clean(partials=True) == ()
        with pytest.raises(ValueError, match="being made by another run"):
            store.remove("fake/total/0123456789abcdef.partial")
    assert not store.list()[0].in_use
    assert len(store.clean(partials=True)) == 1


def test_root_from_argument_variable_or_platform(tmp_path, monkeypatch):
    monkeypatch.setenv("MRREPRO_ARTIFACTS", str(tmp_path / "variable"))
    assert ArtifactStore().root == tmp_path / "variable"
    assert ArtifactStore(tmp_path / "argument").root == tmp_path / "argument"
    monkeypatch.delenv("MRREPRO_ARTIFACTS")
    assert "mrrepro" in ArtifactStore().root.parts
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="artifacts must be a folder"):
        ArtifactStore(tmp_path / "file")


def test_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "values.json"
    write_json(path, [1])

    def fail():
        with atomic_file(path) as stream:
            stream.write(b"half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert read_json(path) == [1]
    assert list(tmp_path.iterdir()) == [path]


def test_arrays_round_trip_and_objects_are_refused(tmp_path):
    write_arrays(tmp_path / "a.npz", field=np.arange(3.0), mask=np.array([True, False]))
    read = read_arrays(tmp_path / "a.npz")
    np.testing.assert_array_equal(read["field"], [0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match="names must be an array"):
        write_arrays(tmp_path / "b.npz", names=np.array([{}]))
    assert not Path(tmp_path / "b.npz").exists()


def test_seal_shows_an_alteration():
    document = sealed({"value": 1.5, "name": "a"})
    assert seal_holds(document)
    assert seal_holds(dict(reversed(document.items())))
    assert not seal_holds({**document, "value": 1.6})
    assert not seal_holds({key: value for key, value in document.items() if key != "digest"})
