"""From a mirror or from the network into the cache: verified, locked against a second process, moved in one step."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from tqdm import tqdm

from data_fetch.checksums import require_match
from data_fetch.connections import shown
from data_fetch.errors import Cancelled, FetchError, FolderRefused, SeveralFailed, WrongSize
from data_fetch.kept import keep_digest, kept_checksum, require_whole
from data_fetch.records import Checksum, RemoteFile
from data_fetch.store import Store
from data_fetch.transfer import Request, download, forget, name_disk_failure, size_of

log = logging.getLogger("data_fetch")
Gained = Callable[[int], object]

_verified: dict[tuple[str, str], tuple[int, int]] = {}


@dataclass(frozen=True)
class Found:
    """A file that is here and right, or here and refused (``refusal`` says why), or absent (both ``None``)."""

    path: Path | None = None
    refusal: FetchError | None = None


def look_up(file: RemoteFile, store: Store, afresh: bool = False) -> Found:
    """Look for a file in the mirror and in the cache, and verify what is there.

    A wrong file in the cache is removed. A wrong file in the mirror is left alone, for the mirror is not ours.
    A file that this process has verified is not read again unless it changed or ``afresh`` asks for it.
    """
    refusal: FetchError | None = None
    for folder in store.folders:
        path = folder / file.local
        if not path.is_file():
            continue
        ours = not store.mirror or folder.resolve() != store.mirror.resolve()
        try:
            _verify(path, file, afresh, "it was removed" if ours else "it is not used, and stays in the mirror folder")
            return Found(path)
        except FetchError as failure:
            log.warning("%s", failure)
            refusal = failure
            if ours:
                path.unlink(missing_ok=True)
        except OSError as error:
            refusal = FolderRefused(f"{file.local}: cannot be read in {folder} ({error.strerror}).")
    return Found(None, refusal)


def _verify(path: Path, file: RemoteFile, afresh: bool, remedy: str) -> None:
    status = path.stat()
    key, state = (str(path), file.checksum.value if file.checksum else ""), (status.st_size, status.st_mtime_ns)
    if afresh or _verified.get(key) != state:
        _verified.pop(key, None)
        _require_right(path, file, kept_checksum(path), remedy)
        _verified[key] = state


def fetch_file(
    file: RemoteFile,
    store: Store,
    gained: Gained = lambda count: None,
    cancelled: threading.Event | None = None,
    private_headers: Mapping[str, str] | None = None,
) -> Path:
    """Return the path of a file that is verified: from the mirror, from the cache, or downloaded now.

    The transfer goes to a part file beside the final place; only when size and checksum match is it moved there, in
    one step. Two processes that want one file take turns.

    Parameters
    ----------
    file
        What to fetch.
    store
        Folders and patience.
    gained
        Called with the number of bytes that came; a negative number takes some back.
    cancelled
        When another thread sets it, the transfer ends and keeps its part.
    private_headers
        Credentials for the file's own address; never sent where it redirects.

    Raises
    ------
    FetchError
        By cause. Where a wrong file in the mirror or in the cache was passed over before, a note says so.
    """
    found = look_up(file, store)
    final = store.cache / file.local
    try:
        if found.path is None:
            with locked(file.local, store):
                again = look_up(file, store)
                if again.path is None:
                    final.parent.mkdir(parents=True, exist_ok=True)
                    request = Request(file.url, file.size, dict(private_headers or {}))
                    _download_verified(request, file, final, store, gained, cancelled)
                    return final
                found = again
    except FetchError as failure:
        if found.refusal:
            failure.add_note(f"Before this: {found.refusal}")
        raise
    except OSError as error:
        raise name_disk_failure(error, final) from error
    assert found.path is not None
    gained(size_of(found.path))
    return found.path


def locked(local: str, store: Store) -> FileLock:
    """Return a lock that one process at a time holds for a place in the cache; it falls with the process."""
    place = store.cache / ".locks" / (local.replace("/", "+") + ".lock")
    place.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(place)


def _download_verified(
    request: Request,
    file: RemoteFile,
    final: Path,
    store: Store,
    gained: Gained,
    cancelled: threading.Event | None,
) -> None:
    """Download, verify, move; pieces may be of two versions of the file, so they get one fresh start."""
    part = final.with_name(final.name + ".part")
    for fresh in (False, True):
        pieces, arrived = size_of(part) > 0, False
        try:
            pieces = download(request, part, store.patience, gained, cancelled)
            arrived = True
            _require_right(part, file, None, f"what came from {shown(file.url)} was removed")
            break
        except FetchError as failure:
            if not (arrived or isinstance(failure, WrongSize)):  # the part is good as far as it goes
                raise
            gained(-size_of(part))
            forget(part)
            if fresh or not pieces:
                raise
    with part.open("rb+") as stream:  # Windows flushes only what may be written
        os.fsync(stream.fileno())
    if file.checksum is None:
        keep_digest(part, final)
    part.replace(final)
    forget(part)


def _require_right(path: Path, file: RemoteFile, kept: Checksum | None, remedy: str) -> None:
    """Raise unless a file matches its checksum, else the digest kept beside it, else is whole by its own format."""
    checksum = file.checksum or kept
    require_match(path, file.size, checksum, file.local, remedy)
    if checksum is None:
        require_whole(path)


def fetch_files(
    files: Iterable[RemoteFile],
    store: Store,
    show_progress: bool = False,
    private_headers: Mapping[str, str] | None = None,
) -> list[Path]:
    """Fetch several files, ``store.connections`` at one time; return their paths in the order of ``files``.

    A failure does not stop the others. An interruption does: each transfer keeps its part, and the next call goes on.

    Raises
    ------
    FetchError
        The only failure, or `SeveralFailed` with all of them.
    """
    wanted = list(files)
    cancelled, counting = threading.Event(), threading.Lock()
    known = sum(file.size or 0 for file in wanted) if all(file.size is not None for file in wanted) else None
    bar = tqdm(total=known, unit="B", unit_scale=True, unit_divisor=1024, disable=None if show_progress else True)

    def gained(count: int) -> None:
        with counting:
            bar.update(count)

    with bar, ThreadPoolExecutor(store.connections, thread_name_prefix="fetch") as pool:
        tasks = [pool.submit(fetch_file, file, store, gained, cancelled, private_headers) for file in wanted]
        try:
            failures = [task.exception() for task in tasks]
        except BaseException:
            cancelled.set()
            pool.shutdown(cancel_futures=True)
            raise
    told: list[FetchError] = []
    for failure in failures:
        if isinstance(failure, FetchError) and not isinstance(failure, Cancelled):
            told.append(failure)
        elif failure is not None:
            raise failure
    if told:
        raise told[0] if len(told) == 1 else SeveralFailed(told, len(wanted))
    return [task.result() for task in tasks]
