"""What the conditional networks see of a body: one function for training and for somebody's own maps.

A trained network is a file of `mrrepro.training.checkpoints.save_network` whose settings hold, beside those of
`mrrepro.networks.scaled_generator`, those of `NetworkFileSettings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from mrrepro.phantoms.yee_grid import require_isotropic_voxel
from mrrepro.validation import require_choice, require_range, require_shape

INPUTS = ("mask", "tissue")
"""The third channel: the object's mask, or an image with tissue contrast."""

QUANTITIES = ("conductivity", "relative_permittivity")


@dataclass(frozen=True)
class NetworkFileSettings:
    """What a network's file says about its training.

    Parameters
    ----------
    inputs : str
        One of `INPUTS`.
    quantity : str
        One of `QUANTITIES`; the network's output is in S/m, or the relative permittivity.
    voxel_size : float
        Of the training [m].
    frequency : float
        [Hz].
    """

    inputs: str
    quantity: str
    voxel_size: float
    frequency: float

    def __post_init__(self) -> None:
        require_choice("inputs", self.inputs, INPUTS)
        require_choice("quantity", self.quantity, QUANTITIES)
        require_isotropic_voxel(self.voxel_size)
        require_range("frequency", self.frequency, 1e6, 1e9, unit="Hz", remedy="give hertz, 128 MHz being 128e6")

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> NetworkFileSettings:
        """Read the settings of a saved network; ``ValueError`` names what they lack."""
        missing = [name for name in cls.__dataclass_fields__ if name not in settings]
        if missing:
            raise ValueError(
                f"The network's settings must hold {', '.join(cls.__dataclass_fields__)}, but lack {missing}."
            )
        voxel = require_isotropic_voxel(settings["voxel_size"])
        return cls(str(settings["inputs"]), str(settings["quantity"]), voxel, float(settings["frequency"]))


def network_channels(
    magnitude: Float[np.ndarray, "x y z"],
    phase: Float[np.ndarray, "x y z"],
    third: Float[np.ndarray, "x y z"] | Bool[np.ndarray, "x y z"],
    mask: Bool[np.ndarray, "x y z"],
) -> Float[np.ndarray, "3 x y z"]:
    """Return the channels of a body, all 0 outside its mask; a slice of them is ``[:, :, :, k]``, with axes x and y.

    1. |B1+| over its mean in the mask, which takes the unit and the coil's drive out;
    2. transceive phase less its mean in the mask [rad], which takes the receiver's phase out;
    3. the mask as 0 and 1, or an image with tissue contrast over its mean in the mask.

    Means are over the whole volume, not slice by slice.

    Parameters
    ----------
    magnitude : array
        [any unit].
    phase : array
        Without wraps, of the time dependence ``exp(+j omega t)`` [rad].
    third : array
        Boolean for a mask, else an image.
    mask : array of bool

    Raises
    ------
    ValueError
        If shapes differ, or the mean of magnitude or image in the mask is not positive.
    """
    for name, values in {"magnitude": magnitude, "phase": phase, "third": third}.items():
        require_shape(name, values, mask.shape, "give the shape of the mask")
    contrast = third.astype(np.float64) if third.dtype == np.bool_ else _relative("tissue image", third, mask)
    offset = float(phase[mask].mean(dtype=np.float64))
    channels = (_relative("magnitude", magnitude, mask), phase - offset, contrast)
    return np.stack([np.where(mask, channel, 0.0) for channel in channels]).astype(np.float32)


def _relative(
    name: str, values: Float[np.ndarray, "x y z"], mask: Bool[np.ndarray, "x y z"]
) -> Float[np.ndarray, "x y z"]:
    mean = float(values[mask].mean(dtype=np.float64))
    if not mean > 0.0:
        raise ValueError(f"The mean of the {name} in the mask must be positive, but is {mean:g}.")
    return values / mean
