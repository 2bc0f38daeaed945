"""What rehearsals of a chapter's largest scales showed, kept as a small file in the repository.

The file holds, for each training, the cost of a step at scales ``colab`` and ``paper`` and what a few steps at full
size showed; for each simulator and solver its figure at full size; and of all where and when it was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mrrepro.runs import machine
from mrrepro.runs.files import digest_of, lock_beside, read_json, write_text
from mrrepro.runs.recorded import as_short_json
from mrrepro.runs.settings import as_plain

FORMAT = "mrrepro-rehearsed/1"


def rehearsed_file(paper: str) -> Path:
    """Where the rehearsals of a chapter lie, inside the package."""
    return Path(__file__).parents[1] / "papers" / paper / "rehearsed.json"


def read_rehearsed(paper: str, path: Path | None = None) -> dict[str, Any]:
    """The rehearsals of a chapter, ``{"training": {id: ...}, "items": {id: ...}}``; both empty where there are none."""
    path = path or rehearsed_file(paper)
    document: dict[str, Any] = read_json(path) if path.exists() else {}
    return {"training": document.get("training", {}), "items": document.get("items", {})}


def keep_rehearsed(paper: str, training: Mapping[str, Any], items: Mapping[str, Any], path: Path | None = None) -> Path:
    """Write rehearsals into the chapter's file; those of other ids stay, and of one id what is not given anew."""
    path = path or rehearsed_file(paper)
    with lock_beside(path):
        held = read_rehearsed(paper, path)
        for kind, found in (("training", training), ("items", items)):
            for name, values in found.items():
                held[kind][name] = {**held[kind].get(name, {}), **values}
        kept = {kind: dict(sorted(entries.items())) for kind, entries in held.items()}
        write_text(path, as_short_json({"format": FORMAT, "paper": paper, **kept}))
    return path


def provenance(device: str) -> dict[str, Any]:
    """On what, when and with which versions something was measured."""
    return {
        "device": machine.device_name(device),
        "threads": machine.thread_count(),
        "commit": machine.commit(),
        "date": machine.now(),
        "versions": {name: version for name, version in machine.versions().items() if name in ("python", "torch")},
    }


def settings_digest(settings: object) -> str:
    """What a rehearsal must agree in with today's settings, else it is stale."""
    return digest_of(as_plain(settings))
