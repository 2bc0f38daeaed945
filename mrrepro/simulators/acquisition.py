"""What a scanner adds to an ideal image: an uneven receive field, noise, and the magnitude."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32
from scipy import ndimage

from mrrepro.validation import require_range

BIAS_LENGTH = 40e-3
"""Standard deviation [m] of the Gaussian that smooths white noise into the logarithm of a receive field; our choice."""


def receive_field(
    shape: tuple[int, int, int], voxel_size: float, deviation: float, generator: np.random.Generator
) -> Float32[np.ndarray, "x y z"]:
    """A smooth random factor of the image whose logarithm has mean 0 and this standard deviation.

    The noise is drawn on a coarse grid of half `BIAS_LENGTH`, smoothed there and interpolated.

    Parameters
    ----------
    shape : tuple of 3 int
        Of the image.
    voxel_size : float
        [m].
    deviation : float
        Standard deviation of the logarithm, at least 0; 0 gives a factor of 1.
    generator : np.random.Generator
        Is advanced.
    """
    require_range("voxel_size", voxel_size, low=0.0, low_open=True, unit="m")
    require_range("deviation", deviation, low=0.0)
    step = 0.5 * BIAS_LENGTH
    coarse = [int(np.ceil(n * voxel_size / step)) + 9 for n in shape]
    smooth = ndimage.gaussian_filter(generator.standard_normal(coarse), BIAS_LENGTH / step, mode="wrap")
    axes = [4.0 + np.arange(n) * voxel_size / step for n in shape]
    index = np.stack(np.meshgrid(*axes, indexing="ij"))
    field = ndimage.map_coordinates(smooth, index, order=3, mode="nearest")
    spread = float(field.std())
    standard = (field - field.mean()) / spread if spread > 0.0 else np.zeros(shape)
    return np.exp(deviation * standard).astype(np.float32)


def magnitude_with_noise(
    signal: Float[np.ndarray, "*shape"], noise_sd: float, generator: np.random.Generator
) -> Float32[np.ndarray, "*shape"]:
    """Magnitude of a real signal with independent Gaussian noise in both channels (Rician).

    Parameters
    ----------
    signal : ndarray
        Any unit.
    noise_sd : float
        Standard deviation of the noise in each channel, in the signal's unit, at least 0.
    generator : np.random.Generator
        Is advanced.
    """
    require_range("noise_sd", noise_sd, low=0.0)
    real = signal + noise_sd * generator.standard_normal(np.shape(signal))
    imaginary = noise_sd * generator.standard_normal(np.shape(signal))
    return np.hypot(real, imaginary).astype(np.float32)
