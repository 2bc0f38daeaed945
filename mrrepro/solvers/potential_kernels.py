"""Numba kernels of the scalar-potential finite-difference method and of its multigrid cycle.

Every node array carries one ghost layer on each side, so that node (i, j, k) of a grid of n voxels (n + 1 nodes) an
axis stands at index (i + 1, j + 1, k + 1) and no kernel asks where the grid ends. ``gx[i, j, k]`` is the conductance
[S] of the edge from that node to its neighbour in +x, likewise ``gy`` and ``gz``. ``first`` and ``last`` hold, for
each row (i, j), the half-open range of k that has conducting nodes; everything outside is skipped. A node without
conductance is inactive: its right-hand side is zero and its value is never used.

Reductions run over fixed planes, in parallel; their order, and so the last bits of a result, depends on the number of
threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

_SERIAL: dict[str, Any] = {"cache": True, "error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz", "arcp"}}
_PARALLEL: dict[str, Any] = {**_SERIAL, "parallel": True}

_TINY = np.float32(1e-30)
_PLANE_CHUNKS = 16


@njit(**_PARALLEL)
def edge_conductances(conductivity, voxel_size, gx, gy, gz):  # type: ignore[no-untyped-def]
    """Fill ``gx, gy, gz`` with h times the mean conductivity of the four voxels round each edge.

    ``conductivity`` has a ghost layer of zeros: voxel (i, j, k) stands at (i + 1, j + 1, k + 1) and has node (i, j, k),
    index (i + 1, j + 1, k + 1), as its lower corner.
    """
    n0, n1, n2 = conductivity.shape
    quarter = 0.25 * voxel_size
    for i in prange(1, n0):
        for j in range(1, n1):
            for k in range(1, n2):
                here = np.float64(conductivity[i, j, k])
                below_x = np.float64(conductivity[i - 1, j, k])
                below_y = np.float64(conductivity[i, j - 1, k])
                below_z = np.float64(conductivity[i, j, k - 1])
                gx[i, j, k] = quarter * (here + below_y + below_z + conductivity[i, j - 1, k - 1])
                gy[i, j, k] = quarter * (here + below_x + below_z + conductivity[i - 1, j, k - 1])
                gz[i, j, k] = quarter * (here + below_x + below_y + conductivity[i - 1, j - 1, k])


@njit(**_PARALLEL)
def row_ranges(gx, gy, gz, first, last):  # type: ignore[no-untyped-def]
    """Fill ``first`` and ``last`` with each row's range of conducting nodes; return their number."""
    n0, n1, n2 = gx.shape
    counts = np.zeros(n0, np.int64)
    for i in prange(1, n0 - 1):
        for j in range(1, n1 - 1):
            low = n2
            high = 0
            for k in range(1, n2 - 1):
                total = gx[i, j, k] + gx[i - 1, j, k] + gy[i, j, k] + gy[i, j - 1, k] + gz[i, j, k] + gz[i, j, k - 1]
                if total > 0.0:
                    counts[i] += 1
                    low = min(low, k)
                    high = k + 1
            first[i, j] = low if high > 0 else 0
            last[i, j] = high
    return counts.sum()


@njit(**_PARALLEL)
def start_colour(x, b, gx, gy, gz, first, last, colour):  # type: ignore[no-untyped-def]
    """Relax one colour from a zero guess: x = b / diagonal there."""
    n0, n1, _ = x.shape
    for i in prange(1, n0 - 1):
        for j in range(1, n1 - 1):
            a = first[i, j]
            e = last[i, j]
            m = e - a
            if m <= 0:
                continue
            row = x[i, j, a:e]
            gx_low, gx_high = gx[i - 1, j, a:e], gx[i, j, a:e]
            gy_low, gy_high = gy[i, j - 1, a:e], gy[i, j, a:e]
            gz_row = gz[i, j, a - 1 : e]
            b_row = b[i, j, a:e]
            for k in range((i + j + a + colour) & 1, m, 2):
                diagonal = gx_low[k] + gx_high[k] + gy_low[k] + gy_high[k] + gz_row[k] + gz_row[k + 1]
                row[k] = b_row[k] / max(diagonal, _TINY)


@njit(**_PARALLEL)
def relax_colour(x, b, gx, gy, gz, first, last, colour):  # type: ignore[no-untyped-def]
    """Gauss-Seidel on the nodes with (i + j + k + colour) even; their neighbours all have the other colour."""
    n0, n1, _ = x.shape
    for i in prange(1, n0 - 1):
        for j in range(1, n1 - 1):
            a = first[i, j]
            e = last[i, j]
            m = e - a
            if m <= 0:
                continue
            row = x[i, j, a - 1 : e + 1]
            x_low, x_high = x[i - 1, j, a:e], x[i + 1, j, a:e]
            y_low, y_high = x[i, j - 1, a:e], x[i, j + 1, a:e]
            gx_low, gx_high = gx[i - 1, j, a:e], gx[i, j, a:e]
            gy_low, gy_high = gy[i, j - 1, a:e], gy[i, j, a:e]
            gz_row = gz[i, j, a - 1 : e]
            b_row = b[i, j, a:e]
            for k in range((i + j + a + colour) & 1, m, 2):
                diagonal = gx_low[k] + gx_high[k] + gy_low[k] + gy_high[k] + gz_row[k] + gz_row[k + 1]
                total = b_row[k] + gx_low[k] * x_low[k] + gx_high[k] * x_high[k]
                total += gy_low[k] * y_low[k] + gy_high[k] * y_high[k]
                total += gz_row[k] * row[k] + gz_row[k + 1] * row[k + 2]
                row[k + 1] = total / max(diagonal, _TINY)


