"""MR images of a head: each tissue's signal under a sequence, mixed by partial volume, with coil shading and noise.

``I = | B sum_t f_t S(PD_t, T1_t, T2_t) + n |``: f the tissue fractions of a voxel, S the sequence's steady state
(`mr_signals`), B a smooth real shading, n complex Gaussian noise of equal variance in both channels, so that magnitudes
are Rician. Tissues are uniform within a head. Left out: the point spread of the acquisition, chemical shift,
susceptibility, flow (blood is bright in a spin echo here; in vessels it is mostly dark) and B1+.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, Float32
from scipy import ndimage

from mrrepro.phantoms.head import Head
from mrrepro.phantoms.head_tissues import HEAD_TISSUES
from mrrepro.phantoms.yee_grid import YeeGrid
from mrrepro.simulators.mr_signals import RelaxingTissue
from mrrepro.validation import require_choice, require_finite, require_range, require_shape

Image = Float32[np.ndarray, "x y z"]
Fractions = Float[np.ndarray, "tissue x y z"]


class Sequence(Protocol):
    """What gives a steady-state signal, such as `mr_signals.SpinEcho`."""

    def signal(self, tissue: RelaxingTissue) -> torch.Tensor:
        """Return the signal of a tissue."""


@dataclass(frozen=True)
class Relaxation:
    """Proton density relative to water, T1 and T2 [s] of one tissue."""

    proton_density: float
    t1: float
    t2: float


RELAXATION: Mapping[float, Mapping[str, Relaxation]] = MappingProxyType(
    {
        1.5: MappingProxyType(
            {
                "blood": Relaxation(0.85, 1.441, 0.290),
                "bone_cancellous": Relaxation(0.70, 0.288, 0.165),
                "bone_cortical": Relaxation(0.15, 0.200, 0.0005),
                "cerebellum": Relaxation(0.80, 1.000, 0.085),
                "csf": Relaxation(1.00, 4.000, 2.000),
                "dura": Relaxation(0.70, 0.900, 0.020),
                "fat": Relaxation(0.95, 0.288, 0.165),
                "grey_matter": Relaxation(0.83, 1.124, 0.095),
                "mucous_tissue": Relaxation(0.85, 1.200, 0.080),
                "muscle": Relaxation(0.78, 1.008, 0.044),
                "skin": Relaxation(0.70, 0.900, 0.030),
                "vitreous_humour": Relaxation(0.99, 4.000, 1.500),
                "white_matter": Relaxation(0.71, 0.884, 0.072),
            }
        ),
        3.0: MappingProxyType(
            {
                "blood": Relaxation(0.85, 1.932, 0.275),
                "bone_cancellous": Relaxation(0.70, 0.365, 0.133),
                "bone_cortical": Relaxation(0.15, 0.200, 0.0004),
                "cerebellum": Relaxation(0.80, 1.450, 0.085),
                "csf": Relaxation(1.00, 4.000, 2.000),
                "dura": Relaxation(0.70, 1.100, 0.018),
                "fat": Relaxation(0.95, 0.371, 0.133),
                "grey_matter": Relaxation(0.83, 1.820, 0.099),
                "mucous_tissue": Relaxation(0.85, 1.500, 0.070),
                "muscle": Relaxation(0.78, 1.412, 0.050),
                "skin": Relaxation(0.70, 1.100, 0.025),
                "vitreous_humour": Relaxation(0.99, 4.000, 1.300),
                "white_matter": Relaxation(0.71, 1.084, 0.069),
            }
        ),
    }
)
"""By field strength [T] and tissue, at 37 degrees Celsius.

