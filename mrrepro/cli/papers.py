"""Finding the papers by name, so that nothing below the command line imports them."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Any

from mrrepro.runs.settings import require_known

TEACHING = "teaching"
"""A chapter that is no paper: its package stands beside the papers, for it uses several of them."""


def paper_keys() -> tuple[str, ...]:
    """Return the keys of the papers in the package; none of them is imported."""
    import mrrepro.papers

    return tuple(sorted(module.name for module in pkgutil.iter_modules(mrrepro.papers.__path__) if module.ispkg))


def paper_module(paper: str, name: str) -> ModuleType | None:
    """Import ``mrrepro.papers.<paper>.<name>``, of `TEACHING` ``mrrepro.teaching.<name>``; None where there is none."""
    require_known("chapter", paper, (*paper_keys(), TEACHING))
    whole = f"mrrepro.{paper}.{name}" if paper == TEACHING else f"mrrepro.papers.{paper}.{name}"
    try:
        return importlib.import_module(whole)
    except ModuleNotFoundError as error:
        if error.name == whole:
            return None
        raise


def paper_settings(paper: str) -> type[Any]:
    """Return the type of a paper's settings, ``recipe.SETTINGS``."""
    settings: Any = getattr(_recipe(paper), "SETTINGS", None)
    if settings is None:
        raise ValueError(f"the recipe of {paper} must name the type of its settings as SETTINGS.")
    return settings


def paper_stages(paper: str) -> tuple[Any, ...]:
    """Return the stages of a paper, ``recipe.STAGES``."""
    return tuple(getattr(_recipe(paper), "STAGES", ()))


def makeable_stages(paper: str) -> dict[str, Any]:
    """Return the stages of a paper by name, with those that only a variant of its recorded sweeps makes."""
    recorded = (stage for variant in paper_variants(paper) for stage in variant.stages)
    return {stage.name: stage for stage in (*paper_stages(paper), *recorded)}


def paper_variants(paper: str) -> tuple[Any, ...]:
    """Return the variants of a paper that recorded sweeps compare, ``recipe.VARIANTS``."""
    return tuple(getattr(_recipe(paper), "VARIANTS", ()))


def _recipe(paper: str) -> ModuleType:
    recipe = paper_module(paper, "recipe")
    if recipe is None:
        raise ValueError(f"Chapter {paper} has no recipe, so it has neither settings nor stages that could be run.")
    return recipe
