"""Stages: simulate, train, evaluate. Each is a function of settings, a seed and named inputs, and is made once.

A stage's key is a SHA-256 over its name, the settings it may see, the seed, the keys of its inputs, the checksums of
external data and the digest of its code. Device and number of threads are not in the key: they change speed and the
last bits, and the manifest records them.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from filelock import FileLock, Timeout

from mrrepro.runs import machine, processes
from mrrepro.runs.artifacts import (
    MANIFEST,
    MANIFEST_SCHEMA,
    PARTIAL,
    RESUME,
    STAGE_NAME,
    Artifact,
    ArtifactError,
    ArtifactStore,
)
from mrrepro.runs.code import ENGINE_FORMAT, code_digest, function_name
from mrrepro.runs.files import digest_of, drop_unfinished, read_json, sealed, sha256_of, sync_folder, write_json
from mrrepro.runs.progress import announce, enabled, shown
from mrrepro.runs.replaced import require_nothing_replaced
from mrrepro.runs.settings import as_plain
from mrrepro.runs.time_limit import working_in

_ATTEMPTS = ".attempts.json"

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class StageContext(Generic[S]):
    """What a stage function gets, and all that it may depend on.

    Parameters
    ----------
    settings : S
        The part of the settings that the stage's ``select`` returns.
    seed : int
        The run's seed; 0 for a stage that is the same for all seeds. See `derived_seed`.
    inputs : mapping of str to Artifact
        The artifacts of the input stages, by stage name.
    workspace : Path
        The folder to write to. It survives a kill: the next attempt finds there what this one left.
    stage : str
        Name of the stage.
    device : str
        Where to compute: ``"cpu"``, ``"cuda"``, ...; changes speed, never the settings.
    show_progress : bool
        Whether `progress` draws a bar.
    """

    settings: S
    seed: int
    inputs: Mapping[str, Artifact]
    workspace: Path
    stage: str
    device: str
    show_progress: bool = True

    @property
    def resume(self) -> Path:
        """A folder for what is only needed to resume (checkpoints); it is dropped when the stage has ended."""
        folder = self.workspace / RESUME
        folder.mkdir(exist_ok=True)
        return folder

    def derived_seed(self, purpose: str = "") -> int:
        """Return a seed in [0, 2**63) of its own for a purpose in this stage (``"noise"``, ``"held-out"``).

        Stages and purposes draw independent numbers although the run has one seed.
        """
        return int(digest_of([ENGINE_FORMAT, self.stage, purpose, self.seed])[:16], 16) >> 1

    def progress(self, iterable: Iterable[T], total: int | None = None, description: str = "") -> Iterator[T]:
        """Iterate with a progress bar that appears after two seconds."""
        return shown(iterable, total, description or self.stage, self.show_progress)


@dataclass(frozen=True)
class Stage:
    """A step from settings to files.

    Parameters
    ----------
    name : str
        ``"<chapter>/<step>"``, lower case.
    function : callable
        ``function(context) -> None`` writes files to ``context.workspace``; defined at the top of a module.
    select : callable
        From the paper's settings to the part (a frozen dataclass) that this stage may see.
    inputs : tuple of Stage
        Stages whose artifacts it reads.
    data : callable, optional
        From the paper's settings to ``{name: SHA-256}`` of external data that it reads.
    seeded : bool
        False where nothing random happens: the result then serves all seeds.
    """

    name: str
    function: Callable[[StageContext[Any]], None]
    select: Callable[[Any], Any]
    inputs: tuple[Stage, ...] = ()
    data: Callable[[Any], Mapping[str, str]] | None = None
    seeded: bool = True

    def __post_init__(self) -> None:
        """Refuse names that are no paths, and code that cannot be found again."""
        if not STAGE_NAME.fullmatch(self.name):
            raise ValueError(f"name must be '<chapter>/<step>' in lower case, but is {self.name!r}.")
        function_name(self.function)
        names = [stage.name for stage in self.inputs]
        if len(set(names)) != len(names):
            raise ValueError(f"inputs of {self.name} must have different names, but are {', '.join(names)}.")


@dataclass(frozen=True)
class StageKey:
    """The key of a stage and what went into it."""

    key: str
    settings: Any
    seed: int
    inputs: Mapping[str, str]
    data: Mapping[str, str]
    code: Mapping[str, str] = field(default_factory=dict)


def stage_key(stage: Stage, settings: object, seed: int, store: ArtifactStore | None = None) -> StageKey:
    """Return the key that identifies the result of a stage; nothing is made.

    Where the external data of a stage are not on this machine, ``store`` may hold what another machine made of them:
    the artifact that agrees in all else says which data it was made from.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed must be an integer of at least 0, but is {seed!r}.")
    selected = stage.select(settings)
    if not dataclasses.is_dataclass(selected) or isinstance(selected, type):
        raise ValueError(f"select of {stage.name} must return a frozen dataclass, but returned {selected!r}.")
    used_seed = seed if stage.seeded else 0
    inputs = {other.name: stage_key(other, settings, seed, store).key for other in stage.inputs}
    # the settings' class too, for its methods may compute
    code = {function_name(maker): code_digest(maker) for maker in (stage.function, type(selected))}
    plain = as_plain(selected)
    more = [{"processes": processes.count()}] if processes.work_together(stage.function) else []

    def key_from(data: Mapping[str, str]) -> StageKey:
        parts = [ENGINE_FORMAT, stage.name, type(selected).__qualname__, plain, used_seed, inputs, data, code, *more]
        return StageKey(digest_of(parts), plain, used_seed, inputs, data, code)

    if stage.data is None:
        return key_from({})
    try:
        return key_from(dict(sorted(stage.data(settings).items())))
    except (ValueError, OSError, ImportError) as error:
        for manifest in store.manifests(stage.name) if store is not None else ():
            prepared = key_from(manifest["data"])
            if prepared.key == manifest["key"]:
                return prepared
        raise ValueError(
            f"{stage.name} needs data that are not here: {error} Or make it where they are and bring it: "
            f"mrrepro artifacts export FILE {stage.name}, then mrrepro artifacts import FILE."
        ) from error


