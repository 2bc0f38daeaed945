"""Triton kernels of the batched scalar-potential solver: the stencil with what follows it, transfers, and CG's updates.

Every array is contiguous; a batch of node arrays has shape (batch, p0, p1, p2). A program takes a tile of consecutive
nodes and, in the stencil, several sources one after another, so that the conductances are read once for them. Sums are
taken over each tile and then over the tiles, in a fixed order: a solve repeats to the last bit. Integers are not
specialised, so that one build of a kernel serves every grid and batch.

Nodes of one source are counted with 32 bits, sources with 64.
"""

# mypy: allow-untyped-defs, allow-incomplete-defs
# A kernel's parameters are Triton's pointers and counts, for which there are no types.

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from subprocess import SubprocessError
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from mrrepro.solvers.potential_multigrid_torch import Grid

MOST_NODES = 2**31 - 2**13
"""Nodes of one source that 32-bit indices reach, whole tiles included."""

_STENCIL_TILE, _POINTWISE_TILE, _TRANSFER_TILE = 512, 1024, 256
_SHARED_NODES = 2**18  # a grid this large fills the device for one source; larger ones share conductances

_COUNTS = ("batch", "chunk", "tiles", "nodes", "p0", "p1", "p2", "q1", "q2")
_ARRAYS = ("out", "step", "partial", "x", "old_step", "b", "gx", "gy", "gz", "inverse", "fine", "coarse", "matrix")
_ITERATES = ("correction", "applied", "residual", "direction", "factor", "inverse_norm", "scaled")


