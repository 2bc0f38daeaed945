"""Recorded sweeps: variants of a chapter over seeds, made once, kept as small files with what is needed to repeat them.

A file holds one variant at one scale: its overrides, and for each seed the numbers of the recorded stages, the key and
the code digest of each, device, threads and seconds. The artifacts themselves stay in the store.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mrrepro.runs import processes
from mrrepro.runs.artifacts import Artifact, ArtifactStore
from mrrepro.runs.code import code_digest
from mrrepro.runs.files import digest_of, read_arrays, read_json, read_verified, sha256_of, write_text, write_whole
from mrrepro.runs.machine import commit
from mrrepro.runs.settings import ScaledSettings, as_plain, configure, require_known
from mrrepro.runs.stages import Stage, make

FORMAT = "mrrepro-recorded/1"
_INNERMOST = re.compile(r"\[[^\[\]{}]*\]|\{[^\[\]{}]*\}")
_SHORT = 110

MOST_BYTES = 2**20
"""Files of arrays up to this size may be kept of a recorded run."""


@dataclass(frozen=True)
class Variant:
    """A chapter with some settings changed.

    Parameters
    ----------
    name : str
        Lower case, as the file is named.
    overrides : mapping
        Settings by dotted name.
    meaning : str
        What it shows, in words.
    stages : tuple of Stage
        Whose numbers are kept.
    """

    name: str
    overrides: Mapping[str, Any]
    meaning: str
    stages: tuple[Stage, ...]


def recorded_folder(paper: str, scale: str) -> Path:
    """Where the recorded sweeps of a chapter at a scale lie, inside the package."""
    return Path(__file__).parents[1] / "papers" / paper / "recorded" / scale


def variant_named(variants: Sequence[Variant], name: str) -> Variant:
    """The variant of this name; ``ValueError`` lists the known ones."""
    require_known("variant", name, [variant.name for variant in variants])
    return next(variant for variant in variants if variant.name == name)


def record(
    paper: str,
    variant: Variant,
    seed: int,
    *,
    settings_type: type[ScaledSettings],
    scale: str,
    store: ArtifactStore,
    folder: Path | None = None,
    device: str | None = None,
    arrays: bool = False,
) -> Path:
    """Make the stages of one variant and seed, and keep their numbers; other seeds of the file stay.

    With ``arrays`` files of arrays of up to `MOST_BYTES` are kept beside it too, for `recorded_arrays`.

    Returns
    -------
    Path
        The file of the variant.
    """
    settings: Any = configure(settings_type, scale, variant.overrides)
    artifacts = [make(stage, settings, seed, store, device=device) for stage in variant.stages]
    path = (folder or recorded_folder(paper, scale)) / f"{variant.name}.json"
    if processes.rank() > 0:  # the first process writes
        return path
    run = {
        "seed": seed,
        "commit": commit(),
        "settings": _digest(settings),
        **({"processes": processes.count()} if processes.count() > 1 else {}),
        "stages": {a.stage: _origin(a, store) for a in artifacts},
        "numbers": {a.stage: numbers_of(a) for a in artifacts},
    }
    with store.lock(f"{paper}/recorded", f"{scale}-{variant.name}"):
        if arrays:
            run["arrays"] = _keep_arrays(artifacts, path, seed)
        _add_run(path, run, {"paper": paper, "variant": variant.name, "scale": scale}, variant)
    return path


def _keep_arrays(artifacts: Sequence[Artifact], path: Path, seed: int) -> dict[str, str]:
    """Copy small files of arrays beside a variant's file, and return their names with their SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {}
    for artifact in artifacts:
        for name, about in artifact.manifest["files"].items():
            if name.endswith(".npz") and about["bytes"] <= MOST_BYTES:
                target = path.with_name(_arrays_file(path.stem, seed, artifact.stage, name))
                write_whole({target: read_verified(artifact.file(name), about["sha256"])})
                kept[target.name] = about["sha256"]
    return kept


