"""List a folder of a public S3 bucket: addresses, sizes and MD5 sums, without an account or a client of its own."""

from __future__ import annotations

import re
import urllib.parse
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from http.client import HTTPException

from data_fetch.connections import from_client, open_url, shown
from data_fetch.errors import NotFound, UnexpectedAnswer
from data_fetch.store import Patience

LARGEST_LISTING = 64 << 20


@dataclass(frozen=True)
class S3Object:
    """An object: its address, size [byte] and MD5, which S3 gives as entity tag of what was stored in one piece."""

    name: str
    url: str
    size: int
    md5: str


def list_folder(bucket: str, prefix: str, patience: Patience) -> list[S3Object]:
    """List the objects below ``prefix`` of a bucket that is given by its address.

    Raises
    ------
    NotFound
        There are none.
    UnexpectedAnswer
        The answer is no listing, is cut off, or gives an object no MD5.
    """
    url = f"{bucket}/?list-type=2&prefix={urllib.parse.quote(prefix, safe='')}"
    with open_url(url, patience.stall) as response:
        try:
            body = response.read(LARGEST_LISTING)
        except (OSError, HTTPException) as error:
            raise from_client(url, error) from None
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        raise UnexpectedAnswer(f"{shown(url)}: the answer is no listing of a bucket.") from None
    space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    if root.findtext(f"{space}IsTruncated") == "true":
        raise UnexpectedAnswer(f"{shown(url)}: the folder {prefix} holds more objects than one listing gives.")
    found = [_object(bucket, entry, space) for entry in root.iter(f"{space}Contents")]
    if not found:
        raise NotFound(f"{shown(url)}: the bucket holds nothing below {prefix}.")
    return sorted(found, key=lambda entry: entry.name)


def _object(bucket: str, entry: ElementTree.Element, space: str) -> S3Object:
    key = entry.findtext(f"{space}Key") or ""
    tag = (entry.findtext(f"{space}ETag") or "").strip('"')
    size = entry.findtext(f"{space}Size") or ""
    if not re.fullmatch(r"[0-9a-f]{32}", tag) or not size.isdigit():
        raise UnexpectedAnswer(f"{shown(bucket)}: {key}: the listing gives no size or no MD5 of it.")
    return S3Object(key.rsplit("/", 1)[-1], f"{bucket}/{urllib.parse.quote(key)}", int(size), tag)
