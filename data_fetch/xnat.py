"""The few requests to an XNAT archive that a download needs."""

from __future__ import annotations

import json
import urllib.parse
from dataclasses import dataclass
from http.client import HTTPException

from data_fetch.connections import from_client, open_url, shown
from data_fetch.content import disguised
from data_fetch.credentials import Credentials
from data_fetch.errors import UnexpectedAnswer
from data_fetch.store import Patience

LARGEST_LISTING = 64 << 20


@dataclass(frozen=True)
class XnatFile:
    """A file in an XNAT resource: its address, size [byte] and MD5, where the archive keeps one."""

    name: str
    url: str
    size: int | None
    md5: str | None


@dataclass(frozen=True)
class XnatArchive:
    """A project of an XNAT server, read with someone's credentials."""

    server: str
    project: str
    credentials: Credentials
    patience: Patience

    def subjects(self) -> list[str]:
        """Return the labels of the project's subjects."""
        return sorted(row["label"] for row in self._rows(f"data/projects/{quoted(self.project)}/subjects"))

    def scans(self, subject: str, experiment: str) -> list[dict[str, str]]:
        """Return the scans of an experiment: ``ID``, ``type`` and ``quality`` of each."""
        return self._rows(f"{self._subject(subject)}/experiments/{quoted(experiment)}/scans")

    def scan_files(self, subject: str, experiment: str, scan: str, resource: str) -> list[XnatFile]:
        """Return the files of one resource of a scan."""
        place = f"{self._subject(subject)}/experiments/{quoted(experiment)}/scans/{quoted(scan)}"
        return self._files(f"{place}/resources/{quoted(resource)}/files")

    def subject_files(self, subject: str, resource: str) -> list[XnatFile]:
        """Return the files of a resource of a subject."""
        return self._files(f"{self._subject(subject)}/resources/{quoted(resource)}/files")

    def header(self) -> dict[str, str]:
        """Return the header that opens this archive's files."""
        return self.credentials.header(self.server)

    def _subject(self, subject: str) -> str:
        return f"data/projects/{quoted(self.project)}/subjects/{quoted(subject)}"

    def _files(self, place: str) -> list[XnatFile]:
        return [
            XnatFile(
                name=row["Name"],
                url=f"{self.server}/{place}/{urllib.parse.quote(row['Name'])}",
                size=int(row["Size"]) if row.get("Size", "").isdigit() else None,
                md5=row.get("digest") or None,
            )
            for row in self._rows(place)
        ]

    def _rows(self, place: str) -> list[dict[str, str]]:
        url = f"{self.server}/{place}?format=json"
        with open_url(url, self.patience.stall, private_headers=self.header()) as response:
            try:
                body = response.read(LARGEST_LISTING)
            except (OSError, HTTPException) as error:
                raise from_client(url, error) from None
            page = disguised(shown(url), body, response.headers.get("Content-Type", ""), shown(response.url))
        if page:
            raise page
        try:
            rows = json.loads(body)["ResultSet"]["Result"]
            return [{key: str(value) for key, value in row.items()} for row in rows]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UnexpectedAnswer(f"{shown(url)}: the answer is no XNAT listing.") from None


def quoted(part: str) -> str:
    """Return one step of a path, safe in an address."""
    return urllib.parse.quote(part, safe="")