def _arrays_file(variant: str, seed: int, stage: str, name: str) -> str:
    return f"{variant}-seed{seed}-{stage.rpartition('/')[2]}-{name}"


def recorded_arrays(
    paper: str, scale: str, variant: str, stage: str, name: str, folder: Path | None = None
) -> dict[str, np.ndarray[Any, Any]] | None:
    """Arrays that were kept of a stage in the lowest seed whose code is today's; None where it kept none.

    Parameters
    ----------
    stage : str
        Its name, ``"<chapter>/<step>"``.
    name : str
        Of the file that the stage wrote.

    Raises
    ------
    ValueError
        If the file is not the one that was kept.
    """
    fresh = [run for run in read_recorded(paper, scale, variant, folder) if not stale_reason(run)]
    file = _arrays_file(variant, int(fresh[0]["seed"]), stage, name) if fresh else ""
    if not fresh or file not in fresh[0].get("arrays", {}):
        return None
    path = (folder or recorded_folder(paper, scale)) / file
    if not path.exists() or sha256_of(path) != fresh[0]["arrays"][file]:
        raise ValueError(f"{path} is not the file that was recorded: get it from the repository, or record again.")
    return read_arrays(path)


def _add_run(path: Path, run: dict[str, Any], identity: dict[str, Any], variant: Variant) -> None:
    """Put one seed into a variant's file; seeds of the variant as it was with other overrides are dropped.

    Arrays of runs that are dropped or replaced go with them.
    """
    document = read_json(path) if path.exists() else {}
    same = document.get("overrides") == dict(variant.overrides)
    runs = {int(old["seed"]): old for old in document.get("runs", [])} if same else {}
    runs[int(run["seed"])] = run
    head = {"format": FORMAT, **identity, "meaning": variant.meaning, "overrides": dict(variant.overrides)}
    write_text(path, as_short_json(head | {"runs": [runs[number] for number in sorted(runs)]}))
    named = {name for each in runs.values() for name in each.get("arrays", {})}
    for left in path.parent.glob(f"{path.stem}-seed*.npz"):
        if left.name not in named:
            left.unlink()


def _origin(artifact: Artifact, store: ArtifactStore) -> dict[str, Any]:
    manifest = artifact.manifest
    before = {"code": _of_all("code", artifact, store), "data": _of_all("data", artifact, store)}
    return {"key": artifact.key, **before} | {
        name: manifest[name] for name in ("device", "threads", "seconds", "peak_memory_mib", "created")
    }


def _of_all(kind: str, artifact: Artifact, store: ArtifactStore) -> dict[str, str]:
    """Digests of the code, or of the data, of a stage and of all stages before it, whose numbers need not be kept."""
    found: dict[str, str] = {}
    for name, key in artifact.manifest["inputs"].items():
        before = store.find(name, key)
        found |= _of_all(kind, before, store) if before is not None else {}
    return found | dict(artifact.manifest[kind])


def numbers_of(artifact: Artifact) -> dict[str, Any]:
    """All JSON documents and all arrays of at most 4096 numbers of an artifact, rounded to four digits."""
    found: dict[str, Any] = {}
    for name in artifact.manifest["files"]:
        if name.endswith(".json"):
            found[name.removesuffix(".json")] = rounded(artifact.json(name))
        elif name.endswith(".npz"):
            arrays = artifact.arrays(name)
            found |= {key: _plain(value) for key, value in arrays.items() if value.size <= 4096}
    return found


def _plain(array: np.ndarray[Any, Any]) -> Any:
    return rounded(array.tolist())


def four_digits(value: Any) -> float:
    """A number, numpy's or torch's alike, rounded to the four digits that are kept of it.

    >>> four_digits(0.123456)
    0.1235
    """
    return float(f"{float(value):.4g}")


