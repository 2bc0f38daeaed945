"""CondNet: U anatomical slices in, V normalised conductivity slices out.

Each input has its own track of I encoders; a deconvolution brings its deepest features to the hub, where all tracks
meet. From there each output has its own track: convolution, deconvolution and a sigmoid map at every level, joined
with the pooled features of all encoders of that level.

The printed Table II contradicts itself. The sizes used here fit its hub, its convolutions, its deconvolutions and its
output at once. They are the only ones if the last encoder is to be used: the printed hub has the channels and the size
of the pooled output of encoder I - 1 as well, which would reach it without encoder I. And they are those of the
authors' public code of a related network (BSD licence); `mrrepro.papers.condnet.table2` holds the resolved table and
the list of contradictions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mrrepro.validation import require_finite, require_range, require_shape

Kernels = int | tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class CondNetDesign:
    """The paper's quantities.

    Parameters
    ----------
    inputs : int
        U, anatomical images.
    outputs : int
        V, volume conductors.
    depth : int
        I, encoders of each track; at least 2. Slices must have sides divisible by 2^I.
    encoder_kernel : int or tuple of tuple of int
        R: one odd size, or R[u][i] for u = 1 .. U, i = 1 .. I.
    convolution_kernel : int or tuple of tuple of int
        S: one odd size, or S[v][i] for v = 1 .. V, i = 1 .. I - 1.
    map_kernel : int or tuple of tuple of int
        T, as S.
    """

    inputs: int = 2
    outputs: int = 1
    depth: int = 6
    encoder_kernel: Kernels = 3
    convolution_kernel: Kernels = 5
    map_kernel: Kernels = 5

    def __post_init__(self) -> None:
        require_range("inputs", self.inputs, low=1, high=64)
        require_range("outputs", self.outputs, low=1, high=64)
        require_range("depth", self.depth, low=2, high=10)
        for name, tracks, levels in (
            ("encoder_kernel", self.inputs, self.depth),
            ("convolution_kernel", self.outputs, self.depth - 1),
            ("map_kernel", self.outputs, self.depth - 1),
        ):
            table = _kernel_table(getattr(self, name), tracks, levels)
            sizes = [size for row in table for size in row]
            if len(table) != tracks or any(len(row) != levels for row in table):
                raise ValueError(f"{name} must be one size or {tracks} rows of {levels}, but has "
                                 f"rows of {[len(row) for row in table]}.")  # fmt: skip
            if any(size < 1 or size % 2 == 0 for size in sizes):
                raise ValueError(f"{name} must hold odd sizes, so that slices keep their size, but holds {sizes}.")

    def kernels(self, name: str) -> tuple[tuple[int, ...], ...]:
        """Kernel sizes of ``"encoder"``, ``"convolution"`` or ``"map"`` by track and level."""
        tracks, levels = (self.inputs, self.depth) if name == "encoder" else (self.outputs, self.depth - 1)
        return _kernel_table(getattr(self, f"{name}_kernel"), tracks, levels)


def _kernel_table(kernels: Kernels, tracks: int, levels: int) -> tuple[tuple[int, ...], ...]:
    return ((kernels,) * levels,) * tracks if isinstance(kernels, int) else kernels


class Concatenation(nn.Module):
    """Join feature maps along the channels."""

    def forward(self, features: Sequence[Float[Tensor, "batch _ height width"]]) -> Tensor:
        """Concatenate in the given order."""
        return torch.cat(list(features), dim=1)


def _convolution(channels: int, filters: int, kernel: int) -> nn.Sequential:
    """Convolution that keeps the size, batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels, filters, kernel, padding=kernel // 2), nn.BatchNorm2d(filters), nn.ReLU(inplace=True)
    )


def _deconvolution(channels: int, filters: int) -> nn.Sequential:
    """Deconvolution with 2 x 2 kernels that doubles the size, batch normalisation and ReLU."""
    return nn.Sequential(nn.ConvTranspose2d(channels, filters, 2, 2), nn.BatchNorm2d(filters), nn.ReLU(inplace=True))