@njit(**_SERIAL)
def _restrict_plane(x, b, gx, gy, gz, first, last, i, residual, plane):  # type: ignore[no-untyped-def]
    """Residual of fine plane ``i``, restricted in j and k into ``plane`` (overwritten)."""
    n1 = x.shape[1]
    coarse_2 = plane.shape[1]
    plane[:] = 0.0
    for j in range(1, n1 - 1):
        a = first[i, j]
        e = last[i, j]
        m = e - a
        if m <= 0:
            continue
        row = x[i, j, a - 1 : e + 1]
        x_low, x_high = x[i - 1, j, a:e], x[i + 1, j, a:e]
        y_low, y_high = x[i, j - 1, a:e], x[i, j + 1, a:e]
        gx_low, gx_high = gx[i - 1, j, a:e], gx[i, j, a:e]
        gy_low, gy_high = gy[i, j - 1, a:e], gy[i, j, a:e]
        gz_row = gz[i, j, a - 1 : e]
        b_row = b[i, j, a:e]
        residual[:] = 0.0
        out = residual[a:e]
        for k in range(m):
            here = row[k + 1]
            total = b_row[k] + gx_low[k] * (x_low[k] - here) + gx_high[k] * (x_high[k] - here)
            total += gy_low[k] * (y_low[k] - here) + gy_high[k] * (y_high[k] - here)
            total += gz_row[k] * (row[k] - here) + gz_row[k + 1] * (row[k + 2] - here)
            out[k] = total
        # Fine node index f (from 0) is f + 1 here; coarse node F stands on fine node 2 F.
        coarse_j = (j - 1) // 2 + 1
        low = max(1, (a - 1) // 2)
        high = min(coarse_2 - 1, e // 2 + 2)
        if (j - 1) % 2 == 0:
            target = plane[coarse_j]
            for k in range(low, high):
                f = 2 * k - 1
                target[k] += residual[f] + np.float32(0.5) * (residual[f - 1] + residual[f + 1])
        else:
            target = plane[coarse_j]
            other = plane[coarse_j + 1]
            for k in range(low, high):
                f = 2 * k - 1
                value = np.float32(0.5) * (residual[f] + np.float32(0.5) * (residual[f - 1] + residual[f + 1]))
                target[k] += value
                other[k] += value


@njit(**_PARALLEL)
def restrict_residual(x, b, gx, gy, gz, first, last, coarse_b):  # type: ignore[no-untyped-def]
    """coarse_b = P^T (b - A x), with P the trilinear interpolation from the coarse nodes."""
    n2 = x.shape[2]
    c0, c1, c2 = coarse_b.shape
    planes = c0 - 2
    chunks = min(planes, _PLANE_CHUNKS)
    for chunk in prange(chunks):
        start = 1 + chunk * planes // chunks
        stop = 1 + (chunk + 1) * planes // chunks
        residual = np.zeros(n2, np.float32)
        middle = np.zeros((c1, c2), np.float32)
        above = np.zeros((c1, c2), np.float32)
        below = np.zeros((c1, c2), np.float32)
        if start > 1:
            _restrict_plane(x, b, gx, gy, gz, first, last, 2 * start - 2, residual, below)
        for i in range(start, stop):
            _restrict_plane(x, b, gx, gy, gz, first, last, 2 * i - 1, residual, middle)
            if i < c0 - 2:
                _restrict_plane(x, b, gx, gy, gz, first, last, 2 * i, residual, above)
            else:
                above[:] = 0.0
            for j in range(1, c1 - 1):
                for k in range(1, c2 - 1):
                    coarse_b[i, j, k] = middle[j, k] + np.float32(0.5) * (below[j, k] + above[j, k])
            below, above = above, below


@njit(**_PARALLEL)
def prolong_add(x, first, last, coarse_x):  # type: ignore[no-untyped-def]
    """X += P coarse_x, trilinear, on the rows' conducting ranges."""
    n0, n1, _ = x.shape
    c2 = coarse_x.shape[2]
    for i in prange(1, n0 - 1):
        line = np.empty(c2, np.float32)
        i_low = (i - 1) // 2 + 1
        i_high = i // 2 + 1
        for j in range(1, n1 - 1):
            a = first[i, j]
            e = last[i, j]
            if e <= a:
                continue
            j_low = (j - 1) // 2 + 1
            j_high = j // 2 + 1
            ll, lh = coarse_x[i_low, j_low], coarse_x[i_low, j_high]
            hl, hh = coarse_x[i_high, j_low], coarse_x[i_high, j_high]
            for k in range(c2):
                line[k] = np.float32(0.25) * (ll[k] + lh[k] + hl[k] + hh[k])
            row = x[i, j]
            for k in range(a, e):
                row[k] += np.float32(0.5) * (line[(k - 1) // 2 + 1] + line[k // 2 + 1])


@njit(**_PARALLEL)
def apply_operator(x, gx, gy, gz, first, last, out):  # type: ignore[no-untyped-def]
    """Out = A x in float64, in difference form (each row sum is exactly zero); return x . A x."""
    n0, n1, _ = x.shape
    product = 0.0
    for i in prange(1, n0 - 1):
        plane_product = 0.0
        for j in range(1, n1 - 1):
            a = first[i, j]
            e = last[i, j]
            m = e - a
            if m <= 0:
                continue
            row = x[i, j, a - 1 : e + 1]
            x_low, x_high = x[i - 1, j, a:e], x[i + 1, j, a:e]
            y_low, y_high = x[i, j - 1, a:e], x[i, j + 1, a:e]
            gx_low, gx_high = gx[i - 1, j, a:e], gx[i, j, a:e]
            gy_low, gy_high = gy[i, j - 1, a:e], gy[i, j, a:e]
            gz_row = gz[i, j, a - 1 : e]
            out_row = out[i, j, a:e]
            for k in range(m):
                here = np.float64(row[k + 1])
                total = gx_low[k] * (here - x_low[k]) + gx_high[k] * (here - x_high[k])
                total += gy_low[k] * (here - y_low[k]) + gy_high[k] * (here - y_high[k])
                total += gz_row[k] * (here - row[k]) + gz_row[k + 1] * (here - row[k + 2])
                out_row[k] = total
                plane_product += here * total
        product += plane_product
    return product


@njit(**_PARALLEL)
def divergence(ax, ay, az, gx, gy, gz, out):  # type: ignore[no-untyped-def]
    """Out = net of g times the line integrals: leaving through the + edges, entering through the - edges.

    ``ax`` has shape (n0, n1 + 1, n2 + 1) for n voxels, without ghosts; likewise ``ay`` and ``az``.
    """
    m0, m1, m2 = az.shape[0], az.shape[1], ax.shape[2]
    for i in prange(m0):
        for j in range(m1):
            for k in range(m2):
                total = 0.0
                if i < m0 - 1:
                    total += gx[i + 1, j + 1, k + 1] * ax[i, j, k]
                if i > 0:
                    total -= gx[i, j + 1, k + 1] * ax[i - 1, j, k]
                if j < m1 - 1:
                    total += gy[i + 1, j + 1, k + 1] * ay[i, j, k]
                if j > 0:
                    total -= gy[i + 1, j, k + 1] * ay[i, j - 1, k]
                if k < m2 - 1:
                    total += gz[i + 1, j + 1, k + 1] * az[i, j, k]
                if k > 0:
                    total -= gz[i + 1, j + 1, k] * az[i, j, k - 1]
                out[i + 1, j + 1, k + 1] = total


@njit(**_PARALLEL)
def two_products(z, r, q, first, last):  # type: ignore[no-untyped-def]
    """Return z . r and z . q over the conducting ranges."""
    n0, n1, _ = z.shape
    zr = 0.0
    zq = 0.0
    for i in prange(1, n0 - 1):
        plane_r = 0.0
        plane_q = 0.0
        for j in range(1, n1 - 1):
            a = first[i, j]
            e = last[i, j]
            z_row, r_row, q_row = z[i, j, a:e], r[i, j, a:e], q[i, j, a:e]
            for k in range(e - a):
                plane_r += z_row[k] * r_row[k]
                plane_q += z_row[k] * q_row[k]
        zr += plane_r
        zq += plane_q
    return zr, zq


@njit(**_PARALLEL)
def new_direction(p, z, beta, first, last):  # type: ignore[no-untyped-def]
    """P = z + beta p."""
    n0, n1, _ = p.shape
    factor = np.float32(beta)
    for i in prange(1, n0 - 1):
        for j in range(1, n1 - 1):
            a = first[i, j]
            e = last[i, j]
            p_row, z_row = p[i, j, a:e], z[i, j, a:e]
            for k in range(e - a):
                p_row[k] = z_row[k] + factor * p_row[k]


@njit(**_PARALLEL)
def take_step(x, r, p, q, alpha, first, last, scale, scaled):  # type: ignore[no-untyped-def]
    """X += alpha p, r -= alpha q, scaled = scale r (float32); return r . r."""
    n0, n1, _ = x.shape
    norm = 0.0
    for i in prange(1, n0 - 1):
        plane_norm = 0.0
        for j in range(1, n1 - 1):
            a = first[i, j]
            e = last[i, j]
            x_row, r_row, p_row, q_row = x[i, j, a:e], r[i, j, a:e], p[i, j, a:e], q[i, j, a:e]
            s_row = scaled[i, j, a:e]
            for k in range(e - a):
                x_row[k] += alpha * p_row[k]
                value = r_row[k] - alpha * q_row[k]
                r_row[k] = value
                s_row[k] = np.float32(scale * value)
                plane_norm += value * value
        norm += plane_norm
    return norm
