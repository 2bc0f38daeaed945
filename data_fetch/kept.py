"""Files whose home states no checksum that could be written down: the digest of what came is kept beside them.

It is taken once the file arrived and proved whole by every means its home offers. From then on damage on this disk is
found; that the home sends the same bytes to everyone is not.
"""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import IO, cast

from data_fetch.archives import copy_counted
from data_fetch.checksums import digest, require_match
from data_fetch.content import refuse_disguised
from data_fetch.errors import FetchError, UnreadableFile
from data_fetch.records import Checksum, FileState

LARGEST_UNPACKED = 4 << 30


def keep_digest(path: Path, named: Path | None = None) -> None:
    """Write the SHA-256 of a file beside it (beside ``named``, where it will lie), as ``sha256sum`` would."""
    final = named or path
    _beside(final).write_text(f"{digest(path, 'sha256')}  {final.name}\n", encoding="ascii")


def kept_checksum(path: Path) -> Checksum | None:
    """Return the digest that is kept beside a file, or ``None``."""
    try:
        return Checksum("sha256", _beside(path).read_text(encoding="ascii").split()[0])
    except (FileNotFoundError, IndexError):
        return None


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def require_whole(path: Path) -> None:
    """Raise unless a file is what its name says and, where it is gzip, unpacks to its end with its own CRC-32."""
    refuse_disguised(path)
    if path.name.endswith((".gz", ".gz.part")):
        try:
            with gzip.open(path) as stream:
                copy_counted(cast("IO[bytes]", stream), _Nowhere(), path.name, LARGEST_UNPACKED)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UnreadableFile(f"{path.name}: the file is damaged: {error}.") from None


def require_kept(path: Path, ours: bool) -> None:
    """Raise unless a file matches its kept digest, or, where none is kept, is whole; remove our own that does not."""
    checksum = kept_checksum(path)
    try:
        if checksum:
            require_match(
                path, None, checksum, path.name, "it was removed" if ours else "it stays in the mirror folder"
            )
        else:
            require_whole(path)
    except FetchError:
        if ours:
            path.unlink(missing_ok=True)
            _beside(path).unlink(missing_ok=True)
        raise


def kept_state(path: Path, ours: bool) -> FileState:
    """Tell the state of such a file."""
    try:
        require_kept(path, ours)
    except FetchError as failure:
        return FileState(path.name, "refused", None if ours else path, str(failure))
    return FileState(path.name, "fine", path)


class _Nowhere(io.BytesIO):
    def write(self, block: object) -> int:
        return 0