def make(
    stage: Stage,
    settings: object,
    seed: int,
    store: ArtifactStore,
    *,
    progress: bool | None = None,
    device: str | None = None,
) -> Artifact:
    """Return the artifact of a stage, making what is missing of it and of its inputs.

    The stage works in ``<store>/<stage>/<key>.partial``, which a kill leaves behind and the next call finds. When the
    stage has ended, its files are measured, the manifest is written, everything is flushed to the disk and the folder
    takes its final name in one step. Of several processes one works; the others wait and then find the result.

    Parameters
    ----------
    stage : Stage
        What to make.
    settings : object
        The paper's settings.
    seed : int
        Seed of the run, at least 0.
    store : ArtifactStore
        Where artifacts lie.
    progress : bool, optional
        Show progress bars on the standard error; by default unless ``MRREPRO_PROGRESS`` is 0.
    device : str, optional
        Where to compute; by default `mrrepro.runs.machine.default_device`.

    Raises
    ------
    ArtifactError
        An artifact on disk is truncated or altered, or the stage wrote nothing.
    RuntimeError
        It would have to be made while a function is replaced (`mrrepro.runs.replaced`).
    """
    identity = stage_key(stage, settings, seed, store)
    found = store.find(stage.name, identity.key)
    if found is not None:
        return found
    require_nothing_replaced(f"making {stage.name}")
    inputs = {
        other.name: make(other, settings, seed, store, progress=progress, device=device) for other in stage.inputs
    }
    if processes.rank() > 0:
        if processes.work_together(stage.function):
            _work_beside(stage, identity, stage.select(settings), inputs, store, device)
        return processes.awaited(lambda: store.find(stage.name, identity.key))
    with _held(store.lock(stage.name, identity.key), f"{stage.name}/{identity.key[:16]}"):
        found = store.find(stage.name, identity.key)
        if found is not None:
            return found
        _work(
            stage, identity, stage.select(settings), inputs, store, enabled() if progress is None else progress, device
        )
    made = store.find(stage.name, identity.key)
    assert made is not None, "the folder was renamed under the lock"
    return made


