"""Take members out of a large tar archive on a server without bringing, or unpacking, the rest.

An uncompressed tar is a chain: each header says where the next one lies. With byte ranges only the headers and the
wanted members travel; from a server that ignores ranges everything is read through once, and what is not wanted is
dropped as it comes.
"""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PurePosixPath

from data_fetch.archives import copy_counted, require_plain_tar_member
from data_fetch.connections import from_client, open_url, shown
from data_fetch.content import disguised
from data_fetch.errors import FetchError, TransferCut, UnreadableFile, WrongSize
from data_fetch.kept import keep_digest, require_whole
from data_fetch.store import Patience
from data_fetch.transfer import name_disk_failure

READ_AHEAD = 8 << 10
LARGEST_MEMBER = 1 << 30


@dataclass(frozen=True)
class RemoteTar:
    """A tar archive on a server; its size [byte] is all that its home tells to check it by."""

    url: str
    size: int


class RangeReader(io.RawIOBase):
    """A seekable view of a remote file; each block is tried again when the line breaks."""

    def __init__(self, remote: RemoteTar, patience: Patience) -> None:
        self.remote, self.patience = remote, patience
        self._position = 0
        self._start, self._buffer = 0, b""
        self._stream: HTTPResponse | None = None
        self._streamed = 0

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that this can be sought in."""
        return True

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset; nothing travels until the next read."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.remote.size}[whence]
        self._position = origin + offset
        return self._position

    def read(self, count: int = -1) -> bytes:
        """Return ``count`` bytes, or fewer at the end of the file."""
        left = max(self.remote.size - self._position, 0)
        count = left if count < 0 else min(count, left)
        end = self._position + count
        if count and not self._start <= self._position <= end <= self._start + len(self._buffer):
            self._buffer = self._fetch(self._position, min(max(count, READ_AHEAD), left))
            self._start = self._position
        offset = self._position - self._start
        self._position = end
        return self._buffer[offset : offset + count] if count else b""

    def close(self) -> None:
        """Give the connection back."""
        if self._stream is not None:
            self._stream.close()
        super().close()

    def _fetch(self, start: int, count: int) -> bytes:
        for attempt in range(1, self.patience.attempts + 1):
            try:
                return self._fetch_once(start, count)
            except FetchError as failure:
                self._stream = None
                if not failure.passing or attempt == self.patience.attempts:
                    raise
                time.sleep(min(self.patience.first_wait * 2 ** (attempt - 1), self.patience.longest_wait))
        raise AssertionError("at least one attempt is made")

    def _fetch_once(self, start: int, count: int) -> bytes:
        if self._stream is not None and start >= self._streamed:
            return self._read_through(start, count)
        headers = {"Range": f"bytes={start}-{start + count - 1}"}
        response = open_url(self.remote.url, self.patience.stall, headers)
        self._require_size(response)
        if response.status == 206:
            with response:
                if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                    raise TransferCut(f"{shown(self.remote.url)}: the server answered with another range.")
                return self._receive(response, count)
        self._stream, self._streamed = response, 0
        return self._read_through(start, count)

    def _read_through(self, start: int, count: int) -> bytes:
        """Drop what lies before ``start`` in a stream from a server that knows no ranges."""
        assert self._stream is not None
        while self._streamed < start:
            dropped = self._receive(self._stream, min(start - self._streamed, 1 << 20))
            self._streamed += len(dropped)
        block = self._receive(self._stream, count)
        self._streamed += len(block)
        return block

    def _receive(self, response: HTTPResponse, count: int) -> bytes:
        blocks, missing = [], count
        while missing:
            try:
                block = response.read1(missing)
            except (OSError, HTTPException) as error:
                raise from_client(self.remote.url, error) from None
            if not block:
                raise TransferCut(f"{shown(self.remote.url)}: the connection ended {missing} bytes too early.")
            missing -= len(block)
            blocks.append(block)
        return b"".join(blocks)

    def _require_size(self, response: HTTPResponse) -> None:
        told = response.headers.get("Content-Range", "").rpartition("/")[2] or response.headers.get(
            "Content-Length", ""
        )
        if told.isdigit() and int(told) != self.remote.size:
            start = response.read1(512) if response.status == 200 else b""
            page = disguised(
                shown(self.remote.url), start, response.headers.get("Content-Type", ""), shown(response.url)
            )
            response.close()
            raise page or WrongSize(
                shown(self.remote.url), self.remote.size, int(told), "the archive is not the one that is described here"
            )


def take_members(
    opened: tarfile.TarFile,
    wanted: Callable[[str], Path | None],
    done: Callable[[], bool],
    gained: Callable[[int], object] = lambda count: None,
) -> list[Path]:
    """Walk a tar archive and write the wanted members, each in one step after it proved whole.

    A ``.gz`` member is whole when its own CRC-32 and length agree; its SHA-256 is then kept beside it
    (see `data_fetch.kept`).

    Parameters
    ----------
    opened
        The archive.
    wanted
        Gives the final path for a member's name, or ``None`` to pass over it.
    done
        Asked after each member: whether the rest of the archive can be left unread.
    gained
        Called with the number of bytes of each member written.

    Returns
    -------
    list of Path
        What was written, in the archive's order.
    """
    written: list[Path] = []
    with _damage_named(opened):
        for member in opened:
            final = None if member.isdir() else wanted(PurePosixPath(member.name).name)
            if final is not None:
                require_plain_tar_member(member)
                if member.size > LARGEST_MEMBER:
                    raise UnreadableFile(f"{member.name}: {member.size} bytes is more than any volume here.")
                _write_member(opened, member, final)
                gained(member.size)
                written.append(final)
            if done():
                break
    return written


def _write_member(opened: tarfile.TarFile, member: tarfile.TarInfo, final: Path) -> None:
    part = final.with_name(final.name + ".part")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        source = opened.extractfile(member)
        assert source is not None
        with source, part.open("wb") as sink:
            copy_counted(source, sink, member.name, member.size)
        if part.stat().st_size != member.size:
            raise WrongSize(member.name, member.size, part.stat().st_size, "the archive ends too early")
        require_whole(part)
        keep_digest(part, final)
        part.replace(final)
    except OSError as error:
        raise name_disk_failure(error, final) from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _damage_named(opened: tarfile.TarFile) -> Iterator[None]:
    try:
        yield
    except tarfile.TarError as error:
        raise UnreadableFile(f"{opened.name!s}: damaged, or no tar archive: {error}.") from None


@contextmanager
def open_tar(source: RemoteTar | Path, patience: Patience) -> Iterator[tarfile.TarFile]:
    """Open a tar archive on a server, or one on this disk, for a walk."""
    reader = RangeReader(source, patience) if isinstance(source, RemoteTar) else source.open("rb")
    try:
        with reader, tarfile.open(fileobj=reader, mode="r:") as opened:
            yield opened
    except tarfile.ReadError as error:
        raise UnreadableFile(f"{source}: no tar archive: {error}.") from None
