"""Checks at the public entrances: each names the parameter, what came and what to do."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch

Array = np.ndarray[Any, Any] | torch.Tensor


def require_finite(name: str, array: Array, remedy: str = "remove or mask NaN and infinite values") -> None:
    """Raise ``ValueError`` when ``array`` holds a NaN or an infinity."""
    finite = torch.isfinite(array) if isinstance(array, torch.Tensor) else np.isfinite(array)
    if not bool(finite.all()):
        bad, total = int((~finite).sum()), math.prod(finite.shape)
        raise ValueError(f"{name} must be finite, but {bad} of {total} values are NaN or infinite: {remedy}.")


def require_range(
    name: str,
    value: float,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    unit: str = "",
    low_open: bool = False,
    remedy: str = "",
) -> None:
    """Raise ``ValueError`` unless ``value`` is a finite number in [low, high] (or (low, high])."""
    below = value <= low if low_open else value < low
    if not math.isfinite(value) or below or value > high:
        bracket = "(" if low_open else "["
        suffix = f" {unit}" if unit else ""
        hint = f": {remedy}" if remedy else ""
        raise ValueError(f"{name} must lie in {bracket}{low:g}, {high:g}]{suffix}, but is {value!r}{hint}.")


def require_shape(name: str, array: Array, shape: Sequence[int | None], remedy: str = "") -> None:
    """Raise ``ValueError`` unless ``array`` has this shape; ``None`` stands for any length."""
    found = tuple(array.shape)
    if len(found) != len(shape) or any(
        want is not None and want != got for want, got in zip(shape, found, strict=True)
    ):
        wanted = "(" + ", ".join("any" if want is None else str(want) for want in shape) + ")"
        hint = f": {remedy}" if remedy else ""
        raise ValueError(f"{name} must have shape {wanted}, but has {found}{hint}.")


def require_choice(name: str, value: object, choices: Collection[object]) -> None:
    """Raise ``ValueError`` unless ``value`` is one of ``choices``; the message lists them."""
    if value not in choices:
        listed = ", ".join(str(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {listed}, but is {value!r}.")
