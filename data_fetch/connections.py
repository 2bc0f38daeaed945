"""One HTTP request, with every failure named: the layer between the standard library's client and the transfers.

Why not pooch, which the Scientific Python world uses: it can neither resume a transfer nor notice one that crawls, it
knows no git blob name, it fetches one file at a time, and what it raises is the client's own exception. What is left
of it, a cache folder and a digest, is a few lines. The standard library's client needs no further package.
"""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import IO

from data_fetch.errors import (
    AccessRefused,
    CertificateRefused,
    FetchError,
    NoNetwork,
    NotFound,
    RangeRefused,
    RefusedRedirect,
    ServerTrouble,
    Stalled,
    TransferCut,
    UnexpectedAnswer,
)

AGENT = "mrrepro-data/1"


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow at most ten redirects, never to an unencrypted or local address from an encrypted one."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        before, after = urllib.parse.urlsplit(req.full_url).scheme, urllib.parse.urlsplit(newurl).scheme
        if after not in ("http", "https") or (before == "https" and after == "http"):
            raise RefusedRedirect(
                f"{shown(req.full_url)}: redirected to {shown(newurl)}, which is not followed: "
                f"it leaves {before} for {after}."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def shown(url: str) -> str:
    """Return an address without user, password and query, fit to be printed."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return urllib.parse.urlunsplit((parts.scheme, host + port, parts.path, "", ""))


def open_url(
    url: str,
    stall: float,
    headers: Mapping[str, str] | None = None,
    private_headers: Mapping[str, str] | None = None,
) -> http.client.HTTPResponse:
    """Open an address and return the answer, whose status is 200 or 206.

    Parameters
    ----------
    url
        An ``http`` or ``https`` address.
    stall
        Longest silence of the server [s].
    headers
        Sent with the request and with each request that it is redirected to.
    private_headers
        Sent to this address alone, never to where it redirects: credentials go here.

    Raises
    ------
    FetchError
        One of the classes of `data_fetch.errors`, by cause.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"url must begin with http:// or https://, but is {shown(url)!r}.")
    request = urllib.request.Request(url, headers={"User-Agent": AGENT, "Accept-Encoding": "identity"})
    for name, value in (headers or {}).items():
        request.add_header(name, value)
    for name, value in (private_headers or {}).items():
        request.add_unredirected_header(name, value)
    try:
        return urllib.request.build_opener(_Redirects).open(request, timeout=stall)
    except urllib.error.HTTPError as error:
        with error:
            raise from_status(url, error) from None
    except (OSError, http.client.HTTPException) as error:
        raise from_client(url, error) from None


def from_status(url: str, error: urllib.error.HTTPError) -> FetchError:
    """Name the failure that an HTTP status stands for."""
    where, status = shown(url), error.code
    if status in (404, 410):
        return NotFound(f"{where}: not found (HTTP {status}): the file was moved or removed by its home.")
    if status in (401, 403):
        return AccessRefused(
            f"{where}: access refused (HTTP {status}): an account, an accepted agreement or credentials are needed."
        )
    if status in (408, 425, 429) or status >= 500:
        return ServerTrouble(
            f"{where}: the server is overloaded or broken (HTTP {status}): try again later.", _retry_after(error)
        )
    if status == 416:
        return RangeRefused(f"{where}: the server has no such range (HTTP 416).")
    if 300 <= status < 400:
        return RefusedRedirect(f"{where}: redirected without end (HTTP {status}): {error.reason.splitlines()[0]}.")
    return UnexpectedAnswer(f"{where}: unexpected answer HTTP {status} ({error.reason}).")


def _retry_after(error: urllib.error.HTTPError) -> float | None:
    value = error.headers.get("Retry-After", "") if error.headers else ""
    return float(value) if value.isdigit() else None


def from_client(url: str, error: BaseException) -> FetchError:
    """Name the failure behind an exception of the client or of the operating system."""
    where, host = shown(url), urllib.parse.urlsplit(url).hostname
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, FetchError):
        return cause
    if isinstance(cause, ssl.SSLCertVerificationError):
        return CertificateRefused(
            f"{where}: the certificate of {host} cannot be verified ({cause.verify_message}): "
            "set SSL_CERT_FILE to your system's certificates, or ask whoever runs your network's proxy."
        )
    if isinstance(cause, TimeoutError):
        return Stalled(f"{where}: {host} stopped answering.")
    if isinstance(cause, socket.gaierror):
        return NoNetwork(f"{where}: no network, or no server of the name {host}.")
    if isinstance(cause, ConnectionRefusedError) or (
        isinstance(cause, OSError) and cause.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)
    ):
        return NoNetwork(f"{where}: {host} cannot be reached ({cause.strerror}): no network, or the server is off.")
    if isinstance(cause, (http.client.HTTPException, ConnectionError, ssl.SSLError)):
        return TransferCut(f"{where}: the connection broke ({type(cause).__name__}).")
    return UnexpectedAnswer(f"{where}: {type(cause).__name__}: {cause}.")
