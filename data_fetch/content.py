"""What the first bytes of a file give away: a web page or a pointer where data should be."""

from __future__ import annotations

import re
from pathlib import Path

from data_fetch.errors import FetchError, PointerInstead, WebPageInstead

_PAGE_STARTS = (b"<!doctype html", b"<html", b"<head", b"<?xml", b"<script", b"<!--")
_POINTERS = {
    b"version https://git-lfs.github.com": "a Git LFS pointer",
    b"/annex/objects/": "a git-annex pointer",
    b"../.git/annex/objects": "a git-annex pointer",
}


def disguised(name: str, start: bytes, content_type: str = "", address: str = "") -> FetchError | None:
    """Tell whether the start of a file is a web page or a pointer instead of data.

    Parameters
    ----------
    name
        The file asked for, for the message.
    start
        Its first bytes (512 suffice).
    content_type
        The server's ``Content-Type``, where there was a server.
    address
        The address that answered in the end, after redirects.

    Returns
    -------
    FetchError or None
        The failure to raise, or ``None`` when nothing is suspicious.
    """
    text = start[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(_PAGE_STARTS) or content_type.lower().startswith(("text/html", "application/xhtml")):
        title = re.search(rb"<title[^>]*>\s*([^<]{1,80})", start, re.IGNORECASE)
        titled = f' titled "{title[1].decode("utf-8", "replace").strip()}"' if title else ""
        source = f" from {address}" if address else ""
        return WebPageInstead(
            f"{name}: a web page{titled} came{source} instead of the file: a login, consent or error page. Open the "
            "address in a browser: an account or accepted terms may be needed, or the network asks for a sign-on."
        )
    for mark, kind in _POINTERS.items():
        if text.startswith(mark):
            return PointerInstead(
                f"{name}: {kind} instead of the content: the repository keeps the content elsewhere; fetch it with "
                "that repository's own tool."
            )
    return None


def refuse_disguised(path: Path) -> None:
    """Raise when a file on disk is a web page or a pointer in the clothes of data."""
    with path.open("rb") as stream:
        failure = disguised(path.name, stream.read(512))
    if failure:
        raise failure
