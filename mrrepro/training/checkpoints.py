"""Networks and states of trainings as safetensors files: no code in them, written whole or not at all.

Everything that is not a tensor is JSON in the file's header. A digest of the tensors is part of it, so that a damaged
file is told from a good one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

NETWORK_FORMAT = "mrrepro-network/1"


@dataclass(frozen=True)
class SavedNetwork:
    """A network read from a file, in evaluation mode, with the settings and the receipt that came with it."""

    network: nn.Module
    settings: dict[str, Any]
    receipt: dict[str, Any]


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and a header that JSON can hold to ``path`` in one atomic step.

    Raises
    ------
    ValueError
        If the header holds something that JSON cannot.
    """
    stored = {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}
    try:
        text = json.dumps(dict(header), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The header of {path.name} must hold what JSON can, numbers being finite: {error}") from None
    metadata = {"header": text, "sha256": _digest(stored)}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        save_file(stored, partial, metadata)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors, on the CPU, and the header of a file of `write_tensors`.

    Raises
    ------
    ValueError
        If the file is truncated, damaged, or of another kind; it says which.
    FileNotFoundError
        If there is none.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is truncated or no safetensors file ({error}): make or fetch it again.") from None
    if "header" not in metadata or "sha256" not in metadata:
        raise ValueError(f"{path} is a safetensors file, but not one of mrrepro: its header lacks settings and digest.")
    if _digest(tensors) != metadata["sha256"]:
        raise ValueError(f"{path} is damaged: its tensors do not match their digest; make or fetch it again.")
    return tensors, json.loads(metadata["header"])


def save_network(path: Path, network: nn.Module, settings: Mapping[str, Any], receipt: Mapping[str, Any]) -> None:
    """Save weights with all that is needed to use them.

    Parameters
    ----------
    path : Path
        Ends in ``.safetensors``.
    network : nn.Module
        Its parameters and persistent buffers are stored.
    settings : Mapping
        What ``build`` of `load_network` needs, and whatever describes the training; JSON can hold it.
    receipt : Mapping
        Where the weights come from: data, seed, versions, scores; JSON can hold it.

    Raises
    ------
    ValueError
        If a weight is not finite, or settings or receipt do not fit into JSON.
    """
    tensors = network.state_dict()
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"The weight {name} of the network is not finite: the training went astray.")
    write_tensors(path, tensors, {"format": NETWORK_FORMAT, "settings": dict(settings), "receipt": dict(receipt)})


def load_network(path: Path, build: Callable[[Mapping[str, Any]], nn.Module]) -> SavedNetwork:
    """Read a network.

    Parameters
    ----------
    path : Path
        A file of `save_network`.
    build : callable
        Makes the network of given settings; its weights are then replaced.

    Raises
    ------
    ValueError
        If the file is damaged, holds no network, or holds another one than ``build`` makes; differing weights are
        named.
    """
    tensors, header = read_tensors(path)
    if header.get("format") != NETWORK_FORMAT:
        raise ValueError(f"{path} holds {header.get('format')!r}, not a network ({NETWORK_FORMAT}).")
    network = build(header["settings"])
    restore_state(network, tensors, str(path))
    return SavedNetwork(network.eval(), header["settings"], header["receipt"])


def restore_state(network: nn.Module, tensors: Mapping[str, Tensor], origin: str) -> None:
    """Copy tensors into a network's parameters and buffers, keeping their memory format and device.

    Raises
    ------
    ValueError
        If names, shapes or types differ; up to three are named.
    """
    expected = network.state_dict()
    problems = [f"{name} is missing" for name in expected if name not in tensors]
    problems += [f"{name} is unknown to this network" for name in tensors if name not in expected]
    problems += [
        f"{name} is {tuple(tensors[name].shape)} {tensors[name].dtype}, not {tuple(want.shape)} {want.dtype}"
        for name, want in expected.items()
        if name in tensors and (tensors[name].shape, tensors[name].dtype) != (want.shape, want.dtype)
    ]
    if problems:
        shown = "; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else "")
        raise ValueError(f"{origin} holds the weights of another network: {shown}.")
    with torch.no_grad():
        for name, target in expected.items():
            target.copy_(tensors[name])


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, types, shapes and bytes, in the order of names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        if tensor.numel():
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy())  # type: ignore[arg-type]
    return digest.hexdigest()