def _kernel(function: Callable[..., None]) -> Any:
    """Build a kernel once for all sizes and alignments: rows of 2^n + 1 nodes leave nothing aligned."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return triton.jit(function, do_not_specialize=[n for n in names if n in _COUNTS + _ARRAYS + _ITERATES])


@_kernel
def _stencil_kernel(
    out, step, partial, x, old_step, b, gx, gy, gz, inverse, keep, gain, batch, chunk, tiles, p0, p1, p2,
    RESIDUAL: tl.constexpr, SMOOTH: tl.constexpr, OLD_STEP: tl.constexpr, NEW_STEP: tl.constexpr,
    PRODUCT: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    chunks = (batch + chunk - 1) // chunk
    tile = tl.program_id(0) // chunks
    source = (tl.program_id(0) % chunks) * chunk
    behind = tl.minimum(source + chunk, batch)
    plane, nodes = p1 * p2, p0 * p1 * p2
    n = tile * TILE + tl.arange(0, TILE)
    inside = n < nodes
    row = n // p2
    k, i = n - row * p2, row // p1
    j = row - i * p1
    x_below, x_above = inside & (i > 0), inside & (i < p0 - 1)
    y_below, y_above = inside & (j > 0), inside & (j < p1 - 1)
    z_below, z_above = inside & (k > 0), inside & (k < p2 - 1)
    kind = x.dtype.element_ty
    gx_below = tl.load(gx + (n - plane), mask=x_below, other=0.0).to(kind)
    gx_above = tl.load(gx + n, mask=x_above, other=0.0).to(kind)
    gy_below = tl.load(gy + (n - i * p2 - p2), mask=y_below, other=0.0).to(kind)
    gy_above = tl.load(gy + (n - i * p2), mask=y_above, other=0.0).to(kind)
    gz_below = tl.load(gz + (n - row - 1), mask=z_below, other=0.0).to(kind)
    gz_above = tl.load(gz + (n - row), mask=z_above, other=0.0).to(kind)
    if SMOOTH:
        scale = gain * tl.load(inverse + n, mask=inside, other=0.0)
    stride = nodes.to(tl.int64)
    start = source.to(tl.int64) * stride
    while source < behind:
        here = start + n
        centre = tl.load(x + here, mask=inside, other=0.0)
        value = gx_below * (centre - tl.load(x + (here - plane), mask=x_below, other=0.0))
        value -= gx_above * (tl.load(x + (here + plane), mask=x_above, other=0.0) - centre)
        value += gy_below * (centre - tl.load(x + (here - p2), mask=y_below, other=0.0))
        value -= gy_above * (tl.load(x + (here + p2), mask=y_above, other=0.0) - centre)
        value += gz_below * (centre - tl.load(x + (here - 1), mask=z_below, other=0.0))
        value -= gz_above * (tl.load(x + (here + 1), mask=z_above, other=0.0) - centre)
        if PRODUCT:
            tl.store(partial + source * tiles + tile, tl.sum(centre * value, axis=0))
        if RESIDUAL or SMOOTH:
            value = tl.load(b + here, mask=inside, other=0.0) - value
        if SMOOTH:
            value = scale * value
            if OLD_STEP:
                value += keep * tl.load(old_step + here, mask=inside, other=0.0)
            if NEW_STEP:
                tl.store(step + here, value, mask=inside)
            value += centre
        tl.store(out + here, value, mask=inside)
        source += 1
        start += stride


@_kernel
def _start_kernel(out, b, inverse, gain, batch, nodes, TILE: tl.constexpr):
    tile, source = tl.program_id(0) // batch, (tl.program_id(0) % batch).to(tl.int64)
    n = tile * TILE + tl.arange(0, TILE)
    inside = n < nodes
    here = source * nodes + n
    value = gain * tl.load(inverse + n, mask=inside, other=0.0) * tl.load(b + here, mask=inside, other=0.0)
    tl.store(out + here, value, mask=inside)


@_kernel
def _restrict_kernel(coarse, fine, batch, nodes, p0, p1, p2, q1, q2, TILE: tl.constexpr):
    tile, source = tl.program_id(0) // batch, (tl.program_id(0) % batch).to(tl.int64)
    n = tile * TILE + tl.arange(0, TILE)
    inside = n < nodes
    row = n // q2
    k, i = 2 * (n - row * q2), row // q1
    j, i = 2 * (row - i * q1), 2 * i
    centre = source * (p0 * p1 * p2) + (i * p1 + j) * p2 + k
    total = tl.zeros((TILE,), coarse.dtype.element_ty)
    for a in tl.static_range(-1, 2):
        for c in tl.static_range(-1, 2):
            within = inside & (i + a >= 0) & (i + a < p0) & (j + c >= 0) & (j + c < p1)
            line = centre + (a * p1 + c) * p2
            value = tl.load(fine + line, mask=within, other=0.0)
            value += 0.5 * tl.load(fine + (line - 1), mask=within & (k > 0), other=0.0)
            value += 0.5 * tl.load(fine + (line + 1), mask=within & (k < p2 - 1), other=0.0)
            total += value * (0.5 ** (a * a + c * c))
    tl.store(coarse + source * nodes + n, total, mask=inside)


@_kernel
def _prolong_kernel(x, coarse, batch, nodes, p1, p2, q1, q2, TILE: tl.constexpr):
    tile, source = tl.program_id(0) // batch, (tl.program_id(0) % batch).to(tl.int64)
    n = tile * TILE + tl.arange(0, TILE)
    inside = n < nodes
    row = n // p2
    k, i = n - row * p2, row // p1
    j = row - i * p1
    q0 = ((nodes // (p1 * p2)) + 1) // 2
    corner = coarse + source * (q0 * q1 * q2)
    k_low, k_high = k // 2, (k + 1) // 2
    total = tl.zeros((TILE,), x.dtype.element_ty)
    for a in tl.static_range(2):
        for c in tl.static_range(2):
            line = (((i + a) // 2) * q1 + (j + c) // 2) * q2
            total += tl.load(corner + (line + k_low), mask=inside, other=0.0)
            total += tl.load(corner + (line + k_high), mask=inside, other=0.0)
    here = source * nodes + n
    tl.store(x + here, tl.load(x + here, mask=inside, other=0.0) + 0.125 * total, mask=inside)


@_kernel
def _multiply_kernel(out, b, matrix, nodes, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    source = tl.program_id(1).to(tl.int64) * nodes
    total = tl.zeros((COLUMNS,), out.dtype.element_ty)
    row = tl.arange(0, ROWS)
    start = 0
    while start < nodes:
        value = tl.load(b + source + row, mask=row < nodes, other=0.0)
        within = (row[:, None] < nodes) & (column[None, :] < nodes)
        block = tl.load(matrix + row[:, None] * nodes + column[None, :], mask=within, other=0.0)
        total += tl.sum(value[:, None] * block, axis=0)
        row += ROWS
        start += ROWS
    tl.store(out + source + column, total, mask=column < nodes)


@_kernel
def _products_kernel(partial, correction, applied, residual, batch, tiles, nodes, TILE: tl.constexpr):
    tile, source = tl.program_id(0) // batch, (tl.program_id(0) % batch).to(tl.int64)
    n = tile * TILE + tl.arange(0, TILE)
    inside = n < nodes
    here = source * nodes + n
    z = tl.load(correction + here, mask=inside, other=0.0).to(applied.dtype.element_ty)
    along_applied = tl.sum(z * tl.load(applied + here, mask=inside, other=0.0), axis=0)
    along_residual = tl.sum(z * tl.load(residual + here, mask=inside, other=0.0), axis=0)
    tl.store(partial + source * tiles + tile, along_applied)
    tl.store(partial + (source + batch) * tiles + tile, along_residual)


@_kernel
def _direction_kernel(direction, correction, factor, batch, nodes, TILE: tl.constexpr):
    tile, source = tl.program_id(0) // batch, (tl.program_id(0) % batch).to(tl.int64)
    n = tile * TILE + tl.arange(0, TILE)
    inside = n < nodes
    here = source * nodes + n
    value = tl.load(factor + source) * tl.load(direction + here, mask=inside, other=0.0)
    value += tl.load(correction + here, mask=inside, other=0.0).to(value.dtype)
    tl.store(direction + here, value, mask=inside)


@_kernel
def _advance_kernel(
    x, residual, scaled, partial, direction, applied, factor, inverse_norm, batch, tiles, nodes, TILE: tl.constexpr
):
    tile, source = tl.program_id(0) // batch, (tl.program_id(0) % batch).to(tl.int64)
    n = tile * TILE + tl.arange(0, TILE)
    inside = n < nodes
    here = source * nodes + n
    length = tl.load(factor + source)
    moved = tl.load(x + here, mask=inside, other=0.0) + length * tl.load(direction + here, mask=inside, other=0.0)
    tl.store(x + here, moved, mask=inside)
    left = tl.load(residual + here, mask=inside, other=0.0) - length * tl.load(applied + here, mask=inside, other=0.0)
    tl.store(residual + here, left, mask=inside)
    tl.store(scaled + here, (left * tl.load(inverse_norm + source)).to(scaled.dtype.element_ty), mask=inside)
    tl.store(partial + source * tiles + tile, tl.sum(left * left, axis=0))


def apply(grid: Grid, x: Tensor, out: Tensor) -> Tensor:
    """Write A x into ``out``; returns x . A x of each source."""
    partial = x.new_empty(len(x), triton.cdiv(grid.inverse_diagonal.numel(), _STENCIL_TILE))
    _stencil(grid, x, out, partial=partial, PRODUCT=True)
    return partial.sum(dim=1)


def residual(grid: Grid, x: Tensor, b: Tensor, out: Tensor) -> None:
    """Write b - A x into ``out``."""
    _stencil(grid, x, out, b=b, RESIDUAL=True)


def smooth(
    grid: Grid,
    x: Tensor,
    b: Tensor,
    out: Tensor,
    factors: tuple[float, float],
    old_step: Tensor | None,
    step: Tensor | None,
) -> None:
    """One Chebyshev step of float32 arrays: s = f0 old_step + f1 D^-1 (b - A x) into ``step``, x + s into ``out``.

    ``out`` and ``x`` are two arrays, ``step`` and ``old_step`` may be one. None stands for a step of zero and for one
    that is not wanted.
    """
    _stencil(grid, x, out, b=b, factors=factors, old_step=old_step, step=step, SMOOTH=True)


def _stencil(
    grid: Grid,
    x: Tensor,
    out: Tensor,
    b: Tensor | None = None,
    factors: tuple[float, float] = (0.0, 0.0),
    old_step: Tensor | None = None,
    step: Tensor | None = None,
    partial: Tensor | None = None,
    **wanted: bool,
) -> None:
    """Launch the stencil; arrays that it does not touch are given as ``x``."""
    p0, p1, p2 = grid.inverse_diagonal.shape
    tiles, batch = triton.cdiv(p0 * p1 * p2, _STENCIL_TILE), len(x)
    chunk = min(batch, max(1, p0 * p1 * p2 // _SHARED_NODES))
    flags = {"RESIDUAL": False, "SMOOTH": False, "PRODUCT": False} | wanted
    _stencil_kernel[(tiles * triton.cdiv(batch, chunk),)](
        out, x if step is None else step, x if partial is None else partial, x, x if old_step is None else old_step,
        x if b is None else b, grid.gx, grid.gy, grid.gz, grid.inverse_diagonal, *factors, batch, chunk, tiles,
        p0, p1, p2, OLD_STEP=old_step is not None, NEW_STEP=step is not None, TILE=_STENCIL_TILE, num_warps=8, **flags,
    )  # fmt: skip


def start(grid: Grid, b: Tensor, out: Tensor, factor: float) -> None:
    """Write f D^-1 b into ``out``: the Chebyshev iteration's first step from zero."""
    nodes = grid.inverse_diagonal.numel()
    programs = triton.cdiv(nodes, _POINTWISE_TILE) * len(b)
    _start_kernel[(programs,)](out, b, grid.inverse_diagonal, factor, len(b), nodes, TILE=_POINTWISE_TILE)


