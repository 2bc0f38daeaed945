"""Grad-CAM: which places of a layer's feature maps a scalar of the output hangs on."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mrrepro.attribution.inspection import evaluation_mode, layer_named
from mrrepro.attribution.targets import Target


def grad_cam(
    network: nn.Module, layer: str, images: Float[Tensor, "batch channels height width"], target: Target
) -> Float[Tensor, "batch height width"]:
    """Attention maps of one layer.

    With the layer's feature maps A^k of Z pixels and the target y,

        alpha_k = (1/Z) sum_ij dy / dA^k_ij,      L = ReLU(sum_k alpha_k A^k),

    for each image, upsampled bilinearly to the image's size.

    Parameters
    ----------
    network : nn.Module
        Evaluated in evaluation mode; neither its mode nor its gradients nor its hooks are changed.
    layer : str
        Dotted name of a submodule with one tensor of shape (batch, features, height, width) as output.
    images : Float[Tensor, "batch channels height width"]
        The network's input.
    target : callable
        y, for instance `mrrepro.attribution.targets.ChannelSum`.

    Returns
    -------
    Float[Tensor, "batch height width"]
        Not normalised, at least 0 [unit of y].

    Raises
    ------
    ValueError
        If there is no such layer, its output is no batch of feature maps, or y does not depend on it.

    References
    ----------
    R. Selvaraju et al., Grad-CAM, ICCV 2017, equations 1 and 2; G. della Maggiora et al., DeepSPIO, IEEE TPAMI 2020,
    section 5.2.
    """
    features: list[Any] = []

    def record(module: nn.Module, inputs: Any, output: Any) -> Any:
        if isinstance(output, Tensor) and output.ndim == 4 and not output.requires_grad:
            output = output.requires_grad_()
        features.append(output)
        return output

    handle = layer_named(network, layer).register_forward_hook(record)
    try:
        with evaluation_mode(network), torch.enable_grad():
            value = target(network(images.detach()))
    finally:
        handle.remove()
    if len(features) != 1 or not isinstance(features[0], Tensor) or features[0].ndim != 4:
        raise ValueError(
            f"layer must have one batch of feature maps as output, but {layer!r} has not: choose a convolution or "
            "an activation inside it."
        )
    gradient = torch.autograd.grad(value, features[0], allow_unused=True)[0] if value.requires_grad else None
    if gradient is None or not gradient.any():
        raise ValueError(
            f"The target does not depend on layer {layer!r}, since its gradient is zero: choose a layer that leads to "
            "its channel, and a network whose head is not zero."
        )
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    attention = F.relu((weights * features[0].detach()).sum(dim=1, keepdim=True))
    return F.interpolate(attention, size=images.shape[2:], mode="bilinear", align_corners=False)[:, 0]
