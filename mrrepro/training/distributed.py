"""One training over several processes: averages instead of a wrapper round the network.

Each process draws its own batches, gradients are averaged before the optimiser's step and running statistics after it.
This serves any number of networks and optimisers in one training step, and leaves the networks as they are. Outside a
process group every function here does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn


def process_count() -> int:
    """Return the number of processes, 1 outside a process group."""
    return dist.get_world_size() if _grouped() else 1


def process_rank() -> int:
    """Return this process's number, 0 outside a process group."""
    return dist.get_rank() if _grouped() else 0


def average(tensors: Iterable[Tensor]) -> None:
    """Replace tensors of one dtype and device by their means over all processes, in one message."""
    if not _grouped():
        return
    together = list(tensors)
    if not together:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in together])
    dist.all_reduce(flat)
    flat /= process_count()
    for tensor, mean in zip(together, flat.split([tensor.numel() for tensor in together]), strict=True):
        tensor.copy_(mean.view(tensor.shape))


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Average the gradients of the parameters that have one."""
    if _grouped():
        average(parameter.grad for parameter in parameters if parameter.grad is not None)


@torch.no_grad()
def average_buffers(modules: Iterable[nn.Module]) -> None:
    """Average running statistics, so that one process's file holds the state of all."""
    if _grouped():
        average(buffer for module in modules for buffer in module.buffers() if buffer.is_floating_point())


@torch.no_grad()
def broadcast_first(modules: Iterable[nn.Module]) -> None:
    """Give every process the parameters and buffers of the first."""
    if _grouped():
        for module in modules:
            for tensor in (*module.parameters(), *module.buffers()):
                dist.broadcast(tensor.data, src=0)


def decision_of_first(value: float, device: torch.device) -> float:
    """Return the first process's number on every process, where all must decide alike."""
    if not _grouped():
        return value
    shared = torch.tensor(value, dtype=torch.float64, device=device)
    dist.broadcast(shared, src=0)
    return float(shared)


def gather(tensor: Tensor, device: torch.device) -> list[Tensor]:
    """Return every process's tensor, all of one shape, on the CPU, in the order of ranks."""
    if not _grouped():
        return [tensor.cpu()]
    here = tensor.to(device)
    gathered = [torch.empty_like(here) for _ in range(process_count())]
    dist.all_gather(gathered, here)
    return [each.cpu() for each in gathered]


@contextmanager
def launched_processes() -> Iterator[torch.device]:
    """Join the processes that ``torchrun`` started and give this one's device.

    Without ``torchrun`` there is one process and nothing is joined.

    Yields
    ------
    torch.device
        ``cuda:<local rank>`` where CUDA is there, else ``cpu``.
    """
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local_rank) if torch.cuda.is_available() else torch.device("cpu")
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield device
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def _grouped() -> bool:
    return dist.is_available() and dist.is_initialized()
