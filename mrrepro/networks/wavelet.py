"""One-level orthogonal wavelet transform of maps, periodic at the borders, in torch.

The transform is a pair of circular convolutions with stride 2 along each axis, so that an
N x N map has exactly four channels of N/2 x N/2 coefficients and the energy is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mrrepro.validation import require_choice, require_shape

CHANNELS = ("LL", "LH", "HL", "HH")
"""Order of the coefficients: approximation, horizontal, vertical and diagonal detail (cA, cH, cV, cD)."""


@dataclass(frozen=True)
class OrthogonalWavelet:
    """An orthogonal wavelet, given by its scaling filter.

    Parameters
    ----------
    name : str
        Name of the family and number of vanishing moments, for instance ``"db4"``.
    scaling_filter : tuple of float
        h[0], ..., h[L-1] with sum(h) = sqrt(2) and sum_n h[n] h[n + 2 m] = delta_m. L is even.
    """

    name: str
    scaling_filter: tuple[float, ...]

    @property
    def taps(self) -> int:
        """Number of coefficients L of the filter."""
        return len(self.scaling_filter)

    @property
    def wavelet_filter(self) -> tuple[float, ...]:
        """The quadrature mirror g[n] = (-1)^n h[L - 1 - n]."""
        return tuple((-1) ** n * h for n, h in enumerate(reversed(self.scaling_filter)))


DB2 = OrthogonalWavelet(
    "db2",
    (0.48296291314453416, 0.8365163037378079, 0.2241438680420134, -0.12940952255126037),
)
"""Daubechies' extremal-phase wavelet with 2 vanishing moments (Daubechies 1992, Table 6.1)."""

DB4 = OrthogonalWavelet(
    "db4",
    (
        0.2303778133088965,
        0.7148465705529157,
        0.6308807679298589,
        -0.027983769416859854,
        -0.18703481171909309,
        0.030841381835560764,
        0.0328830116668852,
        -0.010597401785069032,
    ),
)
"""Daubechies' extremal-phase wavelet with 4 vanishing moments (Daubechies 1992, Table 6.1)."""

WAVELETS = {wavelet.name: wavelet for wavelet in (DB2, DB4)}


def wavelet_named(name: str) -> OrthogonalWavelet:
    """Return the wavelet of this name.

    Raises
    ------
    ValueError
        If there is none.
    """
    require_choice("wavelet", name, tuple(WAVELETS))
    return WAVELETS[name]


def analyse(
    maps: Float[Tensor, "batch height width"], wavelet: OrthogonalWavelet = DB4
) -> Float[Tensor, "batch 4 height/2 width/2"]:
    """Wavelet coefficients of maps.

    Along each axis, with the scaling filter h and its mirror g (each reversed in time),

        low[k] = sum_n h[n] x[(2 k + n + 1 - L/2) mod N],   high[k] alike with g,

    first along the width, then along the height.

    Parameters
    ----------
    maps : Float[Tensor, "batch height width"]
        Height and width are even and at least the filter's length. Half-precision maps are raised to float32.
    wavelet : OrthogonalWavelet
        Default: `DB4`.

    Returns
    -------
    Float[Tensor, "batch 4 height/2 width/2"]
        In the order of `CHANNELS`. As in pywavelets, LH (cH) is low along the width and high along the height,
        so that it answers to horizontal edges; HL (cV) is the other way round.

    Raises
    ------
    ValueError
        If ``maps`` is not three-dimensional or a size is odd or shorter than the filter.

    Notes
    -----
    The alignment is that of pywavelets' mode ``"periodization"``. The transform is orthogonal, so that `synthesise`
    is both its inverse and its adjoint. It runs in the precision of ``maps`` also under autocast.

    References
    ----------
    I. Daubechies, Ten Lectures on Wavelets (SIAM, 1992), section 5.6; S. Mallat, IEEE TPAMI 11, 674 (1989).
    """
    require_shape("maps", maps, (None, None, None), "pass one channel of shape (batch, height, width)")
    for axis, size in zip(("height", "width"), maps.shape[1:], strict=True):
        if size % 2 or size < wavelet.taps:
            raise ValueError(
                f"The {axis} of maps must be even and at least {wavelet.taps} (the taps of {wavelet.name}), "
                f"but is {size}: pad or crop the maps."
            )
    maps = _at_least_float32(maps)
    before = wavelet.taps // 2 - 1
    with torch.autocast(maps.device.type, enabled=False):
        filters = _filter_bank(wavelet, maps.dtype, maps.device)
        padded = F.pad(maps[:, None], (before, before, before, before), mode="circular")
        along_width = F.conv2d(padded, filters[:, None, None, :], stride=(1, 2))
        return F.conv2d(along_width, filters.repeat(2, 1)[:, None, :, None], stride=(2, 1), groups=2)


def synthesise(
    coefficients: Float[Tensor, "batch 4 height/2 width/2"], wavelet: OrthogonalWavelet = DB4
) -> Float[Tensor, "batch height width"]:
    """Maps from their wavelet coefficients; inverse and adjoint of `analyse`.

    Parameters
    ----------
    coefficients : Float[Tensor, "batch 4 height/2 width/2"]
        In the order of `CHANNELS`; each size at least half the filter's length.
    wavelet : OrthogonalWavelet
        The one of the analysis.

    Returns
    -------
    Float[Tensor, "batch height width"]

    Raises
    ------
    ValueError
        If the shape does not fit.
    """
    require_shape("coefficients", coefficients, (None, 4, None, None), "stack LL, LH, HL, HH along the second axis")
    if min(coefficients.shape[2:]) < wavelet.taps // 2:
        raise ValueError(
            f"coefficients must be at least {wavelet.taps // 2} long along height and width (half the taps of "
            f"{wavelet.name}), but have shape {tuple(coefficients.shape)}."
        )
    coefficients = _at_least_float32(coefficients)
    margin = wavelet.taps // 4
    crop = 2 * margin + wavelet.taps // 2 - 1
    with torch.autocast(coefficients.device.type, enabled=False):
        filters = _filter_bank(wavelet, coefficients.dtype, coefficients.device)
        padded = F.pad(coefficients, (margin, margin, margin, margin), mode="circular")
        along_height = F.conv_transpose2d(
            padded, filters.repeat(2, 1)[:, None, :, None], stride=(2, 1), padding=(crop, 0), groups=2
        )
        maps = F.conv_transpose2d(along_height, filters[:, None, None, :], stride=(1, 2), padding=(0, crop))
    return maps[:, 0]


def _at_least_float32(array: Tensor) -> Tensor:
    return array.float() if array.dtype in (torch.float16, torch.bfloat16) else array


@lru_cache(maxsize=32)
def _filter_bank(wavelet: OrthogonalWavelet, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "2 taps"]:
    """Low-pass and high-pass filters as rows, in the order in which a correlation needs them."""
    with torch.inference_mode(False):  # a training may use them next
        return torch.tensor([wavelet.scaling_filter, wavelet.wavelet_filter], dtype=dtype, device=device)
