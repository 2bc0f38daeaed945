"""Where the stripes of View Line images lie, as far as the images themselves tell."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mrrepro.simulators.view_line import ViewLineSequence
from mrrepro.validation import require_range


@dataclass(frozen=True)
class Stripes:
    """The stripes of one channel, every second line of the sequence.

    Attributes
    ----------
    modulation : float
        Amplitude of the stripes' spatial frequency relative to the mean signal: 0 without stripes, 1 for thin ones.
    offset : float
        How far the stripes lie from where the sequence excites them [m], in [-line_spacing, line_spacing).
    """

    modulation: float
    offset: float


def find_stripes(
    images: Float[np.ndarray, "2 x z"], pixel: float, sequence: ViewLineSequence
) -> tuple[Stripes, Stripes]:
    """Measure the stripes of even and of odd lines from the spatial frequency 1 / (2 line_spacing) along z.

    With p(z) the signal summed over x and q = 1 / (2 line_spacing),

        F(q) = sum_z p(z) exp(-2 pi i q z),  modulation = |F(q)| / F(0),  offset = -arg F(q) / (2 pi q) - z_0,

    z_0 being the first line of the channel. Where most of the object is on resonance, stripes lie where they were
    excited; a field of iron bends some of them and leaves the sum.

    Parameters
    ----------
    images : array, (2, x, z)
        Even lines, odd lines, at least 0, not 0 everywhere.
    pixel : float
        Edge of a pixel along z [m]; the pixel of index ``z // 2`` lies at 0.
    sequence : ViewLineSequence

    Raises
    ------
    ValueError
        If the pixel is not a positive length.
    """
    require_range("pixel", pixel, 0.0, low_open=True, unit="m")
    count = images.shape[-1]
    position = (np.arange(count) - count // 2) * pixel
    period = 2 * sequence.line_spacing
    wave = np.exp(-2j * math.pi * position / period)
    first_lines = sequence.line_positions()[:2]
    found = []
    for channel, first in zip(images, first_lines, strict=True):
        profile = channel.sum(axis=0, dtype=np.float64)
        amplitude = complex((profile * wave).sum()) * cmath.exp(2j * math.pi * float(first) / period)
        total = float(profile.sum())
        found.append(Stripes(abs(amplitude) / total if total else 0.0, -cmath.phase(amplitude) / math.pi * period / 2))
    return found[0], found[1]
