"""Take members out of an archive without letting it lead elsewhere, link, or swell.

A member is checked by its name and kind before a byte of it is read, and counted while it is read: the sizes that an
archive declares are claims.
"""

from __future__ import annotations

import lzma
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from data_fetch.content import refuse_disguised
from data_fetch.errors import UnreadableFile, UnsafeArchive

BLOCK = 1 << 20
_DAMAGE = (zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, NotImplementedError)


def require_safe_name(name: str) -> None:
    """Raise `UnsafeArchive` if a member's name leads outside the folder that it would be unpacked into."""
    path = PurePosixPath(name)
    parts = [part for part in path.parts if part != "."]
    if not name or "\0" in name or "\\" in name or path.is_absolute() or ".." in parts or ":" in "".join(parts[:1]):
        raise UnsafeArchive(f"the member {name!r} would be written outside its folder: the archive is refused.")


def copy_counted(source: IO[bytes], sink: IO[bytes], name: str, most: int) -> int:
    """Copy until the end of ``source``; raise `UnsafeArchive` as soon as more than ``most`` bytes have come."""
    count = 0
    while block := source.read(BLOCK):
        count += len(block)
        if count > most:
            raise UnsafeArchive(f"{name}: more than {most} bytes come out: the archive is refused as a bomb.")
        sink.write(block)
    return count


def read_zip_member(archive: Path, name: str, most: int) -> bytes:
    """Return the content of one member of a zip archive, at most ``most`` bytes of it."""
    refuse_disguised(archive)
    try:
        with zipfile.ZipFile(archive) as opened:
            if name not in opened.namelist():
                raise UnreadableFile(f"{archive.name}: the archive holds no {name}.")
            info = opened.getinfo(name)
            _require_plain_zip_member(info)
            with opened.open(info) as source:
                content = source.read(most + 1)
    except _DAMAGE as error:
        raise UnreadableFile(f"{archive.name}: the archive is damaged or no archive: {error}.") from None
    if len(content) > most:
        raise UnsafeArchive(f"{archive.name}: {name}: more than {most} bytes come out: refused as a bomb.")
    return content


def require_plain_tar_member(member: tarfile.TarInfo) -> None:
    """Raise unless a member is a file or a folder: no link, device or pipe."""
    require_safe_name(member.name)
    if not (member.isreg() or member.isdir()):
        raise UnsafeArchive(f"the member {member.name!r} is a link, a device or a pipe: the archive is refused.")


def _require_plain_zip_member(info: zipfile.ZipInfo) -> None:
    require_safe_name(info.filename)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnsafeArchive(f"the member {info.filename!r} is a link, a device or a pipe: the archive is refused.")
    if info.flag_bits & 1:
        raise UnreadableFile(f"the member {info.filename!r} is encrypted.")