class EncoderTrack(nn.Module):
    """EncMod_{u, 1 .. I} and the deconvolution that leads to the hub."""

    def __init__(self, depth: int, kernels: Sequence[int]) -> None:
        super().__init__()
        filters = [1] + [2 ** (i + 1) for i in range(1, depth + 1)]
        self.convolutions = nn.ModuleList(
            _convolution(filters[i - 1], filters[i], kernels[i - 1]) for i in range(1, depth + 1)
        )
        self.poolings = nn.ModuleList(nn.MaxPool2d(2) for _ in range(depth))
        self.bridge = _deconvolution(2 ** (depth + 1), 2**depth)

    def forward(self, image: Float[Tensor, "batch 1 height width"]) -> tuple[Tensor, list[Tensor]]:
        """Features for the hub, and the pooled features of encoders 1 .. I."""
        pooled = []
        features = image
        for convolution, pooling in zip(self.convolutions, self.poolings, strict=True):
            features = pooling(convolution(features))
            pooled.append(features)
        return self.bridge(features), pooled


class DecoderTrack(nn.Module):
    """CnvMod, DecMod, Map and Concat of one output, for i = I - 1 .. 1."""

    def __init__(self, inputs: int, depth: int, convolution_kernels: Sequence[int], map_kernels: Sequence[int]) -> None:
        super().__init__()
        self.depth = depth
        levels = range(1, depth)
        entering = [(inputs + 1) * 2 ** (i + 1) if i < depth - 1 else inputs * 2**depth for i in levels]
        self.convolutions = nn.ModuleList(
            _convolution(entering[i - 1], 2 ** (i + 2), convolution_kernels[i - 1]) for i in levels
        )
        self.deconvolutions = nn.ModuleList(_deconvolution(2 ** (i + 2), 2 ** (i + 1)) for i in levels)
        self.maps = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(2 ** (i + 1), 2**i if i > 1 else 1, map_kernels[i - 1], padding=map_kernels[i - 1] // 2),
                nn.Sigmoid(),
            )
            for i in levels
        )
        self.concatenations = nn.ModuleList(Concatenation() for _ in range(1, depth - 1))

    @property
    def last_bias(self) -> Tensor:
        """Bias of the convolution before the output's sigmoid."""
        return self.maps[0].get_parameter("0.bias")

    def forward(self, hub: Tensor, pooled: Sequence[Sequence[Tensor]]) -> Float[Tensor, "batch 1 height width"]:
        """From the hub to one normalised slice in (0, 1)."""
        features = hub
        for i in range(self.depth - 1, 0, -1):
            if i < self.depth - 1:
                features = self.concatenations[i - 1]([features, *(track[i - 1] for track in pooled)])
            features = self.maps[i - 1](self.deconvolutions[i - 1](self.convolutions[i - 1](features)))
        return features


class CondNet(nn.Module):
    """The network of Fig. 3 for any U, V, I and kernels.

    Parameters
    ----------
    design : CondNetDesign
        The paper's quantities; by default U = 2, V = 1, I = 6, R = 3, S = T = 5.

    Notes
    -----
    Source: Rashed, Gomez-Tames and Hirata, IEEE Trans. Med. Imaging 39, 2351-2362, 2020, Section III-B and Table II.
    """

    def __init__(self, design: CondNetDesign | None = None) -> None:
        super().__init__()
        self.design = design = design or CondNetDesign()
        self.encoders = nn.ModuleList(EncoderTrack(design.depth, kernels) for kernels in design.kernels("encoder"))
        self.hub = Concatenation()
        self.decoders = nn.ModuleList(
            DecoderTrack(design.inputs, design.depth, convolution, maps)
            for convolution, maps in zip(design.kernels("convolution"), design.kernels("map"), strict=True)
        )

    def forward(
        self, images: Float[Tensor, "batch inputs height width"]
    ) -> Float[Tensor, "batch outputs height width"]:
        """Normalised conductivity of each slice, eq. 1.

        Raises
        ------
        ValueError
            If the number of images is not U, or a side is not divisible by 2^I.
        """
        require_shape("images", images, (None, self.design.inputs, None, None), "stack the U images as channels")
        block = 2**self.design.depth
        sides = tuple(images.shape[-2:])
        if any(side % block or side == 0 for side in sides):
            raise ValueError(f"images' sides must be divisible by 2^depth ({block}), but are {sides}: pad the slices.")
        tracks = [encoder(images[:, u : u + 1]) for u, encoder in enumerate(self.encoders)]
        hub = self.hub([features for features, _ in tracks])
        pooled = [levels for _, levels in tracks]
        return torch.cat([decoder(hub, pooled) for decoder in self.decoders], dim=1)


