"""A network as it is evaluated, observed and put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Put every module into evaluation mode and, at the end or on an error, back into its own."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def layer_named(network: nn.Module, name: str) -> nn.Module:
    """Return the submodule of this dotted name.

    Raises
    ------
    ValueError
        If there is none; the nearest level's names are listed.
    """
    layers = dict(network.named_modules())
    if name in layers and name:
        return layers[name]
    parent = name
    while parent not in layers:
        parent = parent.rpartition(".")[0]
    known = ", ".join(f"{parent}.{child}" if parent else child for child, _ in layers[parent].named_children())
    raise ValueError(f"layer must name a submodule, but there is no {name!r}; there are {known or 'none below it'}.")


def convolution_names(network: nn.Module) -> list[str]:
    """Return the dotted names of all convolutions, in the order of definition."""
    return [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)]