@contextmanager
def _held(lock: FileLock, name: str) -> Iterator[None]:
    """Hold a lock; say so when another run holds it first."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        announce(f"{name} is being made by another run; waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _work(
    stage: Stage,
    identity: StageKey,
    selected: object,
    inputs: Mapping[str, Artifact],
    store: ArtifactStore,
    progress: bool,
    device: str | None,
) -> None:
    final = store.folder(stage.name, identity.key)
    workspace = final.with_name(final.name + PARTIAL)
    workspace.mkdir(parents=True, exist_ok=True)
    drop_unfinished(workspace)
    attempts = _earlier_attempts(workspace)
    if not (attempts and attempts[-1].get("ended")):  # else it was killed between the last file and the name
        chosen = machine.require_device(device or machine.default_device())
        context = StageContext(selected, identity.seed, inputs, workspace, stage.name, chosen, progress)
        attempts = _attempt(stage, context, attempts)
    _finish(stage, identity, workspace, final, attempts)


def _work_beside(
    stage: Stage,
    identity: StageKey,
    selected: object,
    inputs: Mapping[str, Artifact],
    store: ArtifactStore,
    device: str | None,
) -> None:
    """Take this process's part in a training; what it writes besides is that of the first process, and dropped."""
    final = store.folder(stage.name, identity.key)
    with processes.own_workspace(final.with_name(final.name + PARTIAL), RESUME) as workspace:
        chosen = machine.require_device(device or machine.default_device())
        stage.function(StageContext(selected, identity.seed, inputs, workspace, stage.name, chosen, False))


def _attempt(stage: Stage, context: StageContext[Any], earlier: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run the function once, keeping a record of it beside what it writes."""
    here: dict[str, Any] = {"device": machine.device_name(context.device), "threads": machine.thread_count()}
    here["started"] = time.time()
    record = context.workspace / _ATTEMPTS
    write_json(record, [*earlier, here])
    machine.reset_peak_memory()
    start = time.perf_counter()
    try:
        with working_in(context.workspace):
            stage.function(context)
        here["ended"] = True
    finally:
        here["threads"] = machine.thread_count()  # torch may have been imported in between
        here["seconds"] = round(time.perf_counter() - start, 3)
        here["peak_memory_mib"] = round(machine.peak_memory_mib(), 1)
        here["peak_device_memory_mib"] = machine.peak_device_memory_mib()
        write_json(record, [*earlier, here])
    return [*earlier, here]


def _finish(stage: Stage, identity: StageKey, workspace: Path, final: Path, attempts: list[dict[str, Any]]) -> None:
    """Measure the files, write the manifest and give the folder its name."""
    shutil.rmtree(workspace / RESUME, ignore_errors=True)
    drop_unfinished(workspace)
    files = _measured_files(stage, workspace)
    manifest = {
        "schema": MANIFEST_SCHEMA,
        "stage": stage.name,
        "key": identity.key,
        "settings": identity.settings,
        "seed": identity.seed,
        "inputs": dict(identity.inputs),
        "data": dict(identity.data),
        "code": dict(identity.code),
        "files": files,
        "versions": machine.versions(),
        "commit": machine.commit(),
        "device": attempts[-1]["device"],
        "threads": attempts[-1]["threads"],
        **({"processes": processes.count()} if processes.work_together(stage.function) else {}),
        "attempts": [{key: attempt[key] for key in attempt if key not in ("started", "ended")} for attempt in attempts],
        "seconds": round(sum(attempt["seconds"] for attempt in attempts), 3),
        "peak_memory_mib": max(attempt.get("peak_memory_mib") or 0.0 for attempt in attempts),
        "created": machine.now(),
    }
    write_json(workspace / MANIFEST, sealed(manifest))
    workspace.rename(final)
    with suppress(OSError):
        (final / _ATTEMPTS).unlink()
    sync_folder(final.parent)


def _measured_files(stage: Stage, workspace: Path) -> dict[str, dict[str, Any]]:
    """Size and checksum of each file, all of them flushed to the disk."""
    files = {}
    for path in sorted(workspace.rglob("*")):
        name = path.relative_to(workspace).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ArtifactError(f"{stage.name} left {name}, which is no plain file: copy what it points to.")
        if path.is_file() and name not in (MANIFEST, _ATTEMPTS):
            files[name] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
            with suppress(OSError), path.open("rb") as stream:  # Windows cannot flush what is open for reading
                os.fsync(stream.fileno())
    if not files:
        raise ArtifactError(f"{stage.name} ended without writing a file to context.workspace.")
    return files


def _earlier_attempts(workspace: Path) -> list[dict[str, Any]]:
    """Read the attempts that were killed or failed; a killed one lasted until it last wrote."""
    path = workspace / _ATTEMPTS
    if not path.is_file():
        return []
    attempts: list[dict[str, Any]] = read_json(path)
    written = [item.stat().st_mtime for item in workspace.rglob("*") if item.is_file()]
    for attempt in attempts:
        attempt.setdefault("seconds", round(max(0.0, max(written) - attempt["started"]), 3))
    return attempts
