import numpy as np
import pytest
import torch

from mrrepro.solvers.krylov import GmresSettings, gmres


def _system(seed=3, size=30):
    rng = np.random.default_rng(seed)
    matrix = np.eye(size) + 0.3 * (rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))) / np.sqrt(size)
    right = rng.normal(size=(2, size)) + 1j * rng.normal(size=(2, size))
    return torch.as_tensor(matrix), torch.as_tensor(right)


def test_agrees_with_a_direct_solution():
    matrix, right = _system()
    found = gmres(lambda x: x @ matrix.T, right, GmresSettings(tolerance=1e-12))
    expected = np.linalg.solve(matrix.numpy(), right.numpy().T).T
    assert found.converged
    assert np.allclose(found.solution.numpy(), expected, atol=1e-10)
    true = np.linalg.norm(right.numpy() - found.solution.numpy() @ matrix.numpy().T, axis=1)
    assert np.allclose(found.relative_residual, true / np.linalg.norm(right.numpy(), axis=1), atol=1e-15)


def test_restarts_and_counts_products():
    matrix, right = _system()
    count = 0

    def operator(x):
        nonlocal count
        count += 1
        return x @ matrix.T

    found = gmres(operator, right, GmresSettings(tolerance=1e-10, restart=6))
    assert found.converged
    assert found.products == count
    assert len(found.history) < count


def test_zero_right_side_gives_zero_even_from_a_start():
    matrix, right = _system()
    right[1] = 0
    found = gmres(lambda x: x @ matrix.T, right, GmresSettings(tolerance=1e-10), start=torch.ones_like(right))
    assert found.converged
    assert not found.solution[1].any()
    assert found.relative_residual[1] == 0.0


def test_exact_start_needs_one_product():
    matrix, right = _system()
    exact = torch.linalg.solve(matrix, right.T).T
    assert gmres(lambda x: x @ matrix.T, right, start=exact).products == 1


def test_says_why_it_does_not_converge():
    matrix, right = _system()
    limited = gmres(lambda x: x @ matrix.T, right, GmresSettings(tolerance=1e-12, largest_products=3))
    assert (limited.converged, limited.status) == (False, "product limit")
    # the cyclic shift: GMRES makes no progress before as many directions as unknowns
    first = torch.zeros((1, 30), dtype=torch.complex128)
    first[0, 0] = 1.0
    stuck = gmres(lambda x: x.roll(1, dims=1), first, GmresSettings(tolerance=1e-6, restart=10))
    assert (stuck.converged, stuck.status) == (False, "stagnated")
    broken = gmres(lambda x: x * float("nan"), right)
    assert (broken.converged, broken.status) == (False, "not finite")


def test_single_precision_stays_single():
    matrix, right = _system()
    found = gmres(lambda x: x @ matrix.T.to(torch.complex64), right.to(torch.complex64), GmresSettings(tolerance=1e-5))
    assert found.converged
    assert found.solution.dtype == torch.complex64


@pytest.mark.parametrize("settings", [{"tolerance": 0.0}, {"restart": 0}, {"largest_products": 0}])
def test_rejects_settings(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        GmresSettings(**settings)


def test_stays_orthogonal_on_an_ill_conditioned_matrix():
    # one pass of classical Gram-Schmidt loses orthogonality and the estimate departs from the true residual
    rng = np.random.default_rng(5)
    basis = np.linalg.qr(rng.normal(size=(60, 60)))[0]
    matrix = torch.as_tensor(basis @ np.diag(np.logspace(0, -7, 60)) @ basis.T).to(torch.complex128)
    right = torch.as_tensor(rng.normal(size=(1, 60))).to(torch.complex128)
    found = gmres(lambda x: x @ matrix.T, right, GmresSettings(tolerance=1e-9, restart=60))
    assert found.converged
    assert found.products <= 61
