"""Parts of the 3D U-Nets: strided convolutions, blocks, gates, residual blocks, initialisation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

Features = Float[Tensor, "batch channel depth height width"]
Expanded = Float[Tensor, "batch expanded_channel depth height width"]


def halving(channels: int, filters: int) -> nn.Conv3d:
    """Make a convolution of 3 taps and stride 2, which maps each side n to n / 2."""
    return nn.Conv3d(channels, filters, 3, stride=2, padding=1, bias=False)


def doubling(channels: int, filters: int) -> nn.ConvTranspose3d:
    """Make a transposed convolution of 3 taps and stride 2, which maps each side n to 2 n.

    Its outputs are reached by 1 and 2 taps in turn. This uneven overlap can leave a checkerboard in the image (Odena
    et al., Distill (2016), 10.23915/distill.00003).
    """
    return nn.ConvTranspose3d(channels, filters, 3, stride=2, padding=1, output_padding=1, bias=False)


def batch_normalization(channels: int) -> nn.BatchNorm3d:
    """Make a batch normalisation with TensorFlow's constants: epsilon 0.001, a running mean that moves by 1 %."""
    return nn.BatchNorm3d(channels, eps=1e-3, momentum=0.01)


def instance_normalization(channels: int) -> nn.InstanceNorm3d:
    """Make an instance normalisation with weights, which does not depend on the other volumes of a batch."""
    return nn.InstanceNorm3d(channels, eps=1e-3, affine=True)


def contracting_block(
    channels: int,
    filters: int,
    normalization: Callable[[int], nn.Module],
    preparation: Callable[[int], nn.Module],
) -> nn.Sequential:
    """Prepare, halve the resolution, normalise, leaky ReLU (0.3)."""
    return nn.Sequential(preparation(channels), halving(channels, filters), normalization(filters), nn.LeakyReLU(0.3))


def expanding_block(
    channels: int,
    filters: int,
    normalization: Callable[[int], nn.Module],
    preparation: Callable[[int], nn.Module],
    dropout: float,
) -> nn.Sequential:
    """Prepare, double the resolution, normalise, drop features while training, ReLU."""
    return nn.Sequential(
        preparation(channels),
        doubling(channels, filters),
        normalization(filters),
        nn.Dropout(dropout),
        nn.ReLU(),
    )


class ModalityBranches(nn.Module):
    """A convolution, a normalisation and a ReLU for each input image, the results side by side.

    Parameters
    ----------
    images : int
        Number of input images (modalities), one channel each.
    filters : int
        Filters of each branch; 32 in the thesis (section 2.4, 'Model 2').
    normalization : callable
        Makes the normalisation of a number of channels.
    """

    def __init__(self, images: int, filters: int, normalization: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.output_channels = images * filters
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv3d(1, filters, 3, padding=1, bias=False), normalization(filters), nn.ReLU())
            for _ in range(images)
        )

    def forward(
        self, images: Float[Tensor, "batch images depth height width"]
    ) -> Float[Tensor, "batch images_times_filters depth height width"]:
        """Filter each image on its own."""
        channels = images.split(1, dim=1)
        return torch.cat([branch(image) for branch, image in zip(self.branches, channels, strict=True)], dim=1)


class WithoutGate(nn.Module):
    """Pass the skip on as it is; takes the arguments of `AttentionGate`."""

    def __init__(self, skip_channels: int, expanded_channels: int) -> None:
        super().__init__()

    def forward(self, skip: Features, expanded: Expanded) -> Features:
        """Return the skip."""
        return skip


class AttentionGate(nn.Module):
    """Weigh each voxel of a skip by what the expanded features beside it say.

    ``skip * sigmoid(psi(relu(W_x skip + W_g expanded + b_g)) + b_psi)``, with 1 x 1 x 1 convolutions and half of the
    skip's channels in between. Source: Oktay et al., Attention U-Net, arXiv:1804.03999, eqs. 1 and 2, but for the
    resolution: there the gating signal is the coarser one, here the gate sits where the thesis puts it, 'before
    concatenating the upsampled information and skip-connection', so that both have one resolution.

    Parameters
    ----------
    skip_channels, expanded_channels : int
        Channels of the skip and of the expanded features.
    """

    def __init__(self, skip_channels: int, expanded_channels: int) -> None:
        super().__init__()
        between = max(1, skip_channels // 2)
        self.from_skip = nn.Conv3d(skip_channels, between, 1, bias=False)
        self.from_expanded = nn.Conv3d(expanded_channels, between, 1)
        self.to_weight = nn.Conv3d(between, 1, 1)

    def forward(self, skip: Features, expanded: Expanded) -> Features:
        """Return the weighted skip."""
        return skip * torch.sigmoid(self.to_weight(torch.relu(self.from_skip(skip) + self.from_expanded(expanded))))


class ResidualBlock(nn.Module):
    """``relu(x + F(x))`` with F two convolutions of 3 taps, each normalised, a ReLU between them.

    The basic block of He et al., CVPR (2016), 10.1109/CVPR.2016.90, Fig. 2, at constant width and resolution.
    """

    def __init__(self, channels: int, normalization: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.difference = nn.Sequential(
            nn.Conv3d(channels, channels, 3, padding=1, bias=False),
            normalization(channels),
            nn.ReLU(),
            nn.Conv3d(channels, channels, 3, padding=1, bias=False),
            normalization(channels),
        )

    def forward(self, features: Features) -> Features:
        """Add the learnt difference."""
        return torch.relu(features + self.difference(features))


def initialize_xavier(network: nn.Module) -> None:
    """Draw the weights of all convolutions from Xavier's uniform distribution, set their biases to zero."""
    for weight in _convolution_weights(network):
        nn.init.xavier_uniform_(weight)


def _convolution_weights(network: nn.Module) -> list[Tensor]:
    weights = []
    for module in network.modules():
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
            weights.append(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return weights
