"""A process that is killed in the middle of a transfer loses nothing of what came."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from misbehaving_server import Good

from data_fetch.fetching import fetch_file

SCRIPT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits that it is ignored
from pathlib import Path
from data_fetch.fetching import fetch_file
from data_fetch.records import Checksum, RemoteFile
from data_fetch.store import Store
url, size, digest, cache = sys.argv[1:]
file = RemoteFile("set", "01", "T1", "set/volume.nii.gz", url, int(size), Checksum("sha256", digest), "CC0")
fetch_file(file, Store(Path(cache)))
"""


@pytest.mark.parametrize("ending", ["SIGKILL", "SIGINT"])
def test_killed_in_the_middle_the_next_call_resumes(ending, server, store, content, described) -> None:
    if not hasattr(signal, ending):
        pytest.skip(f"this platform has no {ending}")
    file = described(server.on("/volume", Good(content, pause=0.05, block=10_000)), content)
    final = store.cache / file.local
    part = final.with_name(final.name + ".part")
    root = str(Path(__file__).parents[2])
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]))
    arguments = [file.url, str(file.size), file.checksum.value, str(store.cache)]
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], env=environment, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while not (part.exists() and part.stat().st_size >= 50_000):
            assert process.poll() is None, "the process ended before it could be killed"
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(getattr(signal, ending))
        process.wait(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert not final.exists()
    kept = part.stat().st_size
    assert 50_000 <= kept < len(content)
    server.on("/volume", Good(content))
    assert fetch_file(file, store).read_bytes() == content
    assert server.ranges("/volume") == [None, f"bytes={kept}-"]
    assert server.requests[-1].sent == len(content) - kept
    assert [path.name for path in final.parent.iterdir()] == [final.name]
