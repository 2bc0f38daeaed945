"""What a network costs: weights, arithmetic, memory and receptive field, found without running it at full size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class NetworkCost:
    """Cost of one forward pass with gradients.

    Parameters
    ----------
    weights : int
        Trainable parameters.
    forward_operations : int
        Floating-point operations of the convolutions and matrix products, a multiply-add counted as two.
    saved_bytes : int
        Bytes of distinct tensors that the forward pass keeps for the backward pass, weights left out.
    """

    weights: int
    forward_operations: int
    saved_bytes: int


def count_weights(network: nn.Module) -> int:
    """Count the trainable parameters."""
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)


def network_cost(build: Callable[[], nn.Module], input_shape: tuple[int, ...]) -> NetworkCost:
    """Find the cost of a network for one input shape, without memory or time of that size.

    The network is built and run on torch's ``meta`` device, where tensors have shapes but no values.

    Parameters
    ----------
    build : callable
        Takes nothing and returns the network, all of whose operations exist for that device.
    input_shape : tuple of int
        Shape of the input, batch and channels included.
    """
    saved: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        saved[_storage(tensor)] = tensor  # held, so that its storage's address is not used again
        return tensor

    with torch.device("meta"):
        network = build()
        images = torch.empty(input_shape)
    own = {_storage(tensor) for tensor in (*network.parameters(), *network.buffers())}
    counter = FlopCounterMode(display=False)
    with counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(images)
    held = sum(t.untyped_storage().nbytes() for key, t in saved.items() if key not in own)
    return NetworkCost(count_weights(network), counter.get_total_flops(), held)


def _storage(tensor: Tensor) -> int:
    """Return the address of a tensor's storage; views share it, and it exists without data too."""
    return tensor.untyped_storage()._cdata


def receptive_field(network: nn.Module, sides: tuple[int, int, int], input_channels: int) -> tuple[int, int, int]:
    """Measure how wide a part of the input the central output voxel can depend on, along each axis [voxel].

    With positive weights, no biases, a small positive input and normalisations and dropout left out, activations pass
    everything on and nothing cancels; then the gradient of the central output voxel is nonzero exactly where the
    input can reach it. Where a network changes resolution the field differs from voxel to voxel; this is the one of
    index ``side // 2``. The network is changed: give it a copy. A field as wide as ``sides`` may be cut off by them.

    Parameters
    ----------
    network : nn.Module
        Of convolutions, normalisations, dropout and activations.
    sides : tuple of int
        Input to probe with; larger than the field expected.
    input_channels : int
        Channels of the input.
    """
    left_out = (nn.BatchNorm3d, nn.InstanceNorm3d, nn.Dropout)
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, left_out):
                setattr(module, name, nn.Identity())
    network.double().eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(0.0 if weight.ndim == 1 else 1.0 / weight[0].numel())
    images = torch.full((1, input_channels, *sides), 1e-9, dtype=torch.float64, requires_grad=True)
    depth, height, width = (side // 2 for side in sides)
    network(images)[0, 0, depth, height, width].backward()
    assert images.grad is not None
    reached = torch.nonzero(images.grad[0].abs().sum(0))
    spans = (reached.amax(0) - reached.amin(0) + 1).tolist()
    return spans[0], spans[1], spans[2]