def rounded(value: Any) -> Any:
    """The same with four digits, and as text what JSON has no number for."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    if isinstance(value, float):
        return four_digits(value) if math.isfinite(value) else str(value)
    return value


def read_recorded(paper: str, scale: str, variant: str, folder: Path | None = None) -> list[dict[str, Any]]:
    """The runs of a variant, by seed; empty where none is recorded at this scale."""
    path = (folder or recorded_folder(paper, scale)) / f"{variant}.json"
    return list(read_json(path)["runs"]) if path.exists() else []


def recorded_overrides(paper: str, scale: str, variant: str, folder: Path | None = None) -> dict[str, Any]:
    """Settings by dotted name that a variant was recorded with beside its scale's; empty where none is recorded."""
    path = (folder or recorded_folder(paper, scale)) / f"{variant}.json"
    return dict(read_json(path)["overrides"]) if path.exists() else {}


def fresh_seeds(
    paper: str,
    variant: Variant,
    *,
    settings_type: type[ScaledSettings],
    scale: str,
    folder: Path | None = None,
    arrays: bool = False,
) -> set[int]:
    """Seeds of a variant that are recorded with its settings of today and with today's code.

    With ``arrays`` only those whose arrays were kept too.

    Raises
    ------
    ValueError
        If the scale is unknown, or an override of the variant is.
    """
    today = _digest(configure(settings_type, scale, variant.overrides))
    path = (folder or recorded_folder(paper, scale)) / f"{variant.name}.json"
    if not path.exists() or read_json(path)["overrides"] != dict(variant.overrides):
        return set()
    runs = read_recorded(paper, scale, variant.name, folder)
    return {
        int(run["seed"])
        for run in runs
        if run.get("settings", today) == today and not stale_reason(run) and ("arrays" in run or not arrays)
    }


def _digest(settings: object) -> str:
    """SHA-256 of settings, since the values of a scale may change though a variant's overrides do not."""
    return digest_of(as_plain(settings))


@dataclass(frozen=True)
class Made:
    """What made some recorded runs: digests of their code, checksums of their data, and what they cost together.

    Parameters
    ----------
    code, data : mapping of str to str
        Digest by function, SHA-256 by name of a file.
    seconds : float
        Of all their kept stages [s].
    peak_memory_mib : float
        The largest of any of them [MiB].
    """

    code: Mapping[str, str]
    data: Mapping[str, str]
    seconds: float
    peak_memory_mib: float


def made_by(runs: Sequence[Mapping[str, Any]]) -> Made:
    """Gather what made recorded runs; recordings from before checksums were kept have no data.

    Raises
    ------
    ValueError
        If there is no run.
    """
    if not runs:
        raise ValueError("runs must hold at least one recorded run.")
    stages = [origin for run in runs for origin in run["stages"].values()]
    code, data = ({name: one for o in stages for name, one in o.get(kind, {}).items()} for kind in ("code", "data"))
    seconds = sum(float(origin["seconds"]) for origin in stages)
    return Made(code, data, seconds, max(float(origin["peak_memory_mib"]) for origin in stages))


def stale_reason(run: Mapping[str, Any], digest: Callable[[str], str] = code_digest) -> str:
    """Say which code of a recorded run has changed since; empty where none has."""
    for stage, origin in run["stages"].items():
        for function, recorded in origin["code"].items():
            try:
                today = digest(function)
            except ValueError:
                return f"the code of {stage} ({function}) has gone since it was recorded"
            if today != recorded:
                return f"the code of {stage} ({function}) has changed since it was recorded"
    return ""


def as_short_json(document: object) -> str:
    """JSON with one line for each list of numbers and each small object: short files that differ by line."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)

    def one_line(found: re.Match[str]) -> str:
        joined = re.sub(r"\s*\n\s*", " ", found[0])
        return joined if len(joined) <= _SHORT or '"' not in joined else found[0]

    return _INNERMOST.sub(one_line, text) + "\n"
