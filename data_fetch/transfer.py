"""Bring one remote file to a part file: resumed, watched and retried, never under its final name."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import random
import re
import shutil
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from data_fetch.connections import from_client, open_url, shown
from data_fetch.content import disguised
from data_fetch.errors import (
    Cancelled,
    DiskFull,
    FetchError,
    FolderRefused,
    NoNetwork,
    RangeRefused,
    ServerTrouble,
    Stalled,
    TransferCut,
    WrongSize,
)
from data_fetch.store import Patience

BLOCK = 1 << 16
RESERVE = 16 << 20
LARGEST_UNTOLD = 8 << 30  # of a file whose size the registry does not know


@dataclass(frozen=True)
class Request:
    """What to ask for: an address, the size that is expected (or ``None``) and credentials for that address alone."""

    url: str
    size: int | None = None
    private_headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def download(
    request: Request,
    part: Path,
    patience: Patience,
    gained: Callable[[int], object] = lambda count: None,
    cancelled: threading.Event | None = None,
) -> bool:
    """Bring a remote file to ``part``, going on where an earlier call or an earlier try ended.

    Bytes go to ``part`` as they come, so that a killed process loses none of them. Beside it, ``part`` + ``.json``
    keeps the server's entity tag: a file that changed meanwhile is begun afresh. What came is complete when this
    returns, by the announced and the expected size; whether it is right is for the checksum to say.

    Parameters
    ----------
    request
        Address, expected size [byte] and credentials.
    part
        The file to write; kept when this raises, except where its content is known to be worthless.
    patience
        Number of tries and waits.
    gained
        Called with the number of new bytes; a negative number takes back bytes of a transfer that begins afresh.
    cancelled
        When set by another thread, the transfer ends with `Cancelled`.

    Returns
    -------
    bool
        Whether it came in several pieces, which might be pieces of two versions of the file.

    Raises
    ------
    FetchError
        By cause, after the tries that `Patience` allows for causes that may pass.
    """
    furthest, failures, pieces = size_of(part), 0, False
    if furthest:
        gained(furthest)
    while True:
        pieces |= size_of(part) > 0
        try:
            _try_once(request, part, patience, gained, cancelled)
            return pieces
        except FetchError as failure:
            if not failure.passing:
                raise
            reached = size_of(part)
            failures = 0 if reached > furthest else failures + 1
            furthest = max(furthest, reached)
            if failures >= (min(patience.attempts, 2) if isinstance(failure, NoNetwork) else patience.attempts):
                kept = f"; {reached} bytes are kept in {part}" if reached else ""
                failure.add_note(f"{failures} tries brought nothing new{kept}.")
                raise
            _wait(failures, failure, patience, cancelled)


def _wait(failures: int, failure: FetchError, patience: Patience, cancelled: threading.Event | None) -> None:
    seconds = min(patience.first_wait * 2 ** max(failures - 1, 0), patience.longest_wait)
    seconds *= 1.0 + 0.5 * random.random()
    if isinstance(failure, ServerTrouble) and failure.retry_after_s is not None:
        seconds = min(max(seconds, failure.retry_after_s), patience.longest_wait)
    if (cancelled or threading.Event()).wait(seconds):
        raise Cancelled("the download was interrupted; the next call goes on from here.")


def _try_once(
    request: Request,
    part: Path,
    patience: Patience,
    gained: Callable[[int], object],
    cancelled: threading.Event | None,
) -> None:
    have = size_of(part)
    if request.size is not None and have >= request.size:
        if have == request.size:
            return
        _discard(part, gained)
        have = 0
    tag = _kept_tag(part, request.url) if have else None
    headers = {"Range": f"bytes={have}-"} if have else {}
    if tag:
        headers["If-Range"] = tag
    try:
        response = open_url(request.url, patience.stall, headers, request.private_headers)
    except RangeRefused:  # the server has fewer bytes than we: what is kept is of another file
        _discard(part, gained)
        raise TransferCut(f"{shown(request.url)}: the kept part does not belong to this file.") from None
    with response:
        start, total = _extent(response, have)
        first = _read(response, request.url)
        _refuse_wrong_answer(request, response, total, first if start == 0 else b"")
        if start == 0 and have:
            _discard(part, gained)
        _require_room(part, None if total is None else total - start)
        _keep_tag(part, request.url, response)
        with _writing(part), part.open("ab", buffering=0) as sink:
            _receive(response, request, sink, first, patience, gained, cancelled)
    whole = request.size if total is None else total
    if whole is not None and size_of(part) < whole:
        raise TransferCut(f"{shown(request.url)}: the connection ended after {size_of(part)} of {whole} bytes.")


def _extent(response: http.client.HTTPResponse, have: int) -> tuple[int, int | None]:
    """Return the offset at which the answer begins and the size of the whole file, where it is told."""
    if response.status == 206:
        told = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
        if told and int(told[1]) == have:
            return have, None if told[3] == "*" else int(told[3])
        raise TransferCut(f"{shown(response.url)}: the server answered with another range than the one asked for.")
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def _refuse_wrong_answer(request: Request, response: http.client.HTTPResponse, total: int | None, first: bytes) -> None:
    """Tell a page first, then a size; a page's content type counts only where no size speaks for the file."""
    name, where = _name(request.url), shown(response.url)
    sized = total is not None and total == request.size
    if page := disguised(name, first, "" if sized else response.headers.get("Content-Type", ""), where):
        raise page
    if total is not None and request.size is not None and total != request.size:
        raise WrongSize(name, request.size, total, f"nothing was kept; {where} holds another file now")


