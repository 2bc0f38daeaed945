"""One thread and no surroundings for the tests of every chapter."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Bits depend on the number of threads; this comes before every other fixture."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setenv("MRREPRO_DEVICE", "cpu")
    monkeypatch.setenv("MRREPRO_PROGRESS", "0")
    monkeypatch.delenv("MRREPRO_ARTIFACTS", raising=False)
    monkeypatch.delenv("MRREPRO_WORKERS", raising=False)
