"""Triton kernel that projects all bodies of a batch of samples along y, without a volume in memory.

A program takes a tile of the (x, z) plane of one sample. It goes through the sample's bodies whose box meets the tile
and through the slabs of each, evaluates the occupancy as ``phantoms.shapes`` does, and adds it to the weighted sums, in
a fixed order: a sample repeats to the last bit and does not depend on its batch. Integers are not specialised, so that
one build serves every grid and batch.
"""

# mypy: allow-untyped-defs, allow-incomplete-defs
# A kernel's parameters are Triton's pointers and counts, for which there are no types.

from __future__ import annotations

from functools import cache, partial
from subprocess import SubprocessError

import numpy as np
import torch
import triton
import triton.language as tl
from jaxtyping import Float32, Int32
from torch import Tensor

from mrrepro.phantoms.shapes import Body, Torus
from mrrepro.simulators.body_projection import ROW_WORDS, packed_bodies, uploaded

_TILE = (8, 32)  # x, z


@partial(triton.jit, do_not_specialize=["out", "words", "reals", "weights", "tiles_z", "size", "half_depth", "columns"])
def _project_kernel(
    out, words, reals, weights, voxel, inverse_voxel, tiles_z, size, half_depth, columns,
    ROW: tl.constexpr, COLUMNS: tl.constexpr, TILE_X: tl.constexpr, TILE_Z: tl.constexpr,
):  # fmt: skip
    sample, tile = tl.program_id(1), tl.program_id(0)
    x_tile = (tile // tiles_z) * TILE_X
    z_tile = (tile % tiles_z) * TILE_Z
    n = tl.arange(0, TILE_X * TILE_Z)
    i, k = x_tile + n // TILE_Z, z_tile + n % TILE_Z
    x, z = (i - size // 2).to(tl.float32) * voxel, (k - size // 2).to(tl.float32) * voxel
    column = tl.arange(0, COLUMNS)
    total = tl.zeros((COLUMNS, TILE_X * TILE_Z), tl.float32)
    row, behind = tl.load(words + sample), tl.load(words + sample + 1)
    while row < behind:
        i_first, i_behind = tl.load(words + row), tl.load(words + row + 1)
        k_first, k_behind = tl.load(words + row + 4), tl.load(words + row + 5)
        meets = (i_first < x_tile + TILE_X) & (i_behind > x_tile) & (k_first < z_tile + TILE_Z) & (k_behind > z_tile)
        if meets:
            j, j_behind = tl.load(words + row + 2), tl.load(words + row + 3)
            points, balls = tl.load(words + row + 6), tl.load(words + row + 7)
            concentration = tl.load(reals + row + 8)
            radius, revolution = tl.load(reals + row + 9), tl.load(reals + row + 10)
            within = (i >= i_first) & (i < i_behind) & (k >= k_first) & (k < k_behind)
            while j < j_behind:
                y = (j - half_depth).to(tl.float32) * voxel
                if balls > 0:
                    summed = tl.zeros((TILE_X * TILE_Z,), tl.float32)
                    point, points_behind = points, points + 3 * balls
                    while point < points_behind:
                        dx, dy = x - tl.load(reals + point), y - tl.load(reals + point + 1)
                        dz = z - tl.load(reals + point + 2)
                        summed += 1.0 / tl.maximum(dx * dx + dy * dy + dz * dz, 1e-12)
                        point += 3
                    distance = tl.rsqrt(summed) - radius
                else:
                    dx, dy = x - tl.load(reals + points), y - tl.load(reals + points + 1)
                    dz = z - tl.load(reals + points + 2)
                    around = tl.sqrt(dx * dx + dy * dy) - revolution
                    distance = tl.sqrt(around * around + dz * dz) - radius
                filled = tl.minimum(tl.maximum(0.5 - distance * inverse_voxel, 0.0), 1.0)
                filled = tl.where(within, filled, 0.0) * concentration
                weight = tl.load(weights + j * columns + column, mask=column < columns, other=0.0)
                total += weight[:, None] * filled[None, :]
                j += 1
        row += ROW
    plane = size * size
    here = out + sample.to(tl.int64) * columns * plane + column[:, None] * plane + (i * size + k)[None, :]
    tl.store(here, total, mask=(column < columns)[:, None] & ((i < size) & (k < size))[None, :])


def project_bodies(
    words: Int32[Tensor, " words"], samples: int, weights: Float32[Tensor, "slabs columns"], size: int, voxel: float
) -> Float32[Tensor, "samples columns x z"]:
    """Weighted sums along y of the concentration of all bodies of each sample.

    Parameters
    ----------
    words : tensor, (words,)
        What ``packed_bodies`` makes of the samples, on the device.
    samples : int
        Number of samples.
    weights : tensor, (slabs, columns)
        A contiguous array of weights, each column a function of y; an odd number of slabs.
    size, voxel : int, float
        Pixels along x and z, and their edge [m].

    Returns
    -------
    tensor, (samples, columns, size, size)
        [kg/m^3] times the unit of the weights.
    """
    slabs, columns = weights.shape
    out = weights.new_empty(samples, columns, size, size)
    tiles_x, tiles_z = triton.cdiv(size, _TILE[0]), triton.cdiv(size, _TILE[1])
    with torch.cuda.device_of(out):
        _project_kernel[(tiles_x * tiles_z, samples)](
            out, words, words.view(torch.float32), weights, voxel, 1.0 / voxel, tiles_z, size, slabs // 2, columns,
            ROW=ROW_WORDS, COLUMNS=triton.next_power_of_2(columns), TILE_X=_TILE[0], TILE_Z=_TILE[1],
        )  # fmt: skip
    return out


@cache
def kernel_builds(device: torch.device) -> bool:
    """Whether the kernel can be built for this device: that takes a C compiler and a device that Triton knows."""
    words = packed_bodies([(Body(Torus((0.0, 0.0, 0.0), 1e-3, 1e-3), 1.0),)], 16, 4, 1e-3)
    assert isinstance(words, np.ndarray)
    try:
        project_bodies(uploaded(words, device), 1, torch.ones(9, 9, device=device), 16, 1e-3)
    except (OSError, RuntimeError, SubprocessError):
        return False
    return True