def restrict(fine: Tensor, coarse: Tensor) -> None:
    """Write the transpose of trilinear interpolation, applied to ``fine``, into ``coarse``."""
    batch, q0, q1, q2 = coarse.shape
    nodes = q0 * q1 * q2
    programs = triton.cdiv(nodes, _TRANSFER_TILE) * batch
    _restrict_kernel[(programs,)](coarse, fine, batch, nodes, *fine.shape[1:], q1, q2, TILE=_TRANSFER_TILE)


def prolong_add(x: Tensor, coarse: Tensor) -> None:
    """Add the trilinear interpolation of ``coarse`` to ``x``."""
    batch, p0, p1, p2 = x.shape
    nodes = p0 * p1 * p2
    programs = triton.cdiv(nodes, _POINTWISE_TILE) * batch
    _prolong_kernel[(programs,)](x, coarse, batch, nodes, p1, p2, *coarse.shape[2:], TILE=_POINTWISE_TILE, num_warps=8)


def multiply(b: Tensor, matrix: Tensor, out: Tensor) -> None:
    """Write b M into ``out`` for a small matrix over all nodes of a grid."""
    nodes, columns = len(matrix), 32
    _multiply_kernel[(triton.cdiv(nodes, columns), len(b))](out, b, matrix, nodes, ROWS=128, COLUMNS=columns)


