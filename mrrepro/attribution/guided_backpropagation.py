"""Saliency maps: gradients with respect to the input, plain and guided."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mrrepro.attribution.inspection import evaluation_mode
from mrrepro.attribution.targets import Target

GUIDED = (nn.ReLU, nn.LeakyReLU)
"""Activations that the guided rule is defined for."""

UNGUIDED = (nn.PReLU, nn.RReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus, nn.Hardswish)
"""Rectifier-like activations that it is not defined for."""


def input_gradient(
    network: nn.Module, images: Float[Tensor, "batch channels height width"], target: Target
) -> Float[Tensor, "batch channels height width"]:
    """Gradient of the target with respect to the images, in evaluation mode.

    Parameters and result as in `guided_backpropagation`, with the plain rule of every activation.
    """
    inputs = images.detach().clone().requires_grad_()
    with evaluation_mode(network), torch.enable_grad():
        value = target(network(inputs))
        return torch.autograd.grad(value, inputs)[0]


def guided_backpropagation(
    network: nn.Module, images: Float[Tensor, "batch channels height width"], target: Target
) -> Float[Tensor, "batch channels height width"]:
    """Gradient of the target with respect to the images, with negative gradients stopped at every rectifier.

    At an activation f with the input x and the gradient g with respect to its output, the gradient passed on is

        f'(x) max(g, 0),

    which for the ReLU is g where both g and x are positive and 0 elsewhere. For the leaky ReLU of slope a it is
    max(g, 0) where x is positive and a max(g, 0) elsewhere: the leak passes on the positive evidence alone, and the
    rule tends to that of the ReLU as a goes to 0.

    Parameters
    ----------
    network : nn.Module
        Its rectifiers are modules (`GUIDED`), not calls of functions, which no rule could reach. Neither its mode
        nor its gradients nor its hooks are changed.
    images : Float[Tensor, "batch channels height width"]
        The network's input.
    target : callable
        For instance `mrrepro.attribution.targets.TrainingLoss`.

    Returns
    -------
    Float[Tensor, "batch channels height width"]
        [unit of the target per unit of the image]

    Raises
    ------
    ValueError
        If the network has no rectifier as a module, or one that the rule is not defined for.

    References
    ----------
    J. T. Springenberg et al., Striving for simplicity, ICLR workshop 2015, section 3.4; the leaky rule is ours.
    """
    rectifiers = [module for module in network.modules() if isinstance(module, GUIDED)]
    unguided = sorted({type(module).__name__ for module in network.modules() if isinstance(module, UNGUIDED)})
    if unguided or not rectifiers:
        raise ValueError(
            "network must have ReLU or LeakyReLU modules and no other rectifiers for guided backpropagation, but has "
            f"{', '.join(unguided) or 'none'}: use input_gradient."
        )
    with ExitStack() as hooks:
        for rectifier in rectifiers:
            hooks.callback(rectifier.register_forward_hook(_stop_negative_gradients).remove)
        return input_gradient(network, images, target)


def _stop_negative_gradients(module: nn.Module, inputs: Any, output: Tensor) -> None:
    """Let only the positive part of the gradient reach the activation; the graph, not the module, keeps the rule."""
    output.register_hook(lambda gradient: gradient.clamp_min(0.0))
