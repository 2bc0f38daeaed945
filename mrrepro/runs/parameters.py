"""The parameter cell of a notebook: which names it may set, and how their values are read."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, get_type_hints

from mrrepro.runs.fields import check_value, meaning_of, read_value

PARAMETERS = ("scale", "seed", "overrides", "artifacts", "data")
"""What every notebook's parameter cell sets."""

_PLAIN = (bool, int, float, str, list, tuple, dict, type(None))
_SHELL = ("In", "Out", "exit", "quit")
_MISSING = object()


def undeclared(parameters: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    """Public plain values that nobody declared: papermill injects a parameter that it does not know as a variable."""
    found = []
    for name, value in parameters.items():
        public = not name.startswith("_") and not name.startswith("PAPERMILL_") and name not in _SHELL
        if public and name not in known and type(value) in _PLAIN and not _is_imported(name, value):
            found.append(name)
    return found


def _is_imported(name: str, value: object) -> bool:
    """Tell whether a plain value is a constant imported from a module, under its own name."""
    modules = [
        module
        for key, module in list(sys.modules.items())
        if key.partition(".")[0] in ("mrrepro", "math", "numpy", "scipy")
    ]
    return any(isinstance(module, ModuleType) and vars(module).get(name, _MISSING) is value for module in modules)


def as_overrides(value: object) -> dict[str, Any]:
    """Read the parameter ``overrides``: a mapping, its JSON text, or nothing."""
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            value = None
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ValueError('overrides must be a mapping from dotted names to values, like {"training.samples": 500}.')
    return dict(value)


def further_values(further: type, parameters: Mapping[str, Any]) -> Any:
    """Read the parameters that only one notebook has into their dataclass, checked."""
    hints, values = get_type_hints(further), {}
    for declared in dataclasses.fields(further):
        values[declared.name] = read_value(declared.name, hints[declared.name], parameters[declared.name])
        check_value(declared.name, values[declared.name], meaning_of(declared))
    return further(**values)