@torch.no_grad()
def start_at_mean(network: CondNet, means: Sequence[float]) -> None:
    """Draw new weights, such that the network starts out near the mean of what it shall learn.

    Weights are normal with variance 2 / fan-in (He et al. 2015) and biases zero, except those of the V last maps, whose
    sigmoid gives the mean of its output's targets at a weighted sum of zero. Most of a slice is air and the mean is far
    below 1/2, where the sigmoid of a zero bias starts: without this the first part of a training goes into the bias.

    Parameters
    ----------
    network : CondNet
        Is changed in place, from torch's generator.
    means : sequence of float
        Mean normalised conductivity over all pixels, one an output, in (0, 1).

    Raises
    ------
    ValueError
        If a mean is not inside of (0, 1), or there are not V of them.
    """
    require_range("number of means", len(means), low=network.design.outputs, high=network.design.outputs)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            # Each output of a deconvolution whose stride is its kernel sees one pixel of each channel.
            fan_in = module.weight[0].numel() if isinstance(module, nn.Conv2d) else module.in_channels
            nn.init.normal_(module.weight, 0.0, math.sqrt(2.0 / fan_in))
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    for decoder, mean in zip(network.decoders, means, strict=True):
        if not 0.0 < mean < 1.0:
            raise ValueError(f"means must lie in (0, 1), as the sigmoid does, but hold {mean}: scale the targets.")
        assert isinstance(decoder, DecoderTrack)
        nn.init.constant_(decoder.last_bias, math.log(mean / (1.0 - mean)))


def scale_conductivity(
    conductivity: Float[Tensor, "*shape"], largest: float, margin: float = 0.1
) -> Float[Tensor, "*shape"]:
    """Map conductivity [S/m] from [0, largest] to the network's range [0, 1 - margin]; the inverse of `rescale`."""
    require_finite("conductivity", conductivity)
    require_range("largest", largest, low=0.0, low_open=True, unit="S/m")
    require_range("margin", margin, low=0.0, high=0.99)
    return conductivity * ((1.0 - margin) / largest)


def rescale(normalised: Float[Tensor, "*shape"], largest: float, margin: float = 0.1) -> Float[Tensor, "*shape"]:
    """Conductivity [S/m] of a normalised volume: largest / (1 - margin) times it, eq. 3 with margin = tau.

    Values between 1 - margin and 1 become larger than any tissue's conductivity, by at most a factor 1 / (1 - margin).
    """
    require_range("largest", largest, low=0.0, low_open=True, unit="S/m")
    require_range("margin", margin, low=0.0, high=0.99)
    return normalised * (largest / (1.0 - margin))


@torch.no_grad()
def predict_volume(
    networks: Sequence[CondNet], images: Float[Tensor, "inputs n0 n1 n2"], batch: int = 8
) -> Float[Tensor, "outputs n0 n1 n2"]:
    """Mean of three networks, one for slices across each axis, eq. 2.

    Parameters
    ----------
    networks : sequence of CondNet
        For slices at fixed first, second and third index, in evaluation mode.
    images : Float[Tensor, "inputs n0 n1 n2"]
        Normalised images; every side divisible by 2^I.
    batch : int
        Slices at a time.
    """
    if len(networks) != 3 or any(network.training for network in networks):
        raise ValueError(f"networks must be three, one a slice direction, in evaluation mode, but are {len(networks)}; "
                         "call eval() on each.")  # fmt: skip
    require_shape("images", images, (networks[0].design.inputs, None, None, None))
    total = images.new_zeros(networks[0].design.outputs, *images.shape[1:])
    for axis, network in enumerate(networks):
        slices = images.movedim(axis + 1, 0)
        predicted = torch.cat([network(part) for part in slices.split(batch)])
        total += predicted.movedim(0, axis + 1)
    return total / 3.0
