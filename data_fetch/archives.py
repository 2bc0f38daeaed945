"""Take files out of an archive without letting it write elsewhere, link, or swell.

Every member is checked by its name and kind before a byte of it is written, and counted while it is written: the
sizes that an archive declares are claims. What is unpacked appears under its final name in one step, or not at all.
"""

from __future__ import annotations

import gzip
import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from data_fetch.content import refuse_disguised
from data_fetch.errors import UnreadableFile, UnsafeArchive
from data_fetch.transfer import name_disk_failure

BLOCK = 1 << 20
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold: members, bytes in all, and bytes unpacked for each byte packed.

    The ratio is held against what is packed once more than ``ratio_from`` bytes have come out: small members of
    zeros are harmless. Real images pack to a third or, label maps, to a thirtieth.
    """

    members: int = 20_000
    total: int = 16 << 30
    ratio: float = 200.0
    ratio_from: int = 64 << 20


def safe_name(name: str) -> PurePosixPath:
    """Return the path of a member below the folder to unpack into; raise `UnsafeArchive` if it leads elsewhere."""
    path = PurePosixPath(name)
    parts = [part for part in path.parts if part != "."]
    if not name or "\0" in name or "\\" in name or path.is_absolute() or ".." in parts or ":" in "".join(parts[:1]):
        raise UnsafeArchive(f"the member {name!r} would be written outside its folder: the archive is refused.")
    return PurePosixPath(*parts)


def copy_counted(source: IO[bytes], sink: IO[bytes], name: str, most: int) -> int:
    """Copy until the end of ``source``; raise `UnsafeArchive` as soon as more than ``most`` bytes have come."""
    count = 0
    while block := source.read(BLOCK):
        count += len(block)
        if count > most:
            raise UnsafeArchive(f"{name}: more than {most} bytes come out: the archive is refused as a bomb.")
        sink.write(block)
    return count


def unpack_zip(archive: Path, folder: Path, limits: Limits | None = None) -> Path:
    """Unpack a zip archive into ``folder``, which must not exist yet, and return it."""
    limits = limits or Limits()
    with _named(archive), zipfile.ZipFile(archive) as opened, _appearing(folder) as staging:
        infos = opened.infolist()
        _require_count(archive, len(infos), limits)
        left, seen = _allowed(archive, limits), set[str]()
        for info in infos:
            _require_plain_zip_member(info)
            target = staging / _unique(info.filename, seen)
            if info.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(info) as source, target.open("wb") as sink:
                left -= copy_counted(source, sink, f"{archive.name}: {info.filename}", left)
    return folder


def unpack_tar(archive: Path, folder: Path, limits: Limits | None = None) -> Path:
    """Unpack a tar archive, compressed or not, into ``folder``, which must not exist yet, and return it."""
    limits = limits or Limits()
    with _named(archive), tarfile.open(archive, "r:*") as opened, _appearing(folder) as staging:
        left, seen, count = _allowed(archive, limits), set[str](), 0
        for member in opened:
            count += 1
            _require_count(archive, count, limits)
            require_plain_tar_member(member)
            target = staging / _unique(member.name, seen)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            source = opened.extractfile(member)
            assert source is not None
            with source, target.open("wb") as sink:
                left -= copy_counted(source, sink, f"{archive.name}: {member.name}", left)
    return folder


def read_zip_member(archive: Path, name: str, most: int = 1 << 30) -> bytes:
    """Return the content of one member of a zip archive, at most ``most`` bytes of it."""
    with _named(archive), zipfile.ZipFile(archive) as opened:
        try:
            info = opened.getinfo(name)
        except KeyError:
            raise UnreadableFile(f"{archive.name}: the archive holds no {name}.") from None
        _require_plain_zip_member(info)
        with opened.open(info) as source:
            content = source.read(most + 1)
    if len(content) > most:
        raise UnsafeArchive(f"{archive.name}: {name}: more than {most} bytes come out: refused as a bomb.")
    return content


def require_plain_tar_member(member: tarfile.TarInfo) -> None:
    """Raise unless a member is a file or a folder: no link, device or pipe."""
    safe_name(member.name)
    if not (member.isreg() or member.isdir()):
        raise UnsafeArchive(f"the member {member.name!r} is a link, a device or a pipe: the archive is refused.")


def _require_plain_zip_member(info: zipfile.ZipInfo) -> None:
    safe_name(info.filename)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnsafeArchive(f"the member {info.filename!r} is a link, a device or a pipe: the archive is refused.")
    if info.flag_bits & 1:
        raise UnreadableFile(f"the member {info.filename!r} is encrypted.")


def _unique(name: str, seen: set[str]) -> PurePosixPath:
    path = safe_name(name)
    folded = str(path).casefold()
    if folded in seen and not name.endswith("/"):
        raise UnsafeArchive(f"the member {name!r} comes twice: the archive is refused.")
    seen.add(folded)
    return path


def _require_count(archive: Path, count: int, limits: Limits) -> None:
    if count > limits.members:
        raise UnsafeArchive(f"{archive.name}: more than {limits.members} members: the archive is refused as a bomb.")


def _allowed(archive: Path, limits: Limits) -> int:
    by_ratio = max(int(limits.ratio * archive.stat().st_size), limits.ratio_from)
    return min(by_ratio, limits.total)


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """Yield a folder beside ``folder`` that becomes ``folder`` on success and vanishes on failure."""
    if folder.exists():
        raise ValueError(f"folder must not exist yet, but {folder} does: remove it or choose another.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield staging
        staging.chmod(0o755)
        staging.replace(folder)
    except OSError as error:
        if error.errno is None:  # raised by a decompressor, not by the operating system
            raise
        raise name_disk_failure(error, folder) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _named(archive: Path) -> Iterator[None]:
    refuse_disguised(archive)
    try:
        yield
    except (*_DAMAGE, NotImplementedError) as error:
        raise UnreadableFile(f"{archive.name}: the archive is damaged or no archive: {error}.") from None
