"""Settings: nested frozen dataclasses, one value set per scale, overrides by dotted name.

A paper declares its values with `setting` and gives each scale through a classmethod::

    @dataclass(frozen=True)
    class Training:
        samples: int = setting(4_000_000, "training samples", source="Section 3.2", low=1)

    @dataclass(frozen=True)
    class Settings:
        training: Training = Training()

        @classmethod
        def at_scale(cls, scale: str) -> Self:
            return cls(Training(samples={"smoke": 64, "demo": 8000, "colab": 200_000, "paper": 4_000_000}[scale]))

A setting that no code reads has no place here; nor has anything that says on which machine the code runs.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib.util
import math
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

from mrrepro.runs.fields import Meaning, check_value, has_default, meaning_of, read_value, setting, type_name

__all__ = [
    "SCALES",
    "ScaledSettings",
    "SettingRow",
    "as_plain",
    "check_settings",
    "configure",
    "describe",
    "from_plain",
    "require_known",
    "setting",
]

SCALES = ("smoke", "demo", "colab", "paper")
"""From seconds to the paper's own sizes."""


class ScaledSettings(Protocol):
    """A paper's settings: a frozen dataclass that knows its values at each scale."""

    @classmethod
    def at_scale(cls, scale: str) -> Self:
        """Return the settings of ``smoke``, ``demo``, ``colab`` or ``paper``."""
        ...


S = TypeVar("S")


@dataclass(frozen=True)
class SettingRow:
    """One line of the table of parameters."""

    name: str
    type: str
    admissible: str
    unit: str
    values: Mapping[str, object]
    meaning: str
    source: str


def require_known(kind: str, name: str, known: Collection[str]) -> None:
    """Raise ``ValueError`` that lists what is known, the nearest name first, unless ``name`` is known."""
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if not near:  # training.sample when only the last part was typed, or the other way round
        near = [other for other in known if name and name in other.split(".")][:1]
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(sorted(known)) or 'none'}.")


def configure(settings_type: type[S], scale: str, overrides: Mapping[str, object] | None = None) -> S:
    """Return the settings of a scale with some values overridden, everything checked.

    Parameters
    ----------
    settings_type : type
        A frozen dataclass with a classmethod ``at_scale``.
    scale : str
        One of `SCALES`.
    overrides : mapping, optional
        Dotted name to value, ``{"training.samples": 500}``; text is parsed to the field's type, and a mapping
        may stand for the fields of a group, ``{"training": {"samples": 500}}``.

    Returns
    -------
    settings_type

    Raises
    ------
    ValueError
        An unknown scale or name (the known ones are listed), a wrong type, a value out of range, or values that do not
        go together by the ``conflicts`` of the module ``consistency`` beside the settings' own.
    """
    if scale not in SCALES:
        require_known("scale", str(scale), SCALES)
    base = settings_type.at_scale(scale)  # type: ignore[attr-defined]
    known = dict(_leaves(settings_type))
    replaced: dict[str, object] = {}
    for name, value in _flatten(settings_type, overrides or {}):
        require_known("parameter", name, known)
        if name in replaced:
            raise ValueError(f"{name} is given twice: {replaced[name]!r} and {value!r}.")
        annotation, meaning = known[name]
        replaced[name] = read_value(name, annotation, value)
        check_value(name, replaced[name], meaning)
    settings = _replace(base, replaced, "")
    check_settings(settings)
    found = _conflicts(settings)
    if found:
        raise ValueError(" ".join(found))
    return typing.cast(S, settings)


def _conflicts(settings: object) -> list[str]:
    """What a chapter says of its own settings that do not go together; a chapter need say nothing."""
    package = type(settings).__module__.rpartition(".")[0]
    name = f"{package}.consistency"
    if not package or importlib.util.find_spec(name) is None:
        return []
    conflicts: Callable[[object], Iterator[str]] = importlib.import_module(name).conflicts
    return list(conflicts(settings))


def check_settings(settings: object, prefix: str = "") -> None:
    """Raise ``ValueError`` where a value of nested settings has a wrong type or lies out of range."""
    hints = _hints(type(settings))
    for declared in dataclasses.fields(settings):  # type: ignore[arg-type]
        name, value = f"{prefix}{declared.name}", getattr(settings, declared.name)
        if dataclasses.is_dataclass(value):
            check_settings(value, f"{name}.")
            continue
        if isinstance(value, str) and hints[declared.name] is not str:
            read = read_value(name, hints[declared.name], value)
            if read != value:
                raise ValueError(f"{name} must be {type_name(hints[declared.name])}, but is {value!r}.")
        elif not _holds_records(value):
            read_value(name, hints[declared.name], value)
        check_value(name, value, meaning_of(declared))


