"""View Line images: lines excited across a slice, distorted by the field, read out along z.

A line k is excited with the gradient G_s along z and refocused in an oblique plane, so that only
the slice y = 0 contributes; then z is read with the gradient G_r and x by phase encoding. A field
deviation dB(x, z) makes a spin at z

    answer to the pulse as if it were at  u = z + dB / G_s,
    appear in the image at                v = z + dB / G_r.

The image of line k is therefore the spin density, weighted by the profile P(u - z_k) and pushed
forward from z to v. Even and odd lines are two channels. A stripe moves by dB (1/G_r - 1/G_s): with
equal gradients stripes stay straight (view angle tilting), though their intensity still follows
the Jacobian 1 / |1 + dB_z / G|.

The push forward splats finely sampled spins linearly onto a readout grid twice as fine as the
image; so folds, where several z share one v, need no root finding. The fine grid is then cut to
the spatial frequencies that a readout of ``size`` samples has, which is the point spread.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mrrepro.simulators.bloch import SelectivePulse, slice_profile
from mrrepro.validation import require_finite, require_range, require_shape

READOUT_OVERSAMPLING = 2
PROFILE_SAMPLES = 2049


@dataclass(frozen=True)
class ViewLineSequence:
    """Geometry and gradients of the acquisition; lengths in metres, gradients in T/m.

    Parameters
    ----------
    field_of_view : float
        Along x and z [m]; section 5, experiment 4: 50 mm.
    size : int
        Pixels along x and z, even; 256 in the paper.
    line_count : int
        Excited lines; 25 in the paper.
    line_thickness : float
        Nominal thickness of a line [m]; 1 mm in the paper. A Hann-windowed sinc of 90 degrees gives a full width at
        half maximum that is 5 % more.
    line_spacing : float
        From line to line [m]; not stated, 2 mm is our choice (25 lines across the field of view).
    slice_gradient, readout_gradient : float
        G_s and G_r [T/m]; not stated, +0.1 and -0.2 are our choice: opposite signs make the stripes move most.
    echo_time : float
        [s]; 8.7 ms in the paper.
    spin_oversampling : int
        Spins per pixel along z in the push forward, at least 8.
    """

    field_of_view: float = 0.05
    size: int = 256
    line_count: int = 25
    line_thickness: float = 1e-3
    line_spacing: float = 2e-3
    slice_gradient: float = 0.1
    readout_gradient: float = -0.2
    echo_time: float = 8.7e-3
    spin_oversampling: int = 8

    def __post_init__(self) -> None:
        if self.size % 2 or self.size < 16:
            raise ValueError(f"size must be an even number of at least 16 pixels, but is {self.size}.")
        require_range("field_of_view", self.field_of_view, 0.0, 1.0, unit="m", low_open=True, remedy="give metres")
        require_range("line_count", self.line_count, 1)
        require_range("echo_time", self.echo_time, 0.0, 1.0, unit="s", remedy="give seconds")
        require_range("spin_oversampling", self.spin_oversampling, 8, 64)
        for name in ("slice_gradient", "readout_gradient"):
            value = getattr(self, name)
            if not math.isfinite(value) or value == 0.0 or abs(value) > 10.0:
                raise ValueError(
                    f"{name} must be a finite value in T/m, neither 0 nor above 10 in size, but is {value!r}: "
                    "without a gradient position is not encoded; 100 mT/m is 0.1."
                )
        if self.line_spacing < 2 * self.line_thickness:
            raise ValueError(
                f"line_spacing must be at least twice line_thickness ({self.line_thickness * 1e3:g} mm), since a "
                f"spin is taken to belong to one line only, but is {self.line_spacing * 1e3:g} mm: space the lines "
                "out or make them thinner."
            )
        if (self.line_count - 1) * self.line_spacing > self.field_of_view:
            raise ValueError(
                f"{self.line_count} lines with line_spacing {self.line_spacing * 1e3:g} mm exceed the field_of_view "
                f"of {self.field_of_view * 1e3:g} mm: take fewer or closer lines."
            )

    @property
    def voxel(self) -> float:
        """Edge of a pixel [m]."""
        return self.field_of_view / self.size

    def positions(self) -> Float[np.ndarray, " size"]:
        """Pixel centres along x or z [m]: (i - size/2) times the pixel's edge."""
        return (np.arange(self.size) - self.size // 2) * self.voxel

    def line_positions(self) -> Float[np.ndarray, " lines"]:
        """Centres z_k of the lines [m], symmetric about 0."""
        return (np.arange(self.line_count) - (self.line_count - 1) / 2) * self.line_spacing


@dataclass(frozen=True)
class Excitation:
    """What the field does in one sample: everything that depends on the spins, not on the sequence.

    Parameters
    ----------
    field : tensor, (..., size, size)
        dB(x, z) in the slice [T].
    spin_density : tensor, (..., size, size)
        Undistorted image (x, z), at least 0, without unit.
    """

    field: Float[Tensor, "*batch x z"]
    spin_density: Float[Tensor, "*batch x z"]


@functools.lru_cache(maxsize=16)
def _profile(thickness: float, gradient: float, reach: float) -> Float[np.ndarray, " samples"]:
    """|M_xy| of a 90 degree pulse on a grid from 0 to ``reach`` [m], scaled to 1 at the centre."""
    position = np.linspace(0.0, reach, PROFILE_SAMPLES)
    magnitude = np.abs(slice_profile(SelectivePulse(math.pi / 2, thickness, gradient), position))
    return magnitude / magnitude[0]


@functools.lru_cache(maxsize=16)
def _profile_table(thickness: float, gradient: float, reach: float, device: torch.device) -> Float[Tensor, " samples"]:
    return torch.tensor(_profile(thickness, gradient, reach), dtype=torch.float32, device=device)


@functools.lru_cache(maxsize=16)
def _readout_window(size: int, device: torch.device) -> Float[Tensor, " frequencies"]:
    """What takes the fine grid's spectrum to the image's: the splat undone, the highest frequency left out."""
    fine = READOUT_OVERSAMPLING * size
    frequency = np.arange(size // 2 + 1) / fine
    window = 1.0 / np.sinc(frequency) ** 2
    window[-1] = 0.0  # the Nyquist sample of an even readout has no sign
    return torch.tensor(window, dtype=torch.float32, device=device)


def simulate_view_lines(excitation: Excitation, sequence: ViewLineSequence) -> Float[Tensor, "*batch 2 x z"]:
    """Noise-free View Line images: even lines, then odd lines, numbered from 0.

    Parameters
    ----------
    excitation : Excitation
        Field and spin density on the sequence's grid.
    sequence : ViewLineSequence
        Geometry and gradients.

    Returns
    -------
    tensor, (..., 2, size, size)
        Signal density (channel, x, v), 1 where a spin density of 1 is excited fully and not distorted. Spins
        that appear outside of the field of view are lost. The point spread makes small values of either sign
        beside sharp edges.

    Raises
    ------
    ValueError
        If the maps do not fit the sequence, hold NaN, or the spin density is negative.

    Notes
    -----
    Validity: through-plane dephasing in an ideal spin echo is zero; diffusion and relaxation during the readout
    are neglected; the field does not change along y within the refocused slice. Source: section 3.1; the
    paper's simulation of 'voxel warping' is not described further.
    """
    size, voxel = sequence.size, sequence.voxel
    field, density = excitation.field, excitation.spin_density
    for name, array in (("field", field), ("spin_density", density)):
        require_shape(f"the last two axes of {name}", array[(0,) * (array.ndim - 2)], (size, size))
    valid = torch.isfinite(field).all() & torch.isfinite(density).all() & (density >= 0).all()
    if not bool(valid):  # a GPU is waited for once
        require_finite("field", field)
        require_finite("spin_density", density)
        raise ValueError(f"spin_density must not be negative, but its lowest value is {float(density.min()):g}.")
    batch = field.shape[:-2]
    rows = math.prod(batch) * size
    return (
        _push_forward(field.reshape(rows, size), density.reshape(rows, size), sequence, voxel)
        .reshape(*batch, size, 2, size)
        .transpose(-3, -2)
    )


def _push_forward(
    field: Float[Tensor, "rows z"], density: Float[Tensor, "rows z"], sequence: ViewLineSequence, voxel: float
) -> Float[Tensor, "rows 2 z"]:
    """Push the spins of each row (one x) forward from z to v, for even and odd lines."""
    rows, size = field.shape
    device = field.device
    per_pixel = sequence.spin_oversampling
    count = size * per_pixel
    # Spins fill the pixels: the i-th sub-spin of pixel j lies at j - 1/2 + (i + 1/2) / per_pixel pixels.
    position = (torch.arange(count, device=device, dtype=torch.float32) + 0.5) / per_pixel - 0.5
    fine_field = _between_pixels(field, per_pixel)
    centred = (position - size // 2) * voxel
    spacing = sequence.line_spacing
    excited = torch.add(
        centred / spacing + (sequence.line_count - 1) / 2, fine_field, alpha=1.0 / (sequence.slice_gradient * spacing)
    )
    line = excited.round()
    distance = excited.sub_(line).abs_()
    table = _profile_table(sequence.line_thickness, sequence.slice_gradient, spacing / 2, device)
    weight = table[distance.mul_(2 * (PROFILE_SAMPLES - 1)).to(torch.int32)]
    weight.mul_(density.repeat_interleave(per_pixel, dim=1))
    fine = READOUT_OVERSAMPLING * size
    landing = torch.add(
        position * READOUT_OVERSAMPLING, fine_field, alpha=READOUT_OVERSAMPLING / (sequence.readout_gradient * voxel)
    )
    inside = (line >= 0) & (line <= sequence.line_count - 1) & (landing >= 0) & (landing < fine - 1)
    weight.mul_(inside)
    landing.clamp_(0, fine - 2)
    first = landing.floor()
    upper = weight * landing.sub_(first)
    channel = line.remainder_(2).mul_(inside)
    start = torch.arange(rows, device=device).mul_(2 * fine)[:, None]
    index = first.add_(channel, alpha=fine).to(torch.int64).add_(start).view(-1)
    image = torch.zeros(rows * 2 * fine, device=device)
    image.index_add_(0, index, weight.sub_(upper).view(-1))
    image.index_add_(0, index.add_(1), upper.view(-1))
    spectrum = torch.fft.rfft(image.view(rows, 2, fine), dim=-1)[..., : size // 2 + 1]
    spectrum = spectrum * _readout_window(size, device)
    return torch.fft.irfft(spectrum, n=size, dim=-1).div_(per_pixel)


def _between_pixels(field: Float[Tensor, "rows z"], per_pixel: int) -> Float[Tensor, "rows fine"]:
    """Field at the sub-spins, linear between pixel centres and constant beyond the outermost ones."""
    padded = torch.nn.functional.pad(field[:, None], (1, 1), mode="replicate")[:, 0]
    offset = (torch.arange(per_pixel, device=field.device, dtype=field.dtype) + 0.5) / per_pixel - 0.5
    here = padded[:, 1:-1, None]
    before = here - padded[:, :-2, None]
    after = padded[:, 2:, None] - here
    return (here + torch.where(offset < 0, before, after) * offset).reshape(field.shape[0], -1)


def add_noise(
    images: Float[Tensor, "*batch 2 x z"], snr_db: float, generator: torch.Generator, foreground: float = 0.1
) -> Float[Tensor, "*batch 2 x z"]:
    """Magnitude of the images after complex Gaussian noise.

    sigma of each of the real and the imaginary part = mean foreground signal / 10^(snr_db / 20), sample by sample;
    foreground are the pixels above ``foreground`` times the sample's maximum. The paper gives levels in dB without
    a definition: this one is our choice.

    Parameters
    ----------
    images : tensor, (..., 2, size, size)
    snr_db : float
        Signal-to-noise ratio [dB]; ``math.inf`` for none.
    generator : torch.Generator
        Source of the noise, on the images' device.

    Raises
    ------
    ValueError
        If ``snr_db`` is not a number, or -inf.
    """
    if math.isnan(snr_db) or snr_db == -math.inf:
        raise ValueError(f"snr_db must be a number of decibels or inf (no noise), but is {snr_db!r}.")
    require_range("foreground", foreground, 0.0, 1.0)
    if snr_db == math.inf:
        return images.abs()
    level = images.amax(dim=(-3, -2, -1), keepdim=True) * foreground
    mask = images > level
    mean = (images * mask).sum(dim=(-3, -2, -1), keepdim=True) / mask.sum(dim=(-3, -2, -1), keepdim=True).clamp_min(1)
    sigma = mean * 10.0 ** (-snr_db / 20.0)
    shape = images.shape
    real = torch.randn(shape, generator=generator, device=images.device) * sigma + images
    imaginary = torch.randn(shape, generator=generator, device=images.device) * sigma
    return torch.hypot(real, imaginary)
