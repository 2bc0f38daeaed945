"""Bodies of a batch of samples in one array, as the kernel that projects them all at once reads them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int32, Shaped
from torch import Tensor

from mrrepro.phantoms.shapes import METABALL_UNIT, Body, Metaballs, Torus, voxel_box

ROW_WORDS = 11
"""Words of a body: its box, the place and number of its points, its concentration and two lengths."""


def packed_bodies(
    samples: Sequence[tuple[Body, ...]], size: int, half_depth: int, voxel: float
) -> Int32[np.ndarray, " words"] | None:
    """Bodies of a batch as words of 32 bits, integers or float32 [m, kg/m^3].

    ================  ===================================================================================
    words             content
    ================  ===================================================================================
    samples + 1       where each sample's rows begin; the next sample's begin where they end
    11 for each body  first voxel and the one behind the last along x, y and z; where its points begin;
                      number of balls, 0 for a torus; float32: concentration [kg/m^3]; METABALL_UNIT
                      threshold^(-1/2) or the tube's radius [m]; 0 or the radius of revolution [m]
    3 for each point  float32: centre (x, y, z) of a ball or torus [m]
    ================  ===================================================================================

    Parameters
    ----------
    samples : sequence of tuples of Body
    size, half_depth, voxel : int, int, float
        Grid of (size, 2 half_depth + 1, size) voxels of this edge [m].

    Returns
    -------
    array or None
        None if a body is neither metaballs nor a torus.

    Raises
    ------
    ValueError
        If a body leaves the grid.
    """
    counts = [len(bodies) for bodies in samples]
    behind = len(samples) + 1 + ROW_WORDS * sum(counts)
    integers: list[tuple[int, ...]] = []
    reals: list[tuple[float, float, float]] = []
    points: list[tuple[float, float, float]] = []
    for body in (body for bodies in samples for body in bodies):
        shape, place = body.shape, behind + 3 * len(points)
        if isinstance(shape, Metaballs):
            balls, lengths = len(shape.centres), (METABALL_UNIT * shape.threshold**-0.5, 0.0)
            points.extend(shape.centres)
        elif isinstance(shape, Torus):
            balls, lengths = 0, (shape.tube_radius, shape.revolution_radius)
            points.append(shape.centre)
        else:
            return None
        x, y, z = voxel_box(shape.bounds(), size, half_depth, voxel)
        integers.append((x.start, x.stop, y.start, y.stop, z.start, z.stop, place, balls))
        reals.append((body.concentration, *lengths))
    starts = np.cumsum([len(samples) + 1] + [ROW_WORDS * count for count in counts])
    rows = np.empty((len(integers), ROW_WORDS), np.int32)
    rows[:, :-3] = np.reshape(integers, (-1, ROW_WORDS - 3))
    rows[:, -3:] = np.reshape(reals, (-1, 3)).astype(np.float32).view(np.int32)
    centres = np.array(points, np.float32).ravel().view(np.int32)
    return np.concatenate([starts.astype(np.int32), rows.ravel(), centres])


def uploaded(array: Shaped[np.ndarray, ...], device: torch.device) -> Shaped[Tensor, ...]:
    """The array on a device, in one copy that the host does not wait for."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
