"""Field of a magnetised volume by the k-space dipole kernel on a padded 3D grid: the usual way, and our peer."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mrrepro.validation import require_range


def field_by_padded_fft(
    magnetisation: Float[Tensor, "x y z"], voxel: float, padding: int = 2
) -> Float[Tensor, "x y z"]:
    """B_z = F^-1 {(1/3 - k_z^2 / |k|^2) F{mu_0 M_z}} with the volume padded by zeros (equation 1).

    Parameters
    ----------
    magnetisation : tensor, (x, y, z)
        mu_0 M_z [T].
    voxel : float
        Edge of a voxel [m]; the kernel does not depend on its size, only on its being a cube.
    padding : int
        The padded grid is this many times as large along each axis, at least 1.

    Returns
    -------
    tensor, (x, y, z)
        B_z [T]. The kernel's value at k = 0 is 0; periodic images at the distance of the padded grid remain, and the
        sharp kernel is sampled in k-space, which rings at edges.

    Source: Salomir, de Senneville and Moonen, Concepts Magn Reson B 19, 2003; Marques and Bowtell, ibid. 25, 2005.
    """
    require_range("voxel", voxel, 0.0, unit="m", low_open=True)
    require_range("padding", padding, 1)
    shape = [padding * length for length in magnetisation.shape]
    dtype, device = magnetisation.dtype, magnetisation.device
    kx = torch.fft.fftfreq(shape[0], dtype=dtype, device=device)[:, None, None].square()
    ky = torch.fft.fftfreq(shape[1], dtype=dtype, device=device)[None, :, None].square()
    kz = torch.fft.rfftfreq(shape[2], dtype=dtype, device=device)[None, None, :].square()
    kernel = 1.0 / 3.0 - kz / (kx + ky + kz)
    kernel[0, 0, 0] = 0.0
    spectrum = torch.fft.rfftn(magnetisation, s=shape)
    field = torch.fft.irfftn(spectrum * kernel, s=shape)
    return field[tuple(slice(length) for length in magnetisation.shape)]
