"""A run's ``data``: simulated by default, a public data set by name, or a folder; settled before anything runs.

A chapter declares its data sets in its recipe: which subjects of what the fetcher knows, how they are prepared, and
which settings change. The fetcher is asked by name when a run asks for data, and nothing is downloaded here: what is
missing is an error that says how much it is and how to get it.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from mrrepro.runs.code import code_digest
from mrrepro.runs.files import digest_of, lock_beside, sha256_of
from mrrepro.runs.settings import SCALES, require_known

SIMULATED = "simulated"
"""The default: what needs no download."""


class SourceFile(Protocol):
    """A verified file of the fetcher: whose it is, what it shows, its place in the data set, and where it lies."""

    subject: str
    role: str
    local: str
    path: Path


class Held(Protocol):
    """What the fetcher found of the subjects that were asked for."""

    files: Sequence[SourceFile]
    complete: bool

    def sentence(self) -> str:
        """Say what is missing and how to get it."""


@dataclass(frozen=True)
class DataSet:
    """A public data set as one chapter uses it.

    Parameters
    ----------
    name : str
        The fetcher's name of it.
    setting : str
        Dotted name of the setting that takes the prepared folder.
    subjects : mapping of str to tuple of str
        Scale to the subjects that are used.
    changes : mapping of str to mapping
        Scale to further settings that fit the data.
    roles : tuple of str
        Which files of a subject are used; all where empty.
    prepare : callable, optional
        ``prepare(files, folder, scale)`` writes what the chapter reads; by default the files themselves, side by side.
    without : mapping of str to str
        Notebooks that stay on simulated data, and why.
    """

    name: str
    setting: str
    subjects: Mapping[str, tuple[str, ...]]
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    prepare: Callable[[Sequence[SourceFile], Path, str], None] | None = None
    without: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ChapterData:
    """The data sets of a chapter, and what takes a reader's own folder.

    Parameters
    ----------
    sets : tuple of DataSet
    folder_setting : str
        Dotted name of the setting that takes a folder.
    folder_changes : mapping
        Scale to further settings for a folder; what is not given here stays as it is at the scale.
    folder_without : mapping of str to str
        Notebooks that a folder cannot serve, and why.
    """

    sets: tuple[DataSet, ...]
    folder_setting: str
    folder_changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    folder_without: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """What ``data`` may be beside a folder."""
        return (SIMULATED, *(each.name for each in self.sets))


@dataclass(frozen=True)
class RunData:
    """The data of a run.

    Parameters
    ----------
    name : str
        What ``data`` was.
    changes : mapping
        Settings by dotted name that it changes.
    sources : mapping of str to str
        SHA-256 of the files that it rests on, by their place in the data set.
    prepared : frozenset of str
        SHA-256 of the files that stages read.
    why : str
        Why a data set that was asked for does not serve this notebook.
    """

    name: str = SIMULATED
    changes: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    prepared: frozenset[str] = frozenset()
    why: str = ""

    @property
    def simulated(self) -> bool:
        """Whether this is the default."""
        return self.name == SIMULATED

    def underlies(self, checksums: Mapping[str, str]) -> bool:
        """Tell whether files of these SHA-256 are among those that were prepared."""
        return not self.prepared.isdisjoint(checksums.values())

    def settings(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Return the changes with a user's overrides over them; the folder itself cannot be given twice."""
        folders = [name for name in self.changes if name in overrides and isinstance(self.changes[name], str)]
        if folders:
            raise ValueError(f"data={self.name} sets {folders[0]} itself: leave one of the two out.")
        return {**self.changes, **overrides}


def chapter_data(paper: str) -> ChapterData | None:
    """Return the data sets that the recipe of a chapter declares as ``DATA``; None where it has no recipe."""
    whole = f"mrrepro.papers.{paper}.recipe"
    try:
        recipe = import_module(whole)
    except ModuleNotFoundError as error:
        if error.name is not None and whole.startswith(error.name):
            return None
        raise
    found: ChapterData | None = getattr(recipe, "DATA", None)
    return found


