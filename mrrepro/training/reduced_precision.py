"""Networks small enough to ship: weights in float16, normalisation statistics and biases in float32.

A network is computed in float32 again after it has been read; only what the file holds is rounded, to a relative
2^-11. How much that changes an estimate is to be measured and written into the receipt.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from mrrepro.training.checkpoints import (
    NETWORK_FORMAT,
    SavedNetwork,
    load_network,
    read_tensors,
    restore_state,
    write_tensors,
)

REDUCED_FORMAT = "mrrepro-network-float16/1"

Network = TypeVar("Network", bound=nn.Module)


def save_reduced_network(
    path: Path, network: nn.Module, settings: Mapping[str, Any], receipt: Mapping[str, Any]
) -> None:
    """Save a network as `mrrepro.training.checkpoints.save_network` does, its weights rounded to float16.

    Parameters
    ----------
    path : Path
        Ends in ``.safetensors``.
    network : nn.Module
        Floating-point tensors of two or more axes are rounded; vectors and numbers (biases, normalisation) are kept.
    settings, receipt : Mapping
        As in `mrrepro.training.checkpoints.save_network`.

    Raises
    ------
    ValueError
        If a weight is not finite or too large for float16 (65504), or settings or receipt do not fit into JSON.
    """
    stored = {name: _rounded(tensor) for name, tensor in network.state_dict().items()}
    for name, tensor in stored.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"The weight {name} of the network is not finite in {tensor.dtype}: save it in float32.")
    write_tensors(path, stored, {"format": REDUCED_FORMAT, "settings": dict(settings), "receipt": dict(receipt)})


def load_network_of_any_precision(path: Path, build: Callable[[Mapping[str, Any]], nn.Module]) -> SavedNetwork:
    """Read a file of `save_reduced_network` or of `mrrepro.training.checkpoints.save_network`.

    Parameters
    ----------
    path : Path
    build : callable
        Makes the network of given settings, in float32; its weights are then replaced.

    Raises
    ------
    ValueError
        If the file is damaged, holds no network, or holds another one than ``build`` makes.
    FileNotFoundError
        If there is none.
    """
    tensors, header = read_tensors(path)
    if header.get("format") == NETWORK_FORMAT:
        return load_network(path, build)
    if header.get("format") != REDUCED_FORMAT:
        raise ValueError(
            f"{path} holds {header.get('format')!r}, not a network ({NETWORK_FORMAT} or {REDUCED_FORMAT})."
        )
    network = build(header["settings"])
    expanded = {name: tensor.float() if tensor.dtype == torch.float16 else tensor for name, tensor in tensors.items()}
    restore_state(network, expanded, str(path))
    return SavedNetwork(network.eval(), header["settings"], header["receipt"])


def rounded_copy(network: Network) -> Network:
    """Return the network that a file of `save_reduced_network` gives back, in evaluation mode on the CPU."""
    copied = copy.deepcopy(network).cpu().eval()
    with torch.no_grad():
        for tensor in copied.state_dict().values():
            tensor.copy_(_rounded(tensor))
    return copied


def _rounded(tensor: Tensor) -> Tensor:
    return tensor.half() if tensor.is_floating_point() and tensor.ndim >= 2 else tensor