def describe(settings_type: type) -> tuple[SettingRow, ...]:
    """Return one row a setting, in the order of declaration, with its value at each scale."""
    at = {scale: settings_type.at_scale(scale) for scale in SCALES}  # type: ignore[attr-defined]
    rows = []
    for name, (annotation, meaning) in _leaves(settings_type):
        values = {scale: _get(settings, name) for scale, settings in at.items()}
        kind = type_name(annotation)
        rows.append(SettingRow(name, kind, meaning.admissible(), meaning.unit, values, meaning.text, meaning.source))
    return tuple(rows)


def in_words(overrides: Mapping[str, Any]) -> str:
    """Settings by dotted name as a reader sees them.

    >>> in_words({"training.samples": 500, "network.width": 8})
    'training.samples = 500, network.width = 8'
    """
    return ", ".join(f"{name} = {value}" for name, value in overrides.items())


def as_plain(settings: object) -> Any:
    """Turn settings into dicts, lists and plain values that JSON holds; infinities become ``"inf"``, ``"-inf"``."""
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        return {item.name: as_plain(getattr(settings, item.name)) for item in dataclasses.fields(settings)}
    if isinstance(settings, Mapping):
        return {str(key): as_plain(value) for key, value in settings.items()}
    if isinstance(settings, list | tuple):
        return [as_plain(value) for value in settings]
    if isinstance(settings, float) and math.isinf(settings):
        return "inf" if settings > 0 else "-inf"
    if settings is None or isinstance(settings, bool | int | float | str):
        return settings
    raise ValueError(f"Settings hold plain values only, but found {settings!r} of type {type(settings).__name__}.")


def from_plain(settings_type: type[S], plain: Mapping[str, object]) -> S:
    """Rebuild settings from `as_plain`; unknown and missing fields are errors."""
    if not isinstance(plain, Mapping):
        raise ValueError(f"{settings_type.__name__} must be a mapping, but is {plain!r}.")
    declared = {item.name: item for item in dataclasses.fields(settings_type)}  # type: ignore[arg-type]
    for name in plain:
        require_known(f"field of {settings_type.__name__}", name, declared)
    missing = [name for name, item in declared.items() if name not in plain and not has_default(item)]
    if missing:
        raise ValueError(f"{settings_type.__name__} lacks {', '.join(missing)}.")
    hints = _hints(settings_type)
    values = {name: _rebuild(name, hints[name], value) for name, value in plain.items()}
    settings = settings_type(**values)
    check_settings(settings)
    return settings


def _rebuild(name: str, annotation: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return from_plain(annotation, value)
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is tuple and isinstance(value, list | tuple):
        kinds = [arguments[0]] * len(value) if arguments[1:] == (Ellipsis,) else list(arguments)
        if len(kinds) == len(value) and any(dataclasses.is_dataclass(kind) for kind in kinds):
            return tuple(_rebuild(name, kind, item) for kind, item in zip(kinds, value, strict=True))
    if isinstance(value, Mapping):
        for kind in arguments:  # settings or None
            if dataclasses.is_dataclass(kind) and isinstance(kind, type):
                return from_plain(kind, value)
    return read_value(name, annotation, value)


def _hints(settings_type: Any) -> dict[str, Any]:
    return typing.get_type_hints(settings_type)


def _leaves(settings_type: type, prefix: str = "") -> Iterator[tuple[str, tuple[Any, Meaning]]]:
    hints = _hints(settings_type)
    for declared in dataclasses.fields(settings_type):
        annotation = hints[declared.name]
        if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
            yield from _leaves(annotation, f"{prefix}{declared.name}.")
        else:
            yield f"{prefix}{declared.name}", (annotation, meaning_of(declared))


def _flatten(settings_type: type, overrides: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    groups = {name.rpartition(".")[0] for name, _ in _leaves(settings_type)}
    groups |= {".".join(group.split(".")[:depth]) for group in groups for depth in range(1, group.count(".") + 1)}
    for name, value in overrides.items():
        full = f"{prefix}{name}"
        if isinstance(value, Mapping) and full in groups:
            yield from _flatten(settings_type, value, f"{full}.")
        else:
            yield full, value


def _replace(settings: Any, values: Mapping[str, object], prefix: str) -> Any:
    changed: dict[str, object] = {}
    for declared in dataclasses.fields(settings):
        name, value = f"{prefix}{declared.name}", getattr(settings, declared.name)
        if name in values:
            changed[declared.name] = values[name]
        elif dataclasses.is_dataclass(value) and any(other.startswith(f"{name}.") for other in values):
            changed[declared.name] = _replace(value, values, f"{name}.")
    return dataclasses.replace(settings, **changed) if changed else settings


def _get(settings: Any, name: str) -> object:
    for part in name.split("."):
        settings = getattr(settings, part)
    return settings


def _holds_records(value: object) -> bool:
    return isinstance(value, tuple) and any(dataclasses.is_dataclass(item) for item in value)
