"""Where files are kept and looked for, and how patient a transfer is."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

CACHE_VARIABLE = "MRREPRO_DATA"
MIRROR_VARIABLE = "MRREPRO_DATA_MIRROR"


@dataclass(frozen=True)
class Patience:
    """How long a transfer is tried.

    ``attempts`` counts tries in a row that gained nothing: a try that brought new bytes starts the count afresh, so
    that a large file arrives over a line that breaks often. The wait doubles from ``first_wait`` [s] to
    ``longest_wait`` [s], with a random part of up to a half, so that many readers do not come back at one moment.
    A transfer that brings fewer than ``least_bytes`` within ``stall`` [s] has stalled.
    """

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 30.0
    stall: float = 30.0
    least_bytes: int = 1024


@dataclass(frozen=True)
class Store:
    """A cache folder, a mirror folder that is tried first (or none), and the number of transfers at one time.

    A mirror holds files at the same relative places as the cache and is only read; what it holds is verified like a
    download. A cache therefore serves as a mirror for another machine.
    """

    cache: Path
    mirror: Path | None = None
    connections: int = 4
    patience: Patience = field(default_factory=Patience)

    @classmethod
    def from_environment(cls, cache: Path | None = None, connections: int = 4) -> Store:
        """Take the folders from ``MRREPRO_DATA`` and ``MRREPRO_DATA_MIRROR``; ``cache`` goes before the former."""
        chosen = cache or (Path(os.environ[CACHE_VARIABLE]) if os.environ.get(CACHE_VARIABLE) else platform_cache())
        named = os.environ.get(MIRROR_VARIABLE)
        mirror = Path(named).expanduser() if named else None
        if mirror is not None and not mirror.is_dir():
            raise ValueError(f"{MIRROR_VARIABLE} must name a folder, but {named!r} is none: correct or unset it.")
        if connections < 1:
            raise ValueError(f"connections must be at least 1, but is {connections}.")
        return cls(chosen.expanduser(), mirror, connections)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders in which files are looked for, in this order."""
        return (self.mirror, self.cache) if self.mirror else (self.cache,)


def platform_cache() -> Path:
    """Return the folder that this platform sets aside for files that can be had again."""
    if sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        root = Path.home() / "Library" / "Caches"
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "mrrepro" / "data"
