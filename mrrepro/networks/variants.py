"""The networks for concentration maps by name, as settings and saved weights refer to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from mrrepro.networks import cost
from mrrepro.networks.multi_decoder import MultiDecoder, MultiDecoderWithSkips, NoWavelet, SingleDecoder
from mrrepro.networks.scaling import FixedScaling, PerImageScaling
from mrrepro.networks.unet import UNet
from mrrepro.networks.wavelet import wavelet_named
from mrrepro.validation import require_choice

WAVELET_NETWORKS = {
    "multi_decoder": MultiDecoder,
    "single_decoder": SingleDecoder,
    "multi_decoder_with_skips": MultiDecoderWithSkips,
}
MAP_NETWORKS = {"no_wavelet": NoWavelet, "unet": UNet}
KINDS = (*WAVELET_NETWORKS, *MAP_NETWORKS)
"""Names of the networks: of those that estimate wavelet coefficients, then of those that estimate the map."""

INPUT_SCALINGS = ("fixed", "per_image")


@dataclass(frozen=True)
class NetworkSettings:
    """All that is needed to build a network before its weights are loaded.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    width : float
        Base width b (the paper: 64).
    wavelet : str
        Name of the wavelet of the networks that estimate coefficients; those that estimate the map have none.
    input_scaling : str
        ``"fixed"`` divides by ``input_scale``, ``"per_image"`` by each image's root mean square.
    input_scale, output_scale : float
        See `mrrepro.networks.scaling`.
    zero_initialised_head : bool
        Start from an estimate of zero.
    """

    kind: str = "multi_decoder"
    width: float = 64.0
    wavelet: str = "db4"
    input_scaling: str = "fixed"
    input_scale: float = 1.0
    output_scale: float = 1.0
    zero_initialised_head: bool = True

    def __post_init__(self) -> None:
        require_choice("kind", self.kind, KINDS)
        require_choice("input_scaling", self.input_scaling, INPUT_SCALINGS)
        wavelet_named(self.wavelet)

    def as_mapping(self) -> dict[str, Any]:
        """Return the settings as a mapping that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> NetworkSettings:
        """Return the settings of `as_mapping`.

        Raises
        ------
        ValueError
            If a name is unknown.
        """
        known = tuple(cls.__dataclass_fields__)
        for name in settings:
            require_choice("The name of a network setting", name, known)
        return cls(**settings)


def build_network(settings: NetworkSettings) -> nn.Module:
    """Make the network with freshly drawn weights.

    Its output channels are wavelet coefficients for some kinds and the map itself for others. Its method ``target``
    turns a true map into the channels that the output is compared with, ``predict_map`` images into the estimated map.
    """
    scaling = (
        FixedScaling(settings.input_scale, settings.output_scale)
        if settings.input_scaling == "fixed"
        else PerImageScaling(settings.output_scale)
    )
    if settings.kind in WAVELET_NETWORKS:
        return WAVELET_NETWORKS[settings.kind](
            settings.width,
            wavelet=wavelet_named(settings.wavelet),
            scaling=scaling,
            zero_initialised_head=settings.zero_initialised_head,
        )
    return MAP_NETWORKS[settings.kind](
        settings.width, scaling=scaling, zero_initialised_head=settings.zero_initialised_head
    )


def matched_width(kind: str, reference_flops: float, size: int) -> float:
    """Return the width at which a network of this kind costs ``reference_flops`` a forward pass, within 10%.

    See `mrrepro.networks.cost.matched_width`.
    """
    require_choice("kind", kind, KINDS)
    return cost.matched_width(
        lambda width: build_network(NetworkSettings(kind=kind, width=width)), reference_flops, size
    )
