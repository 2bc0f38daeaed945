"""Structural similarity (SSIM) of volumes: a map, a score, and an exact gradient for training.

With local means ``m`` under a Gaussian window, SSIM at a voxel is

    SSIM = (2 m_x m_y + C1) (2 cov_xy + C2) / ((m_x^2 + m_y^2 + C1) (var_x + var_y + C2)),

``C1 = (0.01 L)^2``, ``C2 = (0.03 L)^2``, with the variances and the covariance of the population (weights that sum
to one, no n - 1). Only voxels whose window lies inside the volume are scored: the map loses five voxels on each side
at the usual window of 11.

The score depends strongly on what the intensities are taken to be, so that the convention is a named choice: see
`SsimConvention`. Source: Wang, Bovik, Sheikh, Simoncelli, IEEE Trans. Image Process. 13, 600 (2004), eqs. 6 and 13.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from mrrepro.metrics.regions import values_can_be_read
from mrrepro.validation import require_finite, require_range

_K1 = 0.01
_K2 = 0.03


@dataclass(frozen=True)
class SsimConvention:
    """How intensities enter SSIM: ``(x + offset) * scale`` is compared with the data range ``L``.

    SSIM is invariant when the image is scaled together with ``L``, but not when it is shifted: the luminance term sees
    the mean, and a mean near zero or of the other sign changes it. For images in [-1, 1] three conventions are in
    use; the module offers each by name, in `CONVENTIONS`.

    Parameters
    ----------
    name : str
        The name under which results are reported.
    data_range : float
        ``L`` [intensity after the shift and the scale], positive.
    offset, scale : float
        The shift and the (nonzero) scale of the intensities.
    """

    name: str
    data_range: float
    offset: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        require_range("data_range", self.data_range, 0.0, low_open=True)
        require_range("offset", self.offset)
        require_range("scale", abs(self.scale), 0.0, low_open=True, remedy="a scale of zero erases the image")


SIGNED_UNIT_RANGE = SsimConvention("signed, L = 1", data_range=1.0)
"""Intensities of [-1, 1] as they are, with ``L = 1``: the default of libraries that expect [0, 1]."""

SIGNED_FULL_RANGE = SsimConvention("signed, L = 2", data_range=2.0)
"""Intensities of [-1, 1] as they are, with ``L = 2``, their true range."""

SHIFTED_TO_UNIT = SsimConvention("shifted to [0, 1], L = 1", data_range=1.0, offset=1.0, scale=0.5)
"""Intensities of [-1, 1] moved to [0, 1]: SSIM as its authors meant it, and the one to train with."""

CONVENTIONS = {
    "signed_unit_range": SIGNED_UNIT_RANGE,
    "signed_full_range": SIGNED_FULL_RANGE,
    "shifted_to_unit": SHIFTED_TO_UNIT,
}


@dataclass(frozen=True)
class GaussianWindow:
    """The window of the local means: ``size`` voxels wide (odd), standard deviation ``sigma`` [voxel]."""

    size: int = 11
    sigma: float = 1.5

    def __post_init__(self) -> None:
        if self.size < 1 or self.size % 2 == 0:
            raise ValueError(f"size must be odd and positive, so that the window has a centre, but is {self.size!r}.")
        require_range("sigma", self.sigma, 0.0, unit="voxel", low_open=True)

    def weights(self) -> tuple[float, ...]:
        """Sample the Gaussian at whole voxels; the weights sum to one."""
        half = self.size // 2
        raw = [math.exp(-0.5 * (k / self.sigma) ** 2) for k in range(-half, half + 1)]
        total = math.fsum(raw)
        return tuple(value / total for value in raw)


WINDOW_11 = GaussianWindow()
"""11 voxels, sigma 1.5 voxels."""


def _averaging_matrix(length: int, window: GaussianWindow, like: Tensor) -> Tensor:
    """Return the banded matrix ``(length - size + 1, length)`` that averages along one axis, made on the device."""
    outputs = length - window.size + 1
    matrix = torch.zeros(outputs, length, dtype=like.dtype, device=like.device)
    for k, weight in enumerate(window.weights()):
        matrix.diagonal(k)[:outputs].fill_(weight)
    return matrix


def _along_axes(volume: Tensor, matrices: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Apply one matrix to each of the last three axes of ``(n, depth, height, width)``.

    Each application is a product of dense matrices. That does more arithmetic than a convolution of 11 taps, and is
    still an order of magnitude faster, since it runs at the speed of the matrix product.
    """
    along_depth, along_height, along_width = matrices
    volume = volume @ along_width.T
    volume = along_height @ volume
    n, depth, height, width = volume.shape
    return (along_depth @ volume.view(n, depth, height * width)).view(n, -1, height, width)