def _receive(
    response: http.client.HTTPResponse,
    request: Request,
    sink: BinaryIO,
    first: bytes,
    patience: Patience,
    gained: Callable[[int], object],
    cancelled: threading.Event | None,
) -> None:
    since, within, block = time.monotonic(), 0, first
    most = LARGEST_UNTOLD if request.size is None else request.size
    while block:
        if sink.tell() + len(block) > most:
            raise WrongSize(
                _name(request.url), most, sink.tell() + len(block), "the server sends more than the file holds"
            )
        sink.write(block)
        gained(len(block))
        within += len(block)
        if cancelled is not None and cancelled.is_set():
            raise Cancelled(f"{_name(request.url)}: interrupted; the next call goes on from here.")
        if within >= patience.least_bytes:
            since, within = time.monotonic(), 0
        elif time.monotonic() - since > patience.stall:
            raise Stalled(f"{shown(request.url)}: fewer than {patience.least_bytes} bytes in {patience.stall:g} s.")
        block = _read(response, request.url)


def _read(response: http.client.HTTPResponse, url: str) -> bytes:
    try:
        return response.read1(BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise from_client(url, error) from None


@contextlib.contextmanager
def _writing(part: Path) -> Iterator[None]:
    """Name the failures of writing: a full disk and a folder that refuses."""
    try:
        yield
    except OSError as error:
        raise name_disk_failure(error, part) from None


def name_disk_failure(error: OSError, path: Path) -> FetchError:
    """Name what the operating system says when a file cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(
            f"{path.name}: the disk or your quota is full ({path.parent}): make room, or choose another folder with "
            "MRREPRO_DATA. What came so far is kept and will be gone on with."
        )
    return FolderRefused(
        f"{path.name}: cannot write in {path.parent} ({error.strerror}): choose a folder with MRREPRO_DATA."
    )


def _require_room(part: Path, needed: int | None) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed is not None and needed + RESERVE > free:
        raise DiskFull(
            f"{part.name}: {needed} bytes are still to come, but the disk of {part.parent} has {free} left: make room, "
            "or choose another folder with MRREPRO_DATA."
        )


def size_of(path: Path) -> int:
    """Return the size of a file [byte], 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _name(url: str) -> str:
    return urllib.parse.unquote(urllib.parse.urlsplit(url).path.rsplit("/", 1)[-1]) or shown(url)


def _beside(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _discard(part: Path, gained: Callable[[int], object]) -> None:
    gained(-size_of(part))
    forget(part)


def forget(part: Path) -> None:
    """Remove a part file and what is known of it."""
    part.unlink(missing_ok=True)
    _beside(part).unlink(missing_ok=True)


def _keep_tag(part: Path, url: str, response: http.client.HTTPResponse) -> None:
    tag = response.headers.get("ETag", "")
    strong = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
    with _writing(part):
        _beside(part).write_text(json.dumps({"url": url, "tag": strong}), encoding="utf-8")


def _kept_tag(part: Path, url: str) -> str | None:
    try:
        kept = json.loads(_beside(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return kept.get("tag") or None if kept.get("url") == url else None
