"""Archives write only into their folder, link nowhere, swell no further than allowed, leave nothing half done."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from data_fetch.archives import Limits, read_zip_member, safe_name, unpack_tar, unpack_zip
from data_fetch.errors import PointerInstead, UnreadableFile, UnsafeArchive, WebPageInstead

ESCAPES = ["../up", "a/../../up", "/absolute", "C:/drive", "a\\..\\up", ""]


def make_zip(path: Path, members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def make_tar(path: Path, members: list[tuple[tarfile.TarInfo, bytes]], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def regular(name: str) -> tarfile.TarInfo:
    return tarfile.TarInfo(name)


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def assert_nothing_left(folder: Path) -> None:
    assert not (folder / "out").exists()
    assert not [path for path in folder.iterdir() if path.name.startswith(".out")]
    assert not (folder.parent / "up").exists()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_plain_tar_unpacks(mode, tmp_path) -> None:
    archive = make_tar(tmp_path / "a.tar", [(regular("./one"), b"1"), (regular("deep/two"), b"22")], mode)
    folder = unpack_tar(archive, tmp_path / "out")
    assert (folder / "one").read_bytes() == b"1"
    assert (folder / "deep" / "two").read_bytes() == b"22"


def test_a_plain_zip_unpacks(tmp_path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"data/": b"", "data/one": b"1", "two": b"22"})
    folder = unpack_zip(archive, tmp_path / "out")
    assert (folder / "data" / "one").read_bytes() == b"1"
    assert (folder / "two").read_bytes() == b"22"
    assert read_zip_member(archive, "two") == b"22"


@pytest.mark.parametrize("name", ESCAPES)
def test_a_name_that_leads_elsewhere_is_refused(name, tmp_path) -> None:
    with pytest.raises(UnsafeArchive, match="outside its folder"):
        safe_name(name)
    if not name:
        return
    with pytest.raises(UnsafeArchive):
        unpack_tar(make_tar(tmp_path / "a.tar", [(regular("fine"), b"1"), (regular(name), b"2")]), tmp_path / "out")
    assert_nothing_left(tmp_path)
    if "\\" not in name:  # zipfile itself turns the separators of Windows round while writing
        with pytest.raises(UnsafeArchive):
            unpack_zip(make_zip(tmp_path / "a.zip", {"fine": b"1", name: b"2"}), tmp_path / "out")
        assert_nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("kind", "target"),
    [(tarfile.SYMTYPE, "/etc/hosts"), (tarfile.LNKTYPE, "fine"), (tarfile.CHRTYPE, ""), (tarfile.FIFOTYPE, "")],
)
def test_a_tar_with_a_link_or_device_is_refused(kind, target, tmp_path) -> None:
    archive = make_tar(tmp_path / "a.tar", [(regular("fine"), b"1"), (special("odd", kind, target), b"")])
    with pytest.raises(UnsafeArchive, match="link"):
        unpack_tar(archive, tmp_path / "out")
    assert_nothing_left(tmp_path)


def test_a_zip_with_a_link_is_refused(tmp_path) -> None:
    info = zipfile.ZipInfo("odd")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/hosts")
    with pytest.raises(UnsafeArchive, match="link"):
        unpack_zip(tmp_path / "a.zip", tmp_path / "out")
    with pytest.raises(UnsafeArchive, match="link"):
        read_zip_member(tmp_path / "a.zip", "odd")
    assert_nothing_left(tmp_path)


@pytest.mark.parametrize(
    "limits",
    [Limits(ratio=50.0, ratio_from=1000), Limits(total=100_000), Limits(members=1)],
    ids=["ratio", "total", "members"],
)
def test_a_bomb_is_refused(limits, tmp_path) -> None:
    """A megabyte of zeros packs a thousandfold; the second member is there for the count."""
    zeros = bytes(1_000_000)
    tar = make_tar(tmp_path / "a.tar", [(regular("zeros"), zeros), (regular("two"), b"2")])
    zipped = make_zip(tmp_path / "a.zip", {"zeros": zeros, "two": b"2"})
    for unpack, archive in ((unpack_tar, tar), (unpack_zip, zipped)):
        with pytest.raises(UnsafeArchive, match="bomb"):
            unpack(archive, tmp_path / "out", limits)
        assert_nothing_left(tmp_path)
        unpack(archive, tmp_path / "out", Limits())
        (tmp_path / "out").rename(tmp_path / archive.suffix[1:])


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path) -> None:
    """The directory at the end declares 10 bytes where 1,000,000 come out."""
    path = make_zip(tmp_path / "a.zip", {"zeros": bytes(1_000_000)})
    raw = bytearray(path.read_bytes())
    entry = raw.rindex(b"PK\x01\x02")
    raw[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    path.write_bytes(bytes(raw))
    with pytest.raises((UnsafeArchive, UnreadableFile)):
        unpack_zip(path, tmp_path / "out")
    with pytest.raises((UnsafeArchive, UnreadableFile)):
        read_zip_member(path, "zeros")
    assert_nothing_left(tmp_path)


def test_a_member_that_is_too_large_is_refused(tmp_path) -> None:
    path = make_zip(tmp_path / "a.zip", {"zeros": bytes(1_000_000)})
    with pytest.raises(UnsafeArchive, match="1000 bytes"):
        read_zip_member(path, "zeros", most=1000)


def test_a_member_that_comes_twice_is_refused(tmp_path) -> None:
    archive = make_tar(tmp_path / "a.tar", [(regular("One"), b"1"), (regular("one"), b"2")])
    with pytest.raises(UnsafeArchive, match="twice"):
        unpack_tar(archive, tmp_path / "out")
    assert_nothing_left(tmp_path)


def test_an_encrypted_member_and_a_missing_one_are_told(tmp_path) -> None:
    path = make_zip(tmp_path / "a.zip", {"one": b"1"}, zipfile.ZIP_STORED)
    with pytest.raises(UnreadableFile, match="holds no two"):
        read_zip_member(path, "two")
    raw = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + offset] |= 1
    path.write_bytes(bytes(raw))
    with pytest.raises(UnreadableFile, match="encrypted"):
        unpack_zip(path, tmp_path / "out")


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.95])
def test_a_cut_archive_leaves_nothing(keep, tmp_path) -> None:
    """The content is noise: what is cut off is missed."""
    import numpy as np

    noise = np.random.default_rng(1).bytes(50_000)
    tar = make_tar(tmp_path / "a.tar", [(regular("one"), noise), (regular("two"), noise)])
    zipped = make_zip(tmp_path / "a.zip", {"one": noise, "two": noise})
    for unpack, archive in ((unpack_tar, tar), (unpack_zip, zipped)):
        raw = archive.read_bytes()
        archive.write_bytes(raw[: int(keep * len(raw))])
        with pytest.raises(UnreadableFile):
            unpack(archive, tmp_path / "out")
        assert_nothing_left(tmp_path)


def test_pages_and_pointers_are_told(tmp_path) -> None:
    path = tmp_path / "a.zip"
    path.write_text("\n <!DOCTYPE HTML><html><title>Sign in</title>")
    with pytest.raises(WebPageInstead, match="Sign in"):
        unpack_zip(path, tmp_path / "out")
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")
    with pytest.raises(PointerInstead, match="LFS"):
        unpack_tar(path, tmp_path / "out")


def test_a_folder_that_exists_is_not_written_into(tmp_path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match="folder must not exist"):
        unpack_zip(make_zip(tmp_path / "a.zip", {"one": b"1"}), tmp_path / "out")