class _SsimMap(torch.autograd.Function):
    """The map and its gradient: four local averages forward, three adjoint ones backward for each image."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, c1: float, c2: float, window: GaussianWindow) -> Tensor:
        matrices = (
            _averaging_matrix(x.shape[1], window, x),
            _averaging_matrix(x.shape[2], window, x),
            _averaging_matrix(x.shape[3], window, x),
        )
        mean_x = _along_axes(x, matrices)
        mean_y = _along_axes(y, matrices)
        mean_product = _along_axes(x * y, matrices)
        mean_squares = _along_axes((x * x).addcmul_(y, y), matrices)
        luminance, luminance_norm, structure, structure_norm = _factors(
            mean_x, mean_y, mean_product, mean_squares, c1, c2
        )
        if any(ctx.needs_input_grad[:2]):
            ctx.save_for_backward(x, y, mean_x, mean_y, mean_product, mean_squares, *matrices)
            ctx.constants = (c1, c2)
        return luminance.mul_(structure).div_(luminance_norm.mul_(structure_norm))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        x, y, mean_x, mean_y, mean_product, mean_squares, *matrices = ctx.saved_tensors
        adjoint = tuple(matrix.T for matrix in matrices)
        luminance, luminance_norm, structure, structure_norm = _factors(
            mean_x, mean_y, mean_product, mean_squares, *ctx.constants
        )
        # Derivatives of the map with respect to its four local means, each times the upstream gradient.
        common = upstream / (luminance_norm * structure_norm)
        by_product = 2.0 * common * luminance
        by_squares = (common * luminance).mul_(structure).div_(structure_norm).neg_()
        swapped = (structure - luminance).mul_(common).mul_(2.0)
        own = by_squares * (structure_norm / luminance_norm - 1.0) * 2.0
        del luminance, luminance_norm, structure, structure_norm, common
        back_squares = _along_axes(by_squares, adjoint).mul_(2.0)
        del by_squares
        back_product = _along_axes(by_product, adjoint)
        del by_product
        gradients: list[Tensor | None] = [None, None]
        pairs = ((x, y, mean_x, mean_y), (y, x, mean_y, mean_x))
        for k, (image, other, mean_image, mean_other) in enumerate(pairs):
            if ctx.needs_input_grad[k]:
                by_mean = (swapped * mean_other).addcmul_(own, mean_image)
                gradient = _along_axes(by_mean, adjoint)
                gradients[k] = gradient.addcmul_(image, back_squares).addcmul_(other, back_product)
        return gradients[0], gradients[1], None, None, None


def _factors(
    mean_x: Tensor, mean_y: Tensor, mean_product: Tensor, mean_squares: Tensor, c1: float, c2: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the numerator and denominator of the luminance and of the structure term."""
    cross = mean_x * mean_y
    norm = (mean_x * mean_x).addcmul_(mean_y, mean_y)
    structure = (mean_product - cross).mul_(2.0).add_(c2)
    structure_norm = (mean_squares - norm).add_(c2)
    return cross.mul_(2.0).add_(c1), norm.add_(c1), structure, structure_norm


