"""The iteration of the batched scalar-potential solver on fixed buffers, in Triton kernels.

The same steps as the plain iteration of ``potential_multigrid_torch``, with fewer passes over memory: 29 a V-cycle on
the finest grid. The residual that enters the cycle is scaled with the norm of the iteration before; flexible conjugate
gradients do not depend on the scale. The cycle allocates nothing and asks the device nothing, so that CUDA records it
once and repeats it as one graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from mrrepro.solvers import potential_kernels_triton as kernels
from mrrepro.solvers.potential_multigrid_torch import TINY, Grid, smoothing_factors


@dataclass(frozen=True)
class _Buffers:
    """Float32 node arrays of one level for a batch: right-hand side, two iterates that alternate, and the step."""

    b: Float32[Tensor, "batch p0 p1 p2"]
    x: Float32[Tensor, "batch p0 p1 p2"]
    other: Float32[Tensor, "batch p0 p1 p2"]
    step: Float32[Tensor, "batch p0 p1 p2"]


class FusedCycle:
    """One symmetric V-cycle with Chebyshev smoothing, from ``b`` to ``correction``.

    Parameters
    ----------
    grids : list of Grid
        From the finest to the coarsest.
    coarsest : Float32[Tensor, "active active"]
        Pseudo-inverse on the coarsest grid's conducting nodes.
    coarse_nodes : Int64[Tensor, " active"]
        Their flat indices.
    batch : int
        Number of sources.
    """

    def __init__(
        self,
        grids: list[Grid],
        coarsest: Float32[Tensor, "active active"],
        coarse_nodes: Int64[Tensor, " active"],
        batch: int,
    ) -> None:
        self.grids, self.levels = grids, []
        for grid in grids:
            shape, device = (batch, *grid.inverse_diagonal.shape), grid.inverse_diagonal.device
            self.levels.append(_Buffers(*(torch.zeros(shape, device=device) for _ in range(4))))
        size = grids[-1].inverse_diagonal.numel()
        self.coarsest = torch.zeros(size, size, device=coarsest.device)
        self.coarsest[coarse_nodes[:, None], coarse_nodes] = coarsest
        self.b = self.levels[0].b
        self.correction: Float32[Tensor, "batch p0 p1 p2"] | None = None
        self._again: Callable[[], object] | None = None

    def run(self) -> Float32[Tensor, "batch p0 p1 p2"]:
        """Compute the correction; it stays valid until the next run.

        The first run launches each kernel, and so builds it; the second records the launches.
        """
        if self.correction is None:
            self.correction = self._descend(0)
            return self.correction
        if self._again is None:
            self._again = _recorded(self.b.device, lambda: self._descend(0))
        self._again()
        return self.correction

    def _descend(self, depth: int) -> Tensor:
        """The cycle from one level down; returns the buffer that holds its result."""
        grid, level = self.grids[depth], self.levels[depth]
        if depth == len(self.grids) - 1:
            kernels.multiply(level.b, self.coarsest, level.x)
            return level.x
        (_, first), *following = smoothing_factors()
        kernels.start(grid, level.b, level.x, first)
        x = self._smooth(depth, level.x, following, level.x)  # from zero, the first step is the iterate
        kernels.residual(grid, x, level.b, level.step)
        kernels.restrict(level.step, self.levels[depth + 1].b)
        kernels.prolong_add(x, self._descend(depth + 1))
        return self._smooth(depth, x, smoothing_factors(), None)

    def _smooth(self, depth: int, x: Tensor, factors: list[tuple[float, float]], old_step: Tensor | None) -> Tensor:
        """Chebyshev steps to and fro between a level's two iterates; returns the last."""
        grid, level = self.grids[depth], self.levels[depth]
        for left, pair in zip(reversed(range(len(factors))), factors, strict=True):
            out = level.other if x is level.x else level.x
            kernels.smooth(grid, x, level.b, out, pair, old_step, level.step if left else None)
            x, old_step = out, level.step
        return x


class FusedIteration:
    """State of conjugate gradients for a batch, with the operations that its loop asks for.

    Parameters
    ----------
    cycle : FusedCycle
        The preconditioner, of the same batch.
    b : Float64[Tensor, "batch p0 p1 p2"]
        Right-hand sides.
    scale : Float64[Tensor, " batch"]
        Their norms.
    """

    def __init__(
        self, cycle: FusedCycle, b: Float64[Tensor, "batch p0 p1 p2"], scale: Float64[Tensor, " batch"]
    ) -> None:
        self.cycle, self.grid, self.b = cycle, cycle.grids[0], b
        self.x, self.residual = torch.zeros_like(b), b.clone()
        self.direction, self.applied = torch.zeros_like(b), torch.zeros_like(b)
        self.correction, self.norm = cycle.b, scale
        self.advance(torch.zeros_like(scale))  # scales the residual for the first cycle

    def correct(self) -> tuple[Float64[Tensor, " batch"], Float64[Tensor, " batch"]]:
        """One cycle on the residual; the correction's products with A direction and with the residual."""
        self.correction = self.cycle.run()
        return kernels.two_products(self.correction, self.applied, self.residual)

    def direct(self, beta: Float64[Tensor, " batch"]) -> Float64[Tensor, " batch"]:
        """Direct the search along correction + beta direction; the product of that with its image under A."""
        kernels.new_direction(self.direction, self.correction, beta)
        return kernels.apply(self.grid, self.direction, self.applied)

    def advance(self, step: Float64[Tensor, " batch"]) -> Float64[Tensor, " batch"]:
        """Go a step along the direction; the residual's norm."""
        iterates, along = (self.x, self.residual), (self.direction, self.applied)
        self.norm = kernels.take_step(iterates, along, step, self._inverse_norm(), self.cycle.b).sqrt()
        return self.norm

    def remainder(self) -> Float64[Tensor, " batch"]:
        """Norm of b - A x, computed afresh; the iteration ends with it."""
        kernels.residual(self.grid, self.x, self.b, self.applied)
        return self.applied.flatten(1).norm(dim=1)

    def _inverse_norm(self) -> Tensor:
        """What scales a residual to about one; 0 for one that vanishes."""
        return torch.where(self.norm > TINY, self.norm.reciprocal(), 0.0)


def _recorded(device: torch.device, work: Callable[[], object]) -> Callable[[], object]:
    """The same work as one CUDA graph; the work itself where there is no CUDA or it refuses to record."""
    if device.type != "cuda":
        return work
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    try:
        with torch.cuda.stream(stream):
            graph.capture_begin(capture_error_mode="thread_local")
            try:
                work()
            finally:
                graph.capture_end()
    except RuntimeError:
        return work
    return graph.replay
