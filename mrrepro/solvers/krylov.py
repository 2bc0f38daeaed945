"""Restarted GMRES for several right-hand sides at once, on any device."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex
from torch import Tensor

from mrrepro.validation import require_range, require_shape

STAGNATION = 0.7
"""A cycle that leaves more than this part of the residual has stagnated."""


@dataclass(frozen=True)
class GmresSettings:
    """When to stop.

    Parameters
    ----------
    tolerance : float
        Largest relative residual ``|b - A x| / |b|`` in the 2-norm, for each right-hand side.
    restart : int
        Directions kept before a restart.
    largest_products : int
        Limit on applications of the operator (each to all right-hand sides).
    """

    tolerance: float = 3e-4
    restart: int = 120
    largest_products: int = 600

    def __post_init__(self) -> None:
        require_range("tolerance", self.tolerance, 0.0, 1.0, low_open=True)
        require_range("restart", self.restart, 1)
        require_range("largest_products", self.largest_products, 1)


@dataclass(frozen=True)
class GmresResult:
    """The outcome of `gmres`.

    Parameters
    ----------
    solution : Tensor, shape (batch, unknowns)
    converged : bool
        True when every right-hand side reached the tolerance by its true residual.
    status : str
        ``converged``, ``stagnated``, ``product limit`` or ``not finite``.
    products : int
        Applications of the operator.
    relative_residual : tuple of float
        True ``|b - A x| / |b|`` of each right-hand side (0 where b is zero).
    history : tuple of float
        Largest relative residual over the batch after each direction, as GMRES estimates it.
    """

    solution: Tensor
    converged: bool
    status: str
    products: int
    relative_residual: tuple[float, ...]
    history: tuple[float, ...]


class _LeastSquares:
    """The Hessenberg matrices of a batch, made triangular by Givens rotations as columns come in (complex128)."""

    def __init__(self, norms: np.ndarray, restart: int) -> None:
        batch = len(norms)
        self.triangle = np.zeros((batch, restart + 1, restart), dtype=complex)
        self.rotations = np.zeros((batch, restart, 2), dtype=complex)
        self.right = np.zeros((batch, restart + 1), dtype=complex)
        self.right[:, 0] = norms
        self.columns = 0

    def append(self, column: np.ndarray) -> np.ndarray:
        """Take column j, of j + 2 entries for each of the batch, and return the residual norms."""
        j = self.columns
        for system, entries in enumerate(column):
            for i in range(j):
                cosine, sine = self.rotations[system, i]
                upper, lower = entries[i], entries[i + 1]
                entries[i] = np.conj(cosine) * upper + np.conj(sine) * lower
                entries[i + 1] = -sine * upper + cosine * lower
            length = math.hypot(abs(entries[j]), abs(entries[j + 1]))
            cosine, sine = (entries[j] / length, entries[j + 1] / length) if length > 0.0 else (1.0, 0.0)
            self.rotations[system, j] = cosine, sine
            entries[j], entries[j + 1] = length, 0.0
            self.triangle[system, : j + 2, j] = entries
            head = self.right[system, j]
            self.right[system, j] = np.conj(cosine) * head
            self.right[system, j + 1] = -sine * head
        self.columns += 1
        return np.abs(self.right[:, self.columns])

    def coefficients(self) -> np.ndarray:
        """Return the coefficients of the directions, shape (batch, columns)."""
        count = self.columns
        found = np.zeros((len(self.right), count), dtype=complex)
        for system in range(len(found)):
            triangle = self.triangle[system, :count, :count]
            # A zero right-hand side, or an exact solution before the last column, leaves zeros on the diagonal.
            rank = int(np.argmin(np.append(np.abs(np.diagonal(triangle)), 0.0) > 0.0))
            found[system, :rank] = np.linalg.solve(triangle[:rank, :rank], self.right[system, :rank])
        return found


def _norms(vectors: Complex[Tensor, "batch unknowns"]) -> np.ndarray:
    return torch.linalg.vector_norm(vectors, dim=-1).double().cpu().numpy()


def _normalised(vectors: Complex[Tensor, "batch unknowns"], norms: np.ndarray) -> Complex[Tensor, "batch unknowns"]:
    """Return the vectors divided by their norms; zero vectors stay."""
    divisor = torch.as_tensor(np.where(norms > 0.0, norms, 1.0), dtype=vectors.real.dtype, device=vectors.device)
    return vectors / divisor[:, None]


def _cycle(
    operator: Callable[[Tensor], Tensor], residual: Tensor, targets: np.ndarray, scales: np.ndarray, directions: int
) -> tuple[Tensor, list[float]]:
    """Return the correction of one cycle and the history of the largest relative residual."""
    batch, unknowns = residual.shape
    basis = residual.new_zeros((batch, directions + 1, unknowns))
    norms = _norms(residual)
    basis[:, 0] = _normalised(residual, norms)
    problem = _LeastSquares(norms, directions)
    history: list[float] = []
    for j in range(directions):
        vector = operator(basis[:, j])
        spanned = basis[:, : j + 1]
        column = torch.zeros((batch, j + 1), dtype=vector.dtype, device=vector.device)
        for _ in range(2):  # classical Gram-Schmidt, twice, is as orthogonal as the modified one and is a product
            for known, new, entries in zip(spanned, vector, column, strict=True):  # a batched product is slower
                part = torch.mv(known, new.conj().resolve_conj()).conj().resolve_conj()
                new.addmv_(known.T, part, alpha=-1.0)
                entries += part
        length = _norms(vector)
        columns = np.concatenate([column.cpu().numpy().astype(complex), length[:, None]], axis=1)
        residuals = problem.append(columns)
        history.append(float(np.max(residuals / scales)))
        if not math.isfinite(history[-1]) or bool(np.all(residuals <= targets)):
            break
        basis[:, j + 1] = _normalised(vector, length)
    weights = torch.as_tensor(problem.coefficients(), device=residual.device).to(residual.dtype)
    correction = (basis[:, : problem.columns].transpose(1, 2) @ weights[:, :, None])[:, :, 0]
    return correction, history


def gmres(
    operator: Callable[[Complex[Tensor, "batch unknowns"]], Complex[Tensor, "batch unknowns"]],
    right_side: Complex[Tensor, "batch unknowns"],
    settings: GmresSettings | None = None,
    start: Complex[Tensor, "batch unknowns"] | None = None,
) -> GmresResult:
    """Solve ``A x = b`` for each of a batch of right-hand sides.

    Each right-hand side has its own Krylov space; products and orthogonalisation are batched. After each cycle the true
    residual is computed and decides. A zero right-hand side gives zero. Nothing is raised or printed when it does not
    converge: the record says so.

    Parameters
    ----------
    operator : callable
        Linear map of a batch onto a batch.
    right_side : Tensor, shape (batch, unknowns)
        b, complex.
    settings : GmresSettings, optional
        Tolerance and limits.
    start : Tensor, shape (batch, unknowns), optional
        First guess; zero otherwise.

    Returns
    -------
    GmresResult

    References
    ----------
    Y. Saad, M. H. Schultz, SIAM J. Sci. Stat. Comput. 7, 856 (1986).
    """
    settings = settings or GmresSettings()
    require_shape("right_side", right_side, (None, None))
    solution = torch.zeros_like(right_side)
    residual = right_side
    products = 0
    if start is not None:
        require_shape("start", start, right_side.shape)
        solution = start.to(right_side.dtype)
        residual = right_side - operator(solution)
        products += 1
    size = _norms(right_side)
    scales = np.where(size > 0.0, size, 1.0)
    if not bool(np.all(size > 0.0)):
        empty = torch.as_tensor(size == 0.0, device=right_side.device)[:, None]
        solution = torch.where(empty, torch.zeros_like(solution), solution)
        residual = torch.where(empty, torch.zeros_like(residual), residual)
    relative = _norms(residual) / scales
    history: list[float] = [float(relative.max())]
    status = "converged" if bool(np.all(relative <= settings.tolerance)) else ""
    while not status:
        room = min(settings.restart, settings.largest_products - products)
        if room < 1:
            status = "product limit"
            break
        correction, steps = _cycle(operator, residual, settings.tolerance * scales, scales, room)
        history += steps
        products += len(steps)
        if not math.isfinite(steps[-1]):
            status = "not finite"
            break
        solution = solution + correction
        residual = right_side - operator(solution)
        products += 1
        previous, relative = relative, _norms(residual) / scales
        if bool(np.all(relative <= settings.tolerance)):
            status = "converged"
        elif float(relative.max()) > STAGNATION * float(previous.max()):
            status = "stagnated"
    return GmresResult(
        solution, status == "converged", status, products, tuple(float(value) for value in relative), tuple(history)
    )
