"""Credentials from the environment or from netrc, which are neither printed, logged nor stored."""

from __future__ import annotations

import base64
import netrc
import os
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from data_fetch.errors import AccessRefused, NotAtHand

USER_VARIABLE = "MRREPRO_XNAT_USER"
PASSWORD_VARIABLE = "MRREPRO_XNAT_PASSWORD"


@dataclass(frozen=True)
class Credentials:
    """A user's name and password; both stay out of ``repr``, so that no traceback or log shows them."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    def header(self, url: str) -> dict[str, str]:
        """Return the ``Authorization`` header; refuse to make one for an unencrypted address of another machine."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise AccessRefused(f"{parts.hostname}: a password is sent over https only, and this address is not.")
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")
        return {"Authorization": f"Basic {token}"}


def find_credentials(url: str, page: str) -> Credentials:
    """Take credentials for a server from the environment, else from netrc.

    The environment goes first (``MRREPRO_XNAT_USER`` and ``MRREPRO_XNAT_PASSWORD``), then the entry for the server's
    name in the file named by ``NETRC``, or in ``~/.netrc`` (``_netrc`` on Windows).

    Raises
    ------
    NotAtHand
        There are none; the message names ``page``, where an account is asked for.
    """
    user, password = os.environ.get(USER_VARIABLE), os.environ.get(PASSWORD_VARIABLE)
    if user and password:
        return Credentials(user, password)
    host = urllib.parse.urlsplit(url).hostname or ""
    for path in _netrc_files():
        try:
            entry = netrc.netrc(path).authenticators(host)
        except netrc.NetrcParseError as error:
            place = f"line {error.lineno}"
            raise NotAtHand(f"{path}: cannot be read as a netrc file ({place}): correct it.") from None
        if entry and entry[0] and entry[2]:
            return Credentials(entry[0], entry[2])
    raise NotAtHand(
        f"{host}: this data set needs an account: ask for one at {page}, then set {USER_VARIABLE} and "
        f"{PASSWORD_VARIABLE}, or add a line for {host} to your netrc file."
    )


def _netrc_files() -> list[Path]:
    named = os.environ.get("NETRC")
    places = [Path(named)] if named else [Path.home() / ".netrc", Path.home() / "_netrc"]
    return [path for path in places if path.is_file()]
