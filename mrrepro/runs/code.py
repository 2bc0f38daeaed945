"""The digest of the code that makes a result: syntax trees, not text, so that prose and layout do not count.

For a function of a package the digest covers

- of the module that defines the function: the function and every top-level definition it reaches, by name, with the
  statements that are executed on import (a recipe may thus hold several stages, each with a digest of its own);
- every module of the package, and of ``mrrepro``, that these parts import, whole, and what those import in turn,
  found statically: nothing is executed.

Left out, because they do not change a result or are in the key by their values: docstrings, comments, ``__version__``,
``if TYPE_CHECKING``, the declarations of `setting` (default, range, prose) and methods named ``at_scale``: what they
give is in the key as settings. Also left out are the engine (``mrrepro.runs``) and the command line, whose influence on
results is versioned by `ENGINE_FORMAT`, and third-party packages, whose versions the manifest records.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

ENGINE_FORMAT = 1
"""Raised when a change of the engine can change results: how seeds are derived, what a stage may see."""

_LIBRARY = "mrrepro"
_ENGINE = ("mrrepro.runs", "mrrepro.cli")


class _Parsed(NamedTuple):
    tree: ast.Module
    package: str  # to resolve relative imports
    digest: str
    imports: tuple[str, ...]  # dotted candidates: modules, or names in modules


def code_digest(function: Callable[..., Any] | str) -> str:
    """Return the SHA-256 of the code that a function reaches.

    Parameters
    ----------
    function : callable or str
        A function of a module, or its name as ``"package.module:function"``.

    Raises
    ------
    ValueError
        The function is not defined at the top of a module that lies in a file.
    """
    module, _, name = (function if isinstance(function, str) else function_name(function)).partition(":")
    path = _file_of(module)
    if path is None:
        raise ValueError(
            f"{module}:{name} has no source file, so its code cannot be part of a key: move it from the notebook or "
            "the prompt into a module."
        )
    stat = path.stat()
    own, imports = _reachable(module, name, str(path), stat.st_mtime_ns, stat.st_size)
    roots = {_LIBRARY, module.partition(".")[0]}
    digest = hashlib.sha256(f"{module}:{name} {own}\n".encode())
    for other, parsed in sorted(_closure(imports, roots, start=module).items()):
        digest.update(f"{other} {parsed.digest}\n".encode())
    return digest.hexdigest()


def directly_imports(function: Callable[..., Any], name: str) -> bool:
    """Tell whether a function, or what it reaches in its own module, uses an import of this dotted name."""
    module, _, own = function_name(function).partition(":")
    path = _file_of(module)
    if path is None:
        return False
    stat = path.stat()
    return name in _reachable(module, own, str(path), stat.st_mtime_ns, stat.st_size)[1]


def function_name(function: Callable[..., Any]) -> str:
    """Return ``"package.module:function"``; ``ValueError`` where it is no function at the top of a module."""
    qualified = getattr(function, "__qualname__", "")
    if not qualified or "." in qualified or "<" in qualified:
        raise ValueError(
            f"{function!r} must be a function (or class) defined at the top of a module: the code of a lambda, a "
            "method or a partial cannot be told from its name."
        )
    return f"{function.__module__}:{qualified}"


def _file_of(module: str) -> Path | None:
    """Find a module's source without importing it, unless it is loaded already."""
    loaded = sys.modules.get(module)
    if loaded is not None:
        found = getattr(loaded, "__file__", None)
        return Path(found) if found and Path(found).suffix == ".py" else None
    parent, _, name = module.rpartition(".")
    for folder in _package_folders(parent) if parent else _root_folders(name):
        path = folder / name if parent else folder
        for candidate in (path / "__init__.py", path.with_suffix(".py")):
            if candidate.is_file():
                return candidate
    return None


def _package_folders(package: str) -> list[Path]:
    """Folders of a package: those of the loaded one, else those below its parent's."""
    places = getattr(sys.modules.get(package), "__path__", None)
    if places is not None:
        return [Path(place) for place in places]
    parent, _, name = package.rpartition(".")
    if not parent:
        return _root_folders(package)
    return [folder / name for folder in _package_folders(parent) if (folder / name).is_dir()]


def _root_folders(root: str) -> list[Path]:
    loaded = sys.modules.get(root)
    if loaded is not None:
        return [Path(place) for place in getattr(loaded, "__path__", [])]
    try:
        spec = importlib.util.find_spec(root)
    except (ImportError, ValueError):
        return []
    return [Path(place) for place in (spec.submodule_search_locations if spec is not None else None) or []]


