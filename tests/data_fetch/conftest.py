"""What the tests of data_fetch share: a server that misbehaves, an impatient store, and no proxy between them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from misbehaving_server import Server, serving

from data_fetch.records import Checksum, RemoteFile
from data_fetch.store import Patience, Store


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Keep proxies, folders and credentials of whoever runs the tests out of them."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "MRREPRO_DATA"):
        monkeypatch.delenv(name, raising=False)
    for name in ("MRREPRO_XNAT_USER", "MRREPRO_XNAT_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    if "mirror" not in request.fixturenames:
        monkeypatch.delenv("MRREPRO_DATA_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache", patience=Patience(3, first_wait=0.01, longest_wait=0.05, stall=0.4))


@pytest.fixture
def content() -> bytes:
    """300 kB that compress to nothing and begin like a gzip file."""
    return b"\x1f\x8b" + np.random.default_rng(5).bytes(300_000)


@pytest.fixture
def described() -> Callable[..., RemoteFile]:
    """Describe some bytes at an address as the registry would."""

    def describe(url: str, content: bytes, local: str = "set/volume.nii.gz", sized: bool = True) -> RemoteFile:
        checksum = Checksum("sha256", hashlib.sha256(content).hexdigest())
        return RemoteFile("set", "01", "T1", local, url, len(content) if sized else None, checksum, "CC0")

    return describe
