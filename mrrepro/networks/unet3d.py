"""The family of 3D U-Nets that map T1, T2 and FLAIR to a post-contrast T1 image: the thesis' models 0 to 4.

Model 0 is the generator of TensorFlow's pix2pix tutorial with 3D convolutions, `mrrepro.networks.pix2pix`. Models 1 to
4 are one body, `FullResolutionUnet3d`, with different parts::

    model  front of the body         on each skip     before each (de)convolution
    1      one stem                  nothing          nothing
    2      a branch for each image   nothing          nothing
    3      a branch for each image   attention gate   nothing
    4      a branch for each image   nothing          residual block

Every model halves the volume ``depth`` times, so that each side must divide by ``2**depth``
(`mrrepro.networks.volume_padding` pads, and undoes it). Intensities run from -1 to 1 in and out. What the thesis leaves
open, and how it is read here, stands beside each part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mrrepro.networks.pix2pix import GeneratorSize, Normalization, PixToPixGenerator
from mrrepro.networks.unet3d_parts import (
    AttentionGate,
    ModalityBranches,
    ResidualBlock,
    WithoutGate,
    batch_normalization,
    contracting_block,
    expanding_block,
    initialize_xavier,
)

InputImages = Float[Tensor, "batch input_channel depth height width"]
OutputImages = Float[Tensor, "batch output_channel depth height width"]


@dataclass(frozen=True)
class UnetSize:
    """Sizes that the five models share.

    Parameters
    ----------
    base_filters : int
        Filters of the first level; each further level doubles them up to eight times as many. 64 in the thesis.
    depth : int
        Number of halvings. The thesis does not say; 5 is the largest that fits 160, 192, 128, 96 and 64 voxels alike
        (the tutorial's 8 would need 256).
    input_channels, output_channels : int
        3 images in, 1 out.
    dropout_blocks : int
        How many of the innermost expanding blocks drop half of their features while training (all, where there are
        fewer); 3 in the tutorial, and not stated for the thesis' depth.
    """

    base_filters: int = 64
    depth: int = 5
    input_channels: int = 3
    output_channels: int = 1
    dropout_blocks: int = 3

    def __post_init__(self) -> None:
        least = {"base_filters": 1, "depth": 2, "input_channels": 1, "output_channels": 1, "dropout_blocks": 0}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name} must be at least {bound}, but is {getattr(self, name)!r}.")

    @property
    def filters(self) -> tuple[int, ...]:
        """Filters of the levels, from the finest."""
        return tuple(self.base_filters * min(2**level, 8) for level in range(self.depth))


class PixToPixUnet3d(PixToPixGenerator):
    """Model 0: contract with strided convolutions of 4 taps, expand with transposed ones, join by skips, end in tanh.

    `PixToPixGenerator` as TensorFlow's tutorial 'pix2pix' has it, with 3D filters, 3 input channels and 1 output
    channel (thesis, section 2.4 and Fig. 3): leaky ReLU with slope 0.3, skips joined after the activations, the
    innermost level normalised.

    Parameters
    ----------
    size : UnetSize
        Filters, depth and channels.
    normalization : callable
        Makes the normalisation of a number of channels; batch normalisation in the thesis. Batch normalisation cannot
        train on a single voxel: use larger volumes, a larger batch or fewer levels, or instance normalisation over
        larger volumes.
    """

    def __init__(self, size: UnetSize = UnetSize(), normalization: Normalization = batch_normalization) -> None:
        tutorial = GeneratorSize(
            **asdict(size),
            dimensions=3,
            output_activation="tanh",
            leak=0.3,
            skip_leak=0.3,
            normalized_innermost=True,
        )
        super().__init__(tutorial, normalization)


class FullResolutionUnet3d(nn.Module):
    """The body of models 1 to 4: filters of 3 taps, a skip at full resolution, a last convolution after the expansion.

    Against model 0 (thesis, section 2.4, 'Model 1'): Xavier instead of normal initialisation; filters of 3 instead of
    4 taps; a convolution with ``base_filters`` filters at full resolution before the first contraction, whose output
    is joined to the last expansion; that last expansion with ``base_filters`` instead of 3 filters, followed by a
    convolution. Left open by the thesis: Xavier's distribution (here uniform); the activation after the first
    convolution (leaky ReLU, not normalised, as in the tutorial's first block); normalisation of the last expansion
    (as in the others); the 3 filters of the last convolution (one output image here).

    Parameters
    ----------
    size : UnetSize
        Filters, depth and channels.
    front : nn.Module or None
        What comes before the first convolution, None for nothing; has an attribute ``output_channels``.
    gate : callable
        Makes what a skip passes through, from its channels and those of the expanded features beside it.
    preparation : callable
        Makes what comes before each strided or transposed convolution, from its number of channels.
    normalization : callable
        As in `PixToPixUnet3d`.
    """

    def __init__(
        self,
        size: UnetSize,
        front: ModalityBranches | None = None,
        gate: Callable[[int, int], nn.Module] = WithoutGate,
        preparation: Callable[[int], nn.Module] = nn.Identity,
        normalization: Normalization = batch_normalization,
    ) -> None:
        super().__init__()
        self.size = size
        base = size.base_filters
        channels = size.input_channels if front is None else front.output_channels
        self.front = nn.Identity() if front is None else front
        self.stem = nn.Sequential(nn.Conv3d(channels, base, 3, padding=1, bias=False), nn.LeakyReLU(0.3))
        self.contracting = _contracting_path(size, base, normalization, preparation)
        self.expanding = _expanding_path(size, normalization, preparation)
        self.expanding.append(expanding_block(2 * base, base, normalization, preparation, dropout=0.0))
        self.gates = nn.ModuleList(gate(filters, filters) for filters in (*reversed(size.filters[:-1]), base))
        self.last = nn.Conv3d(2 * base, size.output_channels, 3, padding=1)
        initialize_xavier(self)

    def forward(self, images: InputImages) -> OutputImages:
        """Map the input images (batch, 3, ...) to the synthetic image (batch, 1, ...), in [-1, 1]."""
        _require_images(images, self.size)
        features = self.stem(self.front(images))
        skips = [features]
        for block in self.contracting:
            features = block(features)
            skips.append(features)
        for block, gate, skip in zip(self.expanding, self.gates, reversed(skips[:-1]), strict=True):
            expanded = block(features)
            features = torch.cat([expanded, gate(skip, expanded)], dim=1)
        return torch.tanh(self.last(features))


def fine_tuned_unet(
    size: UnetSize = UnetSize(), normalization: Normalization = batch_normalization
) -> FullResolutionUnet3d:
    """Build model 1, 'fine-tuned baseline'."""
    return FullResolutionUnet3d(size, normalization=normalization)


def modality_specific_unet(
    size: UnetSize = UnetSize(), normalization: Normalization = batch_normalization
) -> FullResolutionUnet3d:
    """Build model 2, 'modality specific': half of ``base_filters`` filters for each image before they are joined."""
    return FullResolutionUnet3d(size, _branches(size, normalization), normalization=normalization)


def attention_unet(
    size: UnetSize = UnetSize(), normalization: Normalization = batch_normalization
) -> FullResolutionUnet3d:
    """Build model 3, 'attention-based': model 2 with a gate on every skip, also the one at full resolution."""
    return FullResolutionUnet3d(size, _branches(size, normalization), gate=AttentionGate, normalization=normalization)


def residual_unet(
    size: UnetSize = UnetSize(), normalization: Normalization = batch_normalization
) -> FullResolutionUnet3d:
    """Build model 4, 'residual-based': model 2 with a residual block before every strided or transposed convolution.

    The thesis says 'before the current convolution and deconvolutional layers'; the branches, the first and the last
    convolution, which do not change the resolution, are left as they are.
    """
    return FullResolutionUnet3d(
        size,
        _branches(size, normalization),
        preparation=lambda channels: ResidualBlock(channels, normalization),
        normalization=normalization,
    )


MODELS: dict[int, Callable[[UnetSize], nn.Module]] = {
    0: PixToPixUnet3d,
    1: fine_tuned_unet,
    2: modality_specific_unet,
    3: attention_unet,
    4: residual_unet,
}
"""The models by the numbers of the thesis."""


def _branches(size: UnetSize, normalization: Normalization) -> ModalityBranches:
    return ModalityBranches(size.input_channels, max(1, size.base_filters // 2), normalization)


def _contracting_path(
    size: UnetSize,
    channels: int,
    normalization: Normalization,
    preparation: Callable[[int], nn.Module] = nn.Identity,
) -> nn.ModuleList:
    path = nn.ModuleList()
    for level, filters in enumerate(size.filters):
        norm = nn.Identity if level == 0 else normalization
        path.append(contracting_block(channels, filters, norm, preparation))
        channels = filters
    return path


def _expanding_path(
    size: UnetSize,
    normalization: Normalization,
    preparation: Callable[[int], nn.Module] = nn.Identity,
) -> nn.ModuleList:
    path = nn.ModuleList()
    channels = size.filters[-1]
    for block, filters in enumerate(reversed(size.filters[:-1])):
        dropout = 0.5 if block < size.dropout_blocks else 0.0
        path.append(expanding_block(channels, filters, normalization, preparation, dropout))
        channels = 2 * filters
    return path


def _require_images(images: Tensor, size: UnetSize) -> None:
    multiple = 2**size.depth
    if images.ndim != 5 or images.shape[1] != size.input_channels:
        raise ValueError(
            f"images must have shape (batch, {size.input_channels}, depth, height, width), "
            f"but has {tuple(images.shape)}."
        )
    if any(side % multiple or side == 0 for side in images.shape[2:]):
        raise ValueError(
            f"images must have sides that divide by {multiple}, that is 2**depth, but they are "
            f"{tuple(images.shape[2:])}: pad them (mrrepro.networks.volume_padding) or use fewer levels."
        )
