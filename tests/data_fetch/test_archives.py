"""Members of archives lead nowhere else, link nowhere and swell no further than allowed."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from data_fetch import kept
from data_fetch.archives import copy_counted, read_zip_member, require_plain_tar_member, require_safe_name
from data_fetch.errors import PointerInstead, UnreadableFile, UnsafeArchive, WebPageInstead

ESCAPES = ["../up", "a/../../up", "/absolute", "C:/drive", "a\\..\\up", ""]
MOST = 1 << 20


def make_zip(path: Path, members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_of_a_zip_is_read(kind, tmp_path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"data/": b"", "data/one": b"1", "two": b"22"}, kind)
    assert read_zip_member(archive, "data/one", MOST) == b"1"
    assert read_zip_member(archive, "two", 2) == b"22"


@pytest.mark.parametrize("name", ["one", "./one", "deep/two", "dots..in/a..name"])
def test_a_plain_name_is_taken(name) -> None:
    require_safe_name(name)
    require_plain_tar_member(tarfile.TarInfo(name))


@pytest.mark.parametrize("name", ESCAPES)
def test_a_name_that_leads_elsewhere_is_refused(name, tmp_path) -> None:
    with pytest.raises(UnsafeArchive, match="outside its folder"):
        require_safe_name(name)
    with pytest.raises(UnsafeArchive, match="outside its folder"):
        require_plain_tar_member(tarfile.TarInfo(name))
    if name and "\\" not in name:  # zipfile itself turns the separators of Windows round while writing
        with pytest.raises(UnsafeArchive, match="outside its folder"):
            read_zip_member(make_zip(tmp_path / "a.zip", {name: b"2"}), name, MOST)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_link_or_device_in_a_tar_is_refused(kind) -> None:
    info = tarfile.TarInfo("odd")
    info.type = kind
    with pytest.raises(UnsafeArchive, match="link"):
        require_plain_tar_member(info)


def test_a_link_in_a_zip_is_refused(tmp_path) -> None:
    info = zipfile.ZipInfo("odd")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/hosts")
    with pytest.raises(UnsafeArchive, match="link"):
        read_zip_member(tmp_path / "a.zip", "odd", MOST)


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path) -> None:
    """The directory at the end declares 10 bytes where 1,000,000 come out."""
    path = make_zip(tmp_path / "a.zip", {"zeros": bytes(1_000_000)})
    raw = bytearray(path.read_bytes())
    entry = raw.rindex(b"PK\x01\x02")
    raw[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    path.write_bytes(bytes(raw))
    with pytest.raises((UnsafeArchive, UnreadableFile)):
        read_zip_member(path, "zeros", MOST)


def test_a_member_that_is_too_large_is_refused(tmp_path) -> None:
    path = make_zip(tmp_path / "a.zip", {"zeros": bytes(1_000_000)})
    with pytest.raises(UnsafeArchive, match="1000 bytes"):
        read_zip_member(path, "zeros", 1000)


def test_a_gzip_file_that_swells_is_refused(tmp_path, monkeypatch) -> None:
    """A megabyte of zeros packs a thousandfold; the block in which the limit is passed is not written."""
    path = tmp_path / "volume.nii.gz"
    path.write_bytes(gzip.compress(bytes(1_000_000)))
    kept.require_whole(path)
    monkeypatch.setattr(kept, "LARGEST_UNPACKED", 999_999)
    with pytest.raises(UnsafeArchive, match="bomb"):
        kept.require_whole(path)
    sink = io.BytesIO()
    with gzip.open(path) as source, pytest.raises(UnsafeArchive, match="999999 bytes"):
        copy_counted(source, sink, path.name, 999_999)
    assert not sink.getvalue()


def test_an_encrypted_member_and_a_missing_one_are_told(tmp_path) -> None:
    path = make_zip(tmp_path / "a.zip", {"one": b"1"}, zipfile.ZIP_STORED)
    with pytest.raises(UnreadableFile, match="holds no two"):
        read_zip_member(path, "two", MOST)
    raw = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + offset] |= 1
    path.write_bytes(bytes(raw))
    with pytest.raises(UnreadableFile, match="encrypted"):
        read_zip_member(path, "one", MOST)


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.95])
def test_a_cut_archive_is_told(keep, tmp_path) -> None:
    """The content is noise: what is cut off is missed."""
    path = make_zip(tmp_path / "a.zip", {"one": np.random.default_rng(1).bytes(50_000)})
    raw = path.read_bytes()
    path.write_bytes(raw[: int(keep * len(raw))])
    with pytest.raises(UnreadableFile):
        read_zip_member(path, "one", MOST)


def test_pages_and_pointers_are_told(tmp_path) -> None:
    path = tmp_path / "a.zip"
    path.write_text("\n <!DOCTYPE HTML><html><title>Sign in</title>")
    with pytest.raises(WebPageInstead, match="Sign in"):
        read_zip_member(path, "one", MOST)
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")
    with pytest.raises(PointerInstead, match="LFS"):
        read_zip_member(path, "one", MOST)