def two_products(correction: Tensor, applied: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
    """Products of a float32 correction with two float64 arrays, of each source."""
    batch, nodes = len(applied), applied[0].numel()
    tiles = triton.cdiv(nodes, _POINTWISE_TILE)
    partial = applied.new_empty(2, batch, tiles)
    _products_kernel[(tiles * batch,)](
        partial, correction, applied, residual, batch, tiles, nodes, TILE=_POINTWISE_TILE
    )
    along_applied, along_residual = partial.sum(dim=2)
    return along_applied, along_residual


def new_direction(direction: Tensor, correction: Tensor, beta: Tensor) -> None:
    """Replace the direction of each source by correction + beta direction."""
    batch, nodes = len(direction), direction[0].numel()
    programs = triton.cdiv(nodes, _POINTWISE_TILE) * batch
    _direction_kernel[(programs,)](direction, correction, beta, batch, nodes, TILE=_POINTWISE_TILE)


def take_step(
    iterates: tuple[Tensor, Tensor], along: tuple[Tensor, Tensor], step: Tensor, inverse_norm: Tensor, scaled: Tensor
) -> Tensor:
    """Move solution and residual along direction and A direction; returns the residual's squared norm.

    ``scaled`` takes the new residual times ``inverse_norm``, in its own precision.
    """
    batch, nodes = len(scaled), scaled[0].numel()
    tiles = triton.cdiv(nodes, _POINTWISE_TILE)
    partial = step.new_empty(batch, tiles)
    _advance_kernel[(tiles * batch,)](
        *iterates, scaled, partial, *along, step, inverse_norm, batch, tiles, nodes, TILE=_POINTWISE_TILE
    )
    return partial.sum(dim=1)


@cache
def kernels_build(device: torch.device) -> bool:
    """Whether kernels can be built for this device: that takes a C compiler and a device that Triton knows."""
    edge, one = torch.ones(1, 1, 1, device=device), torch.ones(2, 1, 1, device=device)
    grid = Grid(edge, one[:, :0], one[:, :, :0], one)
    try:
        with torch.cuda.device(device):
            apply(grid, one[None].double(), torch.empty_like(one[None], dtype=torch.float64))
    except (OSError, RuntimeError, SubprocessError):
        return False
    return True
