"""On what a result was made: device, threads, versions, commit, memory, time."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from mrrepro import __version__

DEVICE_VARIABLE = "MRREPRO_DEVICE"
COMMIT_VARIABLE = "MRREPRO_COMMIT"
_PACKAGES = ("mrrepro", "numpy", "scipy", "torch", "numba")
_peak_before_reset = 0.0


def default_device() -> str:
    """Return the device of ``MRREPRO_DEVICE``, else ``"cuda"`` where there is one, else ``"cpu"``."""
    named = os.environ.get(DEVICE_VARIABLE, "").strip()
    if named:
        return named
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def require_device(device: str) -> str:
    """Return the device's name, or raise ``ValueError`` where torch does not know it or it is not there."""
    if device == "cpu":
        return device
    import torch

    try:
        kind = torch.device(device).type
    except RuntimeError:
        raise ValueError(f"device must be cpu, cuda, cuda:N or mps, but is {device!r}.") from None
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(kind, False):
        present = ", ".join(name for name, found in there.items() if found)
        raise ValueError(f"device {device!r} is not on this machine, which has {present}: choose one of these.")
    return device


def device_name(device: str) -> str:
    """Describe a device for a receipt: the GPU's or the processor's name."""
    if device.startswith("cuda"):
        import torch

        if torch.cuda.is_available():
            return f"{device} ({torch.cuda.get_device_name(device)})"
        return device
    return f"{device} ({_processor()})"


def thread_count() -> int:
    """Number of threads that torch computes with; sums in another order differ in the last bits."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return int(torch.get_num_threads())
    named = os.environ.get("OMP_NUM_THREADS", "")
    return int(named) if named.isdigit() else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that compute."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return {**found, "mrrepro": __version__}


@lru_cache(maxsize=1)
def commit() -> str:
    """Return the commit of the package's checkout (``+`` where files differ from it), else ``v<version>``.

    ``MRREPRO_COMMIT`` names it in a copy without a repository.
    """
    folder = Path(__file__).resolve().parents[1]
    git = shutil.which("git")
    if git is not None:
        with suppress(OSError, subprocess.SubprocessError):
            # an installed copy inside somebody else's repository is not tracked there
            _git(git, folder, "ls-files", "--error-unmatch", "__init__.py")
            head = _git(git, folder, "rev-parse", "--short=12", "HEAD")
            changed = _git(git, folder, "status", "--porcelain", "--untracked-files=no", "--", ".")
            return head + ("+" if changed else "")
    return os.environ.get(COMMIT_VARIABLE, "").strip() or f"v{__version__}"


def now() -> str:
    """Return the time in UTC, ISO 8601, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def reset_peak_memory() -> None:
    """Begin a new measurement of the peak memory, where the system can (Linux)."""
    global _peak_before_reset
    _peak_before_reset = max(_peak_before_reset, peak_memory_mib())
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()


def peak_memory_mib() -> float:
    """Peak resident memory [MiB] since the last reset (of the process where there is no reset); 0 where unknown."""
    with suppress(OSError, ValueError, IndexError):
        status = Path("/proc/self/status").read_text()
        line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "")
        if line:
            return int(line.split()[1]) / 1024
    try:
        import resource
    except ImportError:  # Windows
        with suppress(ImportError, AttributeError):
            import psutil

            return float(psutil.Process().memory_info().peak_wset) / 2**20
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def process_peak_memory_mib() -> float:
    """Peak resident memory [MiB] of the whole process, over all resets."""
    return max(_peak_before_reset, peak_memory_mib())


def peak_device_memory_mib() -> float | None:
    """Peak memory that torch held on the GPU since the last reset [MiB]; None without a GPU in use."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return float(torch.cuda.max_memory_allocated()) / 2**20


def _git(git: str, folder: Path, *arguments: str) -> str:
    done = subprocess.run([git, "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


@lru_cache(maxsize=1)
def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
