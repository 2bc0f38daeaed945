"""Whether a chapter was run at the paper's sizes, and on what that rests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOT_YET = "not yet run at paper scale"

NETWORKS_IN = "headline"
"""The variant that trains a chapter's networks."""


@dataclass(frozen=True)
class ChapterState:
    """State of a chapter at scale ``paper``.

    Parameters
    ----------
    words : str
        `NOT_YET`, or what is recorded, and `NOT_YET` of the networks where it is the rest alone.
    ground : str
        The recorded variants, or what a rehearsal showed.
    """

    words: str
    ground: str


def chapter_state(chapter: str, recorded: Path | None = None, rehearsed: Path | None = None) -> ChapterState:
    """Return the state of a chapter from its recorded runs and its rehearsals.

    Parameters
    ----------
    recorded : Path, optional
        Folder of recorded variants; by default the chapter's at scale ``paper``.
    rehearsed : Path, optional
        File of rehearsals; by default the chapter's.
    """
    from mrrepro.runs.files import read_json
    from mrrepro.runs.recorded import recorded_folder, stale_reason
    from mrrepro.runs.rehearsed import read_rehearsed

    folder = recorded or recorded_folder(chapter, "paper")
    documents = [read_json(path) for path in sorted(folder.glob("*.json"))]
    if not documents:
        return ChapterState(NOT_YET, _rehearsed(read_rehearsed(chapter, rehearsed)["training"]))
    runs = [(document["variant"], run) for document in documents for run in document["runs"]]
    stale = sorted({variant for variant, run in runs if stale_reason(run)})
    words = f"recorded: {len(documents)} variant{'s' * (len(documents) > 1)}, {len(runs)} run{'s' * (len(runs) > 1)}"
    ground = "; ".join(_recorded(document) for document in documents)
    if stale:
        words += f"; stale, for their code has changed: {', '.join(stale)}"
    if NETWORKS_IN not in {document["variant"] for document in documents}:
        words = f"networks {NOT_YET}; {words}"
        ground += f"; {_rehearsed(read_rehearsed(chapter, rehearsed)['training'])}"
    return ChapterState(words, ground)


def _recorded(document: dict[str, Any]) -> str:
    seeds = f"seed{'s' * (len(document['runs']) > 1)} " + ", ".join(str(run["seed"]) for run in document["runs"])
    origins = [origin for run in document["runs"] for origin in run["stages"].values()]
    devices = ", ".join(sorted({origin["device"] for origin in origins}))
    given = "".join(f", {name} = {value}" for name, value in document["overrides"].items())
    named = document["variant"] + (given if document["variant"] == NETWORKS_IN else "")
    return f"{named}, {seeds}, {sum(o['seconds'] for o in origins):.0f} s on {devices}"


def _rehearsed(training: dict[str, Any]) -> str:
    tried = {name: entry["rehearsal"] for name, entry in training.items() if "rehearsal" in entry}
    if not tried:
        return "nothing was rehearsed"
    parts = []
    for name, entry in tried.items():
        equal = "resumed to the same bits" if entry["resumed_equal"] else "resumed to other weights"
        step = f"{min(entry['step_seconds']):.3g} s each, {entry['peak_memory_mib'] / 1024:.2g} GiB"
        parts.append(f"{name}: {entry['steps']} steps of {entry['batch_size']} at full size, {step}, {equal}")
    return "; ".join(parts)
