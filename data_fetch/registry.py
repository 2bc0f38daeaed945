"""The registry: every public file with a checksum that its home gives, as package data."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

from data_fetch.records import Checksum, RemoteFile


@cache
def registered_files(dataset: str) -> tuple[RemoteFile, ...]:
    """Return the files of a data set, ordered by subject and role.

    Where both are known, sha256 goes before git's blob name: SHA-1 is broken against a deliberate forgery.
    """
    found = [row for row in _rows() if row.dataset == dataset]
    return tuple(sorted(found, key=lambda row: (row.subject, row.role)))


def subject_files(dataset: str, subject: str) -> dict[str, RemoteFile]:
    """Return the files of one subject by role; raise ``ValueError`` for a subject that does not exist."""
    everything = registered_files(dataset)
    chosen = {row.role: row for row in everything if row.subject == subject}
    if not chosen:
        known = ", ".join(dict.fromkeys(row.subject for row in everything))
        raise ValueError(f"subject must be one of {known} for {dataset}, but is {subject!r}.")
    return chosen


@cache
def _rows() -> tuple[RemoteFile, ...]:
    text = files("data_fetch").joinpath("registry.csv").read_text(encoding="utf-8")
    return tuple(_parse(row) for row in csv.DictReader(text.splitlines()))


def _parse(row: dict[str, str]) -> RemoteFile:
    checksum = Checksum("sha256", row["sha256"]) if row["sha256"] else Checksum("git-blob-sha1", row["git_blob_sha1"])
    size = int(row["size"]) if row["size"] else None
    return RemoteFile(
        row["dataset"], row["subject"], row["role"], row["local"], row["url"], size, checksum, row["licence"]
    )
