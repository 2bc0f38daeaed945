"""What lies in the mirror or in the cache is verified exactly as a download is."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from misbehaving_server import Good, status

from data_fetch import errors
from data_fetch.checksums import digest, require_match
from data_fetch.fetching import fetch_file, look_up
from data_fetch.records import Checksum, RemoteFile
from data_fetch.store import Store, platform_cache


@pytest.fixture
def mirrored(store: Store, tmp_path: Path) -> Store:
    (tmp_path / "mirror" / "set").mkdir(parents=True)
    return replace(store, mirror=tmp_path / "mirror")


def place(folder: Path, content: bytes) -> Path:
    path = folder / "set" / "volume.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_right_file_in_the_mirror_is_used_where_it_lies(mirrored, server, content, described) -> None:
    path = place(mirrored.mirror, content)
    assert fetch_file(described(server.url("/volume"), content), mirrored) == path
    assert not server.requests
    assert not mirrored.cache.exists()


def test_a_wrong_file_in_the_mirror_is_refused_left_alone_and_replaced(
    mirrored, server, content, described, caplog
) -> None:
    wrong = place(mirrored.mirror, content[::-1])
    with caplog.at_level(logging.WARNING, "data_fetch"):
        path = fetch_file(described(server.on("/volume", Good(content)), content), mirrored)
    assert path == mirrored.cache / "set" / "volume.nii.gz"
    assert path.read_bytes() == content
    assert wrong.read_bytes() == content[::-1]
    assert hashlib.sha256(content[::-1]).hexdigest() in caplog.text
    assert "stays in the mirror" in caplog.text


def test_when_the_network_fails_too_the_error_tells_of_the_mirror(mirrored, server, content, described) -> None:
    place(mirrored.mirror, content[:-1])
    with pytest.raises(errors.NotFound) as caught:
        fetch_file(described(server.on("/volume", status(404)), content), mirrored)
    assert "wrong size" in errors.in_words(caught.value)


def test_a_right_file_in_the_cache_is_not_downloaded_again(store, server, content, described) -> None:
    file = described(server.on("/volume", Good(content)), content)
    assert fetch_file(file, store) == fetch_file(file, store)
    assert len(server.requests) == 1


def test_a_damaged_file_in_the_cache_is_removed_and_fetched_again(store, server, content, described) -> None:
    damaged = bytearray(content)
    damaged[1000] ^= 4
    place(store.cache, bytes(damaged))
    assert fetch_file(described(server.on("/volume", Good(content)), content), store).read_bytes() == content


def test_damage_after_the_first_use_is_noticed(store, server, content, described) -> None:
    """What was verified once in a process is read again when it changed."""
    file = described(server.on("/volume", Good(content)), content)
    path = fetch_file(file, store)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert look_up(file, store).path is None
    assert not path.exists()


def test_a_cache_that_is_the_mirror_keeps_its_files(store, content, described) -> None:
    shared = replace(store, mirror=store.cache)
    wrong = place(store.cache, content[::-1])
    assert look_up(described("http://127.0.0.1:9/volume", content), shared).refusal
    assert wrong.exists()


def test_a_cache_serves_as_a_mirror(store, server, content, described, tmp_path) -> None:
    file = described(server.on("/volume", Good(content)), content)
    fetch_file(file, store)
    second = Store(tmp_path / "second", mirror=store.cache)
    assert fetch_file(file, second).read_bytes() == content
    assert len(server.requests) == 1


def test_digests_against_published_values(tmp_path) -> None:
    """Of the empty file and of 'hello' with a line end: git's own names, and the values in the standards' examples."""
    empty, hello = tmp_path / "empty", tmp_path / "hello"
    empty.write_bytes(b"")
    hello.write_bytes(b"hello\n")
    assert digest(empty, "git-blob-sha1") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert digest(hello, "git-blob-sha1") == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert digest(empty, "sha256") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digest(empty, "md5") == "d41d8cd98f00b204e9800998ecf8427e"
    require_match(hello, 6, Checksum("git-blob-sha1", "CE013625030BA8DBA906F756967F9E9CA394464A"), "hello", "")
    with pytest.raises(ValueError, match="algorithm must be one of"):
        digest(empty, "crc32")


def test_a_git_blob_name_verifies_a_download(store, server, content, described) -> None:
    name = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    file = replace(
        described(server.on("/v", Good(content)), content), checksum=Checksum("git-blob-sha1", name), size=None
    )
    assert fetch_file(file, store).read_bytes() == content
    wrong = replace(file, checksum=Checksum("git-blob-sha1", "0" * 40), local="set/other")
    with pytest.raises(errors.WrongChecksum, match=name):
        fetch_file(wrong, store)


@pytest.mark.parametrize("local", ["/etc/passwd", "../up", "set/../../up", "a\\b", ""])
def test_a_place_outside_the_cache_is_refused(local) -> None:
    with pytest.raises(ValueError, match="local must be"):
        RemoteFile("set", "01", "T1", local, "http://host/a", 1, Checksum("md5", "0"), "CC0")


def test_the_folders_come_from_the_environment(monkeypatch, tmp_path) -> None:
    assert Store.from_environment().cache == platform_cache()
    monkeypatch.setenv("MRREPRO_DATA", str(tmp_path / "named"))
    monkeypatch.setenv("MRREPRO_DATA_MIRROR", str(tmp_path))
    assert Store.from_environment().folders == (tmp_path, tmp_path / "named")
    assert Store.from_environment(tmp_path / "option").cache == tmp_path / "option"
    monkeypatch.setenv("MRREPRO_DATA_MIRROR", str(tmp_path / "absent"))
    with pytest.raises(ValueError, match="MRREPRO_DATA_MIRROR must name a folder"):
        Store.from_environment()
    monkeypatch.delenv("MRREPRO_DATA_MIRROR")
    with pytest.raises(ValueError, match="connections must be at least 1"):
        Store.from_environment(connections=0)


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [("linux", "XDG_CACHE_HOME", "{root}/mrrepro/data"), ("win32", "LOCALAPPDATA", "{root}/mrrepro/data")],
)
def test_the_platform_names_the_cache(platform, variable, expected, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert platform_cache() == Path(expected.format(root=tmp_path))