def structural_similarity_map(
    image: Float[Tensor, "batch channel depth height width"],
    reference: Float[Tensor, "batch channel depth height width"],
    convention: SsimConvention,
    window: GaussianWindow = WINDOW_11,
) -> Float[Tensor, "batch channel depth_inside height_inside width_inside"]:
    """Compute SSIM at every voxel whose window lies inside the volume.

    Differentiable once with respect to both images, by an analytic gradient (no second derivative). Half-precision
    images are computed in float32, also under autocast: the variances are small differences of large numbers. For
    the same reason leave ``torch.backends.cuda.matmul.allow_tf32`` off, its default.

    Parameters
    ----------
    image, reference : Tensor
        The volumes, on one device; every side at least the window's size.
    convention : SsimConvention
        What the intensities are taken to be.
    window : GaussianWindow
        Window of the local means.

    Returns
    -------
    Tensor
        The map, each side shorter by ``window.size - 1``.

    Raises
    ------
    ValueError
        For unequal shapes, a volume smaller than the window or a value that is not finite.
    """
    _require_pair(image, reference, window)
    batch, channel, *sides = image.shape
    with torch.autocast(image.device.type, enabled=False):
        dtype = torch.promote_types(torch.promote_types(image.dtype, reference.dtype), torch.float32)
        x, y = (volume.to(dtype).reshape(batch * channel, *sides) for volume in (image, reference))
        if convention.offset != 0.0 or convention.scale != 1.0:
            x, y = ((volume + convention.offset) * convention.scale for volume in (x, y))
        c1, c2 = (_K1 * convention.data_range) ** 2, (_K2 * convention.data_range) ** 2
        similarity: Tensor = _SsimMap.apply(x, y, c1, c2, window)
    return similarity.view(batch, channel, *similarity.shape[1:])


def structural_similarity(
    image: Float[Tensor, "batch channel depth height width"],
    reference: Float[Tensor, "batch channel depth height width"],
    convention: SsimConvention,
    mask: Bool[Tensor, "batch channel depth height width"] | None = None,
    window: GaussianWindow = WINDOW_11,
) -> Float[Tensor, " batch"]:
    """Average the SSIM map of each volume, over the whole map or over a mask.

    With a mask the map of the unmasked images is averaged over the mask's voxels; this is not the SSIM of masked
    images. Voxels of the mask whose window leaves the volume are not scored.

    Parameters
    ----------
    image, reference, convention, window
        As in `structural_similarity_map`.
    mask : Tensor, optional
        True where the map counts; at least one voxel of each volume inside the map.

    Returns
    -------
    Tensor
        SSIM of each volume, at most 1.

    Raises
    ------
    ValueError
        As in `structural_similarity_map`, and for a mask of another shape or type, or empty inside the map.
    """
    _require_pair(image, reference, window)
    if mask is None:
        return structural_similarity_map(image, reference, convention, window).flatten(1).mean(1)
    if mask.dtype != torch.bool or mask.shape != image.shape:
        raise ValueError(
            f"mask must be boolean of shape {tuple(image.shape)}, but is {mask.dtype} of {tuple(mask.shape)}."
        )
    rim = window.size // 2
    depth, height, width = (slice(rim, side - rim) for side in mask.shape[2:])
    inside = mask[:, :, depth, height, width]
    counts = inside.flatten(1).sum(1)
    if values_can_be_read(mask.device) and bool((counts == 0).any()):
        empty = torch.nonzero(counts == 0).flatten().tolist()
        raise ValueError(
            f"mask must hold a voxel at least {rim} voxels from every side, but in volumes {empty} of the batch it "
            "does not: give a mask that reaches further inside, or leave these volumes out."
        )
    similarity = structural_similarity_map(image, reference, convention, window)
    return (similarity * inside).flatten(1).sum(1) / counts


def _require_pair(image: Tensor, reference: Tensor, window: GaussianWindow) -> None:
    if image.ndim != 5 or image.shape != reference.shape:
        raise ValueError(
            "image and reference must share one shape (batch, channel, depth, height, width), but are "
            f"{tuple(image.shape)} and {tuple(reference.shape)}."
        )
    if min(image.shape[2:]) < window.size:
        raise ValueError(
            f"image must be at least {window.size} voxels wide, the window's size, but is {tuple(image.shape[2:])}: "
            "give a larger volume or a smaller window."
        )
    if values_can_be_read(image.device):
        require_finite("image", image.detach())
        require_finite("reference", reference.detach())