Measured: T1 and T2 of grey and white matter, muscle and blood (Stanisz et al., Magn. Reson. Med. 54, 507 (2005), table
2; excised tissue), of fat and of marrow, which stands for cancellous bone (Gold et al., Am. J. Roentgenol. 183, 343
(2004)); water content of grey and white matter (Whittall et al., Magn. Reson. Med. 37, 34 (1997)). All else is an
estimate of ours: cerebrospinal fluid and vitreous humour as nearly water, the cerebellum between its grey and white
matter, cortical bone and dura as dense tissue of short T2, mucous tissue and skin as soft tissue, and the other proton
densities.
"""


@dataclass(frozen=True)
class HeadScan:
    """How a head is imaged.

    Parameters
    ----------
    sequence : Sequence
        `SpinEcho`, `SpoiledGradientEcho` or `InversionRecoverySpinEcho` of `mr_signals`.
    relaxation : mapping
        `Relaxation` of each of the 13 tissues; by default those at 3 T.
    signal_to_noise : float
        White matter's signal over the noise's standard deviation in each channel; infinite for none.
    shading : float
        Standard deviation of the logarithm of the bias field within the head; 0 for none.
    shading_length : float
        Over which the bias field varies [m].
    """

    sequence: Sequence
    relaxation: Mapping[str, Relaxation] = field(default_factory=lambda: RELAXATION[3.0])
    signal_to_noise: float = float("inf")
    shading: float = 0.0
    shading_length: float = 0.06

    def __post_init__(self) -> None:
        if missing := sorted(set(HEAD_TISSUES[1:]) - set(self.relaxation)):
            raise ValueError(
                f"relaxation must name all 13 tissues, but lacks {', '.join(missing)}: start from RELAXATION[3.0]."
            )
        if not self.signal_to_noise > 0:
            raise ValueError(
                f"signal_to_noise must be positive, but is {self.signal_to_noise!r}: give inf for no noise."
            )
        require_range("shading", self.shading, 0.0, 1.0, remedy="it is the standard deviation of a logarithm")
        require_range("shading_length", self.shading_length, 0.01, 1.0, unit="m", remedy="give metres")

    def tissue_signals(self) -> Float[np.ndarray, " tissue"]:
        """Return the signed signal of each of ``HEAD_TISSUES``, 0 for air."""
        rows = [self.relaxation[tissue] for tissue in HEAD_TISSUES[1:]]
        columns = (
            torch.tensor([getattr(row, name) for row in rows], dtype=torch.float64)
            for name in ("proton_density", "t1", "t2")
        )
        signals = self.sequence.signal(RelaxingTissue(*columns))
        return np.concatenate([[0.0], signals.numpy()])

    def image(self, head: Head, generator: np.random.Generator, fractions: Fractions | None = None) -> Image:
        """Return a magnitude image, relative to the signal of fully relaxed water.

        Parameters
        ----------
        head : Head
        generator : Generator
            Of noise and shading.
        fractions : ndarray, (14, x, y, z), optional
            Of the tissues in each voxel, as `tissue_fractions` gives them for this head; without them every voxel is
            all of its label.
        """
        signals = self.tissue_signals()
        if fractions is None:
            image = signals[head.labels]
        else:
            require_shape("fractions", fractions, (len(HEAD_TISSUES), *head.labels.shape), "give those of this head")
            require_finite("fractions", fractions)
            image = np.tensordot(signals, fractions, axes=1)
        if self.shading > 0:
            image = image * bias_field(head, self.shading, self.shading_length, generator)
        if np.isfinite(self.signal_to_noise):
            white = abs(float(signals[HEAD_TISSUES.index("white_matter")]))
            return rician(image, white / self.signal_to_noise, generator)
        return np.abs(image).astype(np.float32)


def head_relaxation(field_strength: float) -> Mapping[str, Relaxation]:
    """Return the table at 1.5 or 3 T.

    Examples
    --------
    >>> head_relaxation(3.0)["white_matter"].t1
    1.084
    """
    require_choice("field_strength", field_strength, tuple(RELAXATION))
    return RELAXATION[field_strength]


def varied_relaxation(
    relaxation: Mapping[str, Relaxation], spread: float, generator: np.random.Generator
) -> dict[str, Relaxation]:
    """Return another person's tissues: each value times ``exp(spread g)``, g normal and cut at two.

    Proton densities vary by a quarter of the spread. Our choice of model.
    """
    require_range("spread", spread, 0.0, 0.5)
    changed = {}
    for tissue, values in relaxation.items():
        density, t1, t2 = np.exp(spread * np.clip(generator.standard_normal(3), -2.0, 2.0) * (0.25, 1.0, 1.0))
        changed[tissue] = Relaxation(values.proton_density * density, values.t1 * t1, values.t2 * t2)
    return changed


def bias_field(head: Head, spread: float, length: float, generator: np.random.Generator) -> Image:
    """Return a smooth positive shading: mean 1 and standard deviation ``spread`` in the logarithm within the head.

    The logarithm is white noise on a lattice of ``length`` [m], joined by cubic splines; the head's position in the
    grid does not matter, only its extent.
    """
    grid: YeeGrid = head.grid
    nodes = [int(np.ceil(count * grid.voxel_size / length)) + 3 for count in grid.shape]
    noise = generator.standard_normal(nodes)
    steps = [1.0 + (np.arange(count) + 0.5) * grid.voxel_size / length for count in grid.shape]
    smooth = ndimage.spline_filter(noise, order=3)
    index = np.meshgrid(*steps, indexing="ij")
    logarithm = ndimage.map_coordinates(smooth, index, order=3, prefilter=False)
    inside = head.labels != 0
    logarithm -= logarithm[inside].mean()
    shading = np.exp(logarithm * (spread / logarithm[inside].std()))
    scaled: Image = (shading / shading[inside].mean()).astype(np.float32)
    return scaled


def rician(image: Float[np.ndarray, "x y z"], deviation: float, generator: np.random.Generator) -> Image:
    """Return the magnitude of a real image with complex Gaussian noise of this standard deviation in each channel."""
    require_range("deviation", deviation, 0.0)
    real, imaginary = deviation * generator.standard_normal((2, *image.shape))
    noisy: Image = np.hypot(image + real, imaginary).astype(np.float32)
    return noisy
