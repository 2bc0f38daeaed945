"""Where tests of Triton kernels run: on a CUDA device, else in Triton's interpreter, started by a test of each file.

Continuous integration has neither, for torch's CPU build brings no Triton: there these files are skipped as wholes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
CUDA = torch.cuda.is_available() and not INTERPRETED
DEVICE = torch.device("cuda" if CUDA else "cpu")

with_kernels = pytest.mark.skipif(
    not (CUDA or INTERPRETED),
    reason="kernels run on CUDA or in the interpreter: here this file's first test starts it, and this test in it",
)
starts_the_interpreter = pytest.mark.skipif(
    CUDA or INTERPRETED, reason="the kernels run in this very process, on CUDA or interpreted"
)


def skip_without_triton() -> None:
    """Skip the file that calls this where there is no Triton."""
    if find_spec("triton") is None:
        pytest.skip(
            "the kernels are not tested here: triton is not installed; it comes with torch for CUDA on Linux",
            allow_module_level=True,
        )


def run_in_the_interpreter(file: str) -> None:
    """Run a file's tests in a process whose Triton interprets, and fail with its output where one fails."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path(file))]
    environment = os.environ | {"TRITON_INTERPRET": "1"}  # is read when triton is imported
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stdout[-3000:]
