"""One field of a settings dataclass: reading it from text, checking its type, range and choices."""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field
from typing import Any, Literal, Union

_KEY = "mrrepro"
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_NONE = ("none", "null", "")


@dataclass(frozen=True)
class Meaning:
    """What a field means and which values it admits; written by `setting`."""

    text: str
    source: str = "our choice"
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[object, ...] | None = None

    def admissible(self) -> str:
        """Give the range or the choices in words; empty when everything of the type is admissible."""
        if self.choices is not None:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g}"
        if self.low is not None:
            return f"at least {self.low:g}"
        return f"at most {self.high:g}" if self.high is not None else ""


def setting(
    default: Any,
    meaning: str,
    *,
    source: str = "our choice",
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[object] | None = None,
) -> Any:
    """Declare one value of a settings dataclass.

    Parameters
    ----------
    default : object
        The value where a scale names no other.
    meaning : str
        What it is, in words, for the reader of the parameters' page.
    source : str
        The place in the paper, or ``"our choice"``.
    unit : str
        Its unit; empty for a pure number or a name.
    low, high : float, optional
        Admissible bounds, inclusive; of each element where the value is a tuple.
    choices : sequence, optional
        The admissible values; of each element where the value is a tuple.

    Returns
    -------
    dataclasses.Field
        A field that carries a `Meaning`.
    """
    admitted = None if choices is None else tuple(choices)
    return field(default=default, metadata={_KEY: Meaning(meaning, source, unit, low, high, admitted)})


def meaning_of(declared: Any) -> Meaning:
    """Return the `Meaning` of a dataclass field, an empty one where it was declared without `setting`."""
    found = declared.metadata.get(_KEY)
    return found if isinstance(found, Meaning) else Meaning("")


def type_name(annotation: Any) -> str:
    """Give a type as a reader writes it: ``int``, ``tuple of float``, ``str or none``."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is type(None):
        return "none"
    if origin in (Union, types.UnionType):
        return " or ".join(type_name(argument) for argument in arguments)
    if origin is Literal:
        return "one of " + ", ".join(str(argument) for argument in arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return f"tuple of {type_name(arguments[0])}"
    if origin is tuple:
        return "(" + ", ".join(type_name(argument) for argument in arguments) + ")"
    return getattr(annotation, "__name__", str(annotation))


def read_value(name: str, annotation: Any, value: object) -> Any:
    """Turn what came (a Python value, a JSON value or a command line's text) into the field's type.

    Parameters
    ----------
    name : str
        The dotted name, for messages.
    annotation : type
        bool, int, float, str, a Literal, an optional or a union of these, or a tuple of these.
    value : object
        What came. Text is parsed: ``"1e4"`` is an int, ``"1,2"`` a tuple, ``"none"`` an absent value.

    Raises
    ------
    ValueError
        Where the value cannot be of that type.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    wrong = ValueError(f"{name} must be {type_name(annotation)}, but is {value!r}.")
    if annotation is Any:
        return value
    if origin in (Union, types.UnionType):
        return _read_union(name, arguments, value, wrong)
    if annotation is type(None):
        if value is None or (isinstance(value, str) and value.strip().lower() in _NONE):
            return None
        raise wrong
    if origin is Literal:
        for argument in arguments:
            if value == argument or (isinstance(value, str) and value.strip() == str(argument)):
                return argument
        raise wrong
    if origin is tuple or annotation is tuple:
        return _read_tuple(name, arguments, value, wrong)
    if annotation is bool:
        return _read_bool(value, wrong)
    if annotation in (int, float):
        return _read_number(annotation, value, wrong)
    if annotation is str:
        if isinstance(value, str):
            return value
        raise wrong
    raise ValueError(f"{name} is of type {type_name(annotation)}, which cannot be set from outside.")


def check_value(name: str, value: object, meaning: Meaning) -> None:
    """Raise ``ValueError`` where a value of the right type is outside the range or the choices."""
    for element in value if isinstance(value, tuple) else (value,):
        unit = f" {meaning.unit}" if meaning.unit else ""
        if isinstance(element, float) and math.isnan(element):
            raise ValueError(f"{name} must be a number, but is {value!r}.")
        if meaning.choices is not None and element not in meaning.choices:
            listed = ", ".join(str(choice) for choice in meaning.choices)
            raise ValueError(f"{name} must be one of {listed}, but is {value!r}.")
        if isinstance(element, bool) or not isinstance(element, int | float):
            continue
        below = meaning.low is not None and element < meaning.low
        above = meaning.high is not None and element > meaning.high
        if below or above:
            raise ValueError(f"{name} must be {meaning.admissible()}{unit}, but is {value!r}.")


def _read_union(name: str, arguments: tuple[Any, ...], value: object, wrong: ValueError) -> Any:
    # none first, text last: "none" and "3" are then not taken as names
    order = sorted(arguments, key=lambda kind: (kind is str, kind is not type(None)))
    for kind in order:
        try:
            return read_value(name, kind, value)
        except ValueError:
            continue
    raise wrong


def _read_bool(value: object, wrong: ValueError) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _TRUE + _FALSE:
        return value.strip().lower() in _TRUE
    raise wrong


def _read_number(annotation: type, value: object, wrong: ValueError) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong
    try:
        if annotation is float:
            return float(value)
        if isinstance(value, float):
            raise wrong
        if isinstance(value, int):
            return value
        try:
            return int(value)
        except ValueError:
            number = float(value)  # 1e4
            if not number.is_integer():
                raise wrong from None
            return int(number)
    except (ValueError, OverflowError):
        raise wrong from None


def _read_tuple(name: str, arguments: tuple[Any, ...], value: object, wrong: ValueError) -> tuple[Any, ...]:
    if isinstance(value, str):
        text = value.strip().removeprefix("(").removesuffix(")")
        if text.startswith("["):
            try:
                items: list[object] = json.loads(text)
            except json.JSONDecodeError:
                raise wrong from None
        else:
            items = [part.strip() for part in text.split(",") if part.strip()]
    elif isinstance(value, list | tuple):
        items = list(value)
    else:
        raise wrong
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        kinds = [arguments[0]] * len(items)
    else:
        kinds = list(arguments) or [Any] * len(items)
    if len(kinds) != len(items):
        raise wrong
    return tuple(
        read_value(f"{name}[{index}]", kind, item) for index, (kind, item) in enumerate(zip(kinds, items, strict=True))
    )


def has_default(declared: Any) -> bool:
    """Tell whether a dataclass field can be left out."""
    return declared.default is not MISSING or declared.default_factory is not MISSING