def resolve(
    paper: str, data: str, scale: str, root: Path, known: ChapterData | None = None, notebook: str = ""
) -> RunData:
    """Settle what a run's ``data`` means.

    Parameters
    ----------
    paper : str
        Key of the chapter.
    data : str
        ``"simulated"``, a name of the chapter's data sets, or a folder.
    scale : str
        One of `SCALES`.
    root : Path
        Folder of results; prepared data go to ``data`` in it.
    known : ChapterData, optional
        By default what the chapter's recipe declares.
    notebook : str
        Name of the notebook, which may be one that a data set cannot serve.

    Raises
    ------
    ValueError
        An unknown name (the known ones are listed), an empty folder, or data that are not at hand: what is missing,
        how much that is, the command that gets it, and the page of the account where one is needed.
    """
    require_known("scale", str(scale), SCALES)
    if not isinstance(data, str):
        raise ValueError(f"data must be text, a name or a folder, but is {data!r}.")
    if not data.strip():
        raise ValueError(f"data must be {SIMULATED!r}, the name of a data set or a folder, but is empty.")
    if data == SIMULATED:
        return RunData()
    chapter = known or chapter_data(paper) or ChapterData((), "")
    named = {each.name: each for each in chapter.sets}
    if data in named and notebook in named[data].without:
        return RunData(why=f"{data} is not used here: {named[data].without[notebook]}")
    if data in named:
        return _public(paper, named[data], scale, root)
    if chapter.folder_setting and Path(data).expanduser().is_dir():
        if notebook in chapter.folder_without:
            return RunData(why=f"the folder {data} is not used here: {chapter.folder_without[notebook]}")
        return _folder(chapter, Path(data).expanduser().resolve(), scale)
    try:
        require_known("data", data, chapter.names)
    except ValueError as error:
        raise ValueError(f"{error} A folder is taken too, but there is none of this name.") from None
    raise AssertionError(data)


def look_for(name: str, subjects: Sequence[str]) -> Held:
    """Ask the fetcher what of a data set is at hand, verified; nothing is downloaded.

    Raises
    ------
    ValueError
        The fetcher is not installed, or knows no such data set or subject.
    """
    try:
        fetcher: Any = import_module("data_fetch.held")
    except ModuleNotFoundError as error:
        raise ValueError(
            f"data sets need the fetcher and its readers, but {error.name} is not installed: pip install "
            "'mrrepro[data]', from a clone of the project."
        ) from None
    held: Held = fetcher.look_for(name, subjects)
    return held


def load_subject(name: str, subject: str) -> Any:
    """Read a subject that `look_for` found, in the fetcher's own types."""
    fetcher: Any = import_module("data_fetch")
    return fetcher.load(name, subject)


def _public(paper: str, chosen: DataSet, scale: str, root: Path) -> RunData:
    held = look_for(chosen.name, chosen.subjects[scale])
    if not held.complete:
        raise ValueError(f"data={chosen.name} cannot be used yet: {held.sentence()}")
    files = [file for file in held.files if not chosen.roles or file.role in chosen.roles]
    sources = {file.local: sha256_of(file.path) for file in files}
    how = code_digest(chosen.prepare) if chosen.prepare else "as they are"
    mark = digest_of([paper, chosen.name, scale if chosen.prepare else "", sources, how])[:16]
    folder = root / "data" / paper / f"{chosen.name}-{mark}"
    _prepare(chosen, files, folder, scale)
    return RunData(
        chosen.name,
        {**chosen.changes.get(scale, {}), chosen.setting: str(folder)},
        sources,
        frozenset(sha256_of(path) for path in sorted(folder.rglob("*")) if path.is_file()),
    )


def _folder(chapter: ChapterData, folder: Path, scale: str) -> RunData:
    sources = {str(path.relative_to(folder)): sha256_of(path) for path in sorted(folder.rglob("*.nii*"))}
    if not sources:
        raise ValueError(f"data={folder} holds no NIfTI file (*.nii, *.nii.gz): give the folder that holds them.")
    changes = {**chapter.folder_changes.get(scale, {}), chapter.folder_setting: str(folder)}
    return RunData(str(folder), changes, sources, frozenset(sources.values()))


def _prepare(chosen: DataSet, files: Sequence[SourceFile], folder: Path, scale: str) -> None:
    """Make the prepared folder, whole or not at all; one process at a time.

    One whose links lead nowhere any more, because cache or mirror have moved, is made anew.
    """
    with lock_beside(folder):
        if folder.is_dir():
            if all(path.exists() for path in folder.rglob("*")):
                return
            shutil.rmtree(folder)
        part = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
        part.mkdir()
        try:
            if chosen.prepare is None:
                for file in files:
                    _place(file.path, part / Path(file.local).name)
            else:
                chosen.prepare(files, part, scale)
            part.rename(folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise


def _place(source: Path, target: Path) -> None:
    """Link a file, or copy it where the system has no links."""
    try:
        target.symlink_to(source.resolve())
    except (OSError, NotImplementedError):
        shutil.copyfile(source, target)