def _closure(imports: Iterable[str], roots: set[str], start: str) -> dict[str, _Parsed]:
    found: dict[str, _Parsed] = {}
    waiting = [*imports, *_parents(start)]
    while waiting:
        name = waiting.pop()
        if name in found or name == start or name.partition(".")[0] not in roots:
            continue
        if any(name == engine or name.startswith(f"{engine}.") for engine in _ENGINE):
            continue
        path = _file_of(name)
        if path is None:
            continue  # a name in a module, not a module
        stat = path.stat()
        found[name] = _parse(name, str(path), stat.st_mtime_ns, stat.st_size)
        waiting.extend((*found[name].imports, *_parents(name)))
    return found


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts))]


@lru_cache(maxsize=4096)
def _parse(module: str, path: str, mtime_ns: int, size: int) -> _Parsed:
    """Parse one state of a file; the time of change and the size stand for its content."""
    tree = _without_prose(ast.parse(Path(path).read_bytes(), filename=path))
    package = module if Path(path).name == "__init__.py" else module.rpartition(".")[0]
    digest = hashlib.sha256(_text([tree]).encode()).hexdigest()
    return _Parsed(tree, package, digest, tuple(_imports([tree], package)))


@lru_cache(maxsize=4096)
def _reachable(module: str, name: str, path: str, mtime_ns: int, size: int) -> tuple[str, tuple[str, ...]]:
    """Digest and imports of the part of a module that one of its definitions reaches."""
    parsed = _parse(module, path, mtime_ns, size)
    defined: dict[str, list[ast.stmt]] = {}
    always: list[ast.stmt] = []
    for statement in parsed.tree.body:
        names = _defines(statement)
        for defined_name in names:
            defined.setdefault(defined_name, []).append(statement)
        if not names:
            always.append(statement)
    if name not in defined:
        raise ValueError(f"{module} ({path}) defines no {name!r} at its top level.")
    reached: list[ast.stmt] = []
    waiting: list[ast.stmt] = [*always, *defined[name], *defined.get("*", [])]
    while waiting:
        statement = waiting.pop()
        if any(statement is other for other in reached):
            continue
        reached.append(statement)
        for used in {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}:
            waiting.extend(defined.get(used, []))
    reached.sort(key=lambda statement: statement.lineno)
    digest = hashlib.sha256(_text(reached).encode()).hexdigest()
    return digest, tuple(_imports(reached, parsed.package))


def _defines(statement: ast.stmt) -> list[str]:
    """Names a top-level statement binds; empty where it may act otherwise and so counts always."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.partition(".")[0] for alias in statement.names]
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if all(isinstance(target, ast.Name) for target in targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
    return []


def _imports(nodes: Iterable[ast.AST], package: str) -> Iterator[str]:
    """Dotted names that the nodes import: modules, and names that may be modules."""
    for top in nodes:
        for node in ast.walk(top):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    parts = package.split(".")
                    base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)


def _without_prose(tree: ast.Module) -> ast.Module:
    """Take out what does not change a result."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        in_class = isinstance(node, ast.ClassDef)
        node.body = [kept for kept in body if not _is_prose(kept, in_class)]  # type: ignore[attr-defined]
        if in_class:
            for kept in node.body:  # type: ignore[attr-defined]
                if isinstance(kept, ast.AnnAssign) and _calls_setting(kept.value):
                    kept.value = None
    return tree


def _is_prose(node: ast.AST, in_class: bool) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True  # docstrings, of attributes too
    if (
        isinstance(node, ast.If)
        and not node.orelse
        and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
    ):
        return True
    if in_class and isinstance(node, ast.FunctionDef) and node.name == "at_scale":
        return True
    return isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__version__"]


def _calls_setting(value: ast.expr | None) -> bool:
    if not isinstance(value, ast.Call):
        return False
    called = value.func
    return (isinstance(called, ast.Name) and called.id == "setting") or (
        isinstance(called, ast.Attribute) and called.attr == "setting"
    )


def _text(nodes: Iterable[ast.AST]) -> str:
    """Write a tree as text that depends on neither lines nor comments nor, empty fields left out, Python's version."""
    parts: list[str] = []

    def write(node: Any) -> None:
        if isinstance(node, ast.AST):
            parts.append(type(node).__name__)
            parts.append("(")
            for field_name in node._fields:
                value = getattr(node, field_name, None)
                empty = value is None or value == [] or field_name in ("ctx", "kind", "type_comment")
                if empty and not (field_name == "value" and isinstance(node, ast.Constant)):
                    continue
                parts.append(field_name + "=")
                write(value)
            parts.append(")")
        elif isinstance(node, list):
            parts.append("[")
            for item in node:
                write(item)
                parts.append(",")
            parts.append("]")
        else:
            parts.append(f"{type(node).__name__}:{node!r}")

    for top in nodes:
        write(top)
        parts.append("\n")
    return "".join(parts)
