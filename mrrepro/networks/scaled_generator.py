"""A generator in physical units: the offsets and scales of its channels are saved with its weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mrrepro.networks.pix2pix import GeneratorSize, PixToPixGenerator


class ScaledGenerator(nn.Module):
    """Physical images in, physical map out; the generator inside works with numbers of order 1.

        map = output_offset + output_scale * generator((images - input_offset) / input_scale), channel by channel.

    For electrical properties the images are |B1+| [relative to its mean], the phase [rad] and a mask or a magnitude
    image [arbitrary], and the map is the conductivity [S/m] or the relative permittivity [1]. A training compares
    ``generator(scale_images(images))`` with ``scale_maps(maps)``, so that the weights of its terms do not depend on
    units.

    Parameters
    ----------
    generator : PixToPixGenerator
    input_offset, input_scale : sequence of float
        For each channel of the images; default: nothing is scaled. Scales are positive.
    output_offset, output_scale : sequence of float
        For each channel of the map.
    """

    input_offset: Tensor
    input_scale: Tensor
    output_offset: Tensor
    output_scale: Tensor

    def __init__(
        self,
        generator: PixToPixGenerator,
        input_offset: Sequence[float] | None = None,
        input_scale: Sequence[float] | None = None,
        output_offset: Sequence[float] | None = None,
        output_scale: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.generator = generator
        inputs, outputs = generator.size.input_channels, generator.size.output_channels
        self.register_buffer("input_offset", _channel_values("input_offset", input_offset, inputs, 0.0))
        self.register_buffer("input_scale", _channel_values("input_scale", input_scale, inputs, 1.0))
        self.register_buffer("output_offset", _channel_values("output_offset", output_offset, outputs, 0.0))
        self.register_buffer("output_scale", _channel_values("output_scale", output_scale, outputs, 1.0))

    def scale_images(
        self, images: Float[Tensor, "batch input_channel *space"]
    ) -> Float[Tensor, "batch input_channel *space"]:
        """Return (images - input_offset) / input_scale."""
        return (images - _beside(self.input_offset, images)) / _beside(self.input_scale, images)

    def scale_maps(
        self, maps: Float[Tensor, "batch output_channel *space"]
    ) -> Float[Tensor, "batch output_channel *space"]:
        """Return (maps - output_offset) / output_scale: what the generator inside is to make of the images."""
        return (maps - _beside(self.output_offset, maps)) / _beside(self.output_scale, maps)

    def forward(
        self, images: Float[Tensor, "batch input_channel *space"]
    ) -> Float[Tensor, "batch output_channel *space"]:
        """Return the map [physical units] of images [physical units], at least in float32."""
        scaled = self.generator(self.scale_images(images))
        return _beside(self.output_offset, scaled) + _beside(self.output_scale, scaled) * scaled


def pix2pix_settings(network: ScaledGenerator) -> dict[str, Any]:
    """Return what `build_pix2pix` needs, as JSON can hold it; offsets and scales are among the saved tensors."""
    return {"generator": asdict(network.generator.size)}


def build_pix2pix(settings: Mapping[str, Any]) -> ScaledGenerator:
    """Build a generator from settings, for `mrrepro.training.checkpoints.load_network`.

    Parameters
    ----------
    settings : Mapping
        Holds `pix2pix_settings` under ``"generator"``; other entries describe the training and are not read.

    Raises
    ------
    ValueError
        If there is no such entry, or it does not hold the fields of `GeneratorSize`.
    """
    fields = settings.get("generator")
    known = set(GeneratorSize.__dataclass_fields__)
    if not isinstance(fields, Mapping) or not set(fields) <= known:
        raise ValueError(
            f"settings must hold, under 'generator', fields of GeneratorSize ({', '.join(sorted(known))}), "
            f"but hold {fields!r}: save the network with pix2pix_settings."
        )
    return ScaledGenerator(PixToPixGenerator(GeneratorSize(**fields)))


def _channel_values(name: str, values: Sequence[float] | None, channels: int, default: float) -> Tensor:
    numbers = [default] * channels if values is None else [float(value) for value in values]
    scale = name.endswith("scale")
    if len(numbers) != channels or any(not math.isfinite(each) or (scale and each <= 0.0) for each in numbers):
        kind = "positive" if scale else "finite"
        raise ValueError(f"{name} must be {channels} {kind} numbers, one for each channel, but is {numbers}.")
    return torch.tensor(numbers, dtype=torch.float32)


def _beside(values: Float[Tensor, " channel"], images: Tensor) -> Tensor:
    """Shape values so that they stand beside the channels of images."""
    return values.view(-1, *(1,) * (images.ndim - 2))
