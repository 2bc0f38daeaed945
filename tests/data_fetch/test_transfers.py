"""Every way in which a server misbehaves ends in the right file or in a clear error, never in a wrong file."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import threading
from pathlib import Path

import pytest
from misbehaving_server import (
    Good,
    cut_chunks,
    ignores_ranges,
    no_http,
    page,
    redirect,
    status,
    without_length,
    wrong_range,
)

from data_fetch import errors
from data_fetch.connections import open_url, shown
from data_fetch.fetching import fetch_file, fetch_files
from data_fetch.transfer import Request, download

PATH = "/volume.nii.gz"


def final(store) -> Path:
    return store.cache / "set" / "volume.nii.gz"


def parts(store) -> list[str]:
    return sorted(path.name for path in final(store).parent.glob("*"))


@pytest.fixture
def fetched(store):
    """Fetch, check that what lies under the final name is right, and that the progress adds up to the file."""

    def fetch(file, content: bytes) -> Path:
        counts: list[int] = []
        path = fetch_file(file, store, counts.append)
        assert path == final(store)
        assert path.read_bytes() == content
        assert parts(store) == ["volume.nii.gz"]
        assert sum(counts) == len(content)
        return path

    return fetch


@pytest.fixture
def refused(store):
    """Fetch, expect this error with these words, and that nothing lies under the final name."""

    def fetch(file, kind: type[Exception], *words: str) -> Exception:
        with pytest.raises(kind) as caught:
            fetch_file(file, store)
        assert not final(store).exists()
        for word in words:
            assert word in errors.in_words(caught.value)
        return caught.value

    return fetch


GOOD_ENDS = {
    "well": lambda c: [Good(c)],
    "no entity tag": lambda c: [Good(c, etag=False)],
    "cut once, then resumed": lambda c: [Good(c, cut_after=120_000), Good(c)],
    "cut before the first byte": lambda c: [Good(c, cut_after=0), Good(c)],
    "cut again and again, a little further each time": lambda c: [*[Good(c, cut_after=40_000)] * 7, Good(c)],
    "cut, then ranges ignored": lambda c: [Good(c, cut_after=120_000), ignores_ranges(c)],
    "cut, then another range under 206": lambda c: [Good(c, cut_after=120_000), wrong_range(c), Good(c)],
    "cut chunks": lambda c: [cut_chunks(c, 100_000), Good(c)],
    "no length": lambda c: [without_length(c)],
    "no length, ended early": lambda c: [without_length(c[:90_000]), Good(c)],
    "stalled once": lambda c: [Good(c, stall_after=50_000), Good(c)],
    "trickling": lambda c: [Good(c, trickle_after=50_000), Good(c)],
    "503 twice": lambda c: [status(503), status(503), Good(c)],
    "429 with a wait": lambda c: [status(429, Retry_After="1"), Good(c)],
    "no HTTP once": lambda c: [no_http, Good(c)],
    "labelled as a page, but it is the file": lambda c: [Good(c, headers={"Content-Type": "text/html"})],
}


@pytest.mark.parametrize("how", GOOD_ENDS)
def test_ends_in_the_right_file(how, server, content, described, fetched) -> None:
    url = server.on(PATH, *GOOD_ENDS[how](content))
    fetched(described(url, content), content)


@pytest.mark.parametrize("how", ["cut once, then resumed", "no length, ended early", "stalled once", "cut chunks"])
def test_ends_in_the_right_file_when_no_size_is_known(how, server, content, described, fetched) -> None:
    """Without a size in the registry a transfer that ends early is told by the announced length or the checksum."""
    answers = GOOD_ENDS[how](content)
    file = described(server.on(PATH, *answers), content, sized=False)
    if how == "no length, ended early":  # nothing announces the end: only the checksum can object
        with pytest.raises(errors.WrongChecksum):
            fetched(file, content)
        return
    fetched(file, content)


def test_resumes_at_the_byte_where_the_line_broke(server, content, described, fetched) -> None:
    url = server.on(PATH, Good(content, cut_after=120_000), Good(content))
    fetched(described(url, content), content)
    assert server.ranges(PATH) == [None, "bytes=120000-"]
    assert sum(seen.sent for seen in server.requests) == len(content)


def test_a_file_that_changed_in_between_begins_afresh(server, content, described, fetched) -> None:
    """The entity tag of the first answer is sent along; the server then sends the whole new file."""
    old = content[::-1]
    url = server.on(PATH, Good(old, cut_after=120_000), Good(content))
    fetched(described(url, content), content)
    assert server.ranges(PATH) == [None, "bytes=120000-"], "noticed by the tag, not by the checksum in the end"


def test_a_mixture_of_two_files_gets_one_fresh_start(server, content, described, fetched) -> None:
    """Without entity tags the change shows in the checksum alone."""
    old = content[::-1]
    url = server.on(PATH, Good(old, cut_after=120_000, etag=False), Good(content, etag=False))
    fetched(described(url, content), content)
    assert server.ranges(PATH) == [None, "bytes=120000-", None]


def test_a_kept_part_longer_than_the_file_begins_afresh(server, store, content, described, fetched) -> None:
    final(store).parent.mkdir(parents=True)
    final(store).with_name("volume.nii.gz.part").write_bytes(bytes(len(content) + 10))
    fetched(described(server.on(PATH, Good(content)), content, sized=False), content)


def test_wrong_content_is_refused_and_removed_with_both_values(server, store, content, described, refused) -> None:
    wrong = bytes([content[0], *content[1:-1], content[-1] ^ 1])
    failure = refused(described(server.on(PATH, Good(wrong)), content), errors.WrongChecksum, "removed")
    assert hashlib.sha256(content).hexdigest() in str(failure)
    assert hashlib.sha256(wrong).hexdigest() in str(failure)
    assert parts(store) == []
    assert len(server.requests) == 1, "the same wrong file is not asked for again"


def test_wrong_announced_size_is_refused_before_the_body(server, store, content, described, refused) -> None:
    file = described(server.on(PATH, Good(content[:-7])), content)
    refused(file, errors.WrongSize, str(len(content)), str(len(content) - 7))
    assert parts(store) == []
    assert len(server.requests) == 1


def test_more_bytes_than_the_file_holds_are_refused(server, store, content, described, refused) -> None:
    refused(described(server.on(PATH, without_length(content + b"more")), content), errors.WrongSize, "more than")
    assert parts(store) == []


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
@pytest.mark.parametrize("sized", [True, False])
def test_a_login_page_is_told_from_a_volume(kind, sized, server, content, described, refused) -> None:
    file = described(server.on(PATH, page("Sign in to Archive", kind)), content, sized=sized)
    refused(file, errors.WebPageInstead, "web page", "Sign in to Archive", "account")


def test_a_redirect_to_a_login_page_names_the_page(server, content, described, refused) -> None:
    server.on("/login", page("Log in"))
    url = server.on(PATH, redirect("/login"))
    refused(described(url, content), errors.WebPageInstead, "/login")


def test_a_login_page_on_resuming_leaves_the_part_alone(server, store, content, described, fetched, refused) -> None:
    file = described(server.on(PATH, Good(content, cut_after=120_000), page("Session expired")), content)
    refused(file, errors.WebPageInstead, "Session expired")
    assert final(store).with_name("volume.nii.gz.part").stat().st_size == 120_000
    server.on(PATH, Good(content))
    fetched(file, content)
    assert server.ranges(PATH)[-1] == "bytes=120000-"


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(code, server, content, described, fetched) -> None:
    server.on("/elsewhere", Good(content))
    fetched(described(server.on(PATH, redirect("/elsewhere", code)), content), content)


def test_an_endless_redirect_is_refused(server, content, described, refused) -> None:
    refused(described(server.on(PATH, redirect(PATH)), content), errors.RefusedRedirect)


@pytest.mark.parametrize("target", ["file:///etc/hosts", "ftp://127.0.0.1/volume.nii.gz"])
def test_a_redirect_off_http_is_refused(target, server, content, described, refused) -> None:
    refused(described(server.on(PATH, redirect(target)), content), errors.FetchError, "redirect")


@pytest.mark.parametrize(
    ("code", "kind", "word"),
    [
        (404, errors.NotFound, "not found"),
        (410, errors.NotFound, "not found"),
        (401, errors.AccessRefused, "account"),
        (403, errors.AccessRefused, "account"),
        (503, errors.ServerTrouble, "overloaded"),
        (500, errors.ServerTrouble, "overloaded"),
        (418, errors.UnexpectedAnswer, "418"),
    ],
)
def test_a_status_is_told_in_words(code, kind, word, server, content, described, refused) -> None:
    refused(described(server.on(PATH, status(code)), content), kind, word, str(code))
    tries = 3 if kind is errors.ServerTrouble else 1
    assert len(server.requests) == tries, "only what may pass is tried again"


def test_a_page_with_an_error_status_is_the_status(server, content, described, refused) -> None:
    refused(described(server.on(PATH, page("No such file", code=404)), content), errors.NotFound, "404")


def test_a_server_that_stays_silent_has_stalled(server, content, described, refused) -> None:
    failure = refused(described(server.on(PATH, Good(content, stall_after=0)), content), errors.Stalled, "stopped")
    assert "3 tries" in errors.in_words(failure)


def test_a_line_that_always_breaks_at_one_place_is_given_up(server, content, described, refused) -> None:
    """A server without ranges that cuts brings the same bytes again and again: that is no progress."""
    refused(described(server.on(PATH, ignores_ranges(content, cut_after=90_000)), content), errors.TransferCut, "90000")
    assert len(server.requests) == 4


def test_nobody_listening_is_no_network(content, described, refused) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    refused(described(f"http://127.0.0.1:{port}/volume", content), errors.NoNetwork, "cannot be reached")


def test_an_unknown_name_is_no_network(content, described, refused, monkeypatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    refused(described("http://data.invalid/volume", content), errors.NoNetwork, "no network", "data.invalid")


def test_a_full_disk_is_told_and_what_came_is_kept(server, store, content, tmp_path) -> None:
    """/dev/full answers every write as a full disk does."""
    if not Path("/dev/full").exists():
        pytest.skip("this platform has no /dev/full to play a full disk")
    part = tmp_path / "volume.part"
    part.symlink_to("/dev/full")
    with pytest.raises(errors.DiskFull, match="disk or your quota is full"):
        download(Request(server.on(PATH, Good(content)), len(content)), part, store.patience)


def test_a_disk_without_room_is_told_before_the_transfer(server, content, described, refused, monkeypatch) -> None:
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 1000))
    refused(described(server.on(PATH, Good(content)), content), errors.DiskFull, "1000 left", str(len(content)))
    assert server.requests[0].sent <= len(content)


def test_a_folder_that_cannot_be_made_is_told(server, store, content, described) -> None:
    store.cache.parent.mkdir(parents=True, exist_ok=True)
    store.cache.write_bytes(b"a file where the folder should be")
    with pytest.raises(errors.FolderRefused, match="MRREPRO_DATA"):
        fetch_file(described(server.on(PATH, Good(content)), content), store)


def test_cancelling_keeps_the_part_and_the_next_call_resumes(server, store, content, described, fetched) -> None:
    file = described(server.on(PATH, Good(content)), content)
    cancelled, counts = threading.Event(), []

    def gained(count: int) -> None:
        counts.append(count)
        cancelled.set()

    with pytest.raises(errors.Cancelled):
        fetch_file(file, store, gained, cancelled)
    assert not final(store).exists()
    fetched(file, content)
    assert server.ranges(PATH) == [None, f"bytes={counts[0]}-"]


def test_several_files_come_and_several_failures_are_all_told(server, store, described) -> None:
    texts = {f"/{number}": b"\x1f\x8b" + bytes([number]) * 5000 for number in range(8)}
    files = [
        described(server.on(path, Good(text, pause=0.05, block=5002)), text, f"set{path}")
        for path, text in texts.items()
    ]
    files[2] = described(server.url("/absent"), b"none", "set/absent")
    files[5] = described(files[5].url, b"other", "set/other", sized=False)
    with pytest.raises(errors.SeveralFailed) as caught:
        fetch_files(files, store)
    assert [type(failure) for failure in caught.value.failures] == [errors.NotFound, errors.WrongChecksum]
    assert sorted(path.name for path in (store.cache / "set").iterdir()) == ["0", "1", "3", "4", "6", "7"]


def test_files_come_side_by_side(server, store, described) -> None:
    """Each transfer waits for all others to have begun: one after the other they would never end."""
    together = threading.Barrier(4, timeout=10)

    def answer(text: bytes):
        def send(handler) -> None:
            together.wait()
            Good(text)(handler)

        return send

    texts = [b"\x1f\x8b" + bytes([number]) * 3000 for number in range(4)]
    files = [described(server.on(f"/{n}", answer(text)), text, f"set/{n}") for n, text in enumerate(texts)]
    assert [path.read_bytes() for path in fetch_files(files, store)] == texts


def test_two_that_want_one_file_take_turns(server, store, content, described) -> None:
    file = described(server.on(PATH, Good(content, pause=0.02, block=60_000)), content)
    threads = [threading.Thread(target=fetch_file, args=(file, store)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert final(store).read_bytes() == content
    assert len(server.requests) == 1


def test_the_final_name_appears_in_one_step(server, store, content, described) -> None:
    """It is the part file that gets the name: a copy would lie half written under it for a while."""
    nodes: set[int] = set()
    part = final(store).with_name("volume.nii.gz.part")
    path = fetch_file(
        described(server.on(PATH, Good(content)), content), store, lambda count: nodes.add(part.stat().st_ino)
    )
    assert nodes == {path.stat().st_ino}


def test_a_server_that_never_ends_is_stopped(server, store, content, described, monkeypatch) -> None:
    """No size is known, none is announced: a bound of our own keeps the disk from being filled."""
    from data_fetch import transfer

    monkeypatch.setattr(transfer, "LARGEST_UNTOLD", 100_000)
    with pytest.raises(errors.WrongSize, match="more than"):
        fetch_file(described(server.on(PATH, without_length(content)), content, sized=False), store)
    assert parts(store) == []


def test_an_address_is_shown_without_secrets() -> None:
    assert shown("https://user:secret@host.org:8080/a/b?token=secret#x") == "https://host.org:8080/a/b"


def test_only_http_addresses_are_opened() -> None:
    with pytest.raises(ValueError, match="url must begin with http"):
        open_url("file:///etc/hosts", 1.0)


def test_a_part_is_flushed_as_windows_wants_it(server, described, content, fetched, monkeypatch) -> None:
    """Windows flushes a file only through a handle that may write to it."""
    fcntl = pytest.importorskip("fcntl", reason="this system is the one that is imitated")
    flush = os.fsync

    def flush_as_windows(handle: int) -> None:
        if fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flush(handle)

    monkeypatch.setattr(os, "fsync", flush_as_windows)
    fetched(described(server.on(PATH, Good(content)), content), content)
